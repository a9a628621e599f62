"""Lists of files as inputs, and seeded shares: what is chosen, where it is, how large, and at what cost in requests."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from web_server import Web

from llama_data.pipeline.core import paths
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.paths import COMMON_CRAWL, Choice, choose, find_inputs, is_list, read_list

FOLDER = "crawl-data/CC-MAIN-2020-05"


def wet(count: int) -> list[str]:
    return [f"{FOLDER}/segments/1/wet/{n:05d}.warc.wet.gz" for n in range(count)]


def listed(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def names(count: int, share: float | None, seed: int = 1) -> list[str]:
    return choose([f"f{n}" for n in range(count)], Choice(share, seed), str)


@pytest.mark.parametrize(("count", "share", "expected"), [(200, 0.01, 2), (201, 0.01, 3), (56_000, 0.01, 560)])
def test_a_share_is_so_many_files_and_at_least_one(count: int, share: float, expected: int) -> None:
    assert len(names(count, share)) == expected
    assert len(names(3, 1e-9)) == 1
    assert names(5, None) == names(5, 1.0) == [f"f{n}" for n in range(5)]


def test_a_larger_share_contains_a_smaller_one_and_order_is_kept() -> None:
    before: list[str] = []
    for share in (0.001, 0.01, 0.1, 0.5, 0.999):
        now = names(2000, share)
        assert set(before) < set(now)
        assert now == sorted(now, key=lambda name: int(name[1:]))
        before = now


def test_a_share_is_the_same_for_everyone_and_another_by_another_seed() -> None:
    assert names(1000, 0.003) == ["f283", "f449", "f569"]  # as `sha256sum` and `sort` of "1\nfN" have it
    assert names(1000, 0.003, seed=2) != names(1000, 0.003)


@pytest.mark.parametrize(
    ("where", "first", "expected"),
    [
        (f"https://data.commoncrawl.org/{FOLDER}/wet.paths.gz", wet(1)[0], "https://data.commoncrawl.org"),
        (f"s3://commoncrawl/{FOLDER}/wet.paths.gz", wet(1)[0], "s3://commoncrawl"),
        (f"/data/cc/{FOLDER}/wet.paths", wet(1)[0], "/data/cc"),
        (f"/{FOLDER}/wet.paths", wet(1)[0], "/"),
        (f"{FOLDER}/wet.paths", wet(1)[0], "."),
        ("/home/me/wet.paths.gz", wet(1)[0], COMMON_CRAWL),
        ("wet.paths.gz", wet(1)[0], COMMON_CRAWL),
        ("/home/me/own.paths", "a/b.txt", "/home/me"),
        ("/home/me/own.paths", "b.txt", "/home/me"),
        ("own.paths", "b.txt", "."),
        ("s3://bucket/own.paths", "b.txt", "s3://bucket"),
    ],
)
def test_where_relative_paths_begin(where: str, first: str, expected: str) -> None:
    assert paths._base(where, first) == expected


def test_a_list_names_files_of_any_place_each_once(tmp_path: Path) -> None:
    lines = ["a/b.txt", "", "s3://bucket/c.txt\r", "https://host.org/d/e.txt?x=1", "a/b.txt", "/abs/f.txt"]
    path = tmp_path / "own.paths.gz"
    path.write_bytes(gzip.compress(listed(lines)))
    assert [tuple(item) for item in read_list(str(path), "gs://base/")] == [
        ("a/b.txt", "gs://base/a/b.txt"),
        ("bucket/c.txt", "s3://bucket/c.txt"),
        ("host.org/d/e.txt?x=1", "https://host.org/d/e.txt?x=1"),
        ("abs/f.txt", "/abs/f.txt"),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a\nb/../../c\n", "line 2 is no path"),
        (b"a\nx\x1b[2Jy\n", "line 2 is no path"),
        (b"\xff\xfe\n", "line 1 is no path"),
        (b"a\n" + b"b" * 5000 + b"\n", "line 2 is no path"),
        (b"\n\n", "the list is empty"),
        (b"", "the list is empty"),
    ],
)
def test_what_is_no_list_is_said_with_its_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "x.paths"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_list(str(path))


def test_a_list_that_is_cut_off_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "x.paths.gz"
    path.write_bytes(gzip.compress(listed(wet(100)))[:-9])
    with pytest.raises(InputError, match="the list is damaged"):
        read_list(str(path))


def test_a_list_from_elsewhere_names_no_file_of_this_machine(web: Web) -> None:
    for line in ("/etc/passwd", "file:///etc/passwd"):
        web.files["/x.paths"] = listed([line])
        with pytest.raises(InputError, match="names a file of this machine"):
            read_list(web.url + "x.paths")


def test_local_files_of_a_list_have_their_sizes_and_times(tmp_path: Path) -> None:
    for n, path in enumerate(wet(3), 1):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * n)
    at = tmp_path / FOLDER / "wet.paths.gz"
    at.write_bytes(gzip.compress(listed(wet(3))))
    found = find_inputs(str(at), ["**/*.wet"])
    assert [(split.name, split.size) for split in found] == list(zip(wet(3), (1, 2, 3), strict=True))
    assert found[0].stamp == str((tmp_path / wet(1)[0]).stat().st_mtime_ns)
    # The same files, by the same names, as when the folder is read.
    assert find_inputs(str(tmp_path), ["**/*.wet.gz"]) == found
    assert find_inputs(str(tmp_path), ["**/*.paths.gz"]) == found
    assert find_inputs(str(tmp_path), ["**/*.gz"], LeftOut()) == found
    half = Choice(0.5)
    assert find_inputs(str(tmp_path), ["**/*.wet.gz"], choice=half) == find_inputs(str(at), [], choice=half)
    at.write_bytes(gzip.compress(listed(wet(4))))
    with pytest.raises(InputError, match=r"00003\.warc\.wet\.gz: the list names it, but it is not there; check `base`"):
        find_inputs(str(at), [])


def many(web: Web, count: int) -> str:
    web.files |= {f"/{path}": b"x" * (90 + n % 21) for n, path in enumerate(wet(count))}
    web.files[f"/{FOLDER}/wet.paths.gz"] = gzip.compress(listed(wet(count)))
    return f"{web.url}{FOLDER}/wet.paths.gz"


@pytest.mark.parametrize("count", [paths.ASKED, paths.ASKED + 1])
def test_very_many_files_of_a_web_server_are_not_each_asked_for(web: Web, count: int) -> None:
    url = many(web, count)
    found = find_inputs(url, [], exact=False)
    few = web.asked.total() - web.counts["GET"] < 100
    assert few == (count > paths.ASKED)
    assert len(found) == count
    if few:
        [(size, stamp)] = {(split.size, split.stamp) for split in found}
        assert 95 <= size <= 105
        assert stamp == ""
        assert find_inputs(url, [], exact=False) == found  # the same files are asked for the next time
    else:
        assert {split.size for split in found} == set(range(90, 111))
        assert all(split.stamp for split in found)


def test_sizes_that_must_be_exact_are_asked_for(web: Web) -> None:
    found = find_inputs(many(web, paths.ASKED + 1), [], exact=True)
    assert all(split.stamp for split in found)
    assert found[1] == Split(web.url + wet(2)[1], wet(2)[1], 91, stamp=found[1].stamp)


def test_a_share_is_chosen_before_anything_is_asked_for(web: Web) -> None:
    found = find_inputs(many(web, 1000), [], choice=Choice(0.01), exact=True)
    assert len(found) == 10
    assert web.counts["HEAD"] <= 10 + 3  # and the list itself


def test_lists_by_name() -> None:
    assert all(map(is_list, ("wet.paths.gz", "x/WARC.PATHS", "a.paths.zst")))
    assert not any(map(is_list, ("paths", "paths.gz", "a.paths.txt", "a.wet.gz")))
