"""The trainer of quality classifiers: the same bytes for any order, a held-out part, a card that the step can read."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.models.fasttext_train import FastTextSettings
from llama_data.pipeline.models.quality import QualitySettings, cuts, train_quality
from llama_data.stages.steps.scorer import Classifier

FAST = FastTextSettings(lr=0.5, dim=8, epoch=5, word_ngrams=2, bucket=1000)
GOOD, BAD = ["because", "therefore", "explains", "shows", "means"], ["buy", "cheap", "click", "offer", "now"]


def lines(seed: int, words: list[str], count: int) -> list[str]:
    """Two of three words are of the side, so that sides are told apart, but not by every text."""
    draw = random.Random(seed)
    return [" ".join(draw.choice(words + GOOD[:1] + BAD[:1] + ["the"]) for _ in range(12)) for _ in range(count)]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of parquet and JSON lines, and one of JSON lines; a few texts stand on both sides, or twice."""
    folder = tmp_path_factory.mktemp("sides")
    good, bad = lines(1, GOOD, 150), lines(2, BAD, 200)
    (folder / "good").mkdir()
    (folder / "bad").mkdir()
    pq.write_table(
        pa.table({"text": [text.replace(" ", "\n", 2) for text in good[:70]]}), folder / "good" / "a.parquet"
    )
    (folder / "good" / "b.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in good[60:]))
    rows = [*bad, *good[:5], "x"]
    (folder / "bad" / "c.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    return folder / "good", folder / "bad"


def train(sides: tuple[Path, Path], output: Path, **changes: Any) -> dict[str, Any]:
    settings = QualitySettings(fasttext=FAST, **{"min_chars": 5, "held_out": 0.3, **changes})
    positives, negatives = map(str, sides)
    return train_quality(
        positives=[positives], negatives=[negatives], output=str(output), settings=settings, licence=""
    )


def test_the_card_says_what_was_done_and_how_good_it_is(sides: tuple[Path, Path], tmp_path: Path) -> None:
    card = train(sides, tmp_path / "hq.bin")
    assert json.loads((tmp_path / "hq.card.json").read_bytes()) == card
    assert card["positive"] == "hq"
    assert card["preparation"] == "lines"
    assert card["quality"]["auc"] > 0.95
    # Of 150 texts ten stand twice; the other side has as many as this one after that, and none of the five from here.
    assert {name: card["examples"][name] + card["held_out"][name] for name in ("hq", "cc")} == {"hq": 150, "cc": 150}
    assert card["left_out"]["hq"]["copies"] == 10
    assert card["left_out"]["cc"] == {"copies": 5, "too short": 1, "to have as many of each side": 50}
    assert 0.2 < sum(card["held_out"].values()) / 300 < 0.4
    scorer = Classifier.model_validate(str(tmp_path / "hq.bin")).found(None)
    good, bad = scorer.scores([" ".join(GOOD * 3), " ".join(BAD * 3)]).tolist()
    assert good > 0.9
    assert bad < 0.1


def test_files_and_their_order_do_not_matter(sides: tuple[Path, Path], tmp_path: Path) -> None:
    train(sides, tmp_path / "a.bin", max_each=100)
    for side in sides:
        (tmp_path / side.name).mkdir()
        texts = []
        for path in side.iterdir():
            if path.suffix == ".parquet":
                texts += pq.read_table(path)["text"].to_pylist()
            else:
                texts += [json.loads(line)["text"] for line in path.read_text().splitlines()]
        random.Random(3).shuffle(texts)
        for number in range(7):
            rows = "".join(json.dumps({"text": text}) + "\n" for text in texts[number::7])
            (tmp_path / side.name / f"{number}.jsonl").write_text(rows)
    again = train((tmp_path / "good", tmp_path / "bad"), tmp_path / "b.bin", max_each=100)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    assert sum(again["examples"].values()) + sum(again["held_out"].values()) == 200
    train(sides, tmp_path / "c.bin", max_each=100, seed=2)
    assert (tmp_path / "c.bin").read_bytes() != (tmp_path / "a.bin").read_bytes()


def test_cuts_are_those_of_a_count() -> None:
    draw = np.random.default_rng(5)
    scores = (draw.integers(0, 200, 1000) / np.float32(200)).astype(np.float32)
    truth = draw.random(1000) < scores
    negatives = scores[~truth]
    for cut in cuts(truth, scores):
        reached = scores >= np.float32(cut["score"])
        assert (negatives >= np.float32(cut["score"])).mean() <= cut["of_negatives"]
        # One step lower and it would be more.
        below = np.nextafter(np.float32(cut["score"]), np.float32(-1))
        assert (negatives >= below).mean() > cut["of_negatives"]
        assert cut["recall"] == round(float((reached & truth).sum() / truth.sum()), 4)
        assert cut["precision"] == round(float((reached & truth).sum() / max(1, reached.sum())), 4)


def test_what_cannot_be_trained_on_is_refused(sides: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="both sides are called 'cc'"):
        train(sides, tmp_path / "a.bin", label="cc")
    with pytest.raises(InputError, match="found 0 texts for the side 'hq' of at least 10000 characters"):
        train(sides, tmp_path / "a.bin", min_chars=10_000)
    with pytest.raises(InputError, match="holds out no text of one side"):
        train(sides, tmp_path / "a.bin", held_out=1e-9)
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="expected a column `text`, found body"):
        train((tmp_path / "x.parquet", sides[1]), tmp_path / "a.bin")
