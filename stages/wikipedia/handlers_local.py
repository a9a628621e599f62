"""Handlers of templates that single Wikipedias have, by language."""

from __future__ import annotations

from llama_data.stages.wikipedia.handlers import (
    _many,
    block,
    constant,
    first,
    interlanguage_link,
    ipa,
    joined,
    lang,
    last,
    nothing,
    number,
    quotation,
    second,
    wrapped,
)
from llama_data.stages.wikipedia.numbers import format_number
from llama_data.stages.wikipedia.templates import Call, Handler


def quantity(call: Call) -> str:
    """``{{unité|120|km}}``, ``{{unidad|12|km}}``, ``{{M|12|u=km}}``: number and unit."""
    values = [value for value in call.positional() if value]
    amount = format_number(values[0], call.language) if values else ""
    if call.get("e"):
        amount += f"×10^{call.get('e')}"
    units = values[1:] or [unit for unit in (call.get("u", "ul"),) if unit]
    shown = ""
    for unit in units:
        shown += _power(unit) if unit.lstrip("-−").isdecimal() else ("/" if "/" in shown else " ") + unit
    return amount + shown


def _power(text: str) -> str:
    return text.translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def italian_measure(call: Call) -> str:
    """``{{M|120||km}}``, ``{{M|12|ul=km}}``: number, uncertainty and unit."""
    values = call.positional()
    amount = format_number(values[0], "it") if values else ""
    error = values[1] if len(values) > 1 and values[1] not in ("", "-") else ""
    unit = call.get("u", "ul", 3)
    return f"{amount}{' ± ' + error if error else ''}{' ' + unit if unit else ''}"


def german_height(call: Call) -> str:
    """``{{Höhe|115|DE-NHN}}`` → "115 m"; the reference level where it is one of the usual three."""
    levels = {"DE-NHN": "m ü. NHN", "DE-NN": "m ü. NN", "AT": "m ü. A.", "CH": "m ü. M."}
    value = call.get(1)
    return f"{format_number(value, 'de')} {levels.get(call.get(2), 'm')}" if value else ""


def word_date(call: Call) -> str:
    """``{{date|1|janvier|1950}}`` → "1 janvier 1950"."""
    return " ".join(value for value in call.positional()[:3] if value)


def french_century(call: Call) -> str:
    """``{{s|XIX|e}}`` → "XIXe siècle"; ``{{s2|XVI|e|XVII|e}}`` → "XVIe et XVIIe siècles"."""
    values = call.positional()
    centuries = ["".join(values[at : at + 2]) for at in range(0, len(values), 2) if values[at]]
    if not centuries:
        return ""
    return " et ".join(centuries) + (" siècles" if len(centuries) > 1 else " siècle")


def centuries(word: str) -> Handler:
    """``{{siglo|XIX}}`` → "siglo XIX"."""
    return lambda call: f"{word} {call.get(1)}" if call.get(1) else ""


def german_short(name: str) -> Handler:
    """``{{enS|word}}`` → "englisch word"."""
    return lambda call: f"{name} {call.get(1)}".strip()


def translated(call: Call) -> str:
    """``{{нп5|Title|label|en|Original}}``: the label, or the title."""
    return call.get("текст", "text", 2, 1)


def czech_language(call: Call) -> str:
    """``{{Vjazyce2|en|text}}``: the text."""
    return call.get(2, 1)


def spanish_date(call: Call) -> str:
    """``{{fecha|1|1|1950}}`` → "1 de enero de 1950"; also the Portuguese form with its own months."""
    months = _MONTHS[call.language]
    day, month, year = (call.get(1), call.get(2), call.get(3))
    name = months[int(month) - 1] if month.isdecimal() and 1 <= int(month) <= 12 else month
    return " de ".join(part for part in (day, name, year) if part)


_MONTHS = {
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split(),
    "ca": "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre".split(),
}

_SHORT = {
    "enS": "englisch", "frS": "französisch", "laS": "lateinisch", "grcS": "altgriechisch", "elS": "griechisch",
    "itS": "italienisch", "esS": "spanisch", "ruS": "russisch", "plS": "polnisch", "csS": "tschechisch", "nlS": "niederländisch",
    "arS": "arabisch", "heS": "hebräisch", "jaS": "japanisch", "zhS": "chinesisch", "trS": "türkisch", "ptS": "portugiesisch",
    "svS": "schwedisch", "daS": "dänisch", "huS": "ungarisch", "roS": "rumänisch", "ukS": "ukrainisch", "skS": "slowakisch",
    "slS": "slowenisch", "hrS": "kroatisch", "srS": "serbisch", "bgS": "bulgarisch", "sqS": "albanisch", "faS": "persisch",
    "koS": "koreanisch", "caS": "katalanisch", "noS": "norwegisch", "fiS": "finnisch", "euS": "baskisch", "sa": "Sanskrit",
}  # fmt: skip

_DE = {
    **_many('zitat|zitat-de|"|zitat-en|zitat-fr', lambda call: f"„{call.get(1, 'text')}“" if call.get(1, "text") else ""),
    "höhe": german_height,
    **_many("formnum|nts|zahl|fn-zahl", number),
    **_many("datum|datumzelle", word_date),
    **_many("absatz", constant("")),
    **_many("nowrap|anker-text|lang|kursiv", first),
    "lang": lang,
    **_many("deu|tur|pol|rus|usa|fra|gbr|esp|syr|ita|bgr|rou|srb|vnm|ind|hun|bel|idn|uzb|mex|chn|jpn|arg|cze|nam", nothing),
    **{name.casefold(): german_short(word) for name, word in _SHORT.items()},
}

_FR = {
    **_many("unité|unite|nombre|nb|valeur|quantité", quantity),
    **_many("date|date-|date de naissance|date de décès|date républicaine|naissance|décès|1er janvier", word_date),
    **_many("s|s-|siècle|s2|s2-|sp|sp-|s mini|s-mini", french_century),
    **_many("nobr|lang|souligner|petites capitales|pc|citation|début citation|abréviation|abrd|abr|incise-|romain|cr", first),
    "lang": lang,
    "langue": lang,
    **_many("citation bloc|citation étrangère|début citation bloc", quotation),
    **_many("citation|«|citation nécessaire|référence souhaitée", lambda call: f"« {call.get(1)} »" if call.get(1) else ""),
    **_many("référence nécessaire|référence souhaitée|refnec|passage évasif|refsou", first),
    **_many("incise", wrapped("— ", " —")),
    **_many("1er|ier", constant("1er")), **_many("1re|1ère|ire", constant("1re")), **_many("2e", constant("2e")),
    **_many("3e", constant("3e")), **_many("e|ème", wrapped("", "e") if False else lambda call: call.get(1) + "e"),
    **_many("er", lambda call: call.get(1) + "er"), **_many("re", lambda call: call.get(1) + "re"),
    **_many("n°|numéro|no", constant("no ")), **_many("mlle", constant("Mlle")), **_many("mme", constant("Mme")),
    **_many("m.|mr", constant("M.")), **_many("dr", constant("Dr")), **_many("st", constant("Saint")),
    **_many("av jc|av. j.-c.|avjc|-jc", constant("av. J.-C.")), **_many("ap jc|apr. j.-c.", constant("apr. J.-C.")),
    **_many("heure|duree|durée", joined(":")),
    **_many("exp|exposant", lambda call: _power(call.get(1))),
    **_many("ind|indice", first),
    **_many("lien|lien interlangue|lien à traduire", lambda call: call.get("texte", "trad", "fr", 1)),
    **_many("japonais", lambda call: " ".join(v for v in (call.get(1), f"({call.get(2)}, {call.get(3)})" if call.get(2) else "") if v)),
    **_many("colonnes", lambda call: "\n" + call.get("taille-texte", 1) + "\n"),
    **_many("api|api-fr|prononciation|phon", ipa),
    **_many("xixe siècle", constant("XIXe siècle")), **_many("xxe siècle", constant("XXe siècle")),
    **_many("xviiie siècle", constant("XVIIIe siècle")), **_many("xviie siècle", constant("XVIIe siècle")),
}  # fmt: skip

_ES = {
    **_many("unidad|unidad2|esd unidad|medida", quantity),
    **_many("esd|nowrap|nobr|cursiva|versalita|sigla|mayúsculas|subrayar|caja|ortografía|color2", first),
    **_many("siglo|siglos", lambda call: f"siglo {call.get(1)}" + (f" {call.get(2)}" if call.get(2) else "")),
    **_many("fecha|fecha inicio|fecha de inicio", spanish_date),
    **_many("cita|cita textual|bquote|cita larga", quotation),
    **_many("enlace|sustituir|enlace interlingüístico", lambda call: call.get("texto", 1)),
    **_many("afi|audio-afi", ipa),
    **_many("lang|idioma", lang),
    **_many("traducción|en idioma", second),
}
_PT = {
    **_many("fmtn|formatar número|número", number),
    **_many("séc|século|sec", centuries("século")),
    **_many("dtlink|dtext|data", spanish_date),
    **_many("unidade|unidades|medida", quantity),
    **_many("citação|quote|cquote|citar texto", quotation),
    **_many("ling|lang|língua", lang),
    **_many("ilc|link-interwiki|ligação interlíngua", interlanguage_link),
    **_many("afi|ipa", ipa),
    **_many("nobr|nowrap|versalete|tooltip", first),
    **_many("link|en|de|fr|es", nothing),
}
_IT = {
    **_many("m|unità di misura", italian_measure),
    **_many("citazione|quote|cit", quotation),
    **_many("lang|testo originale", lang),
    **_many("ta|nobr|nowrap|maiuscoletto|tutto attaccato|senza fonte|chiarire|nsf", first),
    **_many("sp", constant(" ")), **_many("formatnum", number), "afi": ipa,
}  # fmt: skip
_PL = {
    **_many("j|jęz|język", lang),
    **_many("cytat|cytatd|cytat d", quotation),
    **_many("nowrap|sk|skrót|nobr|u|tooltip", first),
    **_many("ang.", constant("ang.")), **_many("łac.", constant("łac.")), **_many("niem.", constant("niem.")),
    **_many("fr.", constant("fr.")), **_many("ros.", constant("ros.")), **_many("wł.", constant("wł.")),
    **_many("ipa3|ipa|ipa2|ipa4", ipa), **_many("liczba|fn|formatnum", number), **_many("w języku|j|r|odn", nothing),
}  # fmt: skip
_NL = {
    **_many("citaat|citaat2|quote", quotation),
    **_many("nowrap|nobr|tooltip|klein|kleinkapitaal", first),
    **_many("lang|taal", lang), **_many("ipa", ipa), **_many("nts|getal", number),
    **_many("aut|auteur", first),
}  # fmt: skip
_RU = {
    **_many("s|nobr|nowrap|число|num|тч|кавычки|опс|comment|абр|аббр|подсказка|textcolor|цвет|так в тексте|sic|е2|иероглиф", first),
    **_many("число|num|nts|formatnum", lambda call: " ".join(v for v in (format_number(call.get(1), call.language), call.get(2)) if v)),
    **_many("нп|нп1|нп2|нп3|нп4|нп5|не переведено|не переведено 2|не переведено 3|не переведено 5|iw|iw3|iw5|нпт", translated),
    **_many("цитата|quote|начало цитаты|врезка цитата", quotation),
    **_many("мфа|ipa|мфа2|фонетика", ipa), **_many("lang|lang2|язык", lang),
    **_many("тс|—|тире", constant(" — ")), **_many("кв. м|м2", constant("м²")), **_many("км²", constant("км²")),
    **_many("градус|°", constant("°")), **_many("date|дата|датаконстр", word_date), **_many("переход|якорь|скрытый", nothing),
    **_many("век|вв", last), **_many("евро|€", lambda call: f"{call.get(1)} €".strip()),
    **_many("китайский|кит", first), **_many("япон|нихонго", lambda call: joined(", ")(call)),
    **_many("нет аи|источник|уточнить|audio|кто|когда|где", nothing),
}  # fmt: skip
_UK = {
    **_RU,
    **_many("не перекладено|нп|iw|не перекладено5|нп5|не перекладено 5", translated),
    **_many("мфа-всі|мфа|afi", ipa), **_many("понад|стрілка", first), **_many("цитата", quotation),
}  # fmt: skip
_BG = {
    **_many("lang|ез", lang), **_many("цитат|quote", quotation), **_many("число|nts", number),
    **_many("s|nowrap|nobr|hint", first), **_many("мфа|ipa", ipa),
}  # fmt: skip
_SV = {
    **_many("citat|blockcitat|citat2", quotation), **_many("nowrap|nobr|mindre|abbr", first),
    **_many("lång|lang|språk", lang), **_many("nts|nummer", number), **_many("ipa", ipa),
    **_many("ö|flaggbild", nothing),
}  # fmt: skip
_DA = {
    **_many("citat|citat2|quote", quotation), **_many("nowrap|nobr", first), **_many("lang|sprog", lang), "ipa": ipa,
}  # fmt: skip
_CS = {
    **_many("citát|citace textu", quotation), **_many("nowrap|malé|zkratka|klávesa", first),
    **_many("cizojazyčně|vjazyce2|lang|jazyk|cj", czech_language), **_many("nts|číslo", number),
    **_many("km2", constant("km²")), **_many("audio", nothing), **_many("ipa|mfa", ipa),
    **_many("překlad|překlad2", second),
}  # fmt: skip
_CA = {
    **_many("segle", centuries("segle")), **_many("citació|cita", quotation), **_many("lang|llengua", lang),
    **_many("unitats|unitat", quantity), **_many("nowrap|nobr|versaleta", first), **_many("afi|ipa", ipa),
    **_many("data|fecha", spanish_date), **_many("enllaç interlingüístic|enllaç no traduït", first),
    **_many("romanes", first),
}  # fmt: skip
_HU = {
    **_many("idézet|idézet2|idézet 2|quote", quotation), **_many("szám|nts", number), **_many("lang", lang),
    **_many("nowrap|nemtörik|kiskapitális", first), **_many("ipa", ipa),
}  # fmt: skip
_RO = {
    **_many("citat|quote", quotation), **_many("lang|limbă", lang), **_many("nowrap|nobr", first), **_many("ipa|afi", ipa),
    **_many("ill-wd|legătură interlingvistică", first), **_many("dată|data", word_date),
}  # fmt: skip
_SOUTH_SLAVIC = {
    **_many("citat|citat2|цитат|цитат2|navod|quote", quotation), **_many("lang|jezik|jezikk|језик|jez-", lang),
    **_many("nowrap|nobr|мали", first), **_many("ipa|ипа", ipa), **_many("nts|broj", number),
}  # fmt: skip

LOCAL: dict[str, dict[str, Handler]] = {
    "de": _DE, "fr": _FR, "es": _ES, "pt": _PT, "it": _IT, "pl": _PL, "nl": _NL, "ru": _RU, "uk": _UK, "bg": _BG,
    "sv": _SV, "da": _DA, "cs": _CS, "ca": _CA, "hu": _HU, "ro": _RO, "hr": _SOUTH_SLAVIC, "sr": _SOUTH_SLAVIC,
    "sl": _SOUTH_SLAVIC, "en": {},
}  # fmt: skip
"""Handlers that go before the common ones on the Wikipedia of a language."""

_ = block
