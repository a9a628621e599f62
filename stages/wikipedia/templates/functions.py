"""Parser functions and magic words: ``{{#if:}}``, ``{{#switch:}}``, ``{{lc:}}``, ``{{PAGENAME}}``.

Source: the help pages of MediaWiki and of its extension ParserFunctions. What needs a wiki, its clock or its Lua
modules is not evaluated: ``NotSimple``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote_plus

from llama_data.stages.wikipedia.opaque import GAP
from llama_data.stages.wikipedia.templates.call import Call, Part
from llama_data.stages.wikipedia.templates.expressions import ExpressionError, evaluate, number_of
from llama_data.stages.wikipedia.templates.names import language_name
from llama_data.stages.wikipedia.templates.numbers import FORMATNUM, formatnum
from llama_data.stages.wikipedia.templates.titles import TITLE_PARTS, namespace_name

MAX_PADDING = 500
MAX_REPLACED = 1 << 16

ERROR = '<strong class="error"></strong>'
_ERROR = re.compile(r"<(?:strong|span|p|div)\b[^<>]*\bclass=\"[^\"<>]*\berror\b", re.IGNORECASE)


class NotSimple(Exception):
    """What a call shows cannot be told from its definition alone."""


Function = Callable[[str, Call], str]


def function_of(head: str) -> tuple[str, str] | None:
    """Name and first argument when the head of a call is that of a parser function or magic word we know."""
    name, colon, rest = head.partition(":")
    name = name.replace(GAP, "").strip().lower()
    while name in ("subst", "safesubst"):
        name, colon, rest = rest.partition(":")
        name = name.strip().lower()
    if colon and (name in _FUNCTIONS or name.startswith("#")):
        return name, rest
    return (name, "") if not colon and name in VARIABLES else None


def call_function(name: str, first: str, call: Call) -> str:
    """What the function shows. Raises NotSimple: it cannot be told."""
    if name in VARIABLES and not first:
        return VARIABLES[name](call)
    function = _FUNCTIONS.get(name)
    if function is None:
        raise NotSimple(name)
    return function(first, call)


def _bare(text: str) -> str:
    return text.replace(GAP, "").strip()


def _at(call: Call, index: int) -> str:
    """The argument of a function: the whole part, stripped."""
    return call.parts[index].whole().strip() if index < len(call.parts) else ""


def _if(first: str, call: Call) -> str:
    return _at(call, 1 if _bare(first) else 2)


def _same(left: str, right: str) -> bool:
    """Equal as numbers when both are, else as texts, in which entities are the characters they stand for."""
    if left == right or ("&" in left + right and html.unescape(left) == html.unescape(right)):
        return True
    one, other = number_of(left), number_of(right)
    return one is not None and one == other


def _ifeq(first: str, call: Call) -> str:
    return _at(call, 2 if _same(_bare(first), _bare(_at(call, 1))) else 3)


def _iferror(first: str, call: Call) -> str:
    if _ERROR.search(first):
        return _at(call, 1)
    return _at(call, 2) if len(call.parts) > 2 else first.strip()


def _ifexpr(first: str, call: Call) -> str:
    try:
        value = evaluate(_bare(first))
    except ExpressionError:
        return ERROR
    return _at(call, 1 if value and float(value) != 0 else 2)


def _expr(first: str, call: Call) -> str:
    try:
        return evaluate(_bare(first))
    except ExpressionError:
        return ERROR


def _switch(first: str, call: Call) -> str:
    """The value of the first case that is equal; cases without a value fall through to the next one."""
    primary = _bare(first)
    found = default_next = False
    default: Part | None = None
    last: str | None = None
    for part in call.parts[1:]:
        name = part.name()
        if name is None:
            last = _bare(part.whole())
            found = found or _same(last, primary)
            default_next = default_next or last == "#default"
            continue
        last = None
        if found or _same(_bare(name), primary):
            return part.value().strip()
        if default_next or name.strip() == "#default":
            default, default_next = part, False
    if last is not None and not default_next:
        return last
    return default.value().strip() if default is not None else ""


def _pad(left: bool) -> Function:
    def pad(first: str, call: Call) -> str:
        text, width, filler = first.strip(), _at(call, 1), _at(call, 2) or "0"
        size = min(int(width), MAX_PADDING) if re.fullmatch(r"\d{1,6}", width) else 0
        missing = max(0, size - len(text))
        padding = (filler * (missing // len(filler) + 1))[:missing]
        return padding + text if left else text + padding

    return pad


def _format(first: str, call: Call) -> str:
    return formatnum(_bare(first), _at(call, 1), call.language)


def _titleparts(first: str, call: Call) -> str:
    parts = _bare(first).split("/")
    start = int(_at(call, 2)) if re.fullmatch(r"-?\d{1,3}", _at(call, 2)) else 1
    count = int(_at(call, 1)) if re.fullmatch(r"-?\d{1,3}", _at(call, 1)) else 0
    parts = parts[start - 1 if start > 0 else start :] if start else parts
    return "/".join(parts[:count] if count else parts)


def _plural(first: str, call: Call) -> str:
    """Two forms: one, and any other number. More forms are for languages with cases of their own."""
    forms = [_at(call, index) for index in range(1, len(call.parts))]
    if not forms:
        return ""
    value = number_of(_bare(first).replace(",", ""))
    if len(forms) > 2 or value is None:
        return forms[-1]
    return forms[0] if abs(value) == 1 or (call.language == "fr" and abs(value) < 2) else forms[-1]


def _language(first: str, call: Call) -> str:
    name = language_name(_bare(first)) if (_at(call, 1) or call.language) == "en" else ""
    if not name:
        raise NotSimple("#language")
    return name


_PASSED_ON: dict[str, Callable[[Call], str]] = {
    "check for unknown parameters": lambda call: "",
    "check for deprecated parameters": lambda call: "",
    "check for clobbered parameters": lambda call: "",
    "templatepar": lambda call: "",
    "category handler": lambda call: "",
    "main other": lambda call: "",
    "if empty": lambda call: next((text for index in range(2, len(call.parts)) if (text := _at(call, index))), ""),
    "plain text": lambda call: _at(call, 2),
    "unsubst": lambda call: call.get("$B"),
    "unsubst-infobox": lambda call: call.get("$B"),
}
"""Modules that show an argument or nothing."""


def shows_an_argument(module: str) -> bool:
    """True when a Lua module is known to show an argument or nothing."""
    return " ".join(module.replace("_", " ").split()).casefold() in _PASSED_ON


def _invoke(first: str, call: Call) -> str:
    module = " ".join(first.replace("_", " ").split()).casefold()
    if module not in _PASSED_ON:
        raise NotSimple("#invoke")
    return _PASSED_ON[module](call)


_DROPPED_TAGS = frozenset(
    {
        "ref",
        "references",
        "gallery",
        "templatestyles",
        "indicator",
        "imagemap",
        "timeline",
        "score",
        "graph",
        "mapframe",
    }
    | {"maplink", "categorytree", "section", "inputbox", "hiero", "charinsert", "dynamicpagelist", "rss", "style"}
)


def _tag(first: str, call: Call) -> str:
    """``{{#tag:ref|text}}``: nothing; of tags around text the text."""
    tag = _bare(first).lower()
    if tag in ("math", "chem", "ce"):
        raise NotSimple("#tag")
    return GAP if tag in _DROPPED_TAGS else _at(call, 1)


def _urlencode(first: str, call: Call) -> str:
    kind, text = _at(call, 1).upper(), first.strip()
    if kind == "WIKI":
        return quote(text.replace(" ", "_"), safe="/:@!$*(),;~-._")
    return quote(text) if kind == "PATH" else quote_plus(text)


def _of_title(part: Callable[[str], str]) -> Function:
    return lambda first, call: part(first.strip())


def _explode(first: str, call: Call) -> str:
    """``{{#explode:a/b|/|1}}``: the part of this number, from the end when it is negative."""
    parts = first.split(_at(call, 1) or " ")
    place = int(_at(call, 2)) if re.fullmatch(r"-?\d{1,3}", _at(call, 2)) else 0
    return parts[place] if -len(parts) <= place < len(parts) else ""


def _replace(first: str, call: Call) -> str:
    text, old, new = first.strip(), _at(call, 1) or " ", _at(call, 2)
    if len(text) + text.count(old) * len(new) > MAX_REPLACED:
        raise NotSimple("#replace")
    return text.replace(old, new)


def _substring(first: str, call: Call) -> str:
    start, size = (int(n) if re.fullmatch(r"-?\d{1,4}", n := _at(call, place)) else 0 for place in (1, 2))
    text = first.strip()[start:]
    return text[:size] if size else text


def _of_page(part: Callable[[str], str]) -> Callable[[Call], str]:
    return lambda call: part(call.title)


def _nothing(first: str, call: Call) -> str:
    return ""


_FUNCTIONS: dict[str, Function] = {
    "#if": _if,
    "#ifeq": _ifeq,
    "#iferror": _iferror,
    "#ifexpr": _ifexpr,
    "#ifexist": lambda first, call: _at(call, 1 if _bare(first) else 2),
    "#switch": _switch,
    "#expr": _expr,
    "#titleparts": _titleparts,
    "#invoke": _invoke,
    "#tag": _tag,
    "#len": lambda first, call: str(len(first.strip())),
    "#sub": _substring,
    "#replace": _replace,
    "#explode": _explode,
    "#urldecode": lambda first, call: unquote_plus(first.strip()),
    "#language": _language,
    "#dateformat": lambda first, call: first.strip(),
    "#formatdate": lambda first, call: first.strip(),
    **dict.fromkeys(("#lst", "#lsth", "#lstx", "#section", "#coordinates", "#related", "#assessment"), _nothing),
    **dict.fromkeys(("#babel", "#seo", "#widget", "#categorytree", "#mapframe", "#maplink", "#parsoid"), _nothing),
    "lc": lambda first, call: first.strip().lower(),
    "uc": lambda first, call: first.strip().upper(),
    "lcfirst": lambda first, call: first.strip()[:1].lower() + first.strip()[1:],
    "ucfirst": lambda first, call: first.strip()[:1].upper() + first.strip()[1:],
    **dict.fromkeys(FORMATNUM, _format),
    "padleft": _pad(left=True),
    "padright": _pad(left=False),
    "plural": _plural,
    "grammar": lambda first, call: _at(call, 1),
    "gender": lambda first, call: _at(call, 3) or _at(call, 1),
    "urlencode": _urlencode,
    "anchorencode": lambda first, call: first.strip().replace(" ", "_"),
    "fullurl": lambda first, call: f"//{call.language}.wikipedia.org/wiki/{quote(first.strip().replace(' ', '_'))}",
    "localurl": lambda first, call: f"/wiki/{quote(first.strip().replace(' ', '_'))}",
    "canonicalurl": lambda first, call: f"https://{call.language}.wikipedia.org/wiki/{quote(first.strip())}",
    **{name: _of_title(part) for name, part in TITLE_PARTS.items()},
    "ns": lambda first, call: namespace_name(_bare(first)),
    "nse": lambda first, call: namespace_name(_bare(first)).replace(" ", "_"),
    **dict.fromkeys(
        ("defaultsort", "defaultsortkey", "defaultcategorysort", "displaytitle", "noexternallanglinks"), _nothing
    ),
}


def _of_the_day(call: Call) -> str:
    raise NotSimple(call.name)


_CLOCK = [
    f"{when}{what}"
    for when in ("current", "local", "revision")
    for what in (
        *("year", "month", "month1", "monthname", "monthnamegen", "monthabbrev", "day", "day2", "dow", "dayname"),
        *("time", "hour", "week", "timestamp", "version", "id", "user", "size"),
    )
]
_COUNTS = [f"numberof{what}" for what in ("articles", "pages", "users", "activeusers", "admins", "files", "edits")]

VARIABLES: dict[str, Callable[[Call], str]] = {
    **{name: _of_page(part) for name, part in TITLE_PARTS.items()},
    "namespacenumber": lambda call: "0",
    "sitename": lambda call: "Wikipedia",
    **dict.fromkeys(("contentlanguage", "contentlang", "pagelanguage"), lambda call: call.language),
    **dict.fromkeys((*_CLOCK, *_COUNTS), _of_the_day),
    "!": lambda call: "|",
    "=": lambda call: "=",
}
"""Magic words without an argument, by their names in lower case."""
