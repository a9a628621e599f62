"""Which template shows which number: names that many Wikipedias share, and those of single ones."""
# ruff: noqa: RUF001 - Cyrillic names and currency signs are the subject

from __future__ import annotations

import re

from llama_data.stages.wikipedia.templates import counts as c
from llama_data.stages.wikipedia.templates import quantities as q
from llama_data.stages.wikipedia.templates.call import Handler
from llama_data.stages.wikipedia.templates.convert import convert, cvt


def _named(names: str, handler: Handler) -> dict[str, Handler]:
    return {name.strip().casefold(): handler for name in re.split(r"[|\n]", names) if name.strip()}


_CONVERT = """convert|convert1|conv|convertir|converti|converter|convertor|converteix|conversie|conversion|conversió
conversão|conversione|konwersja|przelicz|konverter|konvertera|konvertieren|konvertálás|átváltás|převod|převeď|pretvori
pretvorba|pretvaranje|konverzija|конверзија|претвори|конвертація|конвертировать|перевести|перевод единиц
перевести одиниці|преобразуване|конвертиране|omrekenen|omregn|omvandla|maß"""

QUANTITIES: dict[str, Handler] = {
    **_named(_CONVERT, convert),
    **_named("cvt|cv", cvt),
    **_named("val|valor|валь", q.val),
    "gaps": q.gaps,
    **_named("ordinal|ord|ordinal number", c.ordinal),
    **_named("spellnum|spelnum|numtext|number to word", c.in_words),
    **_named(
        "frac|fraction|fracție|fracció|bruch|ułamek|zlomek|дробь|дріб|дроб|bråk|brøk|breuk|tört|razlomak", q.fraction
    ),
    **_named("frazione|fracción|fração|разломак|ulomek", q.fraction),
    **_named("sfrac|sfraction|frac2", q.sfrac),
    **_named("e|exp|x10^|×10^|esp e|e-sp", q.times_power_of_ten),
    **_named("10^|10e|10exp|10 exp", q.power_of_ten),
    "esp": q.raised,
    **_named("nts|number|nb|fmtn|ntsc|num|formatnumber|number table sorting|formatnum|format number", q.number),
    **_named("us$|usd|us dollar", c.money("US$")),
    **_named("£|gbp|pound sterling", c.money("£")),
    **_named("€|euro|eur", c.euro),
    **_named("a$|aud", c.money("A$")),
    **_named("c$|cad", c.money("C$")),
    **_named("nz$|nzd", c.money("NZ$")),
    **_named("hk$|hkd", c.money("HK$")),
    **_named("¥|jpy|yen", c.money("¥")),
    **_named("inr|₹|indian rupee|indian rupees|rupee", c.money("₹")),
    **_named("r$|brl", c.money("R$")),
    **_named("cny|rmb", c.money("CN¥")),
    **_named("krw|₩", c.money("₩")),
    **_named("php|philippine peso|₱", c.money("₱")),
    **_named("inrconvert|inr convert", c.scaled_money("₹")),
    "currency": c.currency,
    **_named("height|taille|altura|altezza|poids|peso", q.height),
    **_named("duration|duração|duración|durata", c.duration),
    **_named("coord|coords", c.coordinates),
    "age": c.age,
    **_named("±|+-|plus-minus|plusminus", q.with_sign("±", "")),
    "mach": q.with_sign("Mach ", ""),
    "ra": c.marked("h", "m", "s"),
    "dec": c.marked("°", "′", "″"),
    **_named(
        """inflation|age in years|age in years and days|age in years and months|age in months|age in days|age nts
        age in years, months and days|age in weeks|age in weeks and days|ayd|aymd|ageandbirth|time ago|years ago
        years since|year ago|to usd|fxconvert|currentyear|currentmonth|currentday|currentage|alter|edad|âge
        age as of date""",
        c.unknowable,
    ),
}
"""Handlers of numbers by normal name, for all languages."""

_AFTER_SIGN = {
    **_named("евро|€|euro|eur", c.money_after("€")),
    **_named("доллар|доллар сша|долл|usd|us$", c.money_after("$")),
    **_named("рубль|руб|rub", c.money_after("₽")),
    **_named("фунт стерлингов|gbp|£", c.money_after("£")),
}
_CYRILLIC: dict[str, Handler] = {
    **_named("число|num|nts|formatnum|fn", q.counted),
    **_named("температура|temp", q.temperature),
    **_AFTER_SIGN,
}
_SOUTH_SLAVIC = _named("nts|broj|број|formatbroj|število", q.number)

LOCAL_QUANTITIES: dict[str, dict[str, Handler]] = {
    "bg": {**_named("число|nts", q.number), **_named("unit|единица", q.quantity)},
    "ca": {**_named("unitats|unitat|xifra|nombre", q.quantity), **_named("tmp|temperatura", q.temperature)},
    "cs": {**_named("nts|číslo", q.number), **_named("jednotka|unit", q.quantity)},
    "da": {**_named("nts|tal", q.number), **_named("unit|enhed", q.quantity)},
    "de": {
        "höhe": q.german_height,
        "coordinate": c.german_coordinates,
        **_named("formnum|nts|zahl|fn-zahl|formatzahl", q.number),
        **_named("einheit|physikalische einheit", q.quantity),
        **_named("euro|eur", c.money_after("€")),
    },
    "es": {
        **_named("unidad|unidad2|esd unidad|medida", q.quantity),
        **_named("número|num", q.number),
        **_named("temperatura", q.temperature),
        **_named("euro|eur|€", c.money_after("€")),
    },
    "fr": {
        **_named("unité|unite|unité/2|nombre|nb|valeur|quantité", q.quantity),
        **_named("dunité|dunite|tunité|tunite", q.products),
        **_named("tmp|température", q.temperature),
        **_named("heure|duree|durée", c.french_duration),
        **_named("x10|e10", q.times_power_of_ten),
        **_named("pourcent|pourcentage|%", q.with_sign("", " %")),
        **_named("euro|eur|€|euros", c.money_after("€")),
    },
    "hr": _SOUTH_SLAVIC,
    "hu": {**_named("szám|nts", q.number), **_named("mértékegység|unit", q.quantity)},
    "it": {**_named("m|unità di misura|misura", q.italian_measure), **_named("euro|eur|€", c.money_after("€"))},
    "nl": {**_named("nts|getal", q.number), **_named("eenheid|unit", q.quantity)},
    "pl": {**_named("liczba|fn|nts", q.number), **_named("jednostka|unit", q.quantity)},
    "pt": {
        **_named("fmtn|formatar número", q.counted),
        **_named("número|nts", q.number),
        **_named("unidade|unidades|medida", q.quantity),
        **_named("euro|eur|€", c.money_after("€")),
    },
    "ro": {**_named("nts|număr", q.number), **_named("unitate|unit", q.quantity), "dim": q.quantity},
    "ru": _CYRILLIC,
    "sl": _SOUTH_SLAVIC,
    "sr": _SOUTH_SLAVIC,
    "sv": {**_named("nts|nummer", q.number), **_named("enhet|unit", q.quantity)},
    "uk": _CYRILLIC,
}
"""Handlers of numbers by language and normal name; they go before the shared ones."""
