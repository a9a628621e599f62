"""What templates show that many Wikipedias share, under their English names."""
# ruff: noqa: RUF001, RUF002 - dashes, fractions and phonetic signs are the subject

from __future__ import annotations

import re

from llama_data.stages.wikipedia.templates.call import Call, Handler
from llama_data.stages.wikipedia.templates.labels import label_before
from llama_data.stages.wikipedia.templates.numbers import amount


def first(call: Call) -> str:
    """The first argument."""
    return call.get(1)


def second(call: Call) -> str:
    """The second argument, or the first when there is none."""
    return call.get(2, 1)


def last(call: Call) -> str:
    """The last positional argument that is not empty: the text of ``{{transl|ar|DIN|text}}``."""
    return next((value for value in reversed(call.positional()) if value), "")


def nothing(call: Call) -> str:
    """A template that shows no running text."""
    return ""


def constant(text: str) -> Handler:
    """A template that always shows the same text."""
    return lambda call: text


def joined(separator: str) -> Handler:
    """All positional arguments."""
    return lambda call: separator.join(value for value in call.positional() if value)


def wrapped(before: str, after: str) -> Handler:
    """The first argument between two texts; nothing when it is empty."""
    return lambda call: f"{before}{value}{after}" if (value := call.get(1)) else ""


def lang(call: Call) -> str:
    """``{{lang|grc|ἀναρχία}}``: the text in the other language."""
    return call.get(2, "text", "texte", "texto")


def lang_rus(call: Call) -> str:
    """``{{lang-rus|Андрей|Andrei|p=...}}``: text, transliteration and pronunciation."""
    parts = [call.get(1), call.get(2), f"IPA: [{call.get('p')}]" if call.get("p") else ""]
    return label_before("ru", call.language) + ", ".join(part for part in parts if part) if call.get(1) else ""


def spaced(call: Call) -> str:
    """``{{nobr|4,4|millions}}`` → "4,4 millions": all that must not be parted."""
    return " ".join(value for value in call.positional() if value)


def hard_space(call: Call) -> str:
    """``{{esd}}`` → " ", ``{{esd|25 km}}`` → "25 km"."""
    return call.get(1) or " "


_NOT_READ = re.compile(
    r"""listen|play|audio|sound|hear|info|help|pronun|ascolt|произнош|слуш|escuch|écout|ouvir|anhör|aussprache|lyt|lyd
    |udtale|uttal|lyssna|luister|uitspraak|hallgat|kiejt|ascult|posluš|izgovor|изговор|poslech|výslov|posłuch|wymow
    |вимов|прослух|escolt|🔊|ⓘ|\?""",
    re.IGNORECASE | re.VERBOSE,
)


def sound(call: Call) -> str:
    """``{{audio|De-Berlin.ogg|Berlin}}`` → "Berlin": the word, unless it only says that there is something to hear."""
    label = call.get(2, "label")
    return "" if not call.in_line or _NOT_READ.search(label) else label


def numero(call: Call) -> str:
    """``{{numero|5}}`` → "No. 5"; on other wikis the number: they have the word for one that is to be written."""
    if call.language == "en":
        return f"No. {call.get(1)}"
    return amount(call.get(1), call.language)


def wikidata_link(call: Call) -> str:
    """``{{ill-wd|Q64|label}}``: the label, not the item's number."""
    return next((value for value in call.positional() if value and not re.fullmatch(r"[QPL]\d+", value)), "")


def linked_word(call: Call) -> str:
    """``{{wikt|word}}`` → "word" in a line; a line of its own is a box that points to the sister project."""
    return call.get(2, 1) if call.in_line else ""


def nihongo(call: Call) -> str:
    """``{{nihongo|English|漢字|romaji|extra}}`` → "English (漢字, romaji, extra)"; some bring the comma with them."""
    english, kanji, romaji = call.get(1), call.get(2).rstrip(" ,"), call.get(3).rstrip(" ,")
    inside = ", ".join(part for part in (kanji, romaji, call.get("extra", 4)) if part)
    after = call.get("extra2", 5)
    shown = f"{english} ({inside})" if english and inside else english or inside
    return f"{shown} {after}" if after else shown


def nihongo3(call: Call) -> str:
    """``{{nihongo3|English|漢字|romaji}}`` → "romaji (漢字, English)"."""
    inside = ", ".join(part for part in (call.get(2), call.get(1), call.get("extra", 4)) if part)
    return f"{call.get(3)} ({inside})" if call.get(3) and inside else call.get(3) or inside


_SYSTEMS = {"p": "pinyin", "w": "Wade–Giles", "j": "Jyutping", "y": "Cantonese Yale", "poj": "Pe̍h-ōe-jī"}


def chinese(call: Call) -> str:
    """``{{zh|c=..|p=..}}`` → "Chinese: ..; pinyin: .."; elsewhere with the wiki's own name of the language."""
    labels = {"c": "Chinese: ", "s": "simplified Chinese: ", "t": "traditional Chinese: "}
    if call.language != "en":
        labels = dict.fromkeys(labels, label_before("zh", call.language))
    labels |= {key: f"{name}: " for key, name in _SYSTEMS.items()} | {"l": "lit.: " if call.language == "en" else ""}
    named = call.get("labels") not in ("no", "none")
    shown = [(label, call.get(key)) for key, label in labels.items()]
    return "; ".join(f"{label}{value}" if named else value for label, value in shown if value)


_SOUNDS = (".ogg", ".oga", ".wav")
_IPA_HELP = frozenset({"icon", "pron", "local", "audio", "uk", "us", "lang", "small", "also", "generally", "ipa"})


def ipa(call: Call) -> str:
    """``{{IPA|/a/}}``, ``{{IPA|de|bɛʁˈliːn}}``: the transcription."""
    values = [value for value in call.positional() if value and not value.lower().endswith(_SOUNDS)]
    if len(values) > 1 and re.fullmatch(r"[a-z]{2,3}(?:-[a-zA-Z]+)?", values[0]):
        return values[1]
    return values[0] if values else ""


def ipa_of(call: Call) -> str:
    """``{{IPA-de|bɛʁˈliːn|lang}}`` → "[bɛʁˈliːn]"."""
    value = call.get(1)
    return value if not value or value[0] in "[/" else f"[{value}]"


def ipac(call: Call) -> str:
    """``{{IPAc-en|æ|l|ə|ˈ|b|æ|m|ə}}`` → "/æləˈbæmə/": the sounds one after the other."""
    values = [value for value in call.positional() if value.lower() not in _IPA_HELP]
    sounds = "".join(value.replace("_", " ") or " " for value in values if not value.lower().endswith(_SOUNDS))
    return f"/{' '.join(sounds.split())}/" if sounds.strip() else ""


def respell(call: Call) -> str:
    """``{{respell|AL|ə|BAM|ə}}`` → "AL-ə-BAM-ə"."""
    return "-".join(call.positional()).replace("-_-", " ").replace("-'-", "'")


def interlanguage_link(call: Call) -> str:
    """``{{ill|Title|de|Titel|lt=label}}``: the label; the language may come first."""
    label = call.get("lt", "display")
    values = call.positional()
    if label or not values:
        return label
    return values[1] if len(values) > 1 and re.fullmatch(r"[a-z]{2,3}", values[0]) else values[0]


def old_style_date(call: Call) -> str:
    """``{{OldStyleDate|February 2|1905|January 20}}`` → "February 2 [O.S. January 20] 1905"."""
    old = f"[O.S. {call.get(3)}]" if call.get(3) else ""
    return " ".join(part for part in (call.get(1), old, call.get(2)) if part)


def years(prefix: str) -> Handler:
    """``{{reign|1000|1020}}`` → "r. 1000–1020"."""
    return lambda call: prefix + "–".join(value for value in call.positional()[:2] if value)


def marriage(call: Call) -> str:
    """``{{marriage|Name|1990|2000}}`` → "Name (m. 1990–2000)"."""
    when = "–".join(value for value in (call.get(2), call.get(3, "end")) if value)
    return f"{call.get(1)} (m. {when})" if when else call.get(1)


def block(call: Call) -> str:
    """A template around a list or a paragraph: its content on lines of its own. A first number says columns."""
    text = call.get(1, "content", "list")
    if re.fullmatch(r"[\d.]*(?:em|px|%)?", text):
        text = call.get(2)
    return f"\n{text}\n" if text else ""


def bulleted(call: Call) -> str:
    """``{{unbulleted list|a|b}}``: one line for each."""
    return "\n" + "\n".join(f"* {value}" for value in call.positional() if value) + "\n"


def joined_two(call: Call) -> str:
    """``{{bibleref|Mark|3:25}}`` → "Mark 3:25", ``{{sortname|First|Last}}`` → "First Last"."""
    return " ".join(value for value in call.positional()[:2] if value)


def nuclide(call: Call) -> str:
    """``{{nuclide|uranium|235}}`` → "uranium-235"."""
    return "-".join(value for value in call.positional()[:2] if value)


def ship_class(call: Call) -> str:
    """``{{sclass|Nimitz|aircraft carrier}}`` → "Nimitz-class aircraft carrier"."""
    return f"{call.get(1)}-class {call.get(2)}".strip()


def page_title(call: Call) -> str:
    """``{{PAGENAME}}``: the title of the page."""
    return call.title


def ship(prefix: str) -> Handler:
    """``{{USS|Enterprise|CV-6}}`` → "USS Enterprise (CV-6)"."""
    return lambda call: f"{prefix} {call.get(1)}" + (f" ({call.get(2)})" if call.get(2) else "")
