"""Dates, eras and centuries, in the words and the order of each wiki: CLDR has both."""
# ruff: noqa: RUF001, RUF002 - Cyrillic words and dashes

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from llama_data.stages.wikipedia.templates import locales
from llama_data.stages.wikipedia.templates.call import Call, Handler, named
from llama_data.stages.wikipedia.templates.locales import is_english

MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip

_NUMERIC = re.compile(r"(\d{1,2})[ ./-](\d{1,2})[ ./-](-?\d{3,4})|(-?\d{3,4})-(\d{1,2})-(\d{1,2})")
_WORDED = re.compile(r"(\d{1,2})(?:er)? ([^\W\d_]{3,20})(?: (-?\d{3,4}))?")
_OF = re.compile(r"(?:de |d['’])", re.IGNORECASE)
_VOWELS = frozenset("aeiou")


def is_month(text: str) -> bool:
    """True for a number from 1 to 12."""
    return text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= 12


def local_date(day: str, month: str, year: str, language: str) -> str:
    """A date as the wiki writes it: "1. maj 1990", "1990. május 1."; the month a number or a word; parts may lack."""
    day = day.lstrip("0") if day.isdecimal() else day
    if not month:
        return " ".join(part for part in (day, year) if part)
    if is_month(month):
        month = locales.month(int(month), language, alone=not day)
    elif month.isdecimal():
        return " ".join(part for part in (day, month, year) if part)
    elif language == "ca" and day and not _OF.match(month):
        month = ("d'" if month[:1].lower() in _VOWELS else "de ") + month
    if language == "fr":
        day = "1er" if day == "1" else day
        year = f"{year[1:]} av. J.-C." if year.startswith("-") else year
    return locales.date_in_words(day, month, year, language)


def _in_order(values: list[str]) -> tuple[str, str, str] | None:
    """Day, month and year of the arguments of a template: one with all of them, or three with either end first."""
    values = [*values[:3], "", "", ""][:3]
    first, second, third = values
    if first and not second and not third:
        numeric, worded = _NUMERIC.fullmatch(first), _WORDED.fullmatch(first)
        if numeric:
            return (numeric[1], numeric[2], numeric[3]) if numeric[1] else (numeric[6], numeric[5], numeric[4])
        return (worded[1], worded[2], worded[3] or "") if worded else None
    year_first = re.fullmatch(r"-?\d{3,4}", first) and not re.fullmatch(r"\d{3,4}", third)
    return (third, second, first) if year_first else (first, second, third)


def written_date(call: Call) -> str:
    """``{{date|1|janvier|1950}}``, ``{{date|1 1 1950}}`` → "1er janvier 1950"; a text that is no date stays."""
    values = call.positional() or [
        call.get("jour", "day", "dia", "día", "giorno"), call.get("mois", "month", "mes", "mês", "mese"),
        call.get("année", "year", "año", "ano", "anno"),
    ]  # fmt: skip
    weekday = ""
    if len(values) > 2 and values[0].isalpha() and values[1].isdecimal():
        weekday, values = f"{values[0]} ", values[1:]
    parts = _in_order(values)
    if parts is None:
        return values[0]
    if parts[2] and not parts[2].lstrip("-")[:1].isdecimal():
        return weekday + " ".join(value for value in values[:3] if value)
    return weekday + local_date(*parts, call.language)


def plain_date(call: Call) -> str:
    """``{{start date|1954|7|17|df=y}}`` → "17 July 1954", else "July 17, 1954"; elsewhere in the wiki's own way."""
    if not is_english(call.language):
        return written_date(call)
    if not call.get(1).isdecimal():
        return call.get(1)
    return _english_date(call, 1, month_first=not call.get("df").lower().startswith("y"))


def _english_date(call: Call, start: int, *, month_first: bool) -> str:
    year, month, day = call.get(start), call.get(start + 1), call.get(start + 2)
    if is_month(month):
        month = MONTHS[int(month) - 1]
    day = day.lstrip("0") if day.isdecimal() else ""
    if not month or not re.search(r"[^\d]", month):
        return year
    if not day:
        return f"{month} {year}".strip()
    return f"{month} {day}, {year}" if month_first else f"{day} {month} {year}".strip()


_AS_OF = {"ca": "a data de {}", "pt": "desde {}", "ru": "на {}", "uk": "станом на {}", "bg": "към {}", "es": "a {}"}


def as_of(call: Call) -> str:
    """``{{as of|2014|5|lc=y}}`` → "as of May 2014"; elsewhere the wiki's own words, or the date alone."""
    if call.get("alt"):
        return call.get("alt")
    if not is_english(call.language):
        shown = _AS_OF.get(call.language, "{}").format(written_date(call))
        return shown if call.get("lc") or call.language not in ("pt", "uk") else shown[:1].upper() + shown[1:]
    date = _english_date(call, 1, month_first=call.get("df").lower() in ("us", "mdy"))
    words = ("Since " if call.get("since") else "As of ") + date + call.get("post")
    return words[0].lower() + words[1:] if call.get("lc") else words


_ABOUT = {
    "bg": "ок.", "cs": "cca", "da": "ca.", "de": "ca.", "fr": "vers", "hr": "oko", "hu": "kb.", "it": "circa",
    "nl": "ca.", "pl": "ok.", "ro": "cca", "ru": "ок.", "sl": "ok.", "sr": "око", "sv": "ca", "uk": "бл.",
}  # fmt: skip


def circa(call: Call) -> str:
    """``{{circa|1800|1820}}`` → "c. 1800 – c. 1820", with the wiki's own abbreviation."""
    about = _ABOUT.get(call.language, "c.")
    values = [value for value in call.positional() if value]
    return " – ".join(f"{about} {value}" for value in values) or about


_NUMERAL = re.compile(r"(?:[IVXLCDM]+|\d{1,2})(er|e|re|ème)?")
_ENDING = re.compile(r"er|e|re|ère|ème|nd")


def french_century(word: str, after: str = "") -> Handler:
    """``{{s|XIX}}`` → "XIXe siècle", ``{{s2|XVI|e|XVII|e}}`` → "XVIe et XVIIe siècles", ``{{-s|V}}`` with ``after``.

    Numerals with their endings, which may be left out; a word between two ("au", "-") stands between them.
    """

    def show(call: Call) -> str:
        pieces = [value for value in call.positional() if value]
        shown, count = "", 0
        for piece, following in pairwise([*pieces, ""]):
            if found := _NUMERAL.fullmatch(piece):
                ending = "" if found[1] or _ENDING.fullmatch(following) else "er" if piece in ("I", "1") else "e"
                shown += (" et " if shown and shown[-1] not in " –-" else "") + piece + ending
                count += 1
            elif _ENDING.fullmatch(piece):
                shown += piece
            elif following and shown:
                shown += piece if piece in "–-" else f" {piece} "
            else:
                return f"{shown} {word}{after} {piece}".strip() if shown else piece
        plural = "s" if count > 1 and " et " in shown else ""
        return f"{shown} {word}{plural}{after}" if shown else ""

    return show


def spanish_century(call: Call) -> str:
    """``{{siglo|XIX||s}}`` → "siglo XIX", ``{{siglo|IV|a|s}}`` → "siglo IV a. C.", ``{{siglo|V}}`` → "V"."""
    era = {"a": "a. C.", "d": "d. C."}.get(call.get(2).rstrip(". C").lower(), call.get(2))
    word = {"s": "siglo", "S": "Siglo", "ss": "siglos", "Ss": "Siglos", "SS": "Siglos"}.get(call.get(3), "")
    return " ".join(part for part in (word, call.get(1), era) if part)


_ERAS = {
    "bg": "пр.н.е.|пр. н. е.|пр. н.е.|н.е.|сл.н.е.|пр.Хр.|сл.Хр.",
    "cs": "př. n. l.|n. l.|př. Kr.|po Kr.",
    "da": "f.Kr.|e.Kr.|f.v.t.|e.v.t.",
    "hr": "pr. Kr.|p. n. e.|pr. n. e.|n. e.|pos. Kr.",
    "hu": "i. e.|i. sz.|i.e.|i.sz.|Kr. e.|Kr. u.",
    "nl": "v.Chr.|n.Chr.|v. Chr.|n. Chr.",
    "pl": "p.n.e.|n.e.",
    "ro": "î.Hr.|d.Hr.|î. Hr.|d. Hr.|î.e.n.|e.n.",
    "sl": "pr. n. št.|n. št.|pr. Kr.|po Kr.",
    "sr": "п. н. е.|п.н.е.|пне|н. е.|н.е.|p. n. e.|n. e.|пр. Хр.",
    "sv": "f.Kr.|e.Kr.|f.Kr|e.Kr|f.v.t.|e.v.t.",
    "uk": "до н. е.|н. е.|до н.е.|н.е.",
}


_NAMES = {
    "bg": """дата|нач. дата|начална дата|крайна дата|роден на|починал на|дата на раждане|дата на смърт
        дата на раждане и възраст|дата на смърт и възраст""",
    "cs": "datum|datum narození|datum úmrtí|datum narození a věk|datum úmrtí a věk",
    "da": "dato|fødselsdato|dødsdato|dødsdato og alder|startdato|slutdato",
    "es": "fecha de nacimiento|fecha de fallecimiento|fecha de defunción|fecha fin|fecha de fin",
    "hr": "datum|datum rođenja|datum smrti|datum rođenja i dob|datum smrti i dob",
    "hu": "dátum|születési dátum|halálozási dátum|születési dátum és kor|halálozási dátum és kor",
    "it": "data",
    "nl": "datum|geboortedatum|sterfdatum",
    "pl": "data|data urodzenia|data śmierci",
    "ro": "dată nașterii|dată naștere|dată deces|dată decesului|dată start",
    "sl": "datum",
    "sr": """датум|датум рођења|датум смрти|датум рођења и године|датум смрти и године|почетни датум
        datum|datum rođenja|datum smrti""",
    "sv": "datum|födelsedatum|dödsdatum|slutdatum|födelsedatum och ålder|dödsdatum och ålder",
    "uk": "дата|дата народження|дата смерті|дата народження і вік|дата смерті і вік|дн|дс",
}


@lru_cache(maxsize=32)
def of_wiki(language: str) -> dict[str, Handler]:
    """A wiki's own names of dates, and templates whose name is what they show: ``{{пр.н.е.}}``, ``{{i. e.}}``."""

    def shown(text: str) -> Handler:
        return lambda call: f"{call.get(1)} {text}".strip()

    eras = {name.casefold(): shown(name) for name in _ERAS.get(language, "").split("|") if name}
    return named(_NAMES.get(language, ""), written_date) | eras
