"""Templates that carry running text: what is called, with what, and who renders it.

A handler gives the text that the template shows. Templates that show nothing of the running text (notes,
boxes, flags, maintenance) are known and dropped; the rest is unknown, dropped and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from llama_data.stages.wikipedia.templates.numbers import FORMATNUM, formatnum, fraction_name

Handler = Callable[["Call"], str | None]


class Call:
    """One use of a template. Arguments are expanded when they are asked for, and once only."""

    __slots__ = ("_arguments", "_load", "_values", "language", "name", "title")

    def __init__(
        self,
        *,
        name: str,
        language: str,
        title: str,
        load: Callable[[], list[tuple[str, Callable[[], str]]]],
    ) -> None:
        self.name = name
        self.language = language
        self.title = title
        self._load = load
        self._arguments: dict[str, Callable[[], str]] | None = None
        self._values: dict[str, str] = {}

    def _loaded(self) -> dict[str, Callable[[], str]]:
        if self._arguments is None:
            self._arguments = dict(self._load())
        return self._arguments

    def get(self, *names: str | int) -> str:
        """The first of these arguments that is given and not empty, stripped; else the empty string."""
        arguments = self._loaded()
        for name in names:
            key = str(name)
            if key in arguments:
                if key not in self._values:
                    self._values[key] = arguments[key]().strip()
                if self._values[key]:
                    return self._values[key]
        return ""

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


_CLEAN_NAME = re.compile(r"[\s_\u200e\u200f]+")


MAX_NAME = 120  # longer "names" are text


@lru_cache(maxsize=1 << 14)
def normal_name(name: str) -> str:
    """A template's name as the tables below know it: lower case, single spaces, no namespace."""
    name = _CLEAN_NAME.sub(" ", name[:MAX_NAME].replace("\x03", "")).strip().casefold()
    for prefix in ("template:", "subst:", "safesubst:", "msg:", "vorlage:", "modèle:", "plantilla:", "шаблон:"):
        name = name.removeprefix(prefix).lstrip()
    return name


def render(call: Call, local: Mapping[str, Handler], common: Mapping[str, Handler]) -> str | None:
    """What the template shows; an empty string when it is known to show no running text, None when unknown."""
    name = normal_name(call.name)
    handler = local.get(name) or common.get(name)
    if handler is not None:
        return handler(call)
    if name.startswith("#"):
        return _parser_function(name, call)
    if ":" in name:
        return _magic(name, call)
    stem = _stem(name)
    if stem:
        return common[stem](call)
    if "/" in name and (fraction := fraction_name(name)):
        return fraction
    return "" if is_dropped(name) else None


_STEMS = (("lang-", "lang-"), ("ipa-", "ipa-"), ("ipac-", "ipac-"))


def _stem(name: str) -> str:
    return next((key for prefix, key in _STEMS if name.startswith(prefix)), "")


_DROPPED_START = (
    "cite", "citation", "citar", "citace", "cita ", "cytuj", "infobox", "info/", "infotaula", "ficha", "taxobox",
    "geobox", "navbox", "sfn", "harv", "efn", "ref", "notelist", "pp-", "use ", "r from", "r to", "flag", "portal",
    "wiki", "wikt", "commons", "coord", "authority", "main", "see also", "further", "about", "other uses", "expand ",
    "unreferenced", "infobox ", "s-", "col-", "imdb", "isbn", "issn", "oclc", "campaignbox", "multiple i", "legend",
    "флаг ", "картка", "картка:", "литература", "книга", "webarchiv", "wayback", "positionskarte",
    "metadaten", "прапор", "bandera",
)  # fmt: skip


@lru_cache(maxsize=1 << 14)
def is_dropped(name: str) -> bool:
    """True for names of boxes, notes and maintenance, which hold nothing of the running text."""
    return name.startswith(_DROPPED_START) or name.endswith((" icon", "-stub", " stub", " topics", " navbox"))


def _parser_function(name: str, call: Call) -> str | None:
    function = name.partition(":")[0]
    if function == "#if":
        return call.get(1) if call.get("0").partition(":")[2].strip(" \n\x03") else call.get(2)
    if function in ("#ifexist", "#iferror"):
        return call.get(1)
    return "" if function in ("#tag", "#invoke", "#expr", "#time", "#property", "#statements", "#switch") else None


def _magic(name: str, call: Call) -> str | None:
    function, _, rest = name.partition(":")
    value = call.get("0").partition(":")[2].strip()
    if function in FORMATNUM:
        return formatnum(value, call.get(1), call.language)
    if function in ("lc", "lcfirst"):
        return value.lower() if function == "lc" else value[:1].lower() + value[1:]
    if function in ("uc", "ucfirst"):
        return value.upper() if function == "uc" else value[:1].upper() + value[1:]
    if function in ("plural", "grammar"):
        return call.get(2, 1)
    return "" if rest else None
