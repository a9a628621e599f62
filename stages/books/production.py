"""What the people who made a file of a book wrote about that: credits, and notes of transcribers and preparers.

A credit is not told by its first words ("Produced by Nature, ...") but by all of them: names, addresses, and words from
the small vocabulary that credits have. A note is told by its heading, and by the words of the first lines below it.
"""

from __future__ import annotations

import re

_LEAST_BODY = 20
_CREDIT_LINES = 25
_LONGEST_PARAGRAPH = 4_000
_NOTE_LINES = 40
_FRONT = 3_000
"""A note on the title page begins within so many characters of the beginning."""

_LONGEST_NOTE = 20_000
_MOST_BLANK, _WIDEST_RULE = 40, 200

_BY_MACHINE = (
    r"(?:produced|scanned|typed|transcribed|digiti[sz]ed|proofed|proof-?read|converted|keyed|OCR'?e?d|prepared)"
)
_MADE = rf"(?:{_BY_MACHINE}|created|provided|compiled|contributed|donated|entered|formatted|submitted|edited)"
_FILE = r"(?:electronic )?(?:e-?text|e-?book|file|text|transcription|electronic (?:edition|version))"
_BOOK = r"(?:electronic )?(?:book|version|edition|volume)"
_CREDIT = re.compile(
    r"[\[(*_\s]*(?:"
    rf"(?:this |the |these )?(?:project gutenberg )?{_FILE}s? (?:was |were |is |has been |originally )*{_MADE}\b"
    rf"|(?:this |the |these )?{_BOOK}s? (?:was |were |is |has been |originally )*{_BY_MACHINE}\b"
    rf"|{_BY_MACHINE}(?:(?:,| and| &|/) ?(?:\w+ )?{_MADE}){{0,3}} (?:by|from)\b"
    r"|(?:html|text|epub|e-?book|e-?text|digital|online) (?:file |version |edition )?(?:\w+ ){0,2}(?:by|prepared)\b"
    r"|credits?:|(?:additional )?proof-?read(?:ers|ing)?(?: by|:)|(?:many |special )?thanks to\b"
    r"|updated editions? will\b"
    r"|note: (?:project gutenberg|images of)|images of the original pages|images generously\b"
    r"|(?:produit|num\xe9ris\xe9|pr\xe9par\xe9) par\b|(?:erstellt|produziert) (?:von|durch)\b|prodotto da\b"
    r"|(?:producido|preparado) por\b|(?:produzido|preparado) por\b|geproduceerd door\b|framst\xe4lld av\b|tuottanut\b"
    r")",
    re.I,
)
# Small words, and those of at least two of 3,200 credits in English, and their like in the languages above.
_CREDIT_WORDS = """
a about accelerator acknowledged added additional after all also american an and anonymous another archive are as
assistance at author authors available back based been beginning being board book books both but by came canada class
collection comments compiled complete computer contributed conversion converted copy correct corrected corrections
courtesy cover created credits de del der des die digital digitised digitized distributed do domain donated door du
during e e-book e-books e-text e-texts earlier early ebook ebooks edited edition editions education educational
electronic email entered equipment et etc etext etexts extended extensive facilities family file files first flatbed
for formatted found free freely from generously google gracious graciously grateful gratefully group gutenberg had has
have help helpful her his html http https i illustrated illustrations image images in internet into is it jpg kindly
la later le les liberally libraries library linking loan made many material materials members memory missing more most
much my nationale no note noted obtained ocr of on online or original originally other our out page pages par pdf
permission photographed por possible post posted posting preparation prepared present previous printed process
processed processing produced producing production project proof proof-read proof-reading proofed proofer proofers
proofing proofread proofreader proofreaders proofreading proofs provided public published readers release released
respectively revised scan scanned scanner scanners scanning scans second see service set several site sites software
some source sources special submitted supplied supplying support team text texts thank thanks that the their them
these they this those through time to together transcribed transcriber transcribers transcription twenty typed typing
university updated use used using van various version versions very volume volumes volunteer volunteers von was we web
website well were who wife will with without work works worldwide would www xml y you zip
"""
_VOCABULARY = frozenset(_CREDIT_WORDS.split())
_ADDRESS = re.compile(
    r"<?\b(?:https?://|www\.)\S+|<?[\w.+-]+(?:@[\w.-]+| at [\w-]+\.[\w.-]+)>?|\b[\w-]+\.(?:net|org|com)\b\S*", re.I
)
_PROOFREADERS = re.compile(r"distributed proof-?read|proof-?reading (?:canada )?team|pgdp", re.I)
_SOURCE = re.compile(r"project gutenberg|internet archive|\be-?(?:text|book)\b", re.I)
_LOWER = re.compile(r"(?<![\w'\u2019-])[a-z\xdf-\xff][\w'\u2019-]*")
_ALONE = re.compile(
    r"(?:(?<=[,;(&])|\band\b|\bby\b|\bwith\b|^)\s*[a-z\xdf-\xff][\w-]*(?=\s*(?:[,;)&]|\band\b|$))", re.M
)
_LEFTOVER = re.compile(
    r"[\W_]*(?:"
    r"(?:this is )?(?:the )?project gutenberg(?:['\u2019]s|-tm)? (?:e-?text|e-?book|edition|presentation)\b"
    r"|this is the (?:\w+ \d{4} )?project gutenberg (?:[\d.]+ )?(?:release|edition)\b|this e-?(?:text|book) is in \w+"
    r"|portions of this (?:header|e-?book)"
    r"|this e-?(?:book|text) was one of project gutenberg"
    r"|(?:note: )?there (?:is|are) (?:\w+ ){0,3}(?:edition|version)s? of this (?:title|e-?book|e-?text|work|book)"
    r"|this electronic version of the complete works"
    r"|\[?(?:e-?text|e-?book) #\d+"
    r"|(?:editor(?:ial|['\u2019]s) )?note\b[^\n]*(?:\n[^\n]+)*?(?:project gutenberg|\be-?text|\be-?book)"
    r")",
    re.I,
)
_LEFTOVER_LINES = 12
_FIELDS = re.compile(r"Title: .*(?:\n {2,}.*)*(?:\n[ \t]*)*\n(?:Author|Translator|Editor): .*(?:\n {2,}.*)*\s*\Z")

_WHO = (
    r"(?:(?:original|e-?text|e-?book|text|html|digital) )?(?:transcri(?:ber|ption|ptionist)|preparer|proofer"
    r"|proof-?reader|redactor|digiti[sz]er|scanner|producer|compositor|post-?processor)"
)
_NOTES = r"(?:end-?)?(?:notes?|comments?|remarks?|errata|corrections?)"
_HEADING = (
    r"(?:(?:the )?"
    rf"(?:{_WHO}s?['\u2019]?s?['\u2019]? {_NOTES}|(?:e-?text|e-?book) editor['\u2019]?s? {_NOTES}"
    rf"|{_NOTES} (?:by|from|of|on) (?:the )?{_WHO}s?|e-?text transcriber {_NOTES}|production notes?"
    rf"|{_NOTES} (?:on|to|about) (?:this|the) e-?text"
    r"|notes? (?:du|de la|des|sur la) transcri\w+|notas? (?:del?|da|do|sobre la) (?:la )?transcri\w+"
    r"|nota (?:del|di) trascri\w+|anmerkung(?:en)? (?:zur|des|der) (?:transkri\w+|bearbeiter\w*)"
    r"|(?:note )?au lecteur|opmerkingen van de (?:bewerker|transcri\w+)"
    r"|typographical errors corrected (?:by the e-?text transcriber|in (?:the )?(?:e-?)?text))"
    r")\b"
)
_DECORATION = r"[\[({\s_*|+=~#\u2022\u25cf.\-]*"
# Every heading has one of these.
_MAKERS = (
    *("scri", "skri", "prepar", "proof", "redactor", "digiti", "scanner", "producer", "production", "composit"),
    *("processor", "typographical errors", "text editor", "book editor", "bearbeiter", "bewerker", "au lecteur"),
    *(f"{word} {the} e{end}" for word in ("on", "to", "about") for the in ("this", "the") for end in ("text", "-text")),
)
_NOTE = re.compile(rf"{_DECORATION}(?:{_HEADING}|(?<=\[)(?:this|the) {_FILE}\b)", re.I)
_NOTE_LINE = re.compile(rf"^[\[({{ \t_*|+=~#\u2022\u25cf.\-]*(?:{_HEADING}|(?<=\[)(?:this|the) {_FILE}\b)", re.I | re.M)
_ABOUT_FILE = re.compile(
    r"\b(?:pages?|pp?|pg|lines?|chang(?:ed?|es)|unchanged|correct(?:ed|ions?)|(?:mis)?spell(?:ings?|ed)|hyphen\w*"
    r"|punctuat\w+|original\w*|texts?|e-?texts?|e-?books?|typograph\w+|typos?|errors?|errat(?:a|um)|retained|italic\w*"
    r"|quot(?:es?|ation)|transcri\w+|printed|printer\w*|editions?|footnotes?|illustrations?|inconsisten\w+|obvious"
    r"|amended|versions?|captions?|capital\w*|accent\w*|unicode|ascii|utf|html|silently|preserved|underscores?|replaced"
    r"|moved|added|removed|omitted|publication|copyright|renewed|reproduced|modern\w*|proof\w*|scans?|scann\w+|archaic|ligatures?"
    r"|diacritic\w*|font|bold|symbols?|orthograph\w+|orthographe|corrig\w+|rechtschreib\w+|druckfehler|erreurs?|spelling"
    r"|series|volumes?|insert\w*|words?|contents|created|letters?|publish\w*|digiti\w+|fout\w*|errores|ortograf\w+|gesperrt\w*)\b",
    re.I,
)
_SAMPLE = 400
_BRACKET = re.compile(r"[\[\]]")
_PARAGRAPH_END = re.compile(r"\n[ \t\f]*\n[ \t\f\n]*")
_BLANK_ABOVE = re.compile(r"\n[ \t]*\n(?:[ \t]*[-+=*_|][-+=*_| \t]*\n)*[ \t]*\Z")
_VISIBLE = re.compile(r"\S")
_WIDE_GAP = re.compile(r"\n[ \t]*\n[ \t]*\n")
_RULE = re.compile(r"[-_=*+~| \t]+\Z")


def is_credit(paragraph: str, *, framed: bool = True) -> bool:
    """True when a paragraph names who made the file, and does nothing else.

    ``framed``: it follows a header of Gutenberg; elsewhere a credit needs an address or the name of a project too.
    """
    paragraph = paragraph.strip()
    if paragraph.count("\n") >= _CREDIT_LINES:
        return False
    named = bool(_PROOFREADERS.search(paragraph) or _ADDRESS.search(paragraph))
    begins = _CREDIT.match(paragraph) is not None
    if not (begins and (framed or named or _SOURCE.search(paragraph))) and not (framed and named):
        return False
    bare = _ADDRESS.sub(" ", paragraph)
    words = [word.lower() for word in _LOWER.findall(bare)]
    strange = sum(word not in _VOCABULARY for word in words)
    strange -= sum(match.group().split()[-1] not in _VOCABULARY for match in _ALONE.finditer(bare))
    # An address in a sentence does not make it a credit; behind the words that credits begin with it does.
    return strange <= len(words) * (0.5 if named and begins else 0.2)


def without_front_matter(text: str, *, framed: bool) -> str:
    """The text after leading credits, notes and leftovers of a header, and without the note on its title page.

    The same object when there are none.
    """
    position = 0
    while True:
        start = _after_space(text, position)
        end = _end_of_production(text, start, framed)
        if end == 0 or len(text) - end < _LEAST_BODY:
            break
        position = end
    rest = text[position:].lstrip("\n") if position else text
    return _without_early_note(rest) if framed else rest


def without_end_matter(text: str, *, framed: bool) -> str:
    """The text before the note and the credits with which it ends; the same object when there are none."""
    end = _start_of_final_note(text)
    while framed and end > _LEAST_BODY:
        start = max((match.end() for match in _PARAGRAPH_END.finditer(text, max(0, end - 2_000), end)), default=0)
        paragraph = text[start:end].strip()
        if not start or not (_CREDIT.match(paragraph) and is_credit(paragraph)):
            break
        while start and text[start - 1].isspace():
            start -= 1
        end = start
    return text if end == len(text) else text[:end]


def _after_space(text: str, position: int) -> int:
    """The first place from a position on where no white space is, or the end."""
    match = _VISIBLE.search(text, position)
    return match.start() if match else len(text)


def _paragraph_end(text: str, position: int) -> int:
    """Where the paragraph ends, blank lines behind it included."""
    match = _PARAGRAPH_END.search(text, position)
    return match.end() if match else len(text)


def _end_of_production(text: str, start: int, framed: bool) -> int:
    """The end of the credit, note or leftover that begins at a place, or 0."""
    end = _paragraph_end(text, start)
    paragraph = text[start : min(end, start + _LONGEST_PARAGRAPH)]
    if is_credit(paragraph, framed=framed):
        return end
    if (
        framed
        and paragraph.strip().count("\n") < _LEFTOVER_LINES
        and (_LEFTOVER.match(paragraph) or _FIELDS.match(paragraph))
    ):
        return end
    return _end_of_note(text, start, end)


def _end_of_note(text: str, start: int, end: int) -> int:
    """The end of the note that begins at a place, or 0; ``end``: of its first paragraph."""
    note = _NOTE.match(text, start, end)
    if note is None:
        return 0
    if "[" in note.group():
        return _end_of_brackets(text, start, 5_000) or end
    if not _is_about_file(text, note.end()):
        return 0
    if text[note.end() : end].strip(" :.\n_*|+=-"):
        return _end_of_note_paragraphs(text, end)
    return _end_of_section(text, end)  # the heading stands alone: the note is what follows


def _end_of_note_paragraphs(text: str, end: int) -> int:
    """The end of the paragraphs that go on with a note: one blank line before each, and much about the file in it."""
    for _ in range(_NOTE_LINES):
        if text.count("\n", max(0, end - 40), end) - text[max(0, end - 40) : end].rstrip().count("\n") > 2:
            break
        following = _paragraph_end(text, end)
        paragraph = text[end:following]
        if len(_ABOUT_FILE.findall(paragraph)) * 8 < len(paragraph.split()) or not paragraph.strip():
            break
        end = following
    return end


def _end_of_brackets(text: str, begin: int, longest: int) -> int:
    """The end of the brackets that are open from a place on; 0 when they are not closed within so many characters."""
    depth = 0
    for match in _BRACKET.finditer(text, begin, begin + longest):
        depth += 1 if match.group() == "[" else -1
        if depth == 0:
            return match.end()
    return 0


def _is_about_file(text: str, position: int) -> bool:
    """True when what follows a heading speaks of texts and their errors: a word in forty. In prose one in 150 does."""
    sample = _WIDE_GAP.split(text[position : position + _SAMPLE].lstrip(" :.\n_*|+=-"), 1)[0]
    return len(_ABOUT_FILE.findall(sample)) * 40 >= len(sample.split())


def _end_of_section(text: str, position: int) -> int:
    """The end of the paragraphs up to the next gap of two blank lines, or of one paragraph when that is far."""
    gap = _WIDE_GAP.search(text, position, position + 10_000)
    if gap and text.count("\n", position, gap.start()) <= _NOTE_LINES:
        return gap.end()
    return _paragraph_end(text, position)


def _without_early_note(text: str) -> str:
    """The text without the first note that stands on its first pages as a paragraph, or section, of its own."""
    for match in _NOTE_LINE.finditer(text, 0, min(_FRONT, len(text) // 3)):
        above = _BLANK_ABOVE.search(text, max(0, match.start() - 300), match.start())
        if above:
            end = _end_of_note(text, match.start(), _paragraph_end(text, match.end()))
            if end and len(text) - end >= _LEAST_BODY:
                return text[: above.start()].rstrip() + "\n\n\n" + text[end:].lstrip("\n")
    return text


def _start_of_final_note(text: str) -> int:
    """Where the note begins with which the text ends, or the end of the text.

    A rule or two blank lines precede it. Before one in brackets, which close at the end, one blank line is enough.
    """
    begin = max(len(text) - _LONGEST_NOTE, len(text) // 2)
    lowered = text[begin:].lower()
    if not any(word in lowered for word in _MAKERS):
        return len(text)
    for match in _NOTE_LINE.finditer(text, begin):
        above = _break_above(text, match.start())
        if "[" in match.group():
            close = _end_of_brackets(text, match.start(), _LONGEST_NOTE)
            if not close or text[close:].strip(" \n|_*=+-"):
                continue
            if above is None:  # brackets say where it ends: one blank line is enough before it
                blank = _BLANK_ABOVE.search(text, max(0, match.start() - 300), match.start())
                above = blank.start() if blank else None
        elif not _is_about_file(text, match.end()):
            continue
        if above is not None:
            return above
    return len(text)


def _break_above(text: str, position: int) -> int | None:
    """Where the rules and blank lines above a line begin; None when they are neither a rule nor two blank lines."""
    begin, blank, rules = position, 0, 0
    while begin > 0 and blank + rules < _MOST_BLANK:
        start = text.rfind("\n", max(0, begin - 1 - _WIDEST_RULE), begin - 1) + 1
        line = text[start : begin - 1]
        if line.strip() and not _RULE.match(line):
            break
        rules += bool(line.strip())
        blank += not line.strip()
        begin = start
    return begin if rules or blank >= 2 or begin == 0 else None
