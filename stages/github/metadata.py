"""What a package's metadata say of its licence: the SPDX expression, or a name that means one, in BigQuery's keys."""

from __future__ import annotations

import configparser
import email.parser
import json
import re
import tomllib
from collections.abc import Callable
from functools import cache
from typing import Any

from identify.vendor.licenses import LICENSES

# What people write for an SPDX id; only names that can mean one licence.
_NAMES = {
    "mit license": "mit",
    "the mit license": "mit",
    "mit license (mit)": "mit",
    "expat": "mit",
    "apache 2": "apache-2.0",
    "apache 2.0": "apache-2.0",
    "apache license 2.0": "apache-2.0",
    "apache license, version 2.0": "apache-2.0",
    "apache license version 2.0": "apache-2.0",
    "apache software license 2.0": "apache-2.0",
    "bsd 3-clause": "bsd-3-clause",
    "bsd 3-clause license": "bsd-3-clause",
    "3-clause bsd": "bsd-3-clause",
    "3-clause bsd license": "bsd-3-clause",
    "new bsd": "bsd-3-clause",
    "new bsd license": "bsd-3-clause",
    "bsd 2-clause": "bsd-2-clause",
    "bsd 2-clause license": "bsd-2-clause",
    "simplified bsd": "bsd-2-clause",
    "isc license": "isc",
    "isc license (iscl)": "isc",
    "the unlicense (unlicense)": "unlicense",
}
_TOKEN = re.compile(r"\(|\)|\b(?:AND|OR|WITH)\b|[^\s()/]+|/", re.IGNORECASE)
_CLASSIFIER = "License :: OSI Approved :: "


@cache
def _ids() -> frozenset[str]:
    return frozenset(key.lower() for key, _ in LICENSES)


def key_of(name: str) -> str | None:
    """The key of one licence's SPDX id or usual name, None when it is not known."""
    plain = " ".join(name.lower().split()).strip("\"'")
    plain = _NAMES.get(plain, plain)
    plain = re.sub(r"-(?:only|or-later)\Z|\+\Z", "", plain)
    return plain if plain in _ids() else None


def normalise(expression: str) -> str | None:
    """An SPDX expression with our keys, ``AND`` and ``OR`` in capitals; None when a part of it is not known.

    A slash means OR, as Cargo's old form has it. An exception (``WITH``) only adds permissions, so it is left out.
    """
    whole = key_of(expression)
    if whole is not None:
        return whole
    out: list[str] = []
    skip = False
    for token in _TOKEN.findall(expression):
        upper = token.upper()
        if skip:
            skip = False
        elif upper == "WITH":
            skip = True
        elif upper in ("AND", "OR", "/", "(", ")"):
            out.append("OR" if upper == "/" else upper)
        else:
            key = key_of(token)
            if key is None:
                return None
            out.append(key)
    return " ".join(out).replace("( ", "(").replace(" )", ")") or None


def known_keys(expression: str) -> set[str]:
    """The keys in an expression."""
    return {token for token in re.findall(r"[^\s()]+", expression) if token not in ("AND", "OR")}


def satisfied(expression: str, chosen: Callable[[str], bool]) -> bool:
    """True when the licences that are chosen suffice: all of those joined by AND, one of those joined by OR.

    AND binds closer. An expression that is not well formed is not satisfied.
    """
    tokens = re.findall(r"\(|\)|[^\s()]+", expression)

    def either() -> bool:
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both() -> bool:
        value = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = one() and value
        return value

    def one() -> bool:
        token = tokens.pop(0)
        if token != "(":
            return token not in (")", "AND", "OR") and chosen(token)
        value = either()
        return tokens.pop(0) == ")" and value

    try:
        return either() and not tokens
    except (IndexError, RecursionError):
        return False


def declared(name: str, data: bytes) -> str | None:
    """The licence that a metadata file states; None when it states none that is known, or cannot be parsed."""
    try:
        said = _READERS[name](data.decode("utf-8-sig"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, configparser.Error):
        return None
    return normalise(said) if isinstance(said, str) else None


def _cargo(text: str) -> Any:
    return tomllib.loads(text)["package"]["license"]


def _pyproject(text: str) -> Any:
    said = tomllib.loads(text)["project"]["license"]
    return said.get("text") if isinstance(said, dict) else said


def _json(text: str) -> Any:
    """npm's and composer's file: an expression, npm's old objects, or composer's list of which one may choose."""
    data = json.loads(text)
    said = data.get("license", data.get("licenses"))
    if isinstance(said, list):
        parts: list[str] = [part["type"] if isinstance(part, dict) else part for part in said]
        return " OR ".join(parts)
    return said.get("type") if isinstance(said, dict) else said


def _setup_cfg(text: str) -> Any:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser["metadata"]["license"]


def _pkg_info(text: str) -> Any:
    message = email.parser.HeaderParser().parsestr(text)
    for field in ("License-Expression", "License"):
        if normalise(message.get(field, "")):
            return message[field]
    named = [value for value in message.get_all("Classifier", []) if value.startswith(_CLASSIFIER)]
    return named[0].removeprefix(_CLASSIFIER) if len(named) == 1 else None


_READERS: dict[str, Callable[[str], Any]] = {
    "Cargo.toml": _cargo,
    "pyproject.toml": _pyproject,
    "package.json": _json,
    "composer.json": _json,
    "setup.cfg": _setup_cfg,
    "PKG-INFO": _pkg_info,
}
METADATA = tuple(_READERS)
