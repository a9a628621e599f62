"""Names of models become files: starters, downloads, paths."""

from __future__ import annotations

import hashlib
import json
import lzma
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import ModelError
from llama_data.stages.steps import model_files as assets


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of starters: one plain file, one of three packed files."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    entries = []
    for name, body in (("xx.arpa", b"ngrams"), ("xx.sp.model", b"pieces"), ("xx.cutoffs.json", b"{}")):
        packed = f"perplexity.{name}.xz"
        (folder / packed).write_bytes(lzma.compress(body))
        entries.append({"name": name, "packed": packed, "sha256": hashlib.sha256(body).hexdigest()})
    (folder / "perplexity.xx.card.json").write_text(json.dumps({"files": entries}))
    (folder / "language.ftz").write_bytes(b"model")
    plain = {"name": "language.ftz", "packed": "language.ftz", "sha256": hashlib.sha256(b"model").hexdigest()}
    (folder / "language.card.json").write_text(json.dumps({"files": [plain]}))
    monkeypatch.setattr(assets, "_starter_folder", lambda: folder)
    return folder


def test_a_plain_starter_is_used_where_it_is(bundle: Path, tmp_path: Path) -> None:
    assert assets.model_path("starter/language", str(tmp_path / "models")) == str(bundle / "language.ftz")
    assert not (tmp_path / "models").exists()


def test_a_packed_starter_is_unpacked_once_beside_its_companions(bundle: Path, tmp_path: Path) -> None:
    models = str(tmp_path / "models")
    files = assets.perplexity_files("starter", "xx", models)
    assert Path(files.model).read_bytes() == b"ngrams"
    assert Path(files.pieces).read_bytes() == b"pieces"
    assert files.cutoffs is not None
    written = Path(files.model).stat().st_mtime_ns
    assert assets.model_path("starter/perplexity.xx", models) == files.model
    assert Path(files.model).stat().st_mtime_ns == written
    assert sorted(path.name for path in Path(files.model).parent.iterdir()) == [
        "xx.arpa",
        "xx.cutoffs.json",
        "xx.sp.model",
    ]


def test_a_damaged_starter_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "perplexity.xx.arpa.xz").write_bytes(lzma.compress(b"other"))
    with pytest.raises(ModelError, match="damaged: sha256"):
        assets.model_path("starter/perplexity.xx", str(tmp_path / "models"))


def test_an_unknown_starter_names_those_there_are(bundle: Path) -> None:
    with pytest.raises(ModelError, match=r"there are: language, perplexity\.xx"):
        assets.model_path("starter/nothing")


def test_a_missing_download_names_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"llama-data models pull lid\.176\.bin"):
        assets.model_path("lid.176.bin", str(tmp_path))


def test_the_models_folder_is_the_given_one_then_the_variable_then_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_DATA_MODELS", str(tmp_path / "variable"))
    assert assets.models_folder(str(tmp_path / "given")) == tmp_path / "given"
    assert assets.models_folder() == tmp_path / "variable"
    monkeypatch.delenv("LLAMA_DATA_MODELS")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert assets.models_folder() == tmp_path / ".cache" / "llama-data" / "models"


def test_paths_and_names_in_the_models_folder(tmp_path: Path) -> None:
    model = tmp_path / "references.bin"
    model.write_bytes(b"model")
    assert assets.model_path(str(model)) == str(model)
    assert assets.model_path("references.bin", str(tmp_path)) == str(model)
    with pytest.raises(ModelError, match="no such model file"):
        assets.model_path(str(tmp_path / "absent.bin"))


def test_a_folder_without_a_model_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no en\.arpa\.bin or en\.arpa there"):
        assets.perplexity_files(str(tmp_path), "en")
    (tmp_path / "en.arpa").write_bytes(b"")
    with pytest.raises(ModelError, match="needs the SentencePiece model"):
        assets.perplexity_files(str(tmp_path), "en")
    (tmp_path / "en.sp.model").write_bytes(b"")
    assert assets.perplexity_files(str(tmp_path), "en").cutoffs is None


def test_ccnets_models_are_those_of_the_models_folder_with_its_own_cutoffs(tmp_path: Path) -> None:
    for name in ("en.arpa.bin", "en.sp.model"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "en.cutoffs.json").write_text("{}")
    found = assets.perplexity_files("ccnet", "en", str(tmp_path))
    assert found == (str(tmp_path / "en.arpa.bin"), str(tmp_path / "en.sp.model"), None)
    with pytest.raises(ModelError, match=r"de\.arpa\.bin"):
        assets.perplexity_files("ccnet", "de", str(tmp_path))
