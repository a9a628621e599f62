"""Block lists of addresses: whole domains, addresses, expressions, and words in them, from files of the user's own.

Host names and addresses are compared in one form (``Address``): lower case, without scheme, user, port, ``www.`` and
a dot at the host's end, non-ASCII host names as IDNA writes them. The entries of the lists are brought to the same
form, so that one of them with a scheme or capitals matches as well; one that never could is an error.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import exists, join, read_bytes
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.steps.contract import Built, StepContext, StepSettings

_NOT_WORD = re.compile(r"[^a-z0-9]+")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\]")
_GZIP = b"\x1f\x8b"


class Settings(StepSettings):
    """Rejects records by their address, with lists that you name; none is brought by the package.

    Each is a list of files in UTF-8, plain or gzip, an entry a line, ``#`` begins a comment. ``domains``: host names,
    which hold for all hosts below them (``subdomain``) as well. ``urls``: host and path, which hold for all paths
    below them, a host alone for all of its paths. ``hard_words``: one is enough; ``soft_words``: ``soft_count``
    different ones (null: never); both are whole words of the address. ``subwords``: anywhere in it, signs left out.
    ``ut1``: folders of UT1's format (``domains``, ``urls``, ``expressions``). ``keep_missing``: what happens to records
    without an address.
    """

    domains: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    hard_words: tuple[str, ...] = ()
    soft_words: tuple[str, ...] = ()
    soft_count: int | None = Field(default=2, ge=0)
    subwords: tuple[str, ...] = ()
    ut1: tuple[str, ...] = ()
    keep_missing: bool = True

    def build(self, context: StepContext) -> Built:
        """One rule. Raises InputError: a list cannot be read, or holds an entry that matches nothing."""
        rule = BlockedUrls(**dict(self))
        rule.load()
        return Built(rules=[rule], columns={"url_match": "string"})

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The lists, in the order in which they are asked."""
        reasons = (
            Reason.missing_url,
            Reason.domain,
            Reason.subdomain,
            Reason.url,
            Reason.url_expression,
            Reason.hard_blacklisted,
            Reason.soft_blacklisted,
            Reason.blacklisted_subword,
        )
        return (Check(step=BlockedUrls.name, says="looks the address up", reasons=reasons, shows=("url_match",)),)


class Address(NamedTuple):
    """An address in the form in which it is compared: the host, and the host with path and query."""

    host: str
    whole: str


def address_of(url: str) -> Address | None:
    """The comparable form of an address; None: it has no host. A scheme may be missing."""
    url = url.strip()
    if not _SCHEME.match(url):
        url = "//" + url.removeprefix("//")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    host = host.rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    if ":" in host:
        host = f"[{host}]"
    host = host.lower().removeprefix("www.")
    if not _HOST.fullmatch(host):
        return None
    query = "?" + parts.query if parts.query else ""
    return Address(host, (host + parts.path.rstrip("/") + query).lower())


class BlockedUrls(Rule):
    """Rejects a record whose address is on a list; what matched goes to the ledger as ``url_match``.

    The order and the reasons are those of datatrove's ``URLFilter``, except that words are compared in lower case
    and a domain holds for all its hosts, found by the parts of the name: no list of public suffixes is needed, but
    an entry ``co.uk`` would block all of them.
    """

    name = "urls"

    def __init__(
        self,
        *,
        domains: Sequence[str] = (),
        urls: Sequence[str] = (),
        hard_words: Sequence[str] = (),
        soft_words: Sequence[str] = (),
        soft_count: int | None = 2,
        subwords: Sequence[str] = (),
        ut1: Sequence[str] = (),
        keep_missing: bool = True,
    ) -> None:
        super().__init__()
        folders = {name: [join(folder, name) for folder in ut1] for name in ("domains", "urls", "expressions")}
        for folder in ut1:
            if not any(exists(join(folder, name)) for name in folders):
                raise InputError(f"{folder}: expected a folder with UT1's files: domains, urls, expressions")
        self._paths = {
            "domains": [*domains, *filter(exists, folders["domains"])],
            "urls": [*urls, *filter(exists, folders["urls"])],
            "hard": [*hard_words],
            "soft": [*soft_words],
            "subwords": [*subwords],
            "expressions": [*filter(exists, folders["expressions"])],
        }
        self.files = tuple(path for paths in self._paths.values() for path in paths)
        self.soft_count = soft_count
        self.keep_missing = keep_missing
        self._loaded = False

    def load(self) -> None:
        """Read the lists. Raises InputError: one cannot be read, or an entry could never match."""
        paths = self._paths
        self._domains = {_host(entry) for entry in _entries(paths["domains"])}
        self._urls = {_whole(entry) for entry in _entries(paths["urls"])}
        self._hard = {_word(entry) for entry in _entries(paths["hard"])}
        self._soft = {_word(entry) for entry in _entries(paths["soft"])}
        subwords = {_subword(entry) for entry in _entries(paths["subwords"])}
        self._subwords = re.compile("|".join(map(re.escape, sorted(subwords)))) if subwords else None
        expressions = sorted({_expression(entry) for entry in _entries(paths["expressions"])})
        self._expressions = _any(expressions) if expressions else None
        self._loaded = True

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason of the first list that knows the address."""
        if not self._loaded:
            self.load()
        url = doc.metadata.get("url")
        address = address_of(url) if isinstance(url, str) and url else None
        if address is None:
            self.count({"missing_url": 1})
            return None if self.keep_missing else Reason.missing_url
        found = self._find(address)
        if found is None:
            return None
        reason, match = found
        note(doc, url_match=match)
        return reason

    def _find(self, address: Address) -> tuple[Reason, str] | None:
        host, whole = address
        if host in self._domains:
            return Reason.domain, host
        for above in _above(host):
            if above in self._domains:
                return Reason.subdomain, above
        for prefix in _prefixes(whole):
            if prefix in self._urls:
                return Reason.url, prefix
        if self._expressions and (match := self._expressions.search(whole)):
            return Reason.url_expression, match[0]
        if self._hard or self._soft:
            words = set(_NOT_WORD.split(whole))
            if hard := words & self._hard:
                return Reason.hard_blacklisted, min(hard)
            soft = words & self._soft
            if self.soft_count is not None and len(soft) >= self.soft_count:
                return Reason.soft_blacklisted, " ".join(sorted(soft))
        if self._subwords and (match := self._subwords.search(_NOT_WORD.sub("", whole))):
            return Reason.blacklisted_subword, match[0]
        return None


def _any(expressions: Sequence[str]) -> re.Pattern[str]:
    # Addresses are in lower case, and in an expression lower case may be another class of characters.
    return re.compile("|".join(f"(?:{entry})" for entry in expressions), re.IGNORECASE)


def _above(host: str) -> Iterator[str]:
    """The names that a host lies below, the longest first."""
    if not host.startswith("["):
        while "." in host:
            host = host.partition(".")[2]
            yield host


def _prefixes(whole: str) -> Iterator[str]:
    """An address and those above it up to its host, with and without its query."""
    yield whole
    path = whole.partition("?")[0]
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


class _Entry(NamedTuple):
    path: str
    line: int
    text: str

    def refuse(self, expected: str) -> InputError:
        return InputError(f"{self.path}, line {self.line}: {self.text!r} could never match; expected {expected}")


def _entries(paths: Iterable[str]) -> Iterator[_Entry]:
    for path in paths:
        data = read_bytes(path)
        try:
            text = (gzip.decompress(data) if data.startswith(_GZIP) else data).decode("utf-8-sig")
        except (UnicodeDecodeError, OSError, EOFError) as error:
            raise InputError(f"{path}: expected a list in UTF-8, plain or gzip: {error}") from None
        for number, line in enumerate(text.split("\n"), 1):
            if (entry := line.strip()) and not entry.startswith("#"):
                yield _Entry(path, number, entry)


def _host(entry: _Entry) -> str:
    found = address_of(entry.text)
    if found is None or found.whole != found.host:
        raise entry.refuse("a host name, such as example.org; addresses with a path belong to `urls`")
    return found.host


def _whole(entry: _Entry) -> str:
    found = address_of(entry.text)
    if found is None:
        raise entry.refuse("a host name and a path, such as example.org/path")
    return found.whole


def _word(entry: _Entry) -> str:
    word = entry.text.lower()
    if _NOT_WORD.search(word):
        raise entry.refuse("one word of ASCII letters and digits; parts of words belong to `subwords`")
    return word


def _subword(entry: _Entry) -> str:
    found = _NOT_WORD.sub("", entry.text.lower())
    if not found:
        raise entry.refuse("ASCII letters or digits")
    return found


def _expression(entry: _Entry) -> str:
    try:
        re.compile(entry.text)
    except re.error as error:
        raise entry.refuse(f"a regular expression ({error})") from None
    return entry.text
