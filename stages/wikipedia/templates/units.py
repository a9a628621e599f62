"""The ``convert`` family: the measured value and its unit, as the source gives them, in words or symbols."""
# ruff: noqa: RUF001 - en dashes, fractions and minus signs are what the template shows

from __future__ import annotations

import re

from llama_data.stages.wikipedia.templates.call import Call
from llama_data.stages.wikipedia.templates.numbers import group, spell

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
l/100km:litre per 100 kilometres:litres per 100 kilometres:L/100 km
"""
_SYMBOL_ONLY = {
    "c": "°C", "f": "°F", "k": "K", "°c": "°C", "°f": "°F", "c-change": "°C", "f-change": "°F", "k-change": "K",
    "r": "°R", "/km2": "/km²", "/sqmi": "/sq mi", "pd/km2": "/km²", "pd/sqmi": "/sq mi", "/ha": "/ha",
    "inhabitants/km2": "inhabitants/km²", "people/km2": "people/km²", "people/sqmi": "people/sq mi",
}  # fmt: skip
_SCALES = {"e3": "thousand", "e6": "million", "e9": "billion", "e12": "trillion"}
_RANGES = {
    "to": " to ", "-": "–", "–": "–", "and": " and ", "or": " or ", "by": " by ", "x": " × ", "×": " × ", "xx": " × ",
    "+/-": " ± ", "±": " ± ", "to(-)": " to ", "and(-)": " and ", "or(-)": " or ", "&": " and ", "*": " × ", "+": " + ",
    "to about": " to about ", "/": "/", ",": ", ", "-to-": " to ", "through": " through ", "by(x)": " by ",
    "from": " from ", "e": " e ", "—": "–", "x(-)": " × ",
}  # fmt: skip
_NUMBER = re.compile(
    r"[+\-−±~]?\s*(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?:\+?\s*\d+\s*[/⁄]\s*\d+)?|\d+\s*//?\s*\d+"
)


MAX_WORDS = 24  # "10|x|20|x|30|m" and the like are far shorter


def _table() -> dict[str, tuple[str, str, str]]:
    table = {}
    for entry in re.split(r"[|\n]", _UNITS.strip()):
        code, singular, plural, symbol = entry.split(":")
        table[code] = (singular, plural, symbol)
    return table


UNITS = _table()


def convert(call: Call) -> str:
    """``{{convert|50.6|C|F}}`` → "50.6 °C": the value of the source; the computed equivalent is left out."""
    return measure(call, abbreviated=call.get("abbr") in ("on", "in", "values", "~", "unit"))


def cvt(call: Call) -> str:
    """``{{cvt|5|mi}}`` → "5 mi": convert with symbols."""
    return measure(call, abbreviated=call.get("abbr") not in ("off", "out", "none"))


def measure(call: Call, *, abbreviated: bool) -> str:
    """The value with ranges (``10|to|20|km``) and compounds (``6|ft|3|in``)."""
    words = call.positional()
    if not words:
        return ""
    if not _NUMBER.fullmatch(words[0]):
        return words[0]
    adjective = call.get("adj") in ("on", "mid", "pre") or call.get("adj").startswith("ri")
    american = call.get("sp").casefold() == "us"
    spelled = bool(call.get("spell").lower() in ("in", "on", "us"))
    text, last, position = show(words[0], spelled), words[0], 1
    while position + 1 < min(len(words), MAX_WORDS) and words[position].casefold() in _RANGES and words[position + 1]:
        text += _RANGES[words[position].casefold()] + show(words[position + 1], spelled)
        last = words[position + 1]
        position += 2
    if position >= len(words):
        return text
    parts = [_with_unit(text, last, words[position], abbreviated, adjective, american)]
    position += 1
    while position + 1 < len(words) and _NUMBER.fullmatch(words[position]) and _is_unit(words[position + 1]):
        parts.append(
            _with_unit(
                show(words[position], spelled), words[position], words[position + 1], abbreviated, adjective, american
            )
        )
        position += 2
    return " ".join(parts)


def _is_unit(word: str) -> bool:
    return word.casefold() in UNITS and not word.isdecimal()


def show(number: str, spelled: bool = False) -> str:
    """A number with digit groups; in English words when asked for and it is small enough."""
    number = number.strip().replace(",", "")
    if spelled and number.isdecimal() and len(number) <= 6:
        return spell(int(number))
    mixed = re.fullmatch(r"(\d+)\+(\d+)\s*//?\s*(\d+)", number)
    if mixed:
        return f"{mixed[1]} {mixed[2]}⁄{mixed[3]}"
    if "/" in number:
        return re.sub(r"\s*//?\s*", "⁄", number)
    found = re.fullmatch(r"([+\-−±~]?)\s*(\d+)(.*)", number)
    if not found:
        return number
    sign, whole, rest = found.groups()
    return sign.replace("-", "−") + (group(whole) if len(whole) > 3 else whole) + rest


def _with_unit(text: str, last: str, code: str, abbreviated: bool, adjective: bool, american: bool) -> str:
    scale = re.match(r"(e(?:3|6|9|12))(?=\D)", code)
    if scale:
        text, code = f"{text} {_SCALES[scale[1]]}", code[scale.end() :]
    low = code.casefold()
    if low in _SYMBOL_ONLY:
        symbol = _SYMBOL_ONLY[low]
        return text + ("" if symbol.startswith("/") else " ") + symbol
    if code in ("kN", "Nm"):
        low = {"kN": "kn.f", "Nm": "nm.t"}[code]
    if code in ("MW", "mW", "Mt", "MT"):
        return f"{text} {dict(MW='megawatts', mW='milliwatts', Mt='megatonnes', MT='megatonnes')[code]}"
    if low not in UNITS:
        return f"{text} {code}"
    singular, plural, symbol = UNITS[low]
    if abbreviated:
        return f"{text} {symbol}"
    one = re.fullmatch(
        r"[-−+]?1(?:\.0*)?|(?:one)|\d+\s*/+\s*\d+|0?\.\d+", last.strip()
    ) is not None and not text.endswith("ion")
    name = singular if adjective or one else plural
    if american:
        name = re.sub(r"(met|lit)re", r"\1er", name)
    return f"{text}{'-' if adjective else ' '}{name.replace(' ', '-') if adjective else name}"
