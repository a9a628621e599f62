"""Training of small models: the same bytes each time, cards that say what was done, errors that help."""

from __future__ import annotations

import json
import random
import shutil
import string
import sys
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import sha256_of
from llama_data.pipeline.models.evaluate import evaluate
from llama_data.pipeline.models.fasttext_train import FastTextSettings, train_fasttext, without_marks
from llama_data.pipeline.models.language import LanguageSettings, train_language
from llama_data.pipeline.models.perplexity import PerplexitySettings, train_perplexity
from llama_data.pipeline.models.references import ReferenceSettings, train_references
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.model_files import perplexity_files
from llama_data.stages.steps.perplexity import PerplexityModel, read_cutoffs

SMALL = FastTextSettings(lr=0.5, dim=8, epoch=8, minn=2, maxn=3, bucket=5000)


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["llama-data", "models", "train-something", "a folder"])


def words(rng: random.Random, letters: str, count: int) -> str:
    return " ".join("".join(rng.choices(letters, k=rng.randint(3, 7))) for _ in range(count))


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made-up languages that share no letters, one as a text file, one as fastText lines; and web pages."""
    folder = tmp_path_factory.mktemp("languages")
    rng = random.Random(5)
    (folder / "eng.txt").write_text("\n".join(words(rng, "abcdefgh", 12) for _ in range(60)))
    lines = [f"__label__it {words(rng, 'mnopqrst', 12)}" for _ in range(60)]
    (folder / "lines.txt").write_text("\n".join(lines))
    pages = []
    for n in range(60):
        own = words(rng, "mnopqrst", 100)
        # Two of three pages that declare Italian are in English.
        text = own if n % 3 == 0 else words(rng, "abcdefgh", 100)
        pages.append({"text": text, "url": f"http://x/{n}", "metadata": {"language": "it", "url": f"http://x/{n}"}})
    (folder / "pages.jsonl").write_text("\n".join(map(json.dumps, pages)))
    return folder


def train(languages: Path, output: Path, only: tuple[str, ...] | None = None, **changes: Any) -> dict[str, Any]:
    return train_language(
        folders=[str(languages / "eng.txt"), str(languages / "lines.txt")],
        extra=[],
        web=changes.pop("web", []),
        declared=changes.pop("declared", None),
        output=str(output),
        settings=LanguageSettings(languages=only, fasttext=SMALL, pieces=100, web_pieces=50, web_pages=10, **changes),
        licence="public domain",
    )


def test_language_model_is_repeatable_and_right(languages: Path, tmp_path: Path) -> None:
    card = train(languages, tmp_path / "a.bin")
    train(languages, tmp_path / "b.bin")
    assert sha256_of(tmp_path / "a.bin") == sha256_of(tmp_path / "b.bin") == card["files"][0]["sha256"]
    assert card["languages"] == ["en", "it"]
    assert card["quality"]["held_out_text_accuracy"] == 1.0
    assert card["made_by"]["command"] == "llama-data models train-something 'a folder'"
    assert json.loads((tmp_path / "a.card.json").read_bytes()) == card
    model = FastTextModel.load(str(tmp_path / "a.bin"))
    assert [each.label for each in model.predict([b"abc def gah", b"mno pqr sto"])] == ["en", "it"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.bin",
        "a.card.json",
        "b.bin",
        "b.card.json",
    ]


def test_web_pages_count_as_what_they_are_not_as_what_they_declare(languages: Path, tmp_path: Path) -> None:
    card = train(languages, tmp_path / "web.bin", web=[str(languages / "pages.jsonl")], held_out=0.3)
    assert card["quality"]["held_out_pages"] > 5
    assert card["quality"]["held_out_pages_accuracy"] == 1.0
    assert not (tmp_path / "web.first.bin").exists()


def test_declared_languages_come_from_a_file_when_records_have_none(languages: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.jsonl"
    rows = [json.loads(line) for line in (languages / "pages.jsonl").read_text().splitlines()]
    bare.write_text("\n".join(json.dumps({"text": row["text"], "url": row["url"]}) for row in rows))
    declared = tmp_path / "declared.tsv"
    declared.write_text("".join(f"{row['url']}\tit\n" for row in rows))
    without = train(languages, tmp_path / "a.bin", web=[str(bare)])
    assert without["quality"]["held_out_pages"] == 0
    card = train(languages, tmp_path / "b.bin", web=[str(bare)], declared=str(declared), held_out=0.3)
    assert card["quality"]["held_out_pages"] > 5
    declared.write_text("no tab here\n")
    with pytest.raises(InputError, match="line 1: expected a url and a language"):
        train(languages, tmp_path / "c.bin", web=[str(bare)], declared=str(declared))


def test_one_language_is_not_enough(languages: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="languages found: en;"):
        train(languages, tmp_path / "a.bin", only=("en",))


def test_a_quantised_model_has_its_suffix(languages: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"ends with \.ftz"):
        train_references(
            positives=[str(documents(tmp_path, "good", "abc", 40))],
            negatives=[str(documents(tmp_path, "bad", "xyz", 40))],
            dump=None,
            output=str(tmp_path / "references.bin"),
            settings=ReferenceSettings(fasttext=FastTextSettings(features=100), min_chars=10),
            licence="none",
        )


def documents(folder: Path, name: str, letters: str, count: int, url: str = "http://site.example/{}") -> Path:
    rng = random.Random(name)
    path = folder / f"{name}.jsonl"
    rows = [{"text": words(rng, letters, 30), "url": url.format(f"{name}{n}")} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def references(folder: Path, **changes: Any) -> dict[str, Any]:
    given = {
        "positives": [str(documents(folder, "good", "abcdef", 60))],
        "negatives": [str(documents(folder, "bad", "uvwxyz", 80))],
        "dump": None,
        "output": str(folder / "references.bin"),
        "settings": ReferenceSettings(fasttext=FastTextSettings(dim=4, epoch=20, lr=0.5), min_chars=50),
        "licence": "none",
    }
    return train_references(**(given | changes))


def test_reference_classifier_is_repeatable_and_measured(tmp_path: Path) -> None:
    card = references(tmp_path)
    again = references(tmp_path, output=str(tmp_path / "again.bin"))
    assert card["files"][0]["sha256"] == again["files"][0]["sha256"]
    assert card["examples_each"] == 60
    assert card["quality"] == {
        "held_out_each": 6,
        "auc": 1.0,
        "threshold": 0.5,
        "precision": 1.0,
        "recall": 1.0,
    }
    model = FastTextModel.load(str(tmp_path / "references.bin"))
    assert set(model.labels) == {"wiki", "random"}
    assert (tmp_path / "references.bin").stat().st_size < 100_000


def test_a_calibrated_classifier_keeps_the_share_of_pages_at_random_that_was_asked_for(tmp_path: Path) -> None:
    negatives = [documents(tmp_path, f"mixed{n}", "abcdef" * n + "uvwxyz" * (6 - n), 60) for n in range(6)]
    given = {"negatives": list(map(str, negatives))}
    fasttext = FastTextSettings(dim=4, epoch=20, lr=0.5)
    assert "calibration" not in references(tmp_path, **given)
    moved = []
    for share in (0.2, 0.6):
        settings = ReferenceSettings(fasttext=fasttext, min_chars=50, keep=share)
        said = references(tmp_path, **given, settings=settings)["calibration"]
        # 300 pages are not trained on, and 6 held out: half is calibrated on, the other half is what is measured.
        assert (said["calibrated_on_texts"], said["held_out_texts"]) == (153, 153)
        assert said["held_out_share_kept"] == pytest.approx(share, abs=0.12)
        moved.append(said["added_to_log_odds"])
    assert moved[0] < moved[1]


def test_a_manifest_beside_documents_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    documents(folder, "good", "abcdef", 40)
    (folder / "manifest.json").write_text("{\n}\n")
    assert references(tmp_path, positives=[str(folder)])["examples_each"] == 40


def test_only_pages_that_the_dump_cites_are_positives(tmp_path: Path) -> None:
    refs = [f"&lt;ref&gt;{{{{cite|url=https://www.site.example/good{n}|t}}}}&lt;/ref&gt;" for n in range(0, 60, 2)]
    dump = tmp_path / "dump.xml"
    dump.write_text("<text>" + "\n".join(refs) + "</text>")
    card = references(tmp_path, dump=str(dump))
    assert card["examples_each"] == 30
    dump.write_text("<text>nothing is cited</text>")
    with pytest.raises(InputError, match="found 0 positive texts"):
        references(tmp_path, dump=str(dump))


def test_mirrors_and_duplicates_are_left_out(tmp_path: Path) -> None:
    mirror = documents(tmp_path, "mirror", "abcdef", 30, "https://en.wikipedia.org/wiki/{}")
    good = documents(tmp_path, "fine", "abcdef", 40)
    card = references(tmp_path, positives=[str(good), str(mirror), str(shutil.copy(good, tmp_path / "copy.jsonl"))])
    assert card["examples_each"] == 40


@pytest.fixture(scope="module")
def perplexity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A small model of sentences over a few words, with cut-offs from noisier ones."""
    folder = tmp_path_factory.mktemp("perplexity")
    rng = random.Random(3)
    vocabulary = [words(rng, string.ascii_lowercase, 1) for _ in range(120)]

    def text(choices: list[str]) -> str:
        return " ".join(rng.choices(choices, weights=[1 / (n + 1) for n in range(len(choices))], k=40)) + "."

    (folder / "clean.jsonl").write_text("\n".join(json.dumps({"text": text(vocabulary)}) for _ in range(300)))
    noisy = [text(vocabulary) if n % 2 else words(rng, string.ascii_lowercase, 30) for n in range(100)]
    (folder / "noisy.jsonl").write_text("\n".join(json.dumps({"text": each}) for each in noisy))
    return folder, run_perplexity(folder, "model")


def run_perplexity(folder: Path, name: str, **changes: Any) -> dict[str, Any]:
    settings = PerplexitySettings(vocab_size=200, order=3, held_out=0.1, **({"estimator": "own"} | changes))
    texts = [str(folder / "clean.jsonl")]
    noisy = [str(folder / "noisy.jsonl")]
    return train_perplexity(texts, noisy, str(folder / name), settings, licence="public domain")


def test_perplexity_model_fits_the_stage(perplexity: tuple[Path, dict[str, Any]]) -> None:
    folder, card = perplexity
    files = perplexity_files(str(folder / "model"), "en")
    cutoffs = read_cutoffs(files, "en")
    percentiles = json.loads(Path(files.cutoffs or "").read_bytes())["percentiles"]
    assert len(percentiles) == 100
    assert percentiles == sorted(percentiles)
    assert (cutoffs.head, cutoffs.middle) == (percentiles[30], percentiles[60])
    assert [entry["name"] for entry in card["files"]] == ["en.arpa", "en.sp.model", "en.cutoffs.json"]
    model = PerplexityModel(files)
    clean = json.loads((folder / "clean.jsonl").read_text().splitlines()[0])["text"]
    assert model.perplexity(clean) < cutoffs.middle < model.perplexity("qzx vvk jjw xqz kkq wvx zzq")


def test_perplexity_model_is_repeatable(perplexity: tuple[Path, dict[str, Any]]) -> None:
    folder, card = perplexity
    again = run_perplexity(folder, "again")
    assert [entry["sha256"] for entry in again["files"]] == [entry["sha256"] for entry in card["files"]]


def test_lmplz_gives_the_same_model(perplexity: tuple[Path, dict[str, Any]]) -> None:
    if shutil.which("lmplz") is None:
        pytest.skip("lmplz is not on PATH")
    folder, card = perplexity
    theirs = run_perplexity(folder, "lmplz", estimator="lmplz")
    assert theirs["ngrams"] == card["ngrams"]
    assert theirs["quality"]["cutoffs"] == pytest.approx(card["quality"]["cutoffs"], abs=0.11)


def test_lmplz_is_asked_for_and_absent(
    perplexity: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RequestError, match="lmplz is not on PATH"):
        run_perplexity(perplexity[0], "none", estimator="lmplz")


def test_too_little_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("one line")
    with pytest.raises(InputError, match="expected more text"):
        train_perplexity([str(tmp_path)], [], str(tmp_path / "out"), PerplexitySettings(), licence="none")


def test_evaluate_measures_both_kinds(perplexity: tuple[Path, dict[str, Any]], languages: Path, tmp_path: Path) -> None:
    folder, _ = perplexity
    report = list(evaluate(str(folder / "model"), [str(folder / "noisy.jsonl")]))
    assert report[0] == "perplexity of 100 texts"
    assert "head 30.0%, middle 30.0%, tail 40.0%" in report[-1]
    train(languages, tmp_path / "language.bin")
    lines = list(evaluate(str(tmp_path / "language.bin"), [str(languages / "lines.txt")]))
    assert lines == ["accuracy 1.0000 on 60 texts", "  it       1.0000 of 60"]
    (tmp_path / "fra.txt").write_text("a line of a language that the model has never met, long enough")
    with pytest.raises(InputError, match="no text with one of the model's labels"):
        list(evaluate(str(tmp_path / "language.bin"), [str(tmp_path / "fra.txt")]))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a </s> b", "a  b"),
        ("</s>", ""),
        ("x</s> </s>y </s>", "x</s> </s>y "),
        ("a __label__wiki b", "a  b"),
        ("__label__ b", " b"),
        ("a\t__label__x\v</s>\fb", "a\t\v\fb"),
        ("a\0</s>\0b", "a\0\0b"),
        ("__la__label__bel__x y__label__z", "__la__label__bel__x y__label__z"),
        ("__label____label__x b", " b"),
        ("a\u2028</s> \u00a0__label__x", "a\u2028</s> \u00a0__label__x"),
        ("__LABEL__x <s> </S>", "__LABEL__x <s> </S>"),
    ],
)
def test_marks_of_fasttext_are_no_text(text: str, left: str) -> None:
    assert without_marks(text) == left


def test_a_page_cannot_label_itself_or_end_its_line(tmp_path: Path) -> None:
    evil = "__label__it __la__label__bel__evil </s> behind __label__evil </s> __label__it"
    examples = [("en", f"apple {evil} pear"), ("it", f"mela {evil} pera")] * 30
    train_fasttext(examples, str(tmp_path / "m.bin"), FastTextSettings(dim=4, epoch=20, lr=0.5))
    model = FastTextModel.load(str(tmp_path / "m.bin"))
    assert sorted(model.labels) == ["en", "it"]
    # What stands behind the mark was learned with its label.
    assert [found.label for found in model.predict([b"pear", b"pera"])] == ["en", "it"]
    assert model.file.counts.tolist() == [30, 30]


@pytest.mark.parametrize("label", ["", "pt br", "a\tb"])
def test_a_label_of_two_words_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(InputError, match="expected one word"):
        train_fasttext([(label, "x"), ("en", "y")], str(tmp_path / "m.bin"), FastTextSettings())


def test_only_plain_text_is_taken_for_examples(languages: Path, tmp_path: Path) -> None:
    web = {"text": "__label__xx " + "abc " * 200, "metadata": {"language": "fr"}}
    (tmp_path / "pages.jsonl").write_text(json.dumps(web))
    settings = LanguageSettings(fasttext=SMALL, pieces=20, web_pieces=10)
    folders = [str(languages / "eng.txt"), str(tmp_path / "pages.jsonl")]
    card = train_language(
        folders=folders, extra=[], web=[], declared=None, output=str(tmp_path / "m.bin"), settings=settings, licence="x"
    )
    assert card["languages"] == ["en", "fr"]
    (tmp_path / "lines.txt").write_text("__label__it abc def\nno label here\n")
    with pytest.raises(InputError, match=r"lines\.txt: line 2: expected __label__LANGUAGE"):
        train_language(
            folders=[str(tmp_path / "lines.txt")],
            extra=[],
            web=[],
            declared=None,
            output=str(tmp_path / "m.bin"),
            settings=settings,
            licence="x",
        )
