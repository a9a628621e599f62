"""Downloads from a bucket, who pays for them, and lists of files that lie in one."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import mirror
import pytest
from s3_server import Faults, Store

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.paths import Choice, find_inputs
from llama_data.pipeline.download.catalogue import SOURCES
from llama_data.pipeline.download.fetch import fetch
from llama_data.pipeline.download.queue import download, make_plan
from llama_data.pipeline.download.source import Ask

pytest.importorskip("s3fs", reason="s3fs is not installed: install the extra `s3` to run these")

DATA = random.Random(9).randbytes(20_000_000)


def fill(store: Store, bucket: str, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        store.put(f"{bucket}{path}", data)


def test_every_request_to_arxiv_says_that_the_requester_pays(store: Store, tmp_path: Path) -> None:
    fill(store, "arxiv", mirror.arxiv({"arXiv_src_2101_001.tar": DATA, "arXiv_src_2102_001.tar": b"x"}))
    source = SOURCES["arxiv"]
    with pytest.raises(RequestError, match="--requester-pays"):
        source.files(Ask((), source.base))
    assert not store.payers  # not a single request
    store.faults = Faults(slow_down=0.2, truncate=0.2, reset=0.1)
    plan = make_plan(tmp_path, source.files(Ask((), source.base, pays=True)))
    assert plan.bytes_todo == len(DATA) + 1
    download(plan, source, connections=2, pays=True)
    assert (tmp_path / "src/arXiv_src_2101_001.tar").read_bytes() == DATA
    assert set(store.payers) == {"requester"}


def test_an_object_is_gone_on_with_where_it_stopped(store: Store, tmp_path: Path) -> None:
    fill(store, "arxiv", mirror.arxiv({"arXiv_src_2101_001.tar": DATA}))
    [item] = SOURCES["arxiv"].files(Ask((), "s3://arxiv/", pays=True))
    assert fetch(item, tmp_path, pays=True, stopped=lambda: True) is None
    came: list[int] = []
    assert fetch(item, tmp_path, pays=True, came=lambda size, total: came.append(size)) is not None
    assert 0 < sum(came) < len(DATA)
    assert (tmp_path / item.name).read_bytes() == DATA


def test_a_crawl_in_a_bucket_is_listed_by_its_folders(store: Store) -> None:
    names = [f"crawl-data/CC-MAIN-2020-05/segments/{n // 20}/wet/{n:03d}.warc.wet.gz" for n in range(100)]
    for n, name in enumerate(names):
        store.put(f"commoncrawl/{name}", b"x" * n)
    url = "s3://commoncrawl/crawl-data/CC-MAIN-2020-05/wet.paths.gz"
    store.put(url.removeprefix("s3://"), gzip.compress("\n".join(names).encode()))
    store.clear()
    found = find_inputs(url, [])
    assert [(split.name, split.size) for split in found] == [(name, n) for n, name in enumerate(names)]
    assert all(split.stamp for split in found)
    assert sum(store.counts.values()) < 20  # five folders, the list, and a few looks at it
    some = find_inputs(url, [], choice=Choice(0.05))
    assert len(some) == 5
    assert set(some) < set(found)
    store.put(url.removeprefix("s3://"), gzip.compress("\n".join([*names, names[0] + "x"]).encode()))
    with pytest.raises(InputError, match=r"gzx: the list names it, but it is not there"):
        find_inputs(url, [])


def test_common_crawl_can_be_fetched_from_its_bucket(store: Store, tmp_path: Path) -> None:
    fill(store, "commoncrawl", mirror.commoncrawl({"a.warc.wet.gz": gzip.compress(b"text")}))
    source = SOURCES["commoncrawl"]
    download(make_plan(tmp_path, source.files(Ask((mirror.CRAWL,), "s3://commoncrawl/"))), source, connections=1)
    [path] = tmp_path.rglob("*.wet.gz")
    assert gzip.decompress(path.read_bytes()) == b"text"
