"""CCNet's decisions about one page, at their edges."""

from __future__ import annotations

import json
from pathlib import Path

import kenlm
import pytest
import sentencepiece

from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import list_inputs
from llama_data.stages.commoncrawl.reader import CommonCrawlReader, page_text
from llama_data.stages.fasttext.model import FastTextModel, Prediction
from llama_data.stages.shared.html import html_text
from llama_data.stages.steps.kernels.lm_text import normalise_text
from llama_data.stages.steps.language import Language
from llama_data.stages.steps.model_files import PerplexityFiles
from llama_data.stages.steps.perplexity import CCNET_CUTOFFS, Perplexity, PerplexityModel, bucket_of, read_cutoffs


def document(text: str, **metadata: object) -> Document:
    return new_document(domain="commoncrawl", id="x", text=text, source="x", **metadata)


@pytest.mark.parametrize(("score", "reason"), [(0.4951, None), (0.4949, "language_uncertain")])
def test_the_language_score_is_rounded_before_the_test(
    monkeypatch: pytest.MonkeyPatch, score: float, reason: str | None
) -> None:
    rule = Language(model="none", languages=("en",))
    seen: list[bytes] = []

    class Model:
        def predict(self, texts: list[bytes]) -> list[Prediction]:
            seen.extend(texts)
            return [Prediction("en", score)]

    monkeypatch.setattr(FastTextModel, "shared", lambda path: Model())
    doc = document("two\nlines")
    assert rule.judge(doc) == reason
    assert doc.metadata["language_score"] == round(score, 2)
    assert seen == [b"twolines"]


def files(folder: Path) -> PerplexityFiles:
    return PerplexityFiles(str(folder / "en.arpa"), str(folder / "en.sp.model"), str(folder / "en.cutoffs.json"))


def test_perplexity_of_two_lines_is_that_of_their_gluing_and_divides_by_pieces_plus_one(model_folder: Path) -> None:
    model = PerplexityModel(files(model_folder))
    text = "The river was Not in the garden.\nStone and market, 12."
    assert model.perplexity(text) == model.perplexity(text.replace("\n", ""))
    assert model.perplexity(text) != model.perplexity(text.replace("\n", " "))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_folder / "en.sp.model"))
    pieces = processor.encode_as_pieces(normalise_text(text))
    score = kenlm.Model(str(model_folder / "en.arpa")).score(" ".join(pieces), bos=True, eos=True)
    assert model.perplexity(text) == round(10 ** (-score / (len(pieces) + 1)), 1)


def test_english_buckets_change_at_340_and_520_and_a_language_without_a_model_is_all() -> None:
    english = CCNET_CUTOFFS["en"]
    buckets = [bucket_of(perplexity, english) for perplexity in (339.9, 340.0, 519.9, 520.0)]
    assert buckets == ["head", "middle", "middle", "tail"]
    assert bucket_of(None, CCNET_CUTOFFS.get("xx")) == "all"


def test_a_language_without_a_model_is_in_bucket_all_and_stays(model_folder: Path) -> None:
    rule = Perplexity(models={"en": files(model_folder)}, kept=("head", "middle", "all"))
    doc = document("Ein Satz.", language="de")
    assert rule.judge(doc) is None
    assert doc.metadata["perplexity_bucket"] == "all"
    assert "perplexity" not in doc.metadata


def test_cutoffs_beside_the_model_win_and_bad_ones_are_refused(tmp_path: Path) -> None:
    beside = tmp_path / "en.cutoffs.json"
    beside.write_text(json.dumps({"head": 1, "middle": 2}))
    assert read_cutoffs(PerplexityFiles("m", "p", str(beside)), "en") == (1, 2)
    assert read_cutoffs(PerplexityFiles("m", "p", None), "en") == (340, 520)
    beside.write_text("{}")
    with pytest.raises(ModelError, match="head"):
        read_cutoffs(PerplexityFiles("m", "p", str(beside)), "en")
    with pytest.raises(ModelError, match="no cut-offs"):
        read_cutoffs(PerplexityFiles("m", "p", None), "sl")


def test_lines_end_as_in_python_text_files_and_are_stripped() -> None:
    body = "title\r\n\u2003 a\x85\rb\u2028c\n\n\td \n".encode()
    assert page_text(body) == "a\nb\u2028c\n\nd"
    assert page_text(body, "keep") == "title\na\nb\u2028c\n\nd"
    assert page_text(b"t\nok \xff\xc2\x85") == "ok \ufffd"
    assert page_text(b"") == page_text(b"title") == ""


def test_html_becomes_lines_with_the_title_first() -> None:
    html = "<html><head><title> A\n b </title><style>p{}</style></head><body><p>Größe</p><p>two</p></body></html>"
    assert html_text(html.encode(), "utf-8").decode().split("\n")[0] == "A b"
    assert [line for line in page_text(html_text(html.encode(), None)).split("\n") if line] == ["Größe", "two"]


def test_warc_responses_are_pages_and_the_rest_is_not(corpus: Path) -> None:
    splits = list_inputs(str(corpus / "cc" / "real"), ["commoncrawl+whirlwind-python/whirlwind.warc.gz"])
    docs = list(CommonCrawlReader(splits=splits, domain="commoncrawl").read(splits[0]))
    assert len(docs) == 1
    assert "an.wikipedia.org" in docs[0].metadata["url"]
    assert len(docs[0].text) > 300
