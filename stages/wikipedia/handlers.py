"""Handlers of templates that many Wikipedias share, under their English names."""

from __future__ import annotations

import re

from llama_data.stages.wikipedia.names import language_name
from llama_data.stages.wikipedia.numbers import format_number, superscript
from llama_data.stages.wikipedia.opaque import BREAK
from llama_data.stages.wikipedia.templates import Call, Handler, normal_name
from llama_data.stages.wikipedia.units import convert, cvt, show

MONTHS = (
    "January February March April May June July August September October November December"
).split()


def first(call: Call) -> str:
    """The first argument."""
    return call.get(1)


def second(call: Call) -> str:
    """The second argument, or the first when there is none."""
    return call.get(2, 1)


def last(call: Call) -> str:
    """The last positional argument that is not empty."""
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


def lang_prefixed(call: Call) -> str:
    """``{{lang-de|Wort}}`` → "German: Wort"; without the language's name on wikis other than the English."""
    code = normal_name(call.name).split("-", 1)[1]
    text = call.get(1, "text")
    if not text:
        return ""
    script = call.get(2, "translit", "lat")
    meaning = call.get("lit", "translation", 3)
    label = language_name(code) if call.language == "en" and call.get("label", "lead") not in ("none", "no") else ""
    shown = f"{label}: {text}" if label else text
    shown += f", {script}" if script and script != text else ""
    return shown + (f", lit. '{meaning}'" if meaning else "")


def lang_rus(call: Call) -> str:
    """``{{lang-rus|Андрей|Andrei|p=...}}``: text, transliteration and pronunciation."""
    parts = [call.get(1), call.get(2), f"IPA: [{call.get('p')}]" if call.get("p") else ""]
    return "Russian: " + ", ".join(part for part in parts if part) if call.get(1) else ""


def transl(call: Call) -> str:
    """``{{transl|ar|DIN|text}}``: the last of language, standard and text."""
    return last(call)


def nihongo(call: Call) -> str:
    """``{{nihongo|English|漢字|romaji|extra}}`` → "English (漢字, romaji, extra)"."""
    english, kanji, romaji = call.get(1), call.get(2), call.get(3)
    inside = ", ".join(part for part in (kanji, romaji, call.get("extra", 4)) if part)
    after = call.get("extra2", 5)
    shown = f"{english} ({inside})" if english and inside else english or inside
    return f"{shown} {after}" if after else shown


def nihongo3(call: Call) -> str:
    """``{{nihongo3|English|漢字|romaji}}`` → "romaji (漢字, English)"."""
    inside = ", ".join(part for part in (call.get(2), call.get(1), call.get("extra", 4)) if part)
    return f"{call.get(3)} ({inside})" if call.get(3) and inside else call.get(3) or inside


def chinese(call: Call) -> str:
    """``{{zh|c=..|p=..}}`` → "Chinese: ..; pinyin: .."."""
    labels = {
        "c": "Chinese", "s": "simplified Chinese", "t": "traditional Chinese", "p": "pinyin", "w": "Wade–Giles",
        "j": "Jyutping", "y": "Cantonese Yale", "poj": "Pe̍h-ōe-jī", "l": "lit.",
    }  # fmt: skip
    named = call.get("labels") not in ("no", "none")
    shown = [(label, call.get(key)) for key, label in labels.items()]
    return "; ".join(f"{label}: {value}" if named else value for label, value in shown if value)


_IPA_HELP = frozenset({"icon", "pron", "local", "audio", "uk", "us", "lang", "small", "also", "generally", "ipa"})


def ipa(call: Call) -> str:
    """``{{IPA|/a/}}``, ``{{IPA|de|bɛʁˈliːn}}``: the transcription."""
    values = [value for value in call.positional() if value and not value.lower().endswith((".ogg", ".oga", ".wav"))]
    return values[1] if len(values) > 1 and re.fullmatch(r"[a-z]{2,3}(?:-[a-zA-Z]+)?", values[0]) else (values or [""])[0]


def ipa_of(call: Call) -> str:
    """``{{IPA-de|bɛʁˈliːn|lang}}`` → "[bɛʁˈliːn]"."""
    value = call.get(1)
    return value if not value or value[0] in "[/" else f"[{value}]"


def ipac(call: Call) -> str:
    """``{{IPAc-en|æ|l|ə|ˈ|b|æ|m|ə}}`` → "/æləˈbæmə/": the sounds one after the other."""
    sounds = [v for v in call.positional() if v.lower() not in _IPA_HELP and not v.lower().endswith((".ogg", ".oga", ".wav"))]
    return f"/{' '.join(''.join(s or ' ' for s in sounds).split())}/" if sounds else ""


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


def fraction(call: Call) -> str:
    """``{{frac|1|2|3}}`` → "1 2⁄3"; ``{{frac|1|2}}`` → "1⁄2"; ``{{frac|2}}`` → "1⁄2"."""
    values = call.positional()
    if len(values) >= 3:
        return f"{values[0]} {values[1]}⁄{values[2]}"
    return f"{values[0]}⁄{values[1]}" if len(values) == 2 else f"1⁄{values[0]}" if values else ""


def sfrac(call: Call) -> str:
    """``{{sfrac|3n + 1|2}}`` → "(3n + 1)/2"."""
    values = [f"({v})" if re.search(r"\s", v.strip("'")) else v for v in call.positional()]
    if len(values) >= 3:
        return f"{values[0]} {values[1]}/{values[2]}"
    return "/".join(values) if len(values) == 2 else f"1/{values[0]}" if values else ""


def val(call: Call) -> str:
    """``{{val|6.241|e=18|u=kg}}`` → "6.241×10¹⁸ kg", with its uncertainty."""
    values = call.positional()
    number = show(values[0]) if values else ""
    error = next((v for v in values[1:] if v), "")
    if error:
        number += error if error.startswith("(") else f"±{error.lstrip('±')}"
    power = call.get("e")
    if power:
        number = f"{number}×10{superscript(power)}" if number else f"10{superscript(power)}"
    unit = call.get("u", "ul", "up", "upl")
    per = call.get("p", "pre", "fmt") if call.get("p") else ""
    tail = f" {unit}" if unit else ""
    return f"{per}{number}{'%' if unit == '%' else tail}{'/' + call.get('up', 'upl') if call.get('u') and call.get('up', 'upl') else ''}"


def power_of_ten(call: Call) -> str:
    """``{{e|24}}`` → "×10²⁴"."""
    return f"×10{superscript(call.get(1))}" if call.get(1) else ""


def chem(call: Call) -> str:
    """``{{chem|H|2|O}}`` → "H2O"."""
    return "".join(call.positional())


def as_of(call: Call) -> str:
    """``{{as of|2014|5|lc=y}}`` → "as of May 2014"."""
    if call.get("alt"):
        return call.get("alt")
    date = _date(call, 1, month_first=call.get("df").lower() in ("us", "mdy"))
    words = ("Since " if call.get("since") else "As of ") + date + call.get("post")
    return words[0].lower() + words[1:] if call.get("lc") else words


def _date(call: Call, start: int, *, month_first: bool) -> str:
    year, month, day = call.get(start), call.get(start + 1), call.get(start + 2)
    if month.isdecimal() and 1 <= int(month) <= 12:
        month = MONTHS[int(month) - 1]
    day = day.lstrip("0") if day.isdecimal() else ""
    if not month or not re.search(r"[^\d]", month):
        return year
    if not day:
        return f"{month} {year}".strip()
    return f"{month} {day}, {year}" if month_first else f"{day} {month} {year}".strip()


def plain_date(call: Call) -> str:
    """``{{start date|1954|7|17|df=y}}`` → "17 July 1954", else "July 17, 1954"."""
    if not call.get(1).isdecimal():
        return call.get(1)
    return _date(call, 1, month_first=not call.get("df").lower().startswith("y"))


def death_date(call: Call) -> str:
    """``{{death date and age|1999|1|2|1920|3|4}}``: the date; the age follows when both years are given."""
    return plain_date(call)


def circa(call: Call) -> str:
    """``{{circa|1800|1820}}`` → "c. 1800 – c. 1820"."""
    values = [value for value in call.positional() if value]
    return "c. " + " – c. ".join(values) if values else "c."


def years(prefix: str) -> Handler:
    """``{{reign|1000|1020}}`` → "r. 1000–1020"."""
    return lambda call: prefix + "–".join(value for value in call.positional()[:2] if value)


def marriage(call: Call) -> str:
    """``{{marriage|Name|1990|2000}}`` → "Name (m. 1990–2000)"."""
    when = "–".join(value for value in (call.get(2), call.get(3, "end")) if value)
    return f"{call.get(1)} (m. {when})" if when else call.get(1)


def money(symbol: str) -> Handler:
    """``{{US$|2 billion}}`` → "US$2 billion"."""
    return lambda call: f"{symbol}{call.get(1)}"


def currency(call: Call) -> str:
    """``{{currency|13 billion|USD}}`` → "13 billion USD"."""
    symbols = {"USD": "US$", "GBP": "£", "EUR": "€", "JPY": "¥", "AUD": "A$", "CAD": "C$", "": "US$"}
    code = call.get(2, "type").upper()
    return f"{symbols[code]}{call.get(1)}" if code in symbols else f"{call.get(1)} {code}"


def quotation(call: Call) -> str:
    """Block quotations: the text on lines of its own, then who said it."""
    text = call.get(1, "text", "quote", "quotetext", "content", "texte", "zitat", "tekst")
    author = call.get(2, "author", "sign", "by", "autor", "auteur")
    source = call.get(3, "source", "quelle", "title")
    who = ", ".join(part for part in (author, source) if part)
    return f"\n\n{text}{BREAK + '— ' + who if who else ''}\n\n" if text else ""


def block(call: Call) -> str:
    """A template around a list or a paragraph: its content on lines of its own."""
    text = call.get(1, "content", "list")
    return f"\n{text}\n" if text else ""


def bulleted(call: Call) -> str:
    """``{{unbulleted list|a|b}}``: one line for each."""
    return "\n" + "\n".join(f"* {value}" for value in call.positional() if value) + "\n"


def number(call: Call) -> str:
    """``{{nts|1234}}``, ``{{formatnum|1234}}``: the number in the wiki's format."""
    return format_number(call.get(1), call.language)


def bible(call: Call) -> str:
    """``{{bibleref|Mark|3:25}}`` → "Mark 3:25"."""
    return " ".join(value for value in call.positional()[:2] if value)


def ship(prefix: str) -> Handler:
    """``{{USS|Enterprise|CV-6}}`` → "USS Enterprise (CV-6)"."""
    return lambda call: f"{prefix} {call.get(1)}" + (f" ({call.get(2)})" if call.get(2) else "")


def person_sort(call: Call) -> str:
    """``{{sortname|First|Last}}`` → "First Last"."""
    return f"{call.get(1)} {call.get(2)}".strip()


def _many(names: str, handler: Handler) -> dict[str, Handler]:
    return {name.strip(): handler for name in re.split(r"[|\n]", names) if name.strip()}


COMMON: dict[str, Handler] = {
    **_many("convert|conv", convert),
    **_many("cvt|cv", cvt),
    "val": val,
    **_many("lang|lang2|langue|lang-xx|wikt-lang|rtl-lang", lang),
    "lang-": lang_prefixed,
    **_many("lang-rus|lang-ru-rus", lang_rus),
    **_many("transl|transliteration|translit", transl),
    **_many("script|script/hebrew|script/arabic|script/cuneiform", last),
    **_many("nihongo|nihongo core|nihongo2|nihongo foot|japonais", nihongo),
    **_many("nihongo3|nihongo4", nihongo3),
    **_many("zh|zh-tsp|zh-cp|zh-sp", chinese),
    **_many("ipa|ipa2|afi|мфа|api|ipa3|ipa1|ipa link|ipalink|phon|audio-ipa", ipa),
    "ipa-": ipa_of,
    "ipac-": ipac,
    **_many("respell|pronunciation respelling", respell),
    **_many("ill|interlanguage link|interlanguage link multi|link-interwiki|interwiki|red-link", interlanguage_link),
    **_many("frac|fraction", fraction),
    **_many("sfrac|sfraction|frac2", sfrac),
    **_many("e|exp|10^", power_of_ten),
    **_many("chem|chem2|chemf", chem),
    **_many("as of|asof|as-of", as_of),
    **_many("birth date|birth date and age|start date|start date and age|end date|film date|birth-date|dob|birth year"
            "|start-date|end-date|date|birth-date and age|bda|dts|release date|launch date", plain_date),
    **_many("death date|death date and age|death-date|death-date and age|dda|death year and age", death_date),
    **_many("circa|c.|ca.|ca", circa),
    **_many("reign|r.", years("r. ")),
    **_many("floruit|fl.", years("fl. ")),
    **_many("born|b.|born in", years("b. ")),
    **_many("died|d.", years("d. ")),
    "marriage": marriage,
    **_many("us$|usd|us dollar", money("US$")),
    **_many("£|gbp|pound sterling|gbp sign", money("£")),
    **_many("€|euro|eur", money("€")),
    **_many("a$|aud", money("A$")), **_many("c$|cad", money("C$")), **_many("¥|jpy|yen", money("¥")),
    **_many("inr|₹|indian rupee|indian rupees|rupee", money("₹")),
    "currency": currency,
    **_many("quote|blockquote|cquote|quotation|rquote|quote box|centered pull quote|bquote|quote frame|poemquote"
            "|poem quote|verse translation|long quote|block quote", quotation),
    **_many("columns-list|div col content|plainlist|flatlist|columns|cols|colwidth|multicol|column", block),
    **_many("ubl|unbulleted list|ublist|vunblist|bulleted list|ordered list|blist|bullet list", bulleted),
    **_many("hlist|flat list|dot separated entries", joined(" · ")),
    **_many("csv|comma separated entries", joined(", ")),
    **_many("nts|formatnum|number|nb|fmtn|ntsh|ntsc|num|formatnumber", number),
    **_many("bibleref|bibleref2|bible verse|bibleverse|bv|bibleref2c", bible),
    **_many("uss", ship("USS")), **_many("hms", ship("HMS")), **_many("ss", ship("SS")), **_many("rms", ship("RMS")),
    **_many("hmas", ship("HMAS")), **_many("hmcs", ship("HMCS")), **_many("usns", ship("USNS")),
    **_many("ship", joined(" ")), **_many("sclass|sclass2|sclass-", lambda call: f"{call.get(1)}-class {call.get(2)}".strip()),
    **_many("sortname|sort name", person_sort),
    **_many("sort|hs|tooltip|abbr|abbrlink|explain|hover title|hint|comment|abbreviation", first),
    **_many("color|colour|font color|fontcolor|colored text|background color|bg|font", second),
    **_many("""small|smaller|nowrap|nobr|nobreak|nobold|noitalic|big|bigger|larger|large|center|centre|sc|smallcaps|smcaps
        small caps|sc2|unicode|polytonic|mvar|math|mathvar|strong|em|bold|b|i|italic|italics|emphasis|u|underline|strike
        s|code|tt|mono|monospace|kbd|key|keypress|key press|sup|sub|angbr|angbr ipa|ipa angbr|not a typo|sic|as written|linktext|vanchor
        visible anchor|anchored text|resize|allow wrap|j|text|span|strikethrough|pie|grc|hebrew|rtl|ltr|nastaliq|arabic|urdu
        cuneiform|lang-ar-at|transl2|notatypo|not typo|proper name|native name|title|tq|xt|mxt|nq|green|red|blue|gray|grey
        vr|l|large text|script/nastaliq|proto|translation|block indent|blockindent|in5|indent text|align|left|right
        longitem|wrap|normal|nomobile|ipablink|ipaslink|phonetic|isfdb|iast|taxon|species|abbrv|nobreaks|blockquote top
        mset|bra-ket|intmath|music|wikt|dict|inline|nihongo title|noflag|noitalics|roman|unichar|charmap|small2|sm
        no wrap|tmath|var|hair space text|fix spacing|smallsup|raised|tooltip2|lk|link|gloss|gcl|lit|literal translation""", first),
    **_many("lang-de-short|lang-fr-short|lang-en-short|lang-ru-short|lang-it-short|lang-es-short", first),
    **_many("lit.|literally", wrapped("lit. '", "'")),
    **_many("native phrase|native name list", second),
    **_many("overline|overbar|underset", first),
    **_many("su", lambda call: call.get("p") + (" " if call.get("p") and call.get("b") else "") + call.get("b")),
    **_many("simplenuclide|simplenuclide2|nuclide|nuclide2", lambda call: f"{call.get(1)}-{call.get(2)}" if call.get(2) else call.get(1)),
    **_many("nbsp|space|spaces|thinsp|thin space|hair space|hairsp|nnbsp|0|figure space|pad|gap|in|quad|zwsp|em space", constant(" ")),
    **_many("ndash|en dash|–|endash", constant("–")),
    **_many("mdash|em dash|—|emdash", constant("—")),
    **_many("snd|spnd|spaced ndash|spaced en dash|sndash|snds|dash|bnd|–s|spaced endash", constant(" – ")),
    **_many("smdash|spaced mdash|mdashb|spaced em dash", constant(" — ")),
    **_many("·|dot|•|bullet|middot|bull|spaced dot", constant(" · ")),
    **_many("!|pipe", constant("|")), **_many("=", constant("=")), **_many("!!", constant("||")),
    **_many("'|apostrophe", constant("'")), **_many("'s", constant("'s")), **_many('"|quote mark', constant('"')),
    **_many("' \"|' &quot;", constant("'\"")), **_many("\" '", constant("\"'")),
    **_many("okina|ʻ", constant("ʻ")), **_many("hamza", constant("ʾ")), **_many("ayin|ayn", constant("ʿ")),
    **_many("pi", constant("π")), **_many("dagger|†", constant("†")), **_many("shy", constant("")),
    **_many("times|x", constant("×")), **_many("minus", constant("−")), **_many("root|radic|sqrt", wrapped("√", "")),
    **_many("sharp|♯", constant("♯")), **_many("flat|♭|b music", constant("♭")), **_many("natural", constant("♮")),
    **_many("no.|numero", constant("No. ")), **_many("bce", constant("BCE")), **_many("bc", constant("BC")),
    **_many("pagename|pagenamebase|fullpagename|sitename", lambda call: call.title),
    **_many("vol.|vol", wrapped("vol. ", "")), **_many("p.|p", wrapped("p. ", "")), **_many("pp.|pp", wrapped("pp. ", "")),
    **_many("height", lambda call: " ".join(f"{call.get(k)} {u}" for k, u in
            (("m", "m"), ("cm", "cm"), ("ft", "ft"), ("in", "in")) if call.get(k))),
    **_many("railgauge|rail gauge|track gauge|trackgauge", first),
    **_many("lookfrom|intitle", nothing),
    **_many("angle bracket|angle|anglebracket", wrapped("⟨", "⟩")),
    **_many("bracket|brackets", wrapped("[", "]")), **_many("braces|mset", wrapped("{", "}")), **_many("abs", wrapped("|", "|")),
    **_many("ceil", wrapped("⌈", "⌉")), **_many("floor", wrapped("⌊", "⌋")), **_many("paren|parentheses", wrapped("(", ")")),
    **_many("baseball year|by|mlby|scfy|nfl year|nhl year|nba year", first),
    **_many("oetymd|lsj|oed", nothing),
}  # fmt: skip
"""Handlers by normal name; names that end in a hyphen render all templates that begin with them."""

DROPPED = frozenset(
    name.strip()
    for name in re.split(
        r"[|\n]",
        """reflist|refbegin|refend|rp|cn|fact|citation needed|who|when|where|which|clarify|dead link|by whom|page needed
        webarchive|authority control|clear|-|clr|hatnote|for|redirect|distinguish|short description|toc|div col|div col end
        colbegin|colend|sister project links|n/a|anchor|increase|decrease|steady|official website|disambiguation|dmoz
        google books|books|listen|audio|gallery|chart|bartable|bar percent|clade|cmain|details|verify source|vague|dubious
        better source|failed verification|subscription required|sep|iep|defaultsort|displaytitle|italic title|bots|nobots
        good article|featured article|update|update inline|full|multiple issues|refimprove|more footnotes|cleanup|colorbox
        nom|won|yes|no|unknown|tba|fs player|episode list|double image|wide image|image|inflation|youtube|gutenberg author
        librivox author|internet archive author|url|oclc|sfnref|sfnp|note|notes|ref|refn|efn|hidden|collapsible list|default""",
    )
    if name.strip()
)
"""Known templates without running text, beyond those told by the beginning of their names."""

COMMON.update({name: nothing for name in DROPPED if name not in COMMON})
