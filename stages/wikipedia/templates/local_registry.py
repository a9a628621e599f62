"""Which handler renders which template on the Wikipedia of one language; these go before the shared names."""
# ruff: noqa: RUF001 - Cyrillic names and typographic signs are the subject

from __future__ import annotations

from llama_data.stages.wikipedia.templates import chemistry
from llama_data.stages.wikipedia.templates import dates as d
from llama_data.stages.wikipedia.templates import handlers as h
from llama_data.stages.wikipedia.templates import local_handlers as own
from llama_data.stages.wikipedia.templates import words as w
from llama_data.stages.wikipedia.templates.call import Handler, named
from llama_data.stages.wikipedia.templates.notices import NOTICES
from llama_data.stages.wikipedia.templates.quantity_registry import LOCAL_QUANTITIES
from llama_data.stages.wikipedia.templates.words_registry import LOCAL_WORDS

_GERMAN_LANGUAGES = {
    "ens": "englisch", "frs": "französisch", "las": "lateinisch", "grcs": "altgriechisch", "els": "griechisch",
    "its": "italienisch", "ess": "spanisch", "rus": "russisch", "pls": "polnisch", "css": "tschechisch",
    "ars": "arabisch", "hes": "hebräisch", "jas": "japanisch", "zhs": "chinesisch", "trs": "türkisch",
    "svs": "schwedisch", "das": "dänisch", "hus": "ungarisch", "ros": "rumänisch", "uks": "ukrainisch",
    "sls": "slowenisch", "hrs": "kroatisch", "srs": "serbisch", "bgs": "bulgarisch", "sqs": "albanisch",
    "kos": "koreanisch", "cas": "katalanisch", "nos": "norwegisch", "fis": "finnisch", "eus": "baskisch",
    "nls": "niederländisch", "pts": "portugiesisch", "sks": "slowakisch", "fas": "persisch",
}  # fmt: skip

_DE: dict[str, Handler] = {
    **{name: own.german_short(word) for name, word in _GERMAN_LANGUAGES.items()},
    **named("zitat|zitat-de|zitat-en|zitat-fr", own.german_quotation),
    '"': own.german_inline_quotation,
    **named("datum|datumzelle", d.written_date),
    **named("nowrap|anker-text|kursiv", h.first),
    "lang": h.lang,
    **named(
        """deu|tur|pol|usa|fra|gbr|esp|syr|ita|bgr|rou|srb|vnm|ind|hun|bel|idn|uzb|mex|chn|jpn|arg|cze|nam|absatz|fn|fnz
        hauptartikel|siehe auch|mehrere bilder|anker|literatur|personendaten|normdaten|schwesterprojekte""",
        h.nothing,
    ),
}
_FR: dict[str, Handler] = {
    **named("date|date-|date de naissance|date de décès|date républicaine|naissance|décès", d.written_date),
    **named("s|s-|siècle|s2|s2-|sp|sp-|s mini|s-mini", d.french_century("siècle")),
    **named("souligner|petites capitales|pc|abréviation|abrd|abr|incise-|romain|cr", h.first),
    **named("lang|langue", h.lang),
    **named("citation bloc|citation étrangère|début citation bloc", w.quotation),
    **named("citation|«", h.wrapped("« ", " »")),
    **named("référence nécessaire|référence souhaitée|refnec|passage évasif|refsou|citation nécessaire", h.first),
    **named("ind|indice", chemistry.lowered),
    **named("exp|exposant", chemistry.raised),
    "incise": w.aside,
    "mlle": h.constant("Mlle"),
    "mme": h.constant("Mme"),
    **named("m.|mr", h.constant("M.")),
    "dr": h.constant("Dr"),
    "st": h.constant("Saint"),
    **named("av jc|av. j.-c.|avjc|-jc", h.constant("av. J.-C.")),
    **named("ap jc|apr. j.-c.", h.constant("apr. J.-C.")),
    **named("lien|lien interlangue|lien à traduire", own.french_link),
    "japonais": own.french_japanese,
    "colonnes": h.block,
    **named("api|api-fr|prononciation|phon", h.ipa),
    "xviie siècle": h.constant("XVIIe siècle"),
    "xviiie siècle": h.constant("XVIIIe siècle"),
    "xixe siècle": h.constant("XIXe siècle"),
    "xxe siècle": h.constant("XXe siècle"),
}
_ES: dict[str, Handler] = {
    "esd": h.hard_space,
    **named("nowrap|nobr|cursiva|versalita|sigla|mayúsculas|subrayar|caja|ortografía", h.first),
    **named("siglo|siglos", d.spanish_century),
    **named("fecha|fecha inicio|fecha de inicio", d.written_date),
    **named("cita|cita textual|bquote|cita larga", w.quotation),
    **named("enlace|sustituir|enlace interlingüístico", h.first),
    **named("afi|audio-afi", h.ipa),
    **named("lang|idioma", h.lang),
    **named("traducción|en idioma", h.second),
}
_PT: dict[str, Handler] = {
    **named("séc|século|sec", own.centuries("século")),
    **named("dtlink|dtext|data", d.written_date),
    **named("citação|quote|cquote|citar texto", w.quotation),
    **named("ling|lang|língua", h.lang),
    **named("ilc|link-interwiki|ligação interlíngua", h.interlanguage_link),
    **named("afi|ipa", h.ipa),
    **named("nobr|nowrap|versalete|tooltip", h.first),
    **named("link|en|de|fr|es|carece de fontes|panorama|imagem múltipla|artigo principal", h.nothing),
}
_IT: dict[str, Handler] = {
    **named("citazione|quote|cit", w.quotation),
    **named("lang|testo originale", h.lang),
    **named("ta|nobr|nowrap|maiuscoletto|tutto attaccato|senza fonte|chiarire|nsf", h.first),
    "sp": h.constant(" "),
    "afi": h.ipa,
}
_PL: dict[str, Handler] = {
    **named("jęz|język", h.lang),
    **named("cytat|cytatd|cytat d", w.quotation),
    **named("nowrap|sk|skrót|nobr|u|tooltip", h.first),
    **{name: h.constant(name) for name in ("ang.", "łac.", "niem.", "fr.", "ros.", "wł.", "hiszp.", "gr.")},
    **named("ipa3|ipa|ipa2|ipa4", h.ipa),
    **named("w języku|j|r|odn|osobny artykuł|fakt|zobacz też", h.nothing),
}
_NL: dict[str, Handler] = {
    **named("citaat|citaat2|quote", w.quotation),
    **named("nowrap|nobr|tooltip|klein|kleinkapitaal|aut|auteur", h.first),
    **named("lang|taal", h.lang),
    "ipa": h.ipa,
}
_RU: dict[str, Handler] = {
    **named("s|nobr|nowrap|тч|кавычки|опс|comment|абр|аббр|подсказка|textcolor|цвет|так в тексте|sic", h.first),
    **named(
        "нп|нп1|нп2|нп3|нп4|нп5|не переведено|не переведено 2|не переведено 3|не переведено 5|iw|iw3|iw5|нпт",
        own.translated,
    ),
    **named("цитата|quote|начало цитаты|врезка цитата", w.quotation),
    **named("мфа|ipa|мфа2|фонетика", h.ipa),
    **named("lang|lang2|язык", h.lang),
    **named("тс|—|тире", h.constant(" — ")),
    **named("кв. м|м2", h.constant("м²")),
    "км²": h.constant("км²"),
    **named("градус|°", h.constant("°")),
    **named("date|дата|датаконстр", d.written_date),
    **named("век|вв", h.last),
    **named("китайский|кит|иероглиф", h.first),
    **named("япон|нихонго", h.nihongo),
    **named("нет аи|источник|уточнить|audio|кто|когда|где|переход|якорь|скрытый", h.nothing),
}
_UK: dict[str, Handler] = {
    **_RU,
    **named("не перекладено|не перекладено5|не перекладено 5", own.translated),
    **named("мфа-всі|мфа|afi", h.ipa),
    **named("понад|стрілка", h.first),
}
_BG: dict[str, Handler] = {
    **named("lang|ез", h.lang),
    **named("цитат|quote", w.quotation),
    **named("s|nowrap|nobr|hint", h.first),
    **named("мфа|ipa", h.ipa),
}
_SV: dict[str, Handler] = {
    **named("citat|blockcitat|citat2", w.quotation),
    **named("nowrap|nobr|mindre|abbr", h.first),
    **named("lång|lang|språk", h.lang),
    "ipa": h.ipa,
    **named("ö|flaggbild|huvudartikel|se även", h.nothing),
}
_DA: dict[str, Handler] = {
    **named("citat|citat2|quote", w.quotation),
    **named("nowrap|nobr", h.first),
    **named("lang|sprog", h.lang),
    "ipa": h.ipa,
}
_CS: dict[str, Handler] = {
    **named("citát|citace textu", w.quotation),
    **named("nowrap|malé|zkratka|klávesa", h.first),
    **named("cizojazyčně|vjazyce2|lang|jazyk|cj|překlad|překlad2", h.second),
    "km2": h.constant("km²"),
    **named("audio|viz též", h.nothing),
    **named("ipa|mfa", h.ipa),
}
_CA: dict[str, Handler] = {
    "segle": own.centuries("segle"),
    **named("citació|cita", w.quotation),
    **named("lang|llengua", h.lang),
    **named("nowrap|nobr|versaleta|enllaç interlingüístic|enllaç no traduït|romanes", h.first),
    **named("afi|ipa", h.ipa),
    **named("data|fecha", d.written_date),
}
_HU: dict[str, Handler] = {
    **named("idézet|idézet2|idézet 2|quote", w.quotation),
    "lang": h.lang,
    **named("nowrap|nemtörik|kiskapitális", h.first),
    "ipa": h.ipa,
}
_RO: dict[str, Handler] = {
    **named("citat|quote", w.quotation),
    **named("lang|limbă", h.lang),
    **named("nowrap|nobr|legătură interlingvistică", h.first),
    **named("ipa|afi", h.ipa),
    **named("dată|data", d.written_date),
}
_SOUTH_SLAVIC: dict[str, Handler] = {
    **named("citat|citat2|цитат|цитат2|navod|quote", w.quotation),
    **named("lang|jezik|jezikk|језик", h.lang),
    **named("nowrap|nobr|мали", h.first),
    **named("ipa|ипа", h.ipa),
}

_LOCAL: dict[str, dict[str, Handler]] = {
    "bg": _BG, "ca": _CA, "cs": _CS, "da": _DA, "de": _DE, "es": _ES, "fr": _FR, "hr": _SOUTH_SLAVIC, "hu": _HU,
    "it": _IT, "nl": _NL, "pl": _PL, "pt": _PT, "ro": _RO, "ru": _RU, "sl": _SOUTH_SLAVIC, "sr": _SOUTH_SLAVIC,
    "sv": _SV, "uk": _UK,
}  # fmt: skip

LOCAL = {
    code: NOTICES.get(code, {})
    | d.of_wiki(code)
    | _LOCAL.get(code, {})
    | LOCAL_WORDS.get(code, {})
    | LOCAL_QUANTITIES.get(code, {})
    for code in sorted(_LOCAL.keys() | LOCAL_WORDS.keys() | LOCAL_QUANTITIES.keys())
}
"""Handlers by language and normal name."""
