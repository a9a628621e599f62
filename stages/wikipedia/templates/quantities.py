"""Templates that show a number: plain ones, values with units and uncertainties, powers, fractions, heights."""
# ruff: noqa: RUF001, RUF002 - dashes, fractions and minus signs are the subject

from __future__ import annotations

import re

from llama_data.stages.wikipedia.templates.call import Call, Handler
from llama_data.stages.wikipedia.templates.convert import ranged, show
from llama_data.stages.wikipedia.templates.locales import is_english
from llama_data.stages.wikipedia.templates.numbers import amount, format_number, read_value, superscript, tidy, write
from llama_data.stages.wikipedia.templates.units import raised_metres, raised_powers, with_local_unit


def number(call: Call) -> str:
    """``{{nts|1234}}``: a machine number in the wiki's format."""
    text = call.get(1, "num", "number", "value")
    shown = text if call.get("format") == "no" else format_number(text, call.language)
    return call.get("prefix") + shown + call.get("suffix")


def counted(call: Call) -> str:
    """``{{число|1000|км}}`` → "1000 км": a number and what follows it."""
    return f"{amount(call.get(1), call.language)} {call.get(2)}".strip()


# -- values with units


_WHOLE = re.compile(r"[+\-−]?[0-9]+")
_NO_SPACE = frozenset("%°′″")
_BETWEEN = {
    "à": " à ", "et": " et ", "ou": " ou ", "/": "/", "–": "–", "−": "–", "-": "–", "x": " × ", "×": " × ", "*": " × ",
    "+-": " ± ", "±": " ± ", "incert": " ± ", "a": " a ", "y": " y ", "o": " o ", "plus": " +", "moins": " −",
}  # fmt: skip


def quantity(call: Call) -> str:
    """``{{unité|120|km|2}}`` → "120 km²", ``{{unidad|12|km}}``, ``{{unité|3|à=5|m|e=3}}``: numbers, power, units."""
    values = call.positional()
    shown = _amount_in_words(values[0], call.language) if values else ""
    while len(values) > 2 and values[1] in _BETWEEN and read_value(values[2], call.language):
        shown += _BETWEEN[values[1]] + amount(values[2], call.language)
        values = [values[0], *values[3:]]
    for name, between in _BETWEEN.items():
        further = call.get(name)
        if further:
            shown += between + amount(further, call.language)
    power = call.get("e")
    if power:
        shown = f"{shown}×10{superscript(power)}" if shown else f"10{superscript(power)}"
    return shown + _units(values[1:] if any(values[1:]) else [call.get("u", "ul")])


_WITH_WORDS = re.compile(r"([^ ]*[0-9](?: [0-9.,]+)*) ([^0-9 ].*)", re.DOTALL)


def _amount_in_words(text: str, language: str) -> str:
    """A number, also with its unit or noun behind it: "110000 camions" → "110 000 camions"."""
    found = _WITH_WORDS.fullmatch(tidy(text))
    read = read_value(found[1], language) if found else None
    if not found or not read:
        return amount(text, language)
    return f"{write(read, language)} {raised_metres(found[2])}"


def products(call: Call) -> str:
    """``{{dunité|21|29,7|cm}}`` → "21 × 29,7 cm"."""
    values = call.positional()
    count = next((at for at, v in enumerate(values) if not read_value(v, call.language)), len(values))
    return " × ".join(amount(value, call.language) for value in values[:count]) + _units(values[count:])


def _units(slots: list[str]) -> str:
    """Units, each with the power that follows it: "km", "2" → " km²"; "m", "", "s", "-1" → " m⋅s⁻¹"."""
    shown, at, factor = "", 0, False
    while at < len(slots):
        word = slots[at]
        at += 1
        if _WHOLE.fullmatch(word):
            shown += superscript(word) if shown else f" {word}"
            continue
        if not word:
            continue
        power = slots[at] if at < len(slots) and _WHOLE.fullmatch(slots[at]) else ""
        joined = word.startswith("/") or (word in ("°", "′", "″") and not shown)
        shown += ("" if joined else "⋅" if shown and (factor or power) else " ") + raised_metres(word)
        shown += superscript(power) if power else ""
        factor = bool(power) or (at < len(slots) and not slots[at])
        at += factor
    return shown


_SI_PREFIXES = frozenset("TGMkhdcmµμnp") | {"da"}


def italian_measure(call: Call) -> str:
    """``{{M|120||km}}``, ``{{M|12|ul=km}}``, ``{{M|10|-|20|km}}``: number, uncertainty or range, unit.

    An SI prefix may stand before its unit: ``{{M|5|k|m}}`` → "5 km".
    """
    values = call.positional()
    shown = amount(values[0], call.language) if values else ""
    rest = values[1:]
    if len(rest) > 1 and rest[0] in ("-", "–", "a", "e", "o", "x", "×") and read_value(rest[1], call.language):
        between = {"-": "–", "–": "–", "x": " × ", "×": " × "}.get(rest[0], f" {rest[0]} ")
        shown, rest = shown + between + amount(rest[1], call.language), rest[2:]
    elif rest and read_value(rest[0], call.language):
        shown, rest = f"{shown} ± {amount(rest[0], call.language)}", rest[1:]
    if call.get("e"):
        shown += f"×10{superscript(call.get('e'))}"
    words = [value for value in rest if value not in ("", "-")]
    if len(words) > 1 and words[0] in _SI_PREFIXES:  # ``{{M|1|c|m}}``
        words[:2] = ["".join(words[:2])]
    unit = call.get("u", "ul") or next(iter(words), "")
    return shown + (f" {raised_metres(unit)}" if unit else "")


def german_height(call: Call) -> str:
    """``{{Höhe|115.4|DE-NHN}}`` → "115,4 m ü. NHN"; the reference level where it is one of the usual four."""
    levels = {"DE-NHN": "m ü. NHN", "DE-NN": "m ü. NN", "AT": "m ü. A.", "CH": "m ü. M."}
    value = call.get(1)
    return f"{amount(value, call.language)} {levels.get(call.get(2), 'm')}" if value else ""


_DEGREES = {"": "°C", "c": "°C", "°c": "°C", "f": "°F", "°f": "°F", "k": "K", "°": "°"}


def temperature(call: Call) -> str:
    """``{{tmp|40,1}}`` → "40,1 °C", ``{{tmp|300|K}}`` → "300 K"."""
    value, unit = call.get(1), call.get(2)
    return f"{amount(value, call.language)} {_DEGREES.get(unit.casefold(), unit)}" if value else ""


def with_sign(before: str, after: str) -> Handler:
    """A number between two texts: ``{{pct|5,5}}`` → "5,5 %"."""
    return lambda call: f"{before}{amount(call.get(1), call.language)}{after}"


def height(call: Call) -> str:
    """``{{height|ft=6|in=1}}`` → "6 ft 1 in", ``{{taille|m=1.85}}`` → "1,85 m"."""
    parts = []
    for unit in ("m", "cm", "ft", "in", "kg", "lb", "st"):
        value = call.get(unit)
        if not value:
            continue
        fraction = call.get("frac") if unit == "in" else ""
        shown = show(tidy(f"{value}+{fraction}" if fraction else value), call.language)
        if is_english(call.language):
            parts.append(f"{shown} {unit}")
        else:
            parts.append(with_local_unit(shown, unit, call.language, category="other", long=False))
    return " ".join(parts) or call.get(1)


# -- val


_VAL_RANGE = re.compile(r"to|through|and|or|by|vs|versus|[x×*±+/,;:~&–—-]|\+/-|\+-|\.{2,3}")


def val(call: Call) -> str:
    """``{{val|6.241|e=18|u=kg}}`` → "6.241×10¹⁸ kg", with its uncertainty or as a range (``10|to|20``)."""
    values = call.positional()
    shown = _val_number(call, values[0]) + call.get("end") if values else ""
    bracketed = False
    if len(values) > 2 and _VAL_RANGE.fullmatch(values[1].casefold()):
        for word, value in zip(values[1::2], values[2::2], strict=False):
            shown = ranged(shown, word, _val_number(call, value), call.language)
        bracketed = True
    elif len(values) > 1 and values[1]:
        error = _uncertainty(call, values[1:3])
        bracketed = not error.startswith("(")
        shown += error
    power = call.get("e")
    if power:
        shown = f"({shown})" if bracketed else shown
        shown = f"{shown}×10{superscript(power)}" if shown else f"10{superscript(power)}"
    unit, per = raised_powers(call.get("u", "ul")), raised_powers(call.get("up", "upl"))
    shown += unit if unit in _NO_SPACE or not unit else f" {unit}"
    return call.get("p") + shown + (f"/{per}" if per else "") + call.get("s")


def _val_number(call: Call, text: str) -> str:
    """A number, perhaps with the uncertainty of its last digits in brackets: "1.234(5)"."""
    found = re.fullmatch(r"([^()]+)(\([0-9.,]+\))", tidy(text))
    if found:
        return _val_number(call, found[1]) + found[2]
    read = read_value(text, call.language)
    if read and call.get("fmt") == "none":
        whole, _, power = write(read._replace(whole="", sign=""), call.language).partition("×")
        return read.sign.replace("-", "−") + read.whole + whole + (f"×{power}" if power else "")
    return write(read, call.language) if read else show(tidy(text), call.language)


def _uncertainty(call: Call, errors: list[str]) -> str:
    upper, lower = tidy(errors[0]), tidy(errors[1]) if len(errors) > 1 else ""
    if upper.startswith("("):
        return upper
    if not lower:
        return f"±{_val_number(call, upper.lstrip('±+'))}" + call.get("errend")
    above = "+" + _val_number(call, upper.lstrip("+")) + call.get("+errend")
    return above + "−" + _val_number(call, lower.lstrip("-−")) + call.get("-errend")


def gaps(call: Call) -> str:
    """``{{gaps|1|234|567}}`` → "1 234 567": digits in the groups that are given, apart by spaces."""
    shown = call.get("lhs") + (" = " if call.get("lhs") else "") + " ".join(v for v in call.positional() if v)
    if call.get("e"):
        shown += f"×10{superscript(call.get('e'))}"
    unit = raised_powers(call.get("u", "ul"))
    return shown + (f" {unit}" if unit else "")


# -- powers and fractions


def times_power_of_ten(call: Call) -> str:
    """``{{e|24}}`` → "×10²⁴", ``{{exp|1,9|19}}`` → "1,9×10¹⁹"."""
    if call.get(2):
        return f"{amount(call.get(1), call.language)}×10{superscript(call.get(2))}"
    power = superscript(call.get(1))
    return f"×10{power}" if power else ""


def power_of_ten(call: Call) -> str:
    """``{{10^|5}}`` → "10⁵"."""
    power = superscript(call.get(1))
    return f"10{power}" if power else ""


def raised(call: Call) -> str:
    """``{{exp|2}}`` → "²"."""
    return superscript(call.get(1))


def fraction(call: Call) -> str:
    """``{{frac|1|2|3}}`` → "1 2⁄3"; ``{{frac|1|2}}`` → "1⁄2"; ``{{frac|2}}`` → "1⁄2"."""
    values = call.positional()
    if len(values) >= 3:
        return f"{values[0]} {values[1]}⁄{values[2]}".strip()
    return f"{values[0]}⁄{values[1]}" if len(values) == 2 else f"1⁄{values[0]}" if values else ""


def sfrac(call: Call) -> str:
    """``{{sfrac|3n + 1|2}}`` → "(3n + 1)/2"."""
    values = [f"({v})" if re.search(r"\s", v.strip("'")) else v for v in call.positional()]
    if len(values) >= 3:
        return f"{values[0]} {values[1]}/{values[2]}".strip()
    return "/".join(values) if len(values) == 2 else f"1/{values[0]}" if values else ""
