"""What an unknown template is taken to show: its first argument that is text, unless its name says otherwise.

Templates inside a sentence mostly set their argument in some type or add a hint to it (``{{nowrap|text}}``,
``{{abbr|text|hint}}``); an argument that is an address, a file, a colour, a size, a code or a count says how or where.
"""

from __future__ import annotations

import re
from functools import lru_cache

from llama_data.stages.wikipedia.opaque import BREAK, GAP
from llama_data.stages.wikipedia.templates.call import Call, normal_name

MAX_LOOKED_AT = 3
"""Arguments that are looked at: what is not text stands before the text."""

# Parts of names; a hyphen behind one stands for the end of a word.
_BOX_WORDS = """
box- boks infobo stub- cite- citation citace citar- ref notes- note- nota- notas- notelist fußnote needed
required source fact- clarif cleanup icon- flag- map- image imagem- bild- fichier file- gallery galerie portal
portail commons wikt wiki- categor kategor coord isbn issn doi- oclc archiv anchor ancre anker toc- clear
audio listen video main- see- also- article- artikel- nav bar- menu palette ébauche succession sort- sortkey
cell- table- row- chart graph end- start- begin- bottom- top- redirect disamb hatnote authority external dead
mort- url- web- doc- warning stop- protect quality featured tracklist schedule result score- bracket medal
squad player standing fixture election poll census weather climate roster источник прим карточка картка флаг
прапор навигац файл изображ категор координат статья шаблон сноск нет- портал ссылк якорь подст заготовк przyp
źródł fakt- fonte fuente referencia verificar bandera bandiera drapeau vlag- vlajka zászló steag zastava
застава знаме flagge hlavní viz- osobny galer imatge kilde- källa bron- forrás jegyzet notă- bilješk opomb
белешк бележк извор източник
"""
_BOX = re.compile(
    "|".join(re.escape(w.removesuffix("-")) + (r"\b" if w[-1] == "-" else "") for w in _BOX_WORDS.split())
)
_ADDRESS = re.compile(r"(?:[a-z][a-z+.-]{1,12}:)?//\S|www\.|mailto:|\S+@\S+\.\S+$", re.IGNORECASE)
_FILE = re.compile(
    r"[^\n]{1,200}\.(?:jpe?g|png|svg|gif|tiff?|webp|og[gav]|wav|mp[34]|webm|pdf|djvu|mid|flac)$", re.IGNORECASE
)
_STYLE = re.compile(
    r"""\#[0-9a-f]{3,8}|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6}|ffffff|(?:rgb|hsl)a?\([\d\s.,%]*\)   # colours
    |[-+]?[\d.,]+\s*(?:px|em|ex|rem|pt|%|pc|vw|vh)                                # sizes
    |x\d{1,4}px|\d{1,4}x\d{1,4}(?:px)?
    |(?:[a-z-]{2,30}\s*:\s*[^:;|]{1,60};?\s*)*[a-z-]{3,30}\s*:\s*[\w\#%.,() -]{1,60};\s*  # CSS
    |[a-z]{2,3}(?:-[a-zA-Z]{2,8}){0,2}|[A-Z]{1,3}                                 # codes of languages and countries
    |left|right|center|centre|none|yes|no|on|off|y|n|true|false|auto|small|big|thumb|nowrap|top|bottom|inline|left;right
    |black|white|red|green|blue|yellow|gray|grey|silver|orange|purple|lightgr[ae]y|pink|gold|navy|teal|maroon|lime|aqua""",
    re.VERBOSE,
)
# A numeral and the ending of its ordinal: ``{{-m|II|e}}``.
_ROMAN = re.compile("[IVXLCDM]+")
_ENDING = re.compile("er?|re|ère|è?me|ième|nde?")
_LETTER = re.compile(r"[^\W\d_]")
_MARKUP = re.compile(r"'{2,}|<[^<>]*>|[\x03\x04]")


@lru_cache(maxsize=1 << 14)
def is_box(name: str) -> bool:
    """True when the words of a template's normal name are those of boxes, notes, pictures and maintenance."""
    return bool(_BOX.search(name))


def shown_anyway(call: Call) -> str:
    """The text that an unknown template inside a line most probably shows; empty when nothing of it is text.

    Colours, sizes, codes and the like are stepped over; an address, a file or a number ends the search. A call
    over several lines or with more named than positional arguments is a box.
    """
    if is_box(normal_name(call.name)) or call.name.startswith("#"):
        return ""
    positional = [part for part in call.parts[1:] if not part.named]
    if 2 * len(positional) < len(call.parts) - 1:
        return ""
    if _ROMAN.fullmatch(call.get(1)) and _ENDING.fullmatch(call.get(2)):
        return call.get(1) + call.get(2)
    for number in range(1, MAX_LOOKED_AT + 1):
        value = call.get(number)
        bare = _MARKUP.sub("", value).strip()
        if not bare or "\n" in bare:
            return ""
        if _STYLE.fullmatch(bare):
            continue
        if _ADDRESS.match(bare) or _FILE.fullmatch(bare) or not _LETTER.search(bare):
            return ""
        return value.replace(BREAK, " ").strip(GAP + " ")
    return ""
