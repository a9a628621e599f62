"""Personal addresses: the spans of datatrove's formatter, replacements that depend on nothing but the record."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from datatrove.pipeline.formatters.pii import PIIFormatter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.document import new_document
from llama_data.stages.steps.pii import ADDRESSES, EMAILS, ReplacePii, email_spans

TEXTS = st.lists(
    st.sampled_from(
        ["a.b", "x", "@", "example.com", ".", "[", "]", "8.8.8.8", "10.0.0.1", "255", "256", "1.2.3.4.5", "01.2.3.4",
         " ",
         "\n", "é", "-", "_", "+", "[1.2.3.4]", "203.0.113.7", "1.2.3", "@b.co", "٣.1.1.1"]
    ) | st.text(max_size=3),
    max_size=20,
).map("".join)  # fmt: skip


def replaced(text: str, id: str = "web/1", **settings: object) -> tuple[str, dict[str, object]]:
    doc = new_document(domain="web", id=id, text=text, source="a#0")
    assert ReplacePii(**settings).judge(doc) is None  # type: ignore[arg-type,func-returns-value]
    return doc.text, {name: doc.metadata[name] for name in doc.metadata if name.startswith("pii")}


def both_as_one(text: str, public_only: bool = True) -> tuple[str, str]:
    """Ours and datatrove's, both with one replacement, so that only the spans can differ."""
    peer = PIIFormatter(email_replacement="<MAIL>", ip_replacement="<IP>", only_remove_public_ips=public_only)
    ours, _ = replaced(text, emails=("<MAIL>",), addresses=("<IP>",), public_only=public_only)
    return ours, peer.format(text)


@settings(max_examples=200, deadline=None)
@example(text="mail me@a.b.org or [x@[1.2.3.4]] and 1.2.3.4.5", public_only=True)
@given(text=TEXTS, public_only=st.booleans())
def test_spans_are_datatroves(text: str, public_only: bool) -> None:
    ours, peer = both_as_one(text, public_only)
    assert ours == peer


def test_spans_on_the_corpus(corpus: Path, pages_of: Callable[[Path, int], list[str]]) -> None:
    pages = pages_of(corpus, 20)
    changed = 0
    for text in pages:
        ours, peer = both_as_one(text)
        assert ours == peer
        changed += ours != text
    assert 0 < changed < len(pages)


@pytest.mark.parametrize("unit", ["a-", "a.", "+", "a@", "a@a-", "a@a.", "é-", "a..", "@"])
def test_a_text_of_nothing_but_beginnings_takes_no_longer_than_others(unit: str) -> None:
    """As one expression this takes minutes, and a megabyte of it hours."""
    text = unit * (300_000 // len(unit)) + " me@example.com"
    assert [text[start:end] for start, end in email_spans(text)][-1] == "me@example.com"


def test_replacements_follow_from_the_record() -> None:
    text = "one@a.org two@a.org three@a.org four@a.org 8.8.8.8 8.8.4.4 1.1.1.1 9.9.9.9"
    first, counts = replaced(text)
    assert counts == {"pii_emails": 4, "pii_addresses": 4}
    assert (first, counts) == replaced(text)
    others = {replaced(text, id=f"web/{number}")[0] for number in range(20)}
    assert len(others) > 10
    for found in others:
        words = found.split()
        assert set(words[:4]) <= set(EMAILS)
        assert set(words[4:]) <= set(ADDRESSES)
        assert re.fullmatch(r"(\S+ ){7}\S+", found)


def test_what_stays() -> None:
    text = "10.0.0.1 127.0.0.1 203.0.113.7 300.1.1.1 2001:db8::1 me(at)a.org"
    assert replaced(text) == (text, {})
    assert replaced("8.8.8.8 a@b.org", emails=None, addresses=None) == ("8.8.8.8 a@b.org", {})
    assert replaced("8.8.8.8 a@b.org", emails=None, addresses=("X",))[0] == "X a@b.org"


def test_no_replacement_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one replacement"):
        ReplacePii(emails=())
