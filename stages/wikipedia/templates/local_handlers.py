"""What templates show that single Wikipedias have."""
# ruff: noqa: RUF001 - dashes are the subject

from __future__ import annotations

import re

from llama_data.stages.wikipedia.opaque import BREAK
from llama_data.stages.wikipedia.templates.call import Call, Handler
from llama_data.stages.wikipedia.templates.handlers import is_month


def word_date(call: Call) -> str:
    """``{{date|1|janvier|1950}}`` → "1 janvier 1950"."""
    return " ".join(value for value in call.positional()[:3] if value)


_ROMAN = re.compile("[IVX]{1,6}", re.IGNORECASE)
_ORDINAL_ENDING = re.compile("er?|ème|ième")
_TIGHT_JOINTS = frozenset("-–/")
_JOINTS = _TIGHT_JOINTS | {"et", "ou", "au", "à", "aux", "ou au", "et au"}


def french_century(call: Call) -> str:
    """``{{s|XIX|e}}`` → "XIXe siècle"; ``{{s2|XVI|e|XVII|e}}`` → "XVIe et XVIIe siècles".

    What joins two centuries may stand between them (``{{sp|XVI|e|et|XVII|e}}``); an ending left out is the usual one.
    """
    values = [value for value in call.positional() if value]
    found: list[str] = []
    joint, at = " et ", 0
    while at < len(values):
        value, following = values[at], values[at + 1 : at + 2]
        at += 1
        if found and value in _JOINTS:
            joint = value if value in _TIGHT_JOINTS else f" {value} "
        elif not _ROMAN.fullmatch(value):
            found.append(value)
        elif following and _ORDINAL_ENDING.fullmatch(following[0]):
            found.append(value + following[0])
            at += 1
        else:
            found.append(value + ("er" if value.upper() == "I" else "e"))
    return joint.join(found) + (" siècles" if len(found) > 1 else " siècle") if found else ""


def centuries(word: str) -> Handler:
    """``{{siglo|XIX}}`` → "siglo XIX"."""
    return lambda call: f"{word} {value}" if (value := call.get(1)) else ""


def german_short(name: str) -> Handler:
    """``{{enS|word}}`` → "englisch word"."""
    return lambda call: f"{name} {call.get(1)}".strip()


def translated(call: Call) -> str:
    """``{{нп5|Title|label|en|Original}}``: the label, or the title."""
    return call.get("текст", "text", 2, 1)


_MONTHS = {
    "es": "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
    "pt": "janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro",
    "ca": "gener|febrer|març|abril|maig|juny|juliol|agost|setembre|octubre|novembre|desembre",
}


def iberian_date(call: Call) -> str:
    """``{{fecha|1|1|1950}}`` → "1 de enero de 1950"; the Portuguese and Catalan forms with their months."""
    months = _MONTHS[call.language].split("|")
    day, month, year = call.get(1), call.get(2), call.get(3)
    name = months[int(month) - 1] if is_month(month) else month
    return " de ".join(part for part in (day, name, year) if part)


def spanish_century(call: Call) -> str:
    """``{{siglo|XIX|a. C.}}`` → "siglo XIX a. C."."""
    return f"siglo {call.get(1)} {call.get(2)}".strip()


def french_link(call: Call) -> str:
    """``{{lien|Title|langue=en|texte=label}}``: the label, or the title."""
    return call.get("texte", "trad", "fr", 1)


def german_quotation(call: Call) -> str:
    """``{{Zitat|Text|Autor=A}}`` → „Text“, and on the next line who said it, where that is named."""
    text = german_inline_quotation(call)
    who = ", ".join(part for part in (call.get("Autor", "autor"), call.get("Quelle", "quelle")) if part)
    return text + (f"{BREAK}— {who}" if who and text else "")


def german_inline_quotation(call: Call) -> str:
    """``{{"|Text}}`` → „Text“."""
    text = call.get("Text", "text", 1)
    return f"„{text}“" if text else ""


def french_japanese(call: Call) -> str:
    """``{{japonais|Tōkyō|東京|Tōkyō}}`` → "Tōkyō (東京, Tōkyō)"."""
    inside = ", ".join(value for value in (call.get(2), call.get(3)) if value)
    return f"{call.get(1)} ({inside})" if inside else call.get(1)
