"""Templates that carry running text: what is called, with what, and which handler shows it.

A handler gives the text that the template shows. Templates that show nothing of the running text (notes,
boxes, flags, maintenance) are known and dropped; for the rest there are definitions (``expander``) and, last, what
an unknown template can be guessed to show (``fallback``).
"""

from __future__ import annotations

import html
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache

from llama_data.stages.wikipedia.opaque import GAP

Handler = Callable[["Call"], str | None]


class Part(ABC):
    """What stands between two bars of a call. It is expanded when it is asked for, and once only.

    Once, because a part may hold calls whose parts hold calls: what is expanded twice on every level is expanded
    2^40 times at the deepest.
    """

    __slots__ = ("_name", "_value", "_whole")
    named: bool

    def __init__(self) -> None:
        self._name: str | None = None
        self._value: str | None = None
        self._whole: str | None = None

    def name(self) -> str | None:
        """What stands before the first ``=``, stripped; None when there is none."""
        if self._name is None and self.named:
            self._name = self.read_name().strip().replace(GAP, "")
        return self._name

    def value(self) -> str:
        """What stands after the first ``=``, or all of it."""
        if self._value is None:
            self._value = self.read_value()
        return self._value

    def whole(self) -> str:
        """All of it, ``=`` or not."""
        if self._whole is None:
            self._whole = self.read_whole() if self.named else self.value()
        return self._whole

    @abstractmethod
    def read_name(self) -> str:
        """Expand what stands before the ``=``; only asked of a part that is ``named``."""

    @abstractmethod
    def read_value(self) -> str:
        """Expand what stands after the ``=``, or all of a part that is not ``named``."""

    @abstractmethod
    def read_whole(self) -> str:
        """Expand all of a part that is ``named``."""


class Call:
    """One use of a template. Arguments are expanded when they are asked for, and once only.

    ``load``: the parts of the call, that of the name first. ``in_line``: text stands beside it.
    """

    __slots__ = ("_arguments", "_load", "_parts", "_values", "in_line", "language", "name", "title")

    def __init__(self, *, name: str, language: str, title: str, load: Callable[[], Sequence[Part]]) -> None:
        self.name = name
        self.language = language
        self.title = title
        self.in_line = True
        self._load = load
        self._parts: Sequence[Part] | None = None
        self._arguments: dict[str, tuple[Part, bool]] | None = None
        self._values: dict[str, str | None] = {}

    @property
    def parts(self) -> Sequence[Part]:
        """The parts between the bars, that of the name first."""
        if self._parts is None:
            self._parts = self._load()
        return self._parts

    def _loaded(self) -> dict[str, tuple[Part, bool]]:
        if self._arguments is None:
            self._arguments = {"0": (self.parts[0], False)}
            number = 0
            for part in self.parts[1:]:
                name = part.name()
                number += name is None
                self._arguments[str(number) if name is None else name] = (part, name is not None)
        return self._arguments

    def raw(self, name: str) -> str | None:
        """An argument as MediaWiki hands it on: a named one stripped, a positional one as it is; None: not given."""
        if name not in self._values:
            found = self._loaded().get(name)
            if found is None or name == "0":
                self._values[name] = None
            else:
                part, named = found
                self._values[name] = part.value().strip() if named else part.value()
        return self._values[name]

    def get(self, *names: str | int) -> str:
        """The first of these arguments that is given and not empty, stripped; else the empty string."""
        for name in names:
            value = self.raw(str(name))
            if value and (value := value.strip()):
                return value
        return ""

    def names(self) -> list[str]:
        """The names of all arguments, positional ones by their number."""
        return [name for name in self._loaded() if name != "0"]

    def head(self) -> str:
        """What stands before the first bar."""
        return self.parts[0].whole()

    def has(self, name: str) -> bool:
        """True when the argument is given, even empty."""
        return name in self._loaded()

    def positional(self) -> list[str]:
        """Values of arguments 1, 2, ... as far as they go without a hole."""
        values, number = [], 1
        while self.has(str(number)):
            values.append(self.get(number))
            number += 1
        return values


def named(names: str, handler: Handler) -> dict[str, Handler]:
    """The handler under the normal form of each name; names are set apart by bars or line ends."""
    return {name.strip().casefold(): handler for name in re.split(r"[|\n]", names) if name.strip()}


_CLEAN_NAME = re.compile(r"[\s_\u200e\u200f]+")


MAX_NAME = 120  # longer "names" are text


_PREFIXES = (
    "template:", "subst:", "safesubst:", "msg:", "vorlage:", "modèle:", "plantilla:", "шаблон:", "szablon:",
    "predefinição:", "sjabloon:", "skabelon:", "mall:", "šablona:", "sablon:", "format:", "predložak:", "predloga:",
)  # fmt: skip


@lru_cache(maxsize=1 << 14)
def normal_name(name: str) -> str:
    """A template's name as the tables below know it: lower case, single spaces, no namespace."""
    name = _CLEAN_NAME.sub(" ", name[:MAX_NAME].replace("\x03", "")).strip().casefold()
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix).lstrip()
    return name


@lru_cache(maxsize=1 << 14)
def title_of(name: str) -> str:
    """A template's title as MediaWiki knows it: single spaces, a capital first, the rest as it is, no namespace."""
    name = _CLEAN_NAME.sub(" ", name[: 2 * MAX_NAME].replace("\x03", "")).strip()
    for prefix in _PREFIXES:
        if name[: len(prefix)].casefold() == prefix:
            name = name[len(prefix) :].lstrip()
    if "&" in name or "#" in name[1:]:
        name = html.unescape(name)
        name = name[:1] + name[1:].partition("#")[0].rstrip()
    return name[:1].upper() + name[1:]


_DROPPED_START = (
    "cite", "citation", "citar", "citace", "cita ", "cytuj", "infobox", "info/", "infotaula", "ficha", "taxobox",
    "geobox", "navbox", "sfn", "harv", "efn", "ref", "notelist", "pp-", "use ", "r from", "r to", "flag", "portal",
    "wiki", "wikt", "commons", "coord", "authority", "main", "see also", "further", "about", "other uses", "expand ",
    "unreferenced", "infobox ", "s-", "col-", "imdb", "isbn", "issn", "oclc", "campaignbox", "multiple i",
    "флаг ", "картка", "картка:", "литература", "книга", "webarchiv", "wayback", "positionskarte",
    "metadaten", "прапор", "bandera", "ikona ",
)  # fmt: skip


@lru_cache(maxsize=1 << 14)
def is_dropped(name: str) -> bool:
    """True for names of boxes, notes and maintenance, which hold nothing of the running text."""
    return name.startswith(_DROPPED_START) or name.endswith((" icon", "-stub", " stub", " topics", " navbox"))
