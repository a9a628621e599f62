"""Signatures that a run leaves: datasketch reads them as its own, and their bands find the books that are alike."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash, MinHashLSH
from pydantic import ValidationError

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.kernels.minhash import low_bits, shingle_hashes
from llama_data.stages.books import jobs
from llama_data.stages.books.signatures import MISSED, bands, belongs, find_alike
from llama_data.stages.steps.signature_files import Made, SignatureWriter, read_file, read_signatures, sign

FORMATS = Path(__file__).resolve().parents[3] / "docs" / "formats.md"


@pytest.fixture
def run_folder(run_stage: Any, prose: Any, tmp_path: Path) -> str:
    text = prose("x", 3000)
    files = {"a.txt": text, "b.txt": text + " " + prose("y", 40), "c.txt": prose("z", 500), "empty.txt": "...\n"}
    run_stage(files, output="run", max_task_bytes=20_000)
    return str(tmp_path / "run")


def test_a_runs_signatures_are_what_datasketch_makes(run_folder: str, prose: Any) -> None:
    found = dict(read_signatures(run_folder))
    assert list(found) == ["books/a.txt", "books/b.txt", "books/c.txt"]  # the duplicate too; none without a word
    text = prose("x", 3000)
    theirs = MinHash(hashfunc=low_bits)
    theirs.update_batch(shingle_hashes(text).tolist())
    assert found["books/a.txt"] == theirs == sign(text, Made(permutations=128, shingle_words=5))
    assert found["books/a.txt"].jaccard(found["books/b.txt"]) > 0.9
    assert found["books/a.txt"].jaccard(found["books/c.txt"]) < 0.1


def test_a_signature_goes_on_as_datasketchs_own(run_folder: str, prose: Any) -> None:
    """Updated with the hashes of a second text it is the signature of both."""
    found = dict(read_signatures(run_folder))["books/a.txt"]
    found.update_batch(shingle_hashes(prose("z", 500)).tolist())
    other = dict(read_signatures(run_folder))["books/a.txt"]
    other.merge(dict(read_signatures(run_folder))["books/c.txt"])
    assert found == other


def test_the_example_of_the_page_works(run_folder: str, prose: Any, capsys: Any) -> None:
    """docs/formats.md, as it stands there."""
    section = FORMATS.read_text().split("## Signatures", 1)[1].split("\n## ", 1)[0]
    code = re.sub(r"^    ", "", "".join(re.findall(r"(?:^    .*\n|^\n(?=    ))+", section, re.M)), flags=re.M)
    exec(code, {"RUN": run_folder, "text": prose("x", 3000)})
    words = capsys.readouterr().out.split()
    printed = dict(zip(words[::2], words[1::2], strict=True))
    assert printed["books/a.txt"] == "1.0"
    assert "books/c.txt" not in printed


@pytest.mark.parametrize("permutations", [2, 64, 128])
def test_files_say_how_they_were_made(tmp_path: Path, permutations: int) -> None:
    made = Made(permutations, 7, 99)
    with SignatureWriter(str(tmp_path), 3, made) as writer:
        writer.add("books/ü", np.array([1, 2, 3], np.uint64))
    back, [book] = read_file(str(tmp_path / "00003.parquet"))
    theirs = MinHash(permutations, 99, hashfunc=low_bits)
    theirs.update_batch([1, 2, 3])
    assert back == made
    assert (book.id, book.size, book.values.tolist()) == ("books/ü", 3, theirs.hashvalues.tolist())
    schema = pq.read_schema(tmp_path / "00003.parquet")
    assert schema.field("signature").type == pa.binary(4 * permutations)


def test_a_task_without_books_has_an_empty_file(tmp_path: Path) -> None:
    with SignatureWriter(str(tmp_path), 0, Made(128, 5)):
        pass
    assert read_file(str(tmp_path / "00000.parquet")) == (Made(128, 5), [])
    assert find_alike(str(tmp_path), 0, 1, {}, 0.9) == {}


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), SignatureWriter(str(tmp_path), 0, Made(128, 5)):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_of_signatures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no signatures"):
        next(read_signatures(str(tmp_path)))
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "00000.parquet")
    with pytest.raises(InputError, match=r"00000\.parquet: not a file of signatures"):
        read_file(str(tmp_path / "00000.parquet"))
    (tmp_path / "00001.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="not a file of signatures"):
        read_file(str(tmp_path / "00001.parquet"))
    about = b'{"format":1,"scheme":"legacy","hash":"low 32 bits","permutations":2,"shingle_words":5,"seed":1}'
    schema = pa.schema([("id", pa.string())], metadata={b"llama_data.signatures": about})
    pq.write_table(pa.table({"id": ["a"]}, schema=schema), tmp_path / "00002.parquet")
    with pytest.raises(InputError, match="legacy"):
        read_file(str(tmp_path / "00002.parquet"))


def test_signatures_can_be_left_out(run_stage: Any, prose: Any, tmp_path: Path) -> None:
    files = {"a.txt": prose("x", 300)}
    one = run_stage(files, output="one", permutations=None)
    two = run_stage(files, output="two", permutations=64)
    assert one == two
    assert not (tmp_path / "one" / "signatures").exists()
    [(_, kept)] = read_signatures(str(tmp_path / "two"))
    assert len(kept) == 64


def test_signatures_are_the_same_in_any_order_of_tasks(run_over: Any, prose: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(9):
        (source / f"{number}.txt").write_text(prose(f"b{number // 2}", 400))
    order: Callable[[int], Any] = range
    for measure in ("containment", "jaccard"):
        one = run_over(source, tmp_path / measure / "one", max_task_bytes=9000, measure=measure)
        two = run_over(source, tmp_path / measure / "two", order, max_task_bytes=9000, measure=measure)
        assert one == two
        assert one.kept() == ["0.txt", "2.txt", "4.txt", "6.txt", "8.txt"]
        names = sorted(path.name for path in (tmp_path / measure / "one" / "signatures" / "books").iterdir())
        assert len(names) > 2
        for name in names:
            files = [tmp_path / measure / which / "signatures" / "books" / name for which in ("one", "two")]
            assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("permutations", [32, 128, 256])
@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 0.99])
def test_bands_are_as_wide_as_the_miss_allows(threshold: float, permutations: int) -> None:
    number, width = bands(threshold, permutations)
    assert 2 <= number * width <= permutations
    assert (1 - threshold**width) ** number <= MISSED
    wider = width + 1
    assert permutations // wider < 2 or (1 - threshold**wider) ** (permutations // wider) > MISSED


def test_too_few_permutations_are_refused_with_the_number_that_does() -> None:
    with pytest.raises(ValueError, match="it needs 39"):
        bands(0.3, 38)
    assert bands(0.3, 39) == (39, 1)
    with pytest.raises(ValidationError, match="it needs 39"):
        jobs.Settings(measure="jaccard", max_overlap=0.3, permutations=38)
    with pytest.raises(ValidationError, match="jaccard needs permutations"):
        jobs.Settings(measure="jaccard", permutations=None)
    jobs.Settings(measure="jaccard", max_overlap=None, permutations=None)
    jobs.Settings(measure="containment", max_overlap=0.3, permutations=38)


def test_pairs_at_the_threshold_are_candidates_and_strangers_are_not(tmp_path: Path) -> None:
    """200 pairs of Jaccard 0.9 (950 of 1,000 shingles in common are 0.905), all of them found; no two strangers are."""
    chance = random.Random(7)
    made, numbers = Made(128, 5), {}
    for rank in range(2):
        with SignatureWriter(str(tmp_path), rank, made) as writer:
            for pair in range(100):
                members = [chance.getrandbits(64) for _ in range(1050)]
                for part, chosen in enumerate((members[:1000], members[50:])):
                    name = f"{rank}-{pair}-{part}"
                    writer.add(name, np.sort(np.array(chosen, np.uint64)))
                    numbers[name] = len(numbers)
    found: dict[int, list[int]] = {}
    for rank in range(2):
        found |= find_alike(str(tmp_path), rank, 2, numbers, 0.9)
    assert found == {number: [number + 1] for number in range(0, 400, 2)}


def test_books_without_a_number_are_left_out(tmp_path: Path) -> None:
    with SignatureWriter(str(tmp_path), 0, Made(128, 5)) as writer:
        for name in ("a", "b", "c"):
            writer.add(name, np.arange(100, dtype=np.uint64))
    assert find_alike(str(tmp_path), 0, 1, {"a": 1, "c": 0}, 0.9) == {0: [1]}


def test_datasketchs_own_index_takes_them(run_folder: str) -> None:
    index = MinHashLSH(threshold=0.5, num_perm=128)
    signatures = list(read_signatures(run_folder))
    for id, signature in signatures:
        index.insert(id, signature)
    assert sorted(index.query(signatures[0][1])) == ["books/a.txt", "books/b.txt"]


def test_files_are_dealt_out_by_their_number() -> None:
    assert [belongs(f"s3://b/00{number:03d}.parquet", 1, 3) for number in range(6)] == [False, True, False] * 2
    assert belongs("/x/00007", 7, 8)
