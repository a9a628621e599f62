"""Units of measure: English names as Module:Convert shows them, those of other languages from CLDR."""
# ruff: noqa: RUF001 - signs that look like others

from __future__ import annotations

import re
from functools import lru_cache

from llama_data.stages.wikipedia.templates import locales
from llama_data.stages.wikipedia.templates.numbers import superscript

_UNITS = """
km:kilometre:kilometres:km|m:metre:metres:m|cm:centimetre:centimetres:cm|mm:millimetre:millimetres:mm
um:micrometre:micrometres:μm|nm:nanometre:nanometres:nm|dm:decimetre:decimetres:dm|pm:picometre:picometres:pm
mi:mile:miles:mi|mile:mile:miles:mi|miles:mile:miles:mi|yd:yard:yards:yd|ft:foot:feet:ft|foot:foot:feet:ft
in:inch:inches:in|inch:inch:inches:in|nmi:nautical mile:nautical miles:nmi|fathom:fathom:fathoms:fathom
feet:foot:feet:ft|metre:metre:metres:m|meter:metre:metres:m|metres:metre:metres:m|meters:metre:metres:m
furlong:furlong:furlongs:furlong|chain:chain:chains:chain|hand:hand:hands:h|league:league:leagues:league
ly:light-year:light-years:ly|pc:parsec:parsecs:pc|au:astronomical unit:astronomical units:au|rod:rod:rods:rod
km2:square kilometre:square kilometres:km²|sqkm:square kilometre:square kilometres:km²
m2:square metre:square metres:m²
sqm:square metre:square metres:m²|cm2:square centimetre:square centimetres:cm²
mm2:square millimetre:square millimetres:mm²
ha:hectare:hectares:ha|acre:acre:acres:acre|acres:acre:acres:acre|sqmi:square mile:square miles:sq mi
mi2:square mile:square miles:sq mi|sqft:square foot:square feet:sq ft|ft2:square foot:square feet:sq ft
sqyd:square yard:square yards:sq yd|sqin:square inch:square inches:sq in|hectare:hectare:hectares:ha
m3:cubic metre:cubic metres:m³|km3:cubic kilometre:cubic kilometres:km³|cm3:cubic centimetre:cubic centimetres:cm³
cuft:cubic foot:cubic feet:cu ft|cuyd:cubic yard:cubic yards:cu yd|cuin:cubic inch:cubic inches:cu in
cumi:cubic mile:cubic miles:cu mi|cc:cubic centimetre:cubic centimetres:cc|l:litre:litres:l
ml:millilitre:millilitres:ml
cl:centilitre:centilitres:cl|hl:hectolitre:hectolitres:hl|impgal:imperial gallon:imperial gallons:imp gal
usgal:US gallon:US gallons:US gal|u.s.gal:US gallon:US gallons:US gal|gal:gallon:gallons:gal|pt:pint:pints:pt
imppt:imperial pint:imperial pints:imp pt|uspt:US pint:US pints:US pt|oilbbl:barrel:barrels:bbl|bbl:barrel:barrels:bbl
usoz:US fluid ounce:US fluid ounces:US fl oz|impoz:imperial fluid ounce:imperial fluid ounces:imp fl oz
kg:kilogram:kilograms:kg|g:gram:grams:g|mg:milligram:milligrams:mg|t:tonne:tonnes:t|tonne:tonne:tonnes:t
tonnes:tonne:tonnes:t|mt:tonne:tonnes:t|lb:pound:pounds:lb|lbs:pound:pounds:lb|oz:ounce:ounces:oz|st:stone:stone:st
lt:long ton:long tons:long tons|long ton:long ton:long tons:long tons|short ton:short ton:short tons:short tons
ton:ton:tons:tons|kt:kilotonne:kilotonnes:kt|ozt:troy ounce:troy ounces:ozt|carat:carat:carats:carat
km/h:kilometre per hour:kilometres per hour:km/h|kph:kilometre per hour:kilometres per hour:km/h
mph:mile per hour:miles per hour:mph|kn:knot:knots:kn|knot:knot:knots:kn|m/s:metre per second:metres per second:m/s
ft/s:foot per second:feet per second:ft/s|km/s:kilometre per second:kilometres per second:km/s
ft/min:foot per minute:feet per minute:ft/min|mi/s:mile per second:miles per second:mi/s
kpa:kilopascal:kilopascals:kPa|hpa:hectopascal:hectopascals:hPa|mpa:megapascal:megapascals:MPa|pa:pascal:pascals:Pa
psi:pound per square inch:pounds per square inch:psi|atm:standard atmosphere:standard atmospheres:atm|bar:bar:bars:bar
mbar:millibar:millibars:mbar|inhg:inch of mercury:inches of mercury:inHg
mmhg:millimetre of mercury:millimetres of mercury:mmHg
hp:horsepower:horsepower:hp|bhp:brake horsepower:brake horsepower:bhp|ps:metric horsepower:metric horsepower:PS
w:watt:watts:W|kw:kilowatt:kilowatts:kW|mw:megawatt:megawatts:MW|gw:gigawatt:gigawatts:GW
shp:shaft horsepower:shaft horsepower:shp
j:joule:joules:J|kj:kilojoule:kilojoules:kJ|kwh:kilowatt hour:kilowatt hours:kWh|cal:calorie:calories:cal
kcal:kilocalorie:kilocalories:kcal|btu:British thermal unit:British thermal units:Btu|ev:electronvolt:electronvolts:eV
tontnt:ton of TNT:tons of TNT:tons of TNT|kttnt:kiloton of TNT:kilotons of TNT:kt of TNT
mttnt:megaton of TNT:megatons of TNT:Mt of TNT
n:newton:newtons:N|kn.f:kilonewton:kilonewtons:kN|lbf:pound-force:pounds-force:lbf
kgf:kilogram-force:kilograms-force:kgf
nm.t:newton metre:newton metres:N⋅m|n.m:newton metre:newton metres:N⋅m|lbft:pound force-foot:pound force-feet:lbf⋅ft
g/cm3:gram per cubic centimetre:grams per cubic centimetre:g/cm³
kg/m3:kilogram per cubic metre:kilograms per cubic metre:kg/m³
km-1:per kilometre:per kilometre:/km|hz:hertz:hertz:Hz|khz:kilohertz:kilohertz:kHz|mhz:megahertz:megahertz:MHz
m3/s:cubic metre per second:cubic metres per second:m³/s|cuft/s:cubic foot per second:cubic feet per second:cu ft/s
mpgus:mile per US gallon:miles per US gallon:mpg‑US
ft3:cubic foot:cubic feet:cu ft|in3:cubic inch:cubic inches:cu in|yd3:cubic yard:cubic yards:cu yd
mi3:cubic mile:cubic miles:cu mi|mi/h:mile per hour:miles per hour:mi/h
m3/d:cubic metre per day:cubic metres per day:m³/d
oilbbl/d:barrel per day:barrels per day:bbl/d|cuft/d:cubic foot per day:cubic feet per day:cu ft/d
usgal/d:US gallon per day:US gallons per day:US gal/d|mpgimp:mile per imperial gallon:miles per imperial gallon:mpg‑imp
acre.ft:acre-foot:acre-feet:acre⋅ft|acre-ft:acre-foot:acre-feet:acre⋅ft
l/100km:litre per 100 kilometres:litres per 100 kilometres:L/100 km
"""
_SYMBOL_ONLY = {
    "c": "°C", "f": "°F", "k": "K", "°c": "°C", "°f": "°F", "c-change": "°C", "f-change": "°F", "k-change": "K",
    "r": "°R", "/km2": "/km²", "/sqmi": "/sq mi", "pd/km2": "/km²", "pd/sqmi": "/sq mi", "/ha": "/ha",
    "inhabitants/km2": "inhabitants/km²", "people/km2": "people/km²", "people/sqmi": "people/sq mi",
}  # fmt: skip


def _table() -> dict[str, tuple[str, str, str]]:
    table = {}
    for entry in re.split(r"[|\n]", _UNITS.strip()):
        code, singular, plural, symbol = entry.split(":")
        table[code] = (singular, plural, symbol)
    return table


UNITS = _table()
"""Codes in lower case with the English singular, plural and symbol."""

_CASED = {
    "kN": UNITS["kn.f"], "Nm": UNITS["nm.t"], "MW": ("megawatt", "megawatts", "MW"),
    "mW": ("milliwatt", "milliwatts", "mW"), "Mt": ("megatonne", "megatonnes", "Mt"),
    "MT": ("megatonne", "megatonnes", "Mt"),
}  # fmt: skip
"""Codes whose meaning hangs on capital letters."""

_CLDR_NAMES = {
    "US gallon": "gallon", "imperial gallon": "gallon-imperial", "pint": "pint-imperial",
    "imperial pint": "pint-imperial",
    "US pint": "pint", "US fluid ounce": "fluid-ounce", "imperial fluid ounce": "fluid-ounce-imperial",
    "pound per square inch": "pound-force-per-square-inch", "standard atmosphere": "atmosphere",
    "troy ounce": "ounce-troy",
    "inch of mercury": "inch-ofhg", "millimetre of mercury": "millimeter-ofhg", "long ton": "", "short ton": "ton",
    "ton": "", "gallon": "gallon-imperial", "pound force-foot": "pound-force-foot", "metric horsepower": "",
    "brake horsepower": "", "shaft horsepower": "", "barrel": "barrel", "mile per US gallon": "mile-per-gallon",
    "mile per imperial gallon": "mile-per-gallon-imperial",
    "litre per 100 kilometres": "liter-per-100-kilometer", "kilowatt hour": "kilowatt-hour",
}  # fmt: skip
"""English names for which CLDR has another name, or (empty) none."""

_PREFIXES = {"k": 3, "M": 6, "G": 9, "T": 12, "h": 2, "d": -1, "c": -2, "m": -3, "µ": -6, "μ": -6, "n": -9, "p": -12}
_BASES = {
    "m": "meter", "g": "gram", "s": "second", "W": "watt", "J": "joule", "N": "newton", "Pa": "pascal", "Hz": "hertz",
    "V": "volt", "A": "ampere", "l": "liter", "L": "liter", "t": "tonne", "h": "hour", "min": "minute",
    "ha": "hectare", "in": "inch", "ft": "foot", "mi": "mile", "lb": "pound", "K": "kelvin", "mol": "mole",
    "eV": "electronvolt", "sq mi": "square-mile",
}  # fmt: skip
_POWERS = {"2": "²", "3": "³", "²": "²", "³": "³", "": ""}


def is_unit(code: str) -> bool:
    """True for the code of a unit that is known here."""
    return code in _CASED or code.casefold() in UNITS or code.casefold() in _SYMBOL_ONLY


def _english(code: str) -> tuple[str, str, str] | None:
    return _CASED.get(code) or UNITS.get(code.casefold())


def with_english_unit(text: str, code: str, *, one: bool, abbreviated: bool, adjective: bool, american: bool) -> str:
    """A shown number with the English name or the symbol of its unit; with the code itself for an unknown unit."""
    symbol = _SYMBOL_ONLY.get(code.casefold())
    if symbol:
        return text + ("" if symbol.startswith("/") else " ") + symbol
    names = _english(code)
    if not names:
        return f"{text} {raised_powers(code)}"
    if abbreviated:
        return f"{text} {names[2]}"
    name = names[0] if adjective or one else names[1]
    if american:
        name = re.sub(r"(met|lit)re", r"\1er", name)
    return f"{text}{'-' if adjective else ' '}{name.replace(' ', '-') if adjective else name}"


def with_local_unit(text: str, code: str, language: str, *, category: str, long: bool) -> str:
    """A shown number with CLDR's name or symbol of its unit; what CLDR lacks is shown by its symbol or its code."""
    low = code.casefold()
    plain = _SYMBOL_ONLY.get(low)
    if plain:
        plain = plain.removeprefix("inhabitants").removeprefix("people")
        shown = _composed(plain, language) or plain
        return text + ("" if shown.startswith("/") else " ") + shown
    names = _english(code)
    unit = _cldr_unit(names[0]) if names else ""
    shown = locales.with_unit(text, unit, category, language, long=long) if unit else ""
    if shown:
        return shown
    symbol = names[2] if names and _is_sign(names[2]) else code
    return f"{text} {_composed(symbol, language) or raised_powers(symbol)}"


def _is_sign(symbol: str) -> bool:
    """True for "km/h" or "bhp"; not for English words, nor for the "h" of hands, which is the hour elsewhere."""
    return symbol != "h" and not re.search(r"[a-z]{4}| ", symbol)


def raised_powers(code: str) -> str:
    """A unit's code with its powers raised: "kg.m-3" → "kg⋅m⁻³"; other text as it is."""
    if not re.fullmatch(r"[A-Za-zµμΩ°]+-?[0-9]?(?:[./*⋅·][A-Za-zµμΩ°]+-?[0-9]?)*", code):
        return code
    code = re.sub(r"(?<=[A-Za-zµμΩ])-?[0-9]", lambda found: superscript(found.group()), code)
    return re.sub(r"[.*·]", "⋅", code)


_METRES = re.compile(r"(?<![A-Za-z])((?:[kcdmµμnh]|da)?m) ?([23])(?![0-9A-Za-z])")


def raised_metres(text: str) -> str:
    """Square and cubic metres within any text: "hab./km2" → "hab./km²"; "CO2" stays, which is no unit."""
    return _METRES.sub(lambda found: found[1] + superscript(found[2]), text) if "m" in text else text


def _cldr_unit(singular: str) -> str:
    american = re.sub(r"(met|lit)re", r"\1er", singular).replace(" ", "-")
    return locales.unit_ids().get(_CLDR_NAMES.get(singular, american), "")


@lru_cache(maxsize=4096)
def _composed(symbol: str, language: str) -> str:
    """A symbol such as "kg/m³" or "kN" put together from CLDR's symbols; empty when a part of it is unknown."""
    parts = re.split(r"([/⋅·])", symbol)
    shown = [part if part in "/⋅·" else _term(part, language) for part in parts]
    return "".join(shown) if all(shown[at] or (at == 0 and parts[1:]) for at in range(len(shown))) else ""


def _term(symbol: str, language: str) -> str:
    if symbol in _BASES:
        return _base(symbol, language)
    found = re.fullmatch(r"([A-Za-zµμ]+)([23²³]?)", symbol)
    if not found:
        return ""
    letters, power = found[1], _POWERS[found[2]]
    if letters in _BASES:
        return _base(letters, language) + power
    exponent, base = _PREFIXES.get(letters[0]), letters[1:]
    if exponent is None or base not in ("m", "g", "W", "J", "N", "Pa", "Hz", "V", "A", "l", "L", "t", "eV", "s"):
        return ""
    return locales.prefix(exponent, language) + _base(base, language) + power


def _base(letters: str, language: str) -> str:
    unit = locales.unit_ids().get(_BASES[letters], "")
    return (locales.symbol(unit, language) if unit else "") or letters
