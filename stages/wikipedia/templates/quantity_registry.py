"""Which template shows which number: names that many Wikipedias share, and those of single ones."""
# ruff: noqa: RUF001 - Cyrillic names and currency signs are the subject

from __future__ import annotations

from llama_data.stages.wikipedia.templates import counts as c
from llama_data.stages.wikipedia.templates import quantities as q
from llama_data.stages.wikipedia.templates.call import Handler, named
from llama_data.stages.wikipedia.templates.convert import convert, cvt

_CONVERT = """convert|convert1|conv|convertir|converti|converter|convertor|converteix|conversie|conversion|conversió
conversão|conversione|konwersja|przelicz|konverter|konvertera|konvertieren|konvertálás|átváltás|převod|převeď|pretvori
pretvorba|pretvaranje|konverzija|конверзија|претвори|конвертація|конвертировать|перевести|перевод единиц
перевести одиниці|преобразуване|конвертиране|omrekenen|omregn|omvandla|maß"""

QUANTITIES: dict[str, Handler] = {
    **named(_CONVERT, convert),
    **named("cvt|cv", cvt),
    **named("val|valor|валь", q.val),
    "gaps": q.gaps,
    **named("ordinal|ord|ordinal number", c.ordinal),
    **named("spellnum|spelnum|numtext|number to word", c.in_words),
    **named(
        "frac|fraction|fracție|fracció|bruch|ułamek|zlomek|дробь|дріб|дроб|bråk|brøk|breuk|tört|razlomak", q.fraction
    ),
    **named("frazione|fracción|fração|разломак|ulomek", q.fraction),
    **named("sfrac|sfraction|frac2", q.sfrac),
    **named("e|exp|x10^|×10^|esp e|e-sp", q.times_power_of_ten),
    **named("10^|10e|10exp|10 exp", q.power_of_ten),
    "esp": q.raised,
    **named("nts|number|nb|fmtn|ntsc|num|formatnumber|number table sorting|formatnum|format number", q.number),
    **named("us$|usd|us dollar", c.money("US$")),
    **named("£|gbp|pound sterling", c.money("£")),
    **named("€|euro|eur", c.euro),
    **named("a$|aud", c.money("A$")),
    **named("c$|cad", c.money("C$")),
    **named("nz$|nzd", c.money("NZ$")),
    **named("hk$|hkd", c.money("HK$")),
    **named("¥|jpy|yen", c.money("¥")),
    **named("inr|₹|indian rupee|indian rupees|rupee", c.money("₹")),
    **named("r$|brl", c.money("R$")),
    **named("cny|rmb", c.money("CN¥")),
    **named("krw|₩", c.money("₩")),
    **named("php|philippine peso|₱", c.money("₱")),
    **named("inrconvert|inr convert", c.scaled_money("₹")),
    "currency": c.currency,
    **named("height|taille|altura|altezza|poids|peso", q.height),
    **named("duration|duração|duración|durata", c.duration),
    **named("coord|coords", c.coordinates),
    "age": c.age,
    **named("±|+-|plus-minus|plusminus", q.with_sign("±", "")),
    "mach": q.with_sign("Mach ", ""),
    "ra": c.marked("h", "m", "s"),
    "dec": c.marked("°", "′", "″"),
    **named(
        """inflation|age in years|age in years and days|age in years and months|age in months|age in days|age nts
        age in years, months and days|age in weeks|age in weeks and days|ayd|aymd|ageandbirth|time ago|years ago
        years since|year ago|to usd|fxconvert|currentyear|currentmonth|currentday|currentage|alter|edad|âge
        age as of date""",
        c.unknowable,
    ),
}
"""Handlers of numbers by normal name, for all languages."""

_AFTER_SIGN = {
    **named("евро|€|euro|eur", c.money_after("€")),
    **named("доллар|доллар сша|долл|usd|us$", c.money_after("$")),
    **named("рубль|руб|rub", c.money_after("₽")),
    **named("фунт стерлингов|gbp|£", c.money_after("£")),
}
_CYRILLIC: dict[str, Handler] = {
    **named("число|num|nts|formatnum|fn", q.counted),
    **named("температура|temp", q.temperature),
    **_AFTER_SIGN,
}
_SOUTH_SLAVIC = named("nts|broj|број|formatbroj|število", q.number)

LOCAL_QUANTITIES: dict[str, dict[str, Handler]] = {
    "bg": {**named("число|nts", q.number), **named("unit|единица", q.quantity)},
    "ca": {**named("unitats|unitat|xifra|nombre", q.quantity), **named("tmp|temperatura", q.temperature)},
    "cs": {**named("nts|číslo", q.number), **named("jednotka|unit", q.quantity)},
    "da": {**named("nts|tal", q.number), **named("unit|enhed", q.quantity)},
    "de": {
        "höhe": q.german_height,
        "coordinate": c.german_coordinates,
        **named("formnum|nts|zahl|fn-zahl|formatzahl", q.number),
        **named("einheit|physikalische einheit", q.quantity),
        **named("euro|eur", c.money_after("€")),
    },
    "es": {
        **named("unidad|unidad2|esd unidad|medida", q.quantity),
        **named("número|num", q.number),
        **named("temperatura", q.temperature),
        **named("euro|eur|€", c.money_after("€")),
    },
    "fr": {
        **named("unité|unite|unité/2|nombre|nb|valeur|quantité", q.quantity),
        **named("dunité|dunite|tunité|tunite", q.products),
        **named("tmp|température", q.temperature),
        **named("heure|duree|durée", c.french_duration),
        **named("x10|e10", q.times_power_of_ten),
        **named("pourcent|pourcentage|%", q.with_sign("", " %")),
        **named("euro|eur|€|euros", c.money_after("€")),
    },
    "hr": _SOUTH_SLAVIC,
    "hu": {**named("szám|nts", q.number), **named("mértékegység|unit", q.quantity)},
    "it": {**named("m|unità di misura|misura", q.italian_measure), **named("euro|eur|€", c.money_after("€"))},
    "nl": {**named("nts|getal", q.number), **named("eenheid|unit", q.quantity)},
    "pl": {**named("liczba|fn|nts", q.number), **named("jednostka|unit", q.quantity)},
    "pt": {
        **named("fmtn|formatar número", q.counted),
        **named("número|nts", q.number),
        **named("unidade|unidades|medida", q.quantity),
        **named("euro|eur|€", c.money_after("€")),
    },
    "ro": {**named("nts|număr", q.number), **named("unitate|unit", q.quantity), "dim": q.quantity},
    "ru": _CYRILLIC,
    "sl": _SOUTH_SLAVIC,
    "sr": _SOUTH_SLAVIC,
    "sv": {**named("nts|nummer", q.number), **named("enhet|unit", q.quantity)},
    "uk": _CYRILLIC,
}
"""Handlers of numbers by language and normal name; they go before the shared ones."""
