"""Rows of the ledger by id, filter and sample, against a plain reading of everything."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.ledger_reading import LedgerFile
from llama_data.pipeline.looking import paging
from llama_data.pipeline.looking.finding import by_name, by_text
from llama_data.pipeline.looking.paging import Cursor, page
from llama_data.pipeline.looking.rows import Filter, Ledgers
from llama_data.pipeline.looking.texts import Texts

Row = dict[str, Any]


def fits(row: Row, wanted: Filter) -> bool:
    """The plain rule that a filter stands for."""
    figure = row.get(wanted.column) if wanted.column else None
    return (
        all(row[name] == value for name, value in wanted.equal().items())
        and wanted.domain in (None, row["domain"])
        and (wanted.least is None or (figure is not None and figure >= wanted.least))
        and (wanted.most is None or (figure is not None and figure <= wanted.most))
        and (wanted.holds is None or any(wanted.holds in (row[name] or "") for name in ("id", "source", "url")))
    )


FILTERS = [
    Filter(),
    Filter(domain="news"),
    Filter(outcome="kept"),
    Filter(outcome="rejected", reason="too_short"),
    Filter(reason="redirect"),
    Filter(reason="no_such_reason"),
    Filter(language="en"),
    Filter(column="chars_in", least=60, most=60),
    Filter(column="chars_in", least=60.5, most=400.5),
    Filter(column="chars_in", most=59),
    Filter(column="chars_in", least=10**9),
    Filter(domain="wikipedia", column="templates_unknown", least=1),
    Filter(column="templates_unknown", least=0),
    Filter(holds="n.example/page/1"),
    Filter(holds="n.example/page/1", outcome="kept"),
]


def all_pages(run: Path, wanted: Filter, count: int) -> list[tuple[str, str, int]]:
    ledgers, cursor, found = Ledgers(str(run)), Cursor(), []
    for _ in range(1000):
        part = page(ledgers, wanted, cursor, count)
        assert len(part.found) <= count
        found += [tuple(one.place) for one in part.found]
        if part.next is None:
            return found
        cursor = Cursor.read(str(part.next))
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_pages_together_are_the_rows_that_fit(looked: Path, ledger: list[Row], wanted: Filter) -> None:
    expected = [row["_place"] for row in ledger if fits(row, wanted)]
    for count in (1, 3, 200):
        assert all_pages(looked, wanted, count) == expected


def test_a_page_that_has_looked_enough_goes_on_where_it_ended(
    looked: Path, ledger: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Filter(column="chars_in", least=60, most=60)
    expected = [row["_place"] for row in ledger if fits(row, wanted)]
    monkeypatch.setattr(paging, "MOST_GROUPS", 1)
    ledgers = Ledgers(str(looked))
    assert page(ledgers, Filter(reason="none"), Cursor(), 50).next is not None
    assert all_pages(looked, wanted, 50) == expected
    monkeypatch.setattr(paging, "SECONDS", 0.0)
    assert all_pages(looked, wanted, 50) == expected


def test_every_id_and_source_is_found_from_few_files(
    looked: Path, ledger: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledgers = Ledgers(str(looked))
    files = len(ledgers.files("news"))
    assert files >= 4
    opened: list[str] = []
    enter = LedgerFile.__enter__
    monkeypatch.setattr(LedgerFile, "__enter__", lambda self: opened.append(self.path) or enter(self))
    for row in ledger:
        opened.clear()
        found = by_name(ledgers, row["id"], None, 5)
        assert [tuple(one.place) for one in found[0]] == [row["_place"]]
        assert found[1] == 0
        assert len(opened) <= math.ceil(math.log2(files + 1)) + 1
    source = next(row for row in ledger if row["domain"] == "news")["source"]
    assert by_name(ledgers, source, None, 5)[0][0].row["source"] == source
    assert ledgers.find("id", "news/none") is None


def test_parts_of_names_are_counted_and_equal_ones_go_first(looked: Path, ledger: list[Row]) -> None:
    ledgers = Ledgers(str(looked))
    part = "n.example/page/1"
    total = sum(part in (row["url"] or "") for row in ledger)
    found, more = by_name(ledgers, part, None, 3)
    assert (len(found), more) == (3, total - 3)
    found, more = by_name(ledgers, "https://n.example/page/1", None, 3)
    assert ([one.row["url"] for one in found], more) == (["https://n.example/page/1"], 0)
    assert by_name(ledgers, "nowhere at all", None, 3) == ([], 0)


def test_passages_are_found_as_they_are_written(looked: Path, texts: dict[str, str]) -> None:
    ledgers = Ledgers(str(looked))
    for passage in ('said "so"\tand\n\\left', "naïve", "</script>", "orderly things", "w0"):
        expected = {id for id, text in texts.items() if passage in text}
        found, more = by_text(ledgers, passage, None, 1000)
        assert {one.row["id"] for one in found} == expected
        assert more == 0
        assert by_text(ledgers, passage, None, 1)[1] == len(expected) - 1
    # It stands in metadata alone.
    assert by_text(ledgers, "https://n.example/copy", None, 5) == ([], 0)


def test_a_sample_is_of_the_seed_and_of_what_fits(looked: Path, ledger: list[Row]) -> None:
    ledgers = Ledgers(str(looked))
    wanted = Filter(domain="news", outcome="kept")
    expected = {row["_place"] for row in ledger if fits(row, wanted)}
    one, same, other = (ledgers.sample(wanted, 8, seed) for seed in (1, 1, 2))
    assert [found.place for found in one] == [found.place for found in same]
    assert {found.place for found in one} != {found.place for found in other}
    assert {tuple(found.place) for found in one} <= expected
    whole = ledgers.sample(wanted, 1000, 3)
    assert sorted(tuple(found.place) for found in whole) == sorted(expected)
    assert ledgers.sample(Filter(reason="none"), 5, 1) == []
    drawn = [tuple(ledgers.sample(Filter(), 1, seed)[0].place) for seed in range(60)]
    assert len(set(drawn)) > 30


def test_texts_are_those_of_the_rows_in_any_order(looked: Path, ledger: list[Row], texts: dict[str, str]) -> None:
    ledgers, reading = Ledgers(str(looked)), Texts(str(looked))
    found = ledgers.sample(Filter(), 1000, 5)
    for some in (found, found[::-1], found[5:6], found[:2]):
        got = reading.of(some)
        assert {place: record["text"] for place, record in got.items()} == {
            one.place: texts[one.row["id"]] for one in some if one.row["id"] in texts
        }
    assert reading.of(found, seconds=-1.0) == {}


@pytest.mark.parametrize("text", ["1.2", "a.b.c", "-1.0.0", "1.2.3.4", "٣.0.0", "9" * 40 + ".0.0"])
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="no place in a ledger"):
        Cursor.read(text)


def test_a_run_without_a_ledger_is_refused(tmp_path: Path, looked: Path) -> None:
    with pytest.raises(RequestError, match="no ledger there"):
        Ledgers(str(tmp_path))
    with pytest.raises(RequestError, match="there are: wikipedia, news"):
        Ledgers(str(looked)).files("nosuch")
    with pytest.raises(RequestError, match="no figure"):
        Ledgers(str(looked)).sample(Filter(column="url", least=1), 1, 1)
