"""The models that come with the package: small, sound, described, and good enough on real pages."""

from __future__ import annotations

import hashlib
import lzma
from importlib import resources
from pathlib import Path

import pytest

from llama_data.pipeline.models.starters import pack_starter
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.shared.wet import WetRecord, read_wet
from llama_data.stages.steps.classifier import POSITIVE, THRESHOLD
from llama_data.stages.steps.model_files import model_path, perplexity_files, starter_card, starters
from llama_data.stages.steps.perplexity import PerplexityModel, read_cutoffs

# The 20 languages of LLaMA's Wikipedia (the paper, section 2.1).
LLAMA = {
    "bg",
    "ca",
    "cs",
    "da",
    "de",
    "en",
    "es",
    "fr",
    "hr",
    "hu",
    "it",
    "nl",
    "pl",
    "pt",
    "ro",
    "ru",
    "sl",
    "sr",
    "sv",
    "uk",
}
LIMIT_BYTES = 8 << 20


def bundled() -> Path:
    folder = resources.files("llama_data.stages.steps").joinpath("starter")
    assert isinstance(folder, Path)
    return folder


def test_there_are_three_and_they_are_small() -> None:
    assert starters() == ["language", "perplexity.en", "references"]
    assert sum(path.stat().st_size for path in bundled().iterdir()) <= LIMIT_BYTES


@pytest.mark.parametrize("name", ["language", "perplexity.en", "references"])
def test_cards_describe_the_files_that_are_there(name: str) -> None:
    card = starter_card(name)
    assert card["made_by"]["command"].startswith("llama-data models train-")
    assert card["licence"]
    assert card["quality"]
    for entry in card["files"]:
        data = (bundled() / entry["packed"]).read_bytes()
        data = lzma.decompress(data) if entry["packed"].endswith(".xz") else data
        assert len(data) == entry["size"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]


def test_packing_needs_a_card_and_its_files(tmp_path: Path) -> None:
    from llama_data.pipeline.core.errors import ModelError

    with pytest.raises(ModelError, match="no such model card"):
        pack_starter(tmp_path / "x.card.json", "x", tmp_path)
    (tmp_path / "x.card.json").write_text('{"files": [{"name": "x.ftz"}]}')
    with pytest.raises(ModelError, match="train the model again"):
        pack_starter(tmp_path / "x.card.json", "x", tmp_path / "out")
    (tmp_path / "x.ftz").write_bytes(b"model")
    assert pack_starter(tmp_path / "x.card.json", "y", tmp_path / "out") == 5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["y.card.json", "y.ftz"]


def test_language_starter_knows_llamas_languages_and_more() -> None:
    model = FastTextModel.load(model_path("starter/language"))
    assert set(model.labels) >= LLAMA
    assert len(model.labels) >= len(LLAMA) + 10
    texts = {
        "en": "The committee met twice a year and published what it had decided in a small green book.",
        "de": "Der Ausschuss trat zweimal im Jahr zusammen und veröffentlichte seine Beschlüsse in einem Heft.",
        "fr": "Le comité se réunissait deux fois par an et publiait ses décisions dans un petit livre vert.",
        "uk": "Комітет збирався двічі на рік і друкував свої рішення в маленькій зеленій книжці.",  # noqa: RUF001
    }
    found = model.predict([text.encode() for text in texts.values()])
    assert [each.label for each in found] == list(texts)


def test_language_starter_agrees_with_lid176_on_web_pages(corpus: Path, oracle_models: Path) -> None:
    pages = [
        record.body.replace(b"\n", b"")
        for path in sorted((corpus / "cc").glob("*.wet.gz"))
        for record in read_wet(str(path))
        if isinstance(record, WetRecord)
    ]
    ours = FastTextModel.load(model_path("starter/language")).predict(pages)
    theirs = FastTextModel.load(str(oracle_models / "lid.176.ftz")).predict(pages)
    same = sum((a.label == "en") == (b.label == "en") for a, b in zip(ours, theirs, strict=True))
    assert len(pages) > 8000
    assert same / len(pages) >= 0.97


def test_perplexity_starter_orders_texts(tmp_path: Path) -> None:
    files = perplexity_files("starter", "en", str(tmp_path))
    model = PerplexityModel(files)
    cutoffs = read_cutoffs(files, "en")
    prose = (
        "The city stands on the northern bank of the river, and was the capital of the kingdom until the end of the "
        "eighteenth century, when the court was moved to the coast."
    )
    noise = "buy cheap xxl zqk3 login cart 44% qwpo click>> ggh vvb nnm lol asdkj 1kjh free$$ tweet pin rss jjk"
    assert model.perplexity(prose) < cutoffs.middle < model.perplexity(noise)


def test_reference_starter_fits_the_stage() -> None:
    model = FastTextModel.load(model_path("starter/references"))
    assert sorted(model.labels) == ["random", "wiki"]


def test_the_reference_starter_keeps_at_its_default_threshold_what_its_card_says(corpus: Path) -> None:
    said = starter_card("references")["calibration"]
    assert said["meaning"] == "33% of pages at random score 0.5 or more"
    assert 0.25 < said["held_out_share_kept"] < 0.41
    english = FastTextModel.load(model_path("starter/language"))
    pages = [
        b" ".join(record.body.split(b"\n"))
        for path in sorted((corpus / "cc").glob("*.wet.gz"))
        for record in read_wet(str(path))
        if isinstance(record, WetRecord) and len(record.body) >= 1000
    ]
    pages = [page for page, found in zip(pages, english.predict(pages), strict=True) if found.label == "en"]
    scores = FastTextModel.load(model_path("starter/references")).predict(pages)
    kept = sum(each.score >= THRESHOLD if each.label == POSITIVE else each.score <= 1 - THRESHOLD for each in scores)
    # Whole pages, before their repeated lines are gone: other text than it was calibrated on.
    assert 0.1 < kept / len(pages) < 0.6
