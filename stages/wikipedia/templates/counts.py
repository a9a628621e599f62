"""Templates that show ordinals, durations, money, coordinates and ages."""
# ruff: noqa: RUF001, RUF002 - primes and minus signs are the subject

from __future__ import annotations

import re

from llama_data.stages.wikipedia.templates.call import Call, Handler
from llama_data.stages.wikipedia.templates.locales import is_english
from llama_data.stages.wikipedia.templates.numbers import amount, spell, tidy

_ENDINGS = {"1": "st", "2": "nd", "3": "rd"}
_ORDINAL_SIGNS = {"es": ".º", "pt": ".º", "it": "º", "fr": "e", "ro": "-lea", "sv": ":e", "nl": "e"}


def ordinal(call: Call) -> str:
    """``{{ordinal|3}}`` → "3rd"; in other languages the sign that they write, a point in most."""
    text = tidy(call.get(1))
    if not re.fullmatch(r"[+\-−]?[0-9][0-9,]*", text):
        return text
    if is_english(call.language):
        teens = re.search(r"1[0-9]$", text)
        return text + ("th" if teens else _ENDINGS.get(text[-1], "th"))
    if call.language in ("ru", "uk", "bg", "ca"):  # the ending follows the gender
        return text
    return "1er" if (call.language, text) == ("fr", "1") else text + _ORDINAL_SIGNS.get(call.language, ".")


def duration(call: Call) -> str:
    """``{{duration|h=1|m=2|s=3}}``, ``{{duration|1|2|3}}`` → "1:02:03"."""
    parts = [call.get(name, at) for at, name in enumerate(("h", "m", "s"), 1)]
    while parts and not parts[0]:
        parts = parts[1:]
    if len(parts) < 2 and parts:
        parts = ["0", *parts]
    return ":".join([parts[0]] + [part.zfill(2) for part in parts[1:]]) if parts else ""


def french_duration(call: Call) -> str:
    """``{{heure|14|30}}`` → "14 h 30", ``{{durée|1|30|20}}`` → "1 h 30 min 20 s"."""
    hours, minutes, seconds = call.get(1), call.get(2), call.get(3)
    clock = call.name.strip().casefold().startswith("heure") and hours and not seconds
    parts = [f"{hours} h" if hours else "", (minutes if clock else f"{minutes} min") if minutes else ""]
    return " ".join(part for part in (*parts, f"{seconds} s" if seconds else "") if part)


def in_words(call: Call) -> str:
    """``{{spellnum|12}}`` → "twelve"; a number that is no count, or of another language, as it is written."""
    text = tidy(call.get(1))
    plain = text.replace(",", "")
    return spell(int(plain)) if is_english(call.language) and re.fullmatch("[0-9]{1,6}", plain) else text


def money(symbol: str) -> Handler:
    """``{{US$|2 billion}}`` → "US$2 billion"."""
    return lambda call: f"{symbol}{value}" if (value := call.get(1)) else symbol


def euro(call: Call) -> str:
    """``{{€|1234.5}}`` → "€1234.5" in English, "€ 1.234,5" in Dutch, "1 234,5 €" elsewhere."""
    if is_english(call.language):
        return f"€{call.get(1)}"
    value = amount(call.get(1), call.language)
    return f"€ {value}".strip() if call.language == "nl" else f"{value} €".strip()


def money_after(symbol: str) -> Handler:
    """``{{евро|2,5}}`` → "2,5 €"; the sign alone without an amount."""
    return lambda call: f"{amount(value, call.language)} {symbol}" if (value := call.get(1)) else symbol


_CURRENCIES = {"USD": "US$", "GBP": "£", "EUR": "€", "JPY": "¥", "AUD": "A$", "CAD": "C$", "INR": "₹", "": "US$"}


def currency(call: Call) -> str:
    """``{{currency|13 billion|USD}}`` → "US$13 billion"; "13 billion CHF" for a currency without a sign here."""
    code = call.get(2, "type").upper()
    value = call.get(1, "amount")
    return f"{_CURRENCIES[code]}{value}" if code in _CURRENCIES else f"{value} {code}"


_SCALE_CODES = {
    "k": "thousand", "m": "million", "b": "billion", "t": "trillion", "l": "lakh", "c": "crore", "lc": "lakh crore",
}  # fmt: skip


def scaled_money(symbol: str) -> Handler:
    """``{{INRConvert|5|c}}`` → "₹5 crore": the amount that is given, without the computed one."""

    def shown(call: Call) -> str:
        value, scale = call.get(1), call.get(2)
        return f"{symbol}{value} {_SCALE_CODES.get(scale, '')}".strip() if value else ""

    return shown


def marked(*marks: str) -> Handler:
    """``{{RA|5|35|17.3}}`` → "5h 35m 17.3s": each value with its mark."""
    return lambda call: " ".join(f"{v}{mark}" for v, mark in zip(call.positional(), marks, strict=False) if v)


_COMPASS = frozenset("NSEWOnsewo")


def coordinates(call: Call) -> str:
    """``{{coord|51|30|N|0|7|W}}`` → "51°30′N 0°7′W"; nothing where they stand in the title only."""
    places = [word for word in re.split(r"[,; ]+", call.get("display", "affichage", "d").casefold()) if word]
    if places and all(place in ("title", "titre", "titel", "título", "titolo", "t") for place in places):
        return ""
    shown, part = [], ""
    signs = iter("°′″")
    values = [value for value in call.positional() if ":" not in value]
    if len(values) == 2 and all(re.fullmatch(r"[+\-−]?[0-9]+(?:\.[0-9]+)?", value) for value in values):
        ends = ("NS", "EW")
        return " ".join(f"{v.lstrip('+-−')}°{end[v[0] in '-−']}" for v, end in zip(values, ends, strict=True))
    for value in values:
        if value in _COMPASS:
            shown.append(part + value.upper())
            part, signs = "", iter("°′″")
        elif re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", value):
            part += value + next(signs, "")
    return " ".join(shown) if len(shown) == 2 else ""


def german_coordinates(call: Call) -> str:
    """``{{Coordinate|text=DMS|NS=52/30/10.4/N|EW=13/24/15/E}}`` → "52° 30′ 10,4″ N, 13° 24′ 15″ O"."""
    if not call.get("text").startswith("D"):
        return ""
    shown = []
    for name in ("NS", "EW"):
        *values, end = call.get(name).split("/")
        if len(values) < 2 or end not in ("N", "S", "E", "W"):
            return ""
        parts = [f"{amount(v, call.language)}{mark}" for v, mark in zip(values, "°′″", strict=False) if v]
        shown.append(" ".join([*parts, end.replace("E", "O")]))
    return ", ".join(shown)


def age(call: Call) -> str | None:
    """``{{age|1954|7|17|2000|1|1}}`` → "45": whole years between two dates; unknown without the second."""
    values = [call.get(at) for at in range(1, 7)]
    if not all(re.fullmatch(r"[0-9]{1,4}", value) for value in values):
        return None
    first, second = [int(v) for v in values[:3]], [int(v) for v in values[3:]]
    return str(second[0] - first[0] - (second[1:] < first[1:]))


def unknowable(call: Call) -> None:
    """A value that hangs on today's date, on another page or on a calculation: nothing is shown, and it counts."""
