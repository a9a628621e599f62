"""E-mail addresses and public IPv4 addresses replaced by examples, as FineWeb does."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.utf8_document import Utf8Document, utf8_of
from llama_data.stages.steps.contract import Built, StepContext, StepSettings

EMAILS = ("email@example.com", "firstname.lastname@example.org")
ADDRESSES = (
    "22.214.171.124",
    "126.96.36.199",
    "188.8.131.52",
    "184.108.40.206",
    "220.127.116.11",
    "18.104.22.168",
)
"""What stands in the place of addresses: datatrove's, which answered nobody when they were drawn."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_LITERAL = rf"\[(?:{_OCTET}\.){{3}}(?:{_OCTET}|[A-Za-z0-9-]*[A-Za-z0-9]:)\]"
# An e-mail address is a LOCAL at a word boundary, an @ and a DOMAIN. Sought as one expression, a megabyte of `a-a-`
# would take hours, since each letter may begin one; so every @ is looked at from its place. LOCAL reads the same from
# behind.
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_EDGE = re.compile(rf"\b(?={_ATOM})")
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}|{_LITERAL}")
ADDRESS = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
# Every address has a digit, a dot and a digit twice over; most texts do not.
_MAY_HOLD_ADDRESS = re.compile(rb"[0-9]\.[0-9]{1,3}\.[0-9]")


class Settings(StepSettings):
    """Replaces e-mail addresses and public IPv4 addresses by ones that are nobody's, and counts them.

    ``emails``, ``addresses``: the replacements, of which a hash of the record's id and the place picks one; null: such
    addresses stay. ``public_only``: private, reserved and impossible addresses stay. IPv6 is not looked for, as in
    FineWeb: it is rarely told from times, hashes and code.
    """

    edits: ClassVar[bool] = True
    emails: tuple[str, ...] | None = EMAILS
    addresses: tuple[str, ...] | None = ADDRESSES
    public_only: bool = True

    def build(self, context: StepContext) -> Built:
        """One rule."""
        rule = ReplacePii(emails=self.emails, addresses=self.addresses, public_only=self.public_only)
        return Built(rules=[rule], columns={"pii_emails": "int64", "pii_addresses": "int64"})

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What is replaced."""
        says = "replaces e-mail addresses and public IPv4 addresses"
        return (Check(step=ReplacePii.name, says=says, shows=("pii_emails", "pii_addresses")),)


class ReplacePii(Rule):
    """Replaces addresses; the numbers of those go to the metadata when there are any.

    The spans are those of datatrove's ``PIIFormatter``: first e-mail addresses, then IPv4 addresses in what that
    leaves, without regard to what stands around the four numbers (a version 1.2.3.4.5 holds one). datatrove takes
    its replacements in turn, so that a text depends on those before it; here they follow from the id and the place.
    """

    name = "pii"

    def __init__(
        self,
        *,
        emails: tuple[str, ...] | None = EMAILS,
        addresses: tuple[str, ...] | None = ADDRESSES,
        public_only: bool = True,
    ) -> None:
        super().__init__()
        if emails == () or addresses == ():
            raise ValueError("emails, addresses: expected at least one replacement, or null for none")
        self.emails = emails
        self.addresses = addresses
        self.public_only = public_only

    def judge(self, doc: Document) -> None:
        """Edit the text. Rejects nobody."""
        data = utf8_of(doc) if isinstance(doc, Utf8Document) else doc.text.encode("utf-8", "surrogatepass")
        emails = addresses = 0
        text: str | None = None
        if self.emails is not None and b"@" in data:
            text, emails = _replaced(doc.text, doc.id, email_spans(doc.text), self.emails)
        # An address in an example's place may be one of the recipe's own replacements.
        if self.addresses is not None and (emails or _MAY_HOLD_ADDRESS.search(data)):
            text = doc.text if text is None else text
            spans = (found.span() for found in ADDRESS.finditer(text) if is_address(found[0], self.public_only))
            text, addresses = _replaced(text, doc.id, spans, self.addresses)
        if emails or addresses:
            doc.text = text
            doc.metadata |= {"pii_emails": emails, "pii_addresses": addresses}


def email_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where e-mail addresses begin and end, from left to right; in time that grows with the text."""
    begin = 0  # what stands before belongs to another address, or to another @
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.match(text[begin:at][::-1])
        domain = _DOMAIN.match(text, at + 1) if local else None
        edge = _EDGE.search(text, at - local.end(), at) if local and domain else None
        if domain and edge:
            yield edge.start(), domain.end()
        begin = domain.end() if domain and edge else at + 1
        at = text.find("@", begin)


def _replaced(text: str, id: str, spans: Iterable[tuple[int, int]], replacements: tuple[str, ...]) -> tuple[str, int]:
    """The text with a replacement for each span, and their number."""
    parts, done, count = [], 0, 0
    for start, end in spans:
        parts += [text[done:start], replacements[_draw(id, start, len(replacements))]]
        done, count = end, count + 1
    return "".join([*parts, text[done:]]), count


def is_address(text: str, public_only: bool = True) -> bool:
    """True for an IPv4 address; ``public_only``: for one that the internet routes."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return found.is_global if public_only else True


def _draw(id: str, place: int, count: int) -> int:
    """A number below ``count`` that follows from the record and the place."""
    key = f"{id}\0{place}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % count
