"""Handlers of words, quotations and lists: templates whose value is an argument at a place of its own, or a sign."""

from __future__ import annotations

import re

from llama_data.stages.wikipedia.opaque import BREAK
from llama_data.stages.wikipedia.templates import locales
from llama_data.stages.wikipedia.templates.call import Call, Handler, normal_name, title_of
from llama_data.stages.wikipedia.templates.countries import local_name
from llama_data.stages.wikipedia.templates.labels import label_before
from llama_data.stages.wikipedia.templates.locales import is_english

_SIZE = re.compile(
    r"[-+]?[\d.,]+\s*(?:px|em|ex|rem|pt|%)?|left|right|center|centre|none|droite|gauche|esquerda|direita"
)


def is_layout(value: str) -> bool:
    """True for a size or a side, which say how something is shown."""
    return _SIZE.fullmatch(value.strip().lower()) is not None


def named_language(call: Call) -> str:
    """``{{langx|de|Berlin}}`` → "German: Berlin": language, text, transliteration, meaning."""
    return _foreign(call, call.get(1, "code"), call.get(2, "text"), call.get(3, "translit"), 4)


def lang_prefixed(call: Call) -> str:
    """``{{lang-de|Wort}}`` → "German: Wort", in the words of each wiki."""
    code = normal_name(call.name).split("-", 1)[1]
    return _foreign(call, code, call.get(1, "text"), call.get(2, "translit", "lat"), 3)


def _foreign(call: Call, code: str, text: str, script: str, meaning_at: int) -> str:
    if not text:
        return ""
    meaning = call.get("lit", "translation", meaning_at)
    given = call.get("label", "lead")
    label = label_before(code, call.language)
    if given in ("none", "no", "-"):
        label = ""
    elif given and given not in ("yes", "y"):
        label = f"{given}: "
    shown = label + text + (f", {script}" if script and script != text else "")
    if not meaning:
        return shown
    return f"{shown}, lit. '{meaning}'" if call.language == "en" else f"{shown} — «{meaning}»"


def abbreviated(prefix: str) -> Handler:
    """``{{јез-нем|Berlin}}`` → "нем. Berlin": the abbreviation is in the name."""
    full = {"енг": "енгл", "eng": "engl"}

    def show(call: Call) -> str:
        short = normal_name(call.name).removeprefix(prefix)
        words = [f"{full.get(short, short)}.", ", ".join(v for v in call.positional()[:2] if v)]
        return " ".join(word for word in words if word)

    return show


def french_named(call: Call) -> str:
    """``{{en langue|de|Berlin}}`` → "en allemand : Berlin"; without a text only the language's name."""
    label = label_before(call.get(1), "fr")
    text = call.get(2, "texte")
    return f"{label}{text}" if text else label.removesuffix(" : ")


def quotation(call: Call) -> str:
    """Quotations of any order: sizes and sides are stepped over, then come the text, who said it and where."""
    values = [value for value in call.positional() if value and not is_layout(value)]
    text = call.get("text", "quote", "quotetext", "content", "texte", "zitat", "tekst", "texto", "testo", "цитата")
    if not text and values:
        text = values.pop(0)
    named = [call.get("author", "sign", "by", "autor", "auteur", "автор", "cite"), call.get("title", "work")]
    named.append(call.get("source", "quelle", "источник", "fuente", "fonte"))
    language_at = next((at for at, value in enumerate(values) if re.fullmatch(r"[a-zA-Z]{2}", value)), len(values))
    who = ", ".join(dict.fromkeys(part for part in (*named, *values[:language_at]) if part))
    return f"\n\n{text}{BREAK + '— ' + who if who else ''}\n\n" if text else ""


def italian_quotation(call: Call) -> str:
    """``{{Citazione|text|who|original|language}}``: the text, the original under it, then who said it."""
    lines = [call.get(1, "testo"), call.get(3), f"— {call.get(2)}" if call.get(2) else ""]
    return f"\n\n{BREAK.join(line for line in lines if line)}\n\n" if lines[0] else ""


def aside(call: Call) -> str:
    """``{{incise|words}}`` → "— words —"; with ``stop`` the sentence ends after them."""
    text = call.get(1)
    if not text:
        return ""
    return f"— {text}" if call.get(2).casefold() in ("stop", "fin") else f"— {text} —"


def verse(call: Call) -> str:
    """Quotations of verse: as ``quotation``, and every line stays a line."""
    lines = [line.strip() for line in quotation(call).strip("\n").split("\n")]
    return "\n\n" + BREAK.join(lines) + "\n\n" if any(lines) else ""


def behind_layout(call: Call) -> str:
    """``{{resize|90%|small}}`` → "small": the first argument that is no size."""
    return call.get("text") or next((v for v in call.positional() if v and not is_layout(v)), "")


def behind_colour(call: Call) -> str:
    """``{{color|red|word}}`` → "word": what follows the colour."""
    return call.get(2, "text", "label", "caption")


def legend(call: Call) -> str:
    """``{{legend|#f00|Label}}`` → "Label" in a line; nothing on a line of its own, as the key of a picture or table."""
    return behind_colour(call) if call.in_line else ""


def keys(call: Call) -> str:
    """``{{key press|Ctrl|C}}`` → "Ctrl+C"."""
    values = [value for value in call.positional() if value]
    return "+".join(values) or call.get("chain")


def sic(call: Call) -> str:
    """``{{sic|mis|spelt}}`` → "misspelt [sic]"; ``hide`` takes the hint away."""
    text = "".join(call.positional())
    return text if call.get("hide") and text else f"{text} [sic]".strip()


def together(call: Call) -> str:
    """``{{not a typo|te|h}}`` → "teh"."""
    return "".join(call.positional())


def born_as(word: str) -> Handler:
    """``{{nee|Kasner}}`` → "née Kasner"."""
    return lambda call: f"{word} {call.get(1)}".strip()


def numbered(call: Call) -> str:
    """``{{ordered list|a|b}}``: one numbered line for each."""
    return "\n" + "\n".join(f"# {value}" for value in call.positional() if value) + "\n"


def lines(call: Call) -> str:
    """``{{br separated entries|a|b}}``: one line for each."""
    return BREAK.join(value for value in call.positional() if value)


def listed(*, alternative: bool) -> Handler:
    """``{{enum|a|b|c}}`` → "a, b, and c"; elsewhere with the wiki's own "and"."""

    def show(call: Call) -> str:
        values = [value for value in call.positional() if value]
        if len(values) < 2:
            return "".join(values)
        if not is_english(call.language):
            return locales.joined(", ".join(values[:-1]), values[-1], call.language, alternative=alternative)
        word = "or" if alternative else "and"
        last = f", {word} " if len(values) > 2 else f" {word} "
        return ", ".join(values[:-1]) + last + values[-1]

    return show


def literally(call: Call) -> str:
    """``{{lit|a|b}}`` → "lit. 'a' or 'b'"."""
    values = [f"'{value}'" for value in call.positional() if value]
    if not values:
        return ""
    return "lit. " + (" or ".join(values) if len(values) < 3 else ", ".join(values[:-1]) + f" or {values[-1]}")


_NOTES = """
flat ♭|b ♭|sharp ♯|# ♯|natural ♮|n ♮|doubleflat 𝄫|bb 𝄫|double flat 𝄫|doublesharp 𝄪|## 𝄪|x 𝄪|double sharp 𝄪
halfflat 𝄳|half flat 𝄳|halfsharp 𝄲|half sharp 𝄲|d 𝄳|t 𝄲|naturalflat ♮♭|naturalsharp ♮♯|quarter ♩|crotchet ♩|eighth ♪
quaver ♪|beamed eighth ♫|beamed sixteenth ♬|half 𝅗𝅥|minim 𝅗𝅥|whole 𝅝|semibreve 𝅝|sixteenth 𝅘𝅥𝅯|semiquaver 𝅘𝅥𝅯|breve 𝅜
treble 𝄞|trebleclef 𝄞|gclef 𝄞|bass 𝄢|bassclef 𝄢|fclef 𝄢|alto 𝄡|altoclef 𝄡|cclef 𝄡|segno 𝄋|coda 𝄌|fermata 𝄐
common 𝄴|commontime 𝄴|common-time 𝄴|cut 𝄵|cuttime 𝄵|cut-time 𝄵|alla breve 𝄵|diminished °|dim °|o °|halfdim ø
half-dim ø|halfdiminished ø|0 ø|augmented +|aug +|major Δ|maj Δ|delta Δ|piano 𝆏|p 𝆏|forte 𝆑|f 𝆑|mezzo 𝆐|m 𝆐
crescendo 𝆒|decrescendo 𝆓|diminuendo 𝆓|trill 𝆖|turn 𝆗|mordent 𝆖|repeat 𝄇|wholerest 𝄻|halfrest 𝄼|quarterrest 𝄽
eighthrest 𝄾|da capo D.C.|dal segno D.S.
"""
_SIGNS = {
    name: sign for entry in re.split(r"[|\n]", _NOTES.strip()) for name, _, sign in [entry.rpartition(" ")] if name
}


def music(call: Call) -> str:
    """``{{music|flat}}`` → "♭", ``{{music|time|3|4}}`` → "3/4"; a value without a sign stays as it is."""
    kind = call.get(1).lower()
    if kind in ("time", "scale", "figure", "chord"):
        values = [value for value in call.positional()[1:] if value]
        return "/".join(values) if kind == "time" else " ".join(values)
    return _SIGNS.get(kind.replace("_", " "), call.get(1))


def korean(call: Call) -> str:
    """``{{korean|hangul=한국|hanja=韓國|rr=hanguk}}`` → "Korean: 한국; Hanja: 韓國; RR: hanguk"."""
    parts = ((label_before("ko", call.language), "hangul"), ("Hanja: ", "hanja"), ("RR: ", "rr"), ("MR: ", "mr"))
    shown = [f"{label}{value}" for label, name in parts if (value := call.get(name))]
    return "; ".join(shown) or call.get(1)


def twin_town(call: Call) -> str:
    """``{{Jumelage|Osaka|Japon|année=1985}}`` → "Osaka (Japon), 1985"; the town may stand second."""
    values = [value for value in call.positional() if value]
    town, country = [*values, "", ""][:2]
    if normal_name(call.name).startswith("gemellaggio"):
        town, country = country or town, town if country else ""
    year = call.get("année", "annee", "anno", "data", "date") or (values[2] if len(values) > 2 else "")
    town, country = town.rpartition("|")[2], country.rpartition("|")[2]  # ``Chili (New York){{!}}Chili``
    country = local_name(country, call.language) or country
    shown = f"{town} ({country})" if country else town
    return f"{shown}, {year}" if year else shown


def italian_flag(call: Call) -> str:
    """``{{bandiera|Francia|nome}}`` → "Francia" with its flag; the flag alone without ``nome``."""
    if call.get(2).casefold() not in ("nome", "bandiera e nome"):
        return ""
    return local_name(call.get(1), call.language) or call.get(1)


def without_brackets(call: Call) -> str:
    """``{{souverain|Joseph II (empereur)}}`` → "Joseph II": a title without what tells it from others."""
    return re.sub(r" \([^()]*\)$", "", call.get("texte", 1))


def titled(title: str) -> Handler:
    """``{{Mme|Curie}}`` → "Mme Curie", ``{{Mme}}`` → "Mme"."""
    return lambda call: f"{title} {call.get(1)}".strip()


def translated_verse(call: Call) -> str:
    """Verse and its translation: one after the other, each on lines of its own."""
    texts = [value for value in (call.get(1, "lang1"), call.get(2, "lang2")) if value]
    return "".join("\n\n" + BREAK.join(text.split("\n")) + "\n\n" for text in texts)


def itself(call: Call) -> str:
    """A name that is its own value: ``{{84ème}}`` → "84e", ``{{1er|champion}}`` → "1er champion"."""
    shown = re.sub("ème$", "e", re.sub("ère$", "re", title_of(call.name)))
    return f"{shown} {call.get(1)}".strip()


def lower_itself(call: Call) -> str:
    """A name that is its own value in small letters: ``{{er}}`` → "er"; before it what it is put behind."""
    return call.get(1) + normal_name(call.name)


def doubted(call: Call) -> str:
    """``{{clarify|text=the words}}``: the words that a remark is about, where they stand inside it."""
    return call.get("text", "content", "quote-text")
