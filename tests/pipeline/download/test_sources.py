"""What each source's index says, of a copy of its layout on this machine; what a person is told who asks wrongly."""

from __future__ import annotations

import mirror
import pytest
from web_server import Faults, Web

from llama_data.pipeline.core import http
from llama_data.pipeline.core.errors import LlamaDataError, RequestError, RunError
from llama_data.pipeline.core.stores import Limits
from llama_data.pipeline.download.catalogue import SOURCES
from llama_data.pipeline.download.source import Ask, Item


def asked(web: Web, source: str, *what: str, **more: str) -> list[Item]:
    return SOURCES[source].files(Ask(what, web.url, **more))  # type: ignore[arg-type]


def sums(item: Item) -> dict[str, str]:
    return dict(item.sums)


def test_commoncrawl_is_what_its_list_names(web: Web) -> None:
    web.files = mirror.commoncrawl({"b.warc.wet.gz": b"b", "a.warc.wet.gz": b"a"})
    found = asked(web, "commoncrawl", mirror.CRAWL)
    path = f"crawl-data/{mirror.CRAWL}/segments/1579250589560.16/wet/b.warc.wet.gz"
    assert found == [Item(path, web.url + path), Item(path.replace("/b.", "/a."), web.url + path.replace("/b.", "/a."))]
    with pytest.raises(RequestError, match=r"404.*collinfo\.json lists the crawls"):
        asked(web, "commoncrawl", "CC-MAIN-2020-06")
    with pytest.raises(RequestError, match="expected crawls like"):
        asked(web, "commoncrawl", "2020-05")
    with pytest.raises(RequestError, match="--kind wat"):
        asked(web, "commoncrawl", mirror.CRAWL, kind="wat")


def test_wikipedia_is_the_newest_complete_dump_with_its_checksums(web: Web) -> None:
    web.files = mirror.wikipedia({"en": b"english", "de": b"deutsch"})
    found = asked(web, "wikipedia", "en", "de")
    assert [item.name for item in found] == [
        f"{code}wiki-{mirror.DATE}-pages-articles-multistream.xml.bz2" for code in ("en", "de")
    ]
    assert found[0].size == 7
    assert sums(found[0]) == {kind: mirror.digest(kind, b"english") for kind in ("sha1", "md5")}
    assert asked(web, "wikipedia", "en", date=mirror.DATE) == found[:1]
    with pytest.raises(RequestError, match="of 20990101 is not complete"):
        asked(web, "wikipedia", "en", date="20990101")
    with pytest.raises(RequestError, match="no dump of 20200101; Wikimedia keeps those of the last months"):
        asked(web, "wikipedia", "en", date="20200101")
    with pytest.raises(RequestError, match="no Wikipedia with the code xx"):
        asked(web, "wikipedia", "xx")
    with pytest.raises(RequestError, match="no language code"):
        asked(web, "wikipedia", "../en")


def test_stack_exchange_is_the_posts_of_sites(web: Web) -> None:
    archives = {
        "cooking.stackexchange.com.7z": b"ccc",
        "cooking.meta.stackexchange.com.7z": b"meta",
        "stackoverflow.com-Posts.7z": b"posts",
        "stackoverflow.com-Votes.7z": b"votes votes",
    }
    web.files = mirror.stackexchange(archives)
    assert [item.name for item in asked(web, "stackexchange")] == [
        "stackoverflow.com-Posts.7z",
        "cooking.stackexchange.com.7z",
    ]
    assert len(asked(web, "stackexchange", "all")) == 3
    [item] = asked(web, "stackexchange", "cooking")
    assert (item.size, sums(item)["sha1"]) == (3, mirror.digest("sha1", b"ccc"))
    assert [item.name for item in asked(web, "stackexchange", "stackoverflow")] == ["stackoverflow.com-Posts.7z"]
    with pytest.raises(RequestError, match=r"no site cookin; there is cooking\.meta"):
        asked(web, "stackexchange", "cookin")


def test_newer_items_of_stack_exchange_have_their_files_in_a_folder(web: Web) -> None:
    item = "stackexchange_20251231"
    old = mirror.stackexchange({f"{item}/cooking.stackexchange.com.7z": b"c"})
    web.files = {path.replace("stackexchange/", f"{item}/", 1): data for path, data in old.items()}
    index = f"/download/{item}/{item}_files.xml"
    web.files[index] = web.files.pop(f"/download/{item}/stackexchange_files.xml")
    [found] = asked(web, "stackexchange", "cooking", date="20251231")
    assert found.url == f"{web.url}download/{item}/{item}/cooking.stackexchange.com.7z"
    assert web.files[found.url.removeprefix(web.url[:-1])] == b"c"
    with pytest.raises(RequestError, match="no such item; give the date of one"):
        asked(web, "stackexchange", date="20990101")


def test_gutenberg_is_a_text_of_each_book_in_the_languages(web: Web) -> None:
    web.files = mirror.gutenberg({100: ("en", b"x"), 7: ("en; fr", b"y"), 8: ("fr", b"z")})
    assert [item.name for item in asked(web, "gutenberg")] == ["cache/epub/100/pg100.txt", "cache/epub/7/pg7.txt"]
    assert len(asked(web, "gutenberg", "fr")) == 2
    assert len(asked(web, "gutenberg", "all")) == 3
    with pytest.raises(RequestError, match="has no book in xx"):
        asked(web, "gutenberg", "xx")


def test_arxiv_is_the_tars_of_months_and_costs_nobody_who_did_not_say_so(web: Web) -> None:
    tars = {f"arXiv_src_{yymm}_001.tar": yymm.encode() for yymm in ("9912", "0001", "2101", "2102")}
    web.files = mirror.arxiv(tars)
    assert len(asked(web, "arxiv")) == 4
    found = asked(web, "arxiv", "9912-2101")
    assert [item.name[-12:-8] for item in found] == ["9912", "0001", "2101"]
    assert sums(found[0]) == {"md5": mirror.digest("md5", b"9912")}
    assert [item.name for item in asked(web, "arxiv", "2102")] == ["src/arXiv_src_2102_001.tar"]
    with pytest.raises(RequestError, match="no month"):
        asked(web, "arxiv", "2113")
    with pytest.raises(RequestError, match=r"pays Amazon.*--requester-pays says that you do"):
        SOURCES["arxiv"].files(Ask((), SOURCES["arxiv"].base))


def test_c4_is_all_pages_of_the_list(web: Web) -> None:
    web.files = mirror.c4({"c4-train.00000-of-01024.json.gz": b"0", "c4-validation.00000-of-00008.json.gz": b"v"})
    [item] = asked(web, "c4")
    assert item.url.endswith("/datasets/allenai/c4/resolve/main/en/c4-train.00000-of-01024.json.gz")
    assert sums(item) == {"sha256": mirror.digest("sha256", b"0")}
    tree = "/api/datasets/allenai/c4/tree/main/en"
    web.files["/second"] = web.files[tree]
    web.links[tree] = f'<{web.url}second>; rel="next"'
    assert len(asked(web, "c4")) == 2
    with pytest.raises(RequestError, match="no variant fr"):
        asked(web, "c4", "fr")


def test_github_says_what_to_do(web: Web) -> None:
    with pytest.raises(RequestError, match="EXPORT DATA"):
        asked(web, "github")


@pytest.mark.parametrize("name", ["../x.7z", "/etc/x.7z", "a//b.7z", "a\\..\\x.7z", ".part/x.7z", "a/../../x.7z"])
def test_no_index_can_name_a_file_outside_of_the_folder(web: Web, name: str) -> None:
    web.files = mirror.stackexchange({name: b"x"})
    with pytest.raises(RunError, match="no path below a folder"):
        asked(web, "stackexchange", "all")


@pytest.mark.parametrize("source", ["commoncrawl", "wikipedia", "stackexchange", "gutenberg", "arxiv", "c4"])
@pytest.mark.parametrize("text", [b"", b"{}", b"<a>", b"\x1f\x8b\x08broken", b"[{}]", b'{"jobs": 3}'])
def test_an_index_that_is_none_is_said(web: Web, source: str, text: bytes) -> None:
    web.files = {
        **mirror.commoncrawl({"a": b""}),
        **mirror.wikipedia({"en": b""}),
        **mirror.stackexchange({}),
        **mirror.gutenberg({}),
        **mirror.arxiv({}),
        **mirror.c4({}),
    }
    web.files |= dict.fromkeys(web.files, text)
    what = {"commoncrawl": (mirror.CRAWL,), "wikipedia": ("en",)}.get(source, ())
    said = web.url
    try:
        # To Common Crawl any text is a list of paths, and the hub may list no file.
        assert asked(web, source, *what) == [] or source == "commoncrawl"
    except LlamaDataError as error:
        said = str(error)
    assert web.url in said


@pytest.mark.parametrize("status", [403, 500])
def test_an_index_that_is_refused_is_one_sentence(web: Web, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LIMITS", Limits(tries=2, pause=0.001, longest=0.01))
    web.faults = Faults(status=status)
    for source in ("commoncrawl", "wikipedia", "stackexchange", "gutenberg", "arxiv", "c4"):
        what = {"commoncrawl": (mirror.CRAWL,), "wikipedia": ("en",)}.get(source, ())
        with pytest.raises(LlamaDataError, match=str(status)):
            asked(web, source, *what)
