"""Block lists of addresses: forms of one address, lists in the formats of the field, entries that could never match."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.document import new_document, notes_of
from llama_data.pipeline.core.errors import InputError
from llama_data.stages.steps.urls import BlockedUrls, address_of


def rule(folder: Path, **lists: str | int | bool) -> BlockedUrls:
    given: dict[str, Any] = {}
    for name, value in lists.items():
        given[name] = value
        if isinstance(value, str):
            (folder / name).write_text(value, encoding="utf-8")
            given[name] = [str(folder / name)]
    return BlockedUrls(**given)


def judge(rule: BlockedUrls, url: str | None) -> tuple[str | None, str | None]:
    doc = new_document(domain="web", id="web/1", text="t", source="a#0", url=url)
    found = rule.judge(doc)
    return (None if found is None else str(found)), notes_of(doc).get("url_match")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a/b", "HTTP://WWW.Example.ORG:8080/a/b/", "example.org/a/b", "//example.org/a/b",
        "https://user:word@example.org./a/b#part", "www.example.org/A/B",
    ],
)  # fmt: skip
def test_forms_of_an_address(url: str) -> None:
    assert address_of(url) == ("example.org", "example.org/a/b")


def test_more_addresses() -> None:
    assert address_of("http://münchen.de/x") == ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de/x")
    assert address_of("http://[2001:DB8::1]:80/x?Y=1") == ("[2001:db8::1]", "[2001:db8::1]/x?y=1")
    assert [address_of(url) for url in ("", "http://", "http://[x", "a b.org", "/only/a/path")] == [None] * 5


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://bad.org/", ("domain", "bad.org")),
        ("https://a.b.bad.org/", ("subdomain", "bad.org")),
        ("https://notbad.org/", (None, None)),
        ("https://org/", (None, None)),
        ("https://good.org/x/y?z=1", ("url", "good.org/x")),
        ("https://good.org/xx", (None, None)),
        ("https://whole.org", ("url", "whole.org")),
        ("https://whole.org/?z=1", ("url", "whole.org")),
        ("https://whole.org/x/y?z=1", ("url", "whole.org")),
        ("https://a.whole.org/x", (None, None)),
        ("https://ok.org/CASINO-night", ("hard_blacklisted", "casino")),
        ("https://ok.org/casinos", (None, None)),
        ("https://ok.org/free-free", (None, None)),
        ("https://ok.org/free/Chat", ("soft_blacklisted", "chat free")),
        ("https://ok.org/lo-ttery", ("blacklisted_subword", "lottery")),
    ],
)
def test_lists_in_their_order(tmp_path: Path, url: str, expected: tuple[str | None, str | None]) -> None:
    lists = rule(
        tmp_path,
        domains="# hosts\n\nHTTP://WWW.Bad.org/\n",
        urls="https://www.good.org/x/\nwhole.org/\n",
        hard_words="Casino\n",
        soft_words="free\nchat\n",
        subwords="lot tery\n",
    )
    assert judge(lists, url) == expected


def test_a_folder_of_ut1_and_gzip(tmp_path: Path) -> None:
    folder = tmp_path / "adult"
    folder.mkdir()
    (folder / "domains").write_bytes(gzip.compress(b"bad.org\n"))
    (folder / "expressions").write_text(r"(^|[^a-z])poker\d+\W", encoding="utf-8")
    lists = BlockedUrls(ut1=[str(folder)])
    assert judge(lists, "http://x.bad.org/")[0] == "subdomain"
    assert judge(lists, "http://ok.org/POKER12/") == (None, None)
    assert judge(lists, "http://ok.org/POKER12/a")[0] == "url_expression"
    with pytest.raises(InputError, match="expected a folder with UT1's files"):
        BlockedUrls(ut1=[str(tmp_path)])


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("domains", "bad.org/path"), ("domains", "bad host"), ("urls", "/path"), ("hard_words", "two words"),
        ("soft_words", "naïve"), ("subwords", "--"), ("ut1", ""),
    ],
)  # fmt: skip
def test_entries_that_could_never_match(tmp_path: Path, name: str, entry: str) -> None:
    with pytest.raises(InputError, match=r"could never match|expected a folder"):
        rule(tmp_path, **{name: f"good\n{entry}\n" if name != "ut1" else entry}).load()


def test_without_an_address(tmp_path: Path) -> None:
    for url in (None, "", "http://"):
        assert judge(rule(tmp_path, domains="bad.org"), url) == (None, None)
        assert judge(rule(tmp_path, domains="bad.org", keep_missing=False), url) == ("missing_url", None)


def test_how_many_soft_words(tmp_path: Path) -> None:
    for count, expected in ((1, "soft_blacklisted"), (2, "soft_blacklisted"), (3, None), (None, None)):
        assert judge(rule(tmp_path, soft_words="free\nchat", soft_count=count), "http://o.org/free/chat")[0] == expected
