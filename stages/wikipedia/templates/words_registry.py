"""Which handler shows which word, sign, quotation or list: names of the English Wikipedia, and of single others."""
# ruff: noqa: RUF001 - Cyrillic names and typographic signs are the subject

from __future__ import annotations

import re
from collections.abc import Callable

from llama_data.stages.wikipedia.opaque import BREAK, GAP
from llama_data.stages.wikipedia.templates import chemistry
from llama_data.stages.wikipedia.templates import dates as d
from llama_data.stages.wikipedia.templates import handlers as h
from llama_data.stages.wikipedia.templates import words as w
from llama_data.stages.wikipedia.templates.call import Handler, named
from llama_data.stages.wikipedia.templates.countries import COUNTRIES, country, local_country, named_country


def _themselves(names: str) -> dict[str, Handler]:
    """Names that are their own values."""
    return {name.strip().casefold(): h.constant(name.strip()) for name in re.split(r"[|\n]", names) if name.strip()}


COMMON_WORDS: dict[str, Handler] = {
    **named("langx|lang-x|langnf", w.named_language),
    "lang-": w.lang_prefixed,
    "јез-": w.abbreviated("јез-"),
    "jez-": w.abbreviated("jez-"),
    **named("cquote|rquote|quote box|centered pull quote|pull quote|pquote|quote frame|quotebox", w.quotation),
    **named("quote|blockquote|quotation|bquote|long quote|block quote", w.quotation),
    **named("poemquote|poem quote|poem|verse|verse quote|verses", w.verse),
    **named("native name|native phrase|nativename|hover title|h:title|htitle", h.second),
    **named("ordered list|olist|numbered list", w.numbered),
    **named("br separated entries|brlist|br list", w.lines),
    **named("enum|and list|andlist|enumeration", w.listed(alternative=False)),
    **named("or list|orlist", w.listed(alternative=True)),
    **named("cslist|comma list|unbulleted comma list|clist", h.joined(", ")),
    **named("pipelist|pipe list|pipe separated list", h.joined(" | ")),
    **named("chem name|chemname|hyphenation", w.together),
    **named("br|break|crlf|line break|lb", lambda call: BREAK),
    **named("pb|paragraph break|paragraph|parabr|para break", lambda call: "\n\n"),
    **named("quoteblock|imagequote|longquote|rquotation|epigraph", w.quotation),
    **named("verse translation|verse-translation", w.translated_verse),
    **named("resize|font size|fontsize|size|midsize", w.behind_layout),
    **named("legend|legend0|legend2|legend inline|legend-line|legend line|color box|colour box", w.legend),
    **named("color|colour|textcolor|coloured text|colored text|bgcolor|highlight", w.behind_colour),
    **named("font color|fontcolor|font colour", lambda call: call.get(3, 2, "text")),
    "font": lambda call: call.get("text", 2, 1),
    **named("key|keypress|key press|kbd|keyboard|keyb|button press", w.keys),
    "music": w.music,
    **named("tex", h.constant("TeX")),
    **named("latex", h.constant("LaTeX")),
    **named("cas|casrn|cas number", h.first),
    **named("airport codes|iata|icao", h.joined(" / ")),
    **named("cn span|bigmath|big math|disputed inline text", h.first),
    **named("sic|as is", w.sic),
    **named("not a typo|notatypo|not typo|proper name|as written|typo", w.together),
    **named("nee|née", w.born_as("née")),
    **named("né", w.born_as("né")),
    **named("lit|literal translation|literally|lit.|literaltrans", w.literally),
    **named("gloss|gls", h.wrapped("'", "'")),
    **named("korean|ko-hhrm|korean/auto", w.korean),
    **named("no break|nobreak|nowraplinks|nwr|nbr|nobreakspace|nobold|no bold|no italic|noitalic|nobr", h.first),
    **named(
        "startplainlist|endplainlist|start plainlist|end plainlist|endflatlist|startflatlist|nowrap begin", h.nothing
    ),
    **named("nowrap end|wrap|no wrap end|plainlist end|flatlist end|poem end|quote end|end quote", h.nothing),
    **named("indented plainlist|unordered list|bulletedlist|unbulleted", h.bulleted),
    **named("flag|flagu|flagcountry|flag country|flaglink|flagathlete", country),
    **named("quotetext|inline quote|talk quote inline|tqi", h.first),
    **named("clarify|cn|fact|citation needed|who|when|where|which|by whom|vague|dubious|page needed", w.doubted),
    **named(
        "better source|verify source|failed verification|clarify span|disputed inline|according to whom", w.doubted
    ),
    **named("clarification needed|dubious span|when?|who?|why|how|by whom?|disputed-inline|weasel inline", w.doubted),
    **named("better source needed|unreliable source?|original research inline", w.doubted),
    "citation needed span": lambda call: call.get(1, "text"),
    **named("delink|nolink|unlinked", h.first),
    **named("void|nop|empty template", h.nothing),
    **named("vr|overset|underset|ruby|ruby-ja|rubi", h.first),
}
"""Handlers by normal name, which go before those of the registry."""

_ENGLISH: dict[str, Handler] = {
    **named("fb|fbw|fb-rt|fbw-rt|nft|cr|cr-rt|ru|ru-rt|bk|vb|hb|ih|flagteam|nation", country),
    **named("fbicon|cricon|ruicon|flagicon image|fbaicon", h.nothing),
}

_FRENCH: dict[str, Handler] = {
    **named("date|date-|date de naissance|date de décès|naissance|décès", d.written_date),
    **named("vers|poème", w.verse),
    **_themselves("Ph.D.|km/h|op. cit.|ibid."),
    **named("etc.|etc", h.constant(f"{GAP}, etc.")),
    **named("e|ème", lambda call: call.get(1) + "e"),
    **named("m2|m²", h.constant("m²")),
    **named("km2|km²", h.constant("km²")),
    "m3": h.constant("m³"),
    "cad": h.constant("c'est-à-dire"),
    "mme": w.titled("Mme"),
    "mmes": w.titled("Mmes"),
    "mlle": w.titled("Mlle"),
    **named("m.|mr", w.titled("M.")),
    "mm.": w.titled("MM."),
    **named("dr|docteur", w.titled("Dr")),
    **named("pr|professeur", w.titled("Pr")),
    "mgr": w.titled("Mgr"),
    "me": w.titled("Me"),
    **named("st|saint", w.titled("Saint")),
    **named("ste|sainte", w.titled("Sainte")),
    **named("n°|nº|numéro", lambda call: f"no {call.get(1)}".rstrip() + ("" if call.get(1) else " ")),
    **named("nos|n°s", lambda call: f"nos {call.get(1)}".rstrip() + ("" if call.get(1) else " ")),
    **named("p.|page", h.wrapped("p. ", "")),
    **named("latin|la|grec ancien|grec|anglais|allemand", h.first),
    **named("en langue|langue trad", w.french_named),
    **named("-s|-s-|-s mini", d.french_century("siècle", " av. J.-C.")),
    **named("millénaire|millénaire-", d.french_century("millénaire")),
    **named("-millénaire|-millénaire-", d.french_century("millénaire", " av. J.-C.")),
    **named("jumelage|ville jumelée|jumelages", w.twin_town),
    **named("souverain|souverain-|souverain2|souverain3|roi|pape|dynastie", w.without_brackets),
    **named("nobr romains|rom|rom-maj", h.first),
    **named("guillemets|guil", h.wrapped("« ", " »")),
    **named("fchim|formule chimique", chemistry.chem),
    **named(",|ouvrage|article|chapitre|bibliographie|autorité|dictionnaires|bases recherche|bnf|plume", h.nothing),
    **named("référence insuffisante|source insuffisante|référence à confirmer", h.first),
    "msapi": w.together,
    "nobr": h.spaced,
    **named("insécable|espaces|surligner|texte|citation nécessaire|pertinence passage|quoi", h.first),
    **named("touche|touches|clavier", w.keys),
    **named("légende/ligne|légende|legende|légende simple", w.legend),
    **named("début citation|fin citation|fin citation bloc|début de citation|fin de citation", h.nothing),
    **named("ébauche|portail|palette|voir homonymes|homonymie|autres projets|bases|liens", h.nothing),
}
_GERMAN: dict[str, Handler] = {
    **named("taste|tasten|tastatur", w.keys),
    **named("farblegende|legende|farbe|farbindex", w.legend),
    **named("sortkey|sortdate|ss", h.second),
    **named(
        "abkürzung|abk|polytonisch|iast|unicode|hebr|arab|kyrillisch|zh-v|ungeschützt|nbsp|kapitälchen|rot", h.first
    ),
    **named("0|00|000", h.constant("")),
}
_SPANISH: dict[str, Handler] = {
    **named("web oficial|sitio web oficial|actualizar|desactualizado", h.nothing),
    **named("a. c.|ac|a.c.", h.constant("a. C.")),
    **named("d. c.|dc|d.c.", h.constant("d. C.")),
    **named("bandera2|geodatos|país|bandera país", h.first),
    **named("tecla|teclas", w.keys),
    **named("leyenda", w.legend),
    **named("nobold|no negrita|sin negrita|color texto", h.first),
}
_PORTUGUESE: dict[str, Handler] = {
    **named("ac|a.c.", h.constant("a.C.")),
    **named("dc|d.c.", h.constant("d.C.")),
    **named("tecla|teclas", w.keys),
    **named("legenda", w.legend),
    **named("flag|bandeira2|flagbr", h.first),
}
_ITALIAN: dict[str, Handler] = {
    **named("gemellaggio", w.twin_town),
    **named("tasto|tasti", w.keys),
    **named("legenda", w.legend),
    "senza fonte span": h.first,
    "citazione": w.italian_quotation,
    **named("passo biblico|bibbia", h.joined(" ")),
    **named("m s.l.m.|m slm", h.constant("m s.l.m.")),
    **named("sf|cn", h.first),
    "bandiera": w.italian_flag,
    **named("cita|simboli|lingue|interprogetto|portale|collegamenti esterni|sito web|link audio", h.nothing),
    **named("a.c.", h.constant("a.C.")),
    **named("d.c.", h.constant("d.C.")),
    **named("latino|inglese|francese|tedesco|spagnolo", h.first),
    **named("russo|greco|cirillico|arabo|ebraico|ucraino|bulgaro", h.joined(", ")),
}
_POLISH: dict[str, Handler] = {
    **named("kolor|kolor tekstu", w.behind_colour),
    **named("klawisz|klawisze", w.keys),
    **named("państwo|kraj|małe|duże|nobr", h.first),
}
_RUSSIAN: dict[str, Handler] = {
    **named("флагификация|флаг и название|страна|nowrap|nobr|s|мн|нобр|неразрывный текст|bgcolor", h.first),
    **named("конец цитаты|конец кода|начало скрытого блока|конец скрытого блока|rq|нет источников", h.nothing),
    **named("клавиша|клавиши|key", w.keys),
    **named("цветная ссылка|цвет текста", w.behind_colour),
    **named("др|дс|дата рождения|дата смерти|дата-|date|дата", d.written_date),
    **named("год в кино|год в музыке|год в литературе|год в науке|год в спорте|год в театре|нет аи 2|нет аи2", h.first),
    **named("не аи|сколько?|где?|когда?|кто?|почему?|источник?|из бсэ|вт-лп|oq|rodovid", h.nothing),
    "ударение": h.constant("\u0301"),
    **_themselves("млн|млрд|тыс.|до н. э.|н. э."),
    "тыс": h.constant("тыс."),
    "№": h.constant("№ "),
}
_DANISH = named("sprogikon|ikon sprog|officiel hjemmeside|kilde mangler|hvem|hvornår|hvor", h.nothing)
_HUNGARIAN = {
    **named("forrás?|nincs forrás|mikor|kicsoda|zászló", h.nothing),
    **named("zászló2|ország", h.first),
}
_ROMANIAN = named("nevoie de citare|citare necesară|necesită citare|steag-icon", h.nothing)
_SLOVENE = {
    **named("navedi vir|ni vira|brez vira|fakt|kdaj|kdo|ikonazastave|ikona jezika", h.nothing),
    **named("zastava|zastava države", h.first),
    **named("navedek|citatni blok", w.quotation),
}
_BULGARIAN: dict[str, Handler] = {
    **named("флагче|флаг|знаменце|икона|цитат нужен|без източник|кога|кой", h.nothing),
    **named("флаг и име|държава", h.first),
}
_SERBIAN: dict[str, Handler] = {
    **named(
        """званични веб-сајт|званични сајт|ен|де|фр|ру|ит|шп|зас|језикикона|заставица|чињеница|мртва веза
        činjenica|mrtva veza|извор|нема извора""",
        h.nothing,
    ),
    **named("застава|zastava|flag", h.first),
    **named("јез|jez", w.named_language),
}
_CZECH: dict[str, Handler] = {
    **named("vjazyce2|lang-", w.named_language),
    **named("vlajka a název|flag|malé kapitálky|nobr", h.first),
    **named("klávesa|klávesy", w.keys),
    **named("legenda", w.legend),
}
_CATALAN: dict[str, Handler] = {
    **named("ac", h.constant("aC")),
    **named("dc", h.constant("dC")),
    **named("tecla", w.keys),
    **named("llegenda", w.legend),
}
_DUTCH: dict[str, Handler] = {
    **named("bron?|feit|wie?|wanneer?|waar?", h.nothing),
    **named("vlag&land|vlagland|land|nobr|klein|sorteer", h.last),
    **named("afkorting|afk", h.first),
    **named("toets|toetsen", w.keys),
    **named("legenda", w.legend),
}
_SWEDISH: dict[str, Handler] = {
    **named("språkikon|ikon|källa behövs|vem|när|var", h.nothing),
    **named("flagg|land|mindre|större|nobr", h.last),
    **named("tangent|tangenter", w.keys),
    **named("förklaring|legend", w.legend),
}
LOCAL_WORDS: dict[str, dict[str, Handler]] = {
    "en": _ENGLISH, "fr": _FRENCH, "de": _GERMAN, "es": _SPANISH, "pt": _PORTUGUESE, "it": _ITALIAN, "pl": _POLISH,
    "bg": _BULGARIAN, "ru": _RUSSIAN,
    "uk": _RUSSIAN, "sr": _SERBIAN, "hr": _SERBIAN, "cs": _CZECH, "ca": _CATALAN, "nl": _DUTCH,
    "sv": _SWEDISH, "da": _DANISH, "hu": _HUNGARIAN, "ro": _ROMANIAN, "sl": _SLOVENE,
}  # fmt: skip
"""Handlers by language and normal name, which go before those of the local registry."""

_PATTERNS: dict[str, tuple[tuple[re.Pattern[str], Callable[..., str]], ...]] = {
    "en": ((re.compile("|".join(COUNTRIES).upper()), named_country),),
    **dict.fromkeys(("es", "it", "pt"), ((re.compile("|".join(COUNTRIES).upper()), local_country),)),
    "fr": (
        (re.compile(r"\d{1,4}(?:er|re|e|ère|ème|nd|nde|d)s?"), w.itself),
        (re.compile(r"(?:[IVXLCDM]+e|Ier) (?:siècle|millénaire|République)(?: av\. J\.-C\.)?"), w.itself),
        (re.compile(r"[IVX]{1,8}(?:e|er|re|ème)"), w.itself),  # not ``{{de}}``, a sign that a source is in German
        (re.compile(r"Er|Re|Nd|Nde"), w.lower_itself),  # not ``{{ER}}``, the flag of Eritrea
    ),
}


def by_pattern(name: str, language: str) -> Handler | None:
    """The handler of names that follow a pattern: ordinal numbers and centuries; ``name`` in its own case."""
    return next((handler for pattern, handler in _PATTERNS.get(language, ()) if pattern.fullmatch(name)), None)
