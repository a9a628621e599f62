"""Which handler renders which template: the names that many Wikipedias share."""
# ruff: noqa: RUF001 - dashes, primes and the like are what these templates stand for

from __future__ import annotations

from llama_data.stages.wikipedia.opaque import NOTHING
from llama_data.stages.wikipedia.templates import chemistry
from llama_data.stages.wikipedia.templates import dates as d
from llama_data.stages.wikipedia.templates import handlers as h
from llama_data.stages.wikipedia.templates.call import Handler, named
from llama_data.stages.wikipedia.templates.quantity_registry import QUANTITIES
from llama_data.stages.wikipedia.templates.words_registry import COMMON_WORDS

_NUMBERS = {
    **named("chem|chemf", chemistry.chem),
    "chem2": chemistry.chem2,
    "sup": chemistry.raised,
    **named("sub|smallsub", chemistry.lowered),
    "su": chemistry.both,
    **named("simplenuclide|simplenuclide2|nuclide|nuclide2", h.nuclide),
    **named("railgauge|rail gauge|track gauge|trackgauge", h.first),
    **named("root|radic|sqrt", h.wrapped("√", "")),
}

_LANGUAGES = {
    **named("lang|lang2|langue|lang-xx|wikt-lang|rtl-lang", h.lang),
    "lang-rus": h.lang_rus,
    **named("transl|transliteration|translit", h.last),
    **named("script|script/hebrew|script/arabic|script/cuneiform", h.last),
    **named("nihongo|nihongo core|nihongo2|japonais", h.nihongo),
    **named("nihongo3|nihongo4", h.nihongo3),
    **named("zh|zh-tsp|zh-cp|zh-sp", h.chinese),
    **named("ipa|ipa2|afi|мфа|api|ipa3|ipa1|ipa link|ipalink|phon", h.ipa),
    "ipa-": h.ipa_of,
    "ipac-": h.ipac,
    **named("respell|pronunciation respelling", h.respell),
    **named(
        "ill|interlanguage link|interlanguage link multi|link-interwiki|interwiki|red-link|illm", h.interlanguage_link
    ),
    **named("ill-wd|ill-wd2|illwd|wd|link-wd|ill wd", h.wikidata_link),
    **named("lang-de-short|lang-fr-short|lang-en-short|lang-ru-short|lang-it-short|lang-es-short", h.first),
    **named("lit.|literally", h.wrapped("lit. '", "'")),
    **named("native phrase", h.second),
}

_DATES = {
    **named("as of|asof|as-of", d.as_of),
    **named(
        """birth date|birth date and age|start date|start date and age|end date|film date|birth-date|dob|birth year
        start-date|end-date|date|birth-date and age|bda|dts|release date|launch date|death date|death date and age
        death-date|death-date and age|dda|death year and age""",
        d.plain_date,
    ),
    **named("circa|c.|ca.|ca", d.circa),
    **named("oldstyledate|old style date|oldstyledatedy|oldstyledatenoyear", h.old_style_date),
    **named("reign|r.", h.years("r. ")),
    **named("floruit|fl.", h.years("fl. ")),
    **named("born|b.|born in", h.years("b. ")),
    **named("died|d.", h.years("d. ")),
    "marriage": h.marriage,
    **named("baseball year|by|mlby|scfy|nfl year|nhl year|nba year", h.first),
    **named("bce", h.constant("BCE")),
    **named("bc", h.constant("BC")),
}

_BLOCKS = {
    **named("columns-list|div col content|plainlist|flatlist|columns|cols|colwidth|multicol|column", h.block),
    **named(
        "ubl|unbulleted list|ublist|vunblist|bulleted list|ordered list|blist|bullet list",
        h.bulleted,
    ),
    **named("hlist|flat list|dot separated entries", h.joined(" · ")),
    **named("csv|comma separated entries", h.joined(", ")),
}

_WORDS = {
    **named(
        """small|smaller|nowrap|nobr|nobreak|nobold|noitalic|big|bigger|larger|large|center|centre|sc|smallcaps|smcaps
        small caps|sc2|unicode|polytonic|mvar|math|mathvar|strong|em|bold|b|i|italic|italics|emphasis|u|underline
        strike|s|code|tt|mono|monospace|kbd|key|keypress|key press|angbr|angbr ipa|ipa angbr|not a typo|sic
        as written|linktext|vanchor|visible anchor|anchored text|resize|allow wrap|j|text|span|strikethrough|pie|grc
        hebrew|rtl|ltr|nastaliq|arabic|urdu|cuneiform|notatypo|not typo|proper name|native name|title|tq|xt|mxt|nq
        green|red|blue|gray|grey|vr|l|large text|script/nastaliq|proto|translation|block indent|blockindent|in5
        indent text|align|left|right|longitem|wrap|normal|nomobile|phonetic|iast|taxon|species
        abbrv|nobreaks|music|dict|inline|nihongo title|noflag|noitalics|roman|small2|sm|no wrap|tmath|var
        hair space text|fix spacing|raised|lk|link|gloss|gcl|lit|literal translation|midsize|ws|overline
        overbar|sort|hs|tooltip|abbr|abbrlink|explain|hover title|hint|comment|abbreviation""",
        h.first,
    ),
    **named("color|colour|font color|fontcolor|colored text|background color|bg|font", h.second),
    **named("bibleref|bibleref2|bible verse|bibleverse|bv|bibleref2c", h.joined_two),
    **named("sortname|sort name", h.joined_two),
    **named("flag|flagu|flagcountry|flaglink|flag country", h.first),
    "wikt": h.linked_word,
    **named("no.|numero", h.numero),
    "audio": h.sound,
    **named("uss", h.ship("USS")),
    **named("hms", h.ship("HMS")),
    **named("ss", h.ship("SS")),
    **named("rms", h.ship("RMS")),
    **named("hmas", h.ship("HMAS")),
    **named("hmcs", h.ship("HMCS")),
    **named("usns", h.ship("USNS")),
    **named("ship", h.joined(" ")),
    **named("sclass|sclass2|sclass-", h.ship_class),
    **named("pagename|pagenamebase|fullpagename", h.page_title),
    **named("vol.|vol", h.wrapped("vol. ", "")),
    **named("p.|p", h.wrapped("p. ", "")),
    **named("pp.|pp", h.wrapped("pp. ", "")),
    **named("angle bracket|angle|anglebracket|angbr", h.wrapped("⟨", "⟩")),
    **named("bracket|brackets|ipablink", h.wrapped("[", "]")),
    "ipaslink": h.wrapped("/", "/"),
    **named("braces|mset", h.wrapped("{", "}")),
    **named("abs", h.wrapped("|", "|")),
    **named("ceil", h.wrapped("⌈", "⌉")),
    **named("floor", h.wrapped("⌊", "⌋")),
    **named("paren|parentheses", h.wrapped("(", ")")),
}

_SIGNS = {
    " ": "nbsp|space|spaces|thinsp|thin space|hair space|hairsp|nnbsp|0|figure space|pad|gap|quad|zwsp|em space",
    "–": "ndash|en dash|–|endash",
    "—": "mdash|em dash|—|emdash",
    " – ": "snd|spnd|spaced ndash|spaced en dash|sndash|snds|dash|bnd|–s|spaced endash",
    " — ": "smdash|spaced mdash|mdashb|spaced em dash",
    " · ": "·|dot|•|bullet|middot|bull|spaced dot",
    "'" + NOTHING: "'|apostrophe|-'",
    '"': '"|quote mark|-"',
    "'\"": "' \"|' &quot;",
    "\"'" + NOTHING: "\" '",
    "'s": "'s",
    "|": "pipe|!",
    "=": "=",
    "ʻ": "okina|ʻ",
    "ʾ": "hamza",
    "ʿ": "ayin|ayn",
    "π": "pi",
    "†": "dagger|†",
    "×": "times",
    "−": "minus",
    "♯": "sharp|♯",
    "♭": "flat|♭",
    "♮": "natural",
}

_DROPPED = """
reflist|refbegin|refend|rp|cn|fact|citation needed|who|when|where|which|clarify|dead link|by whom|page needed|webarchive
authority control|clear|-|clr|hatnote|for|redirect|distinguish|short description|toc|div col|div col end|colbegin|colend
sister project links|n/a|anchor|increase|decrease|steady|official website|disambiguation|dmoz|google books|books|listen
gallery|chart|bartable|bar percent|clade|cmain|details|verify source|vague|dubious|better source|sep|iep|lsj
failed verification|subscription required|defaultsort|displaytitle|italic title|bots|nobots|good article|oed|oetymd
featured article|update|update inline|full|multiple issues|refimprove|more footnotes|cleanup|colorbox|nom|won|yes|no
unknown|tba|fs player|episode list|double image|wide image|image|inflation|youtube|gutenberg author|librivox author
internet archive author|url|oclc|note|notes|ref|refn|efn|hidden|collapsible list|default|lookfrom|intitle|currentyear
currentmonth|currentday|eqm|in lang|google buch|inflation-fn|relevance inline|clear left|clear right|charmap|!!|shy
ntsh|hid|transclude|nihongo foot|audio-ipa|isfdb|harvid|cbignore|no more links|toc right|location map|chart/start
chart/end|redirect2|engvarb|bar box|ol author|in our time|geographic location|library resources box|osmrelation-inline
"""

COMMON: dict[str, Handler] = {
    **named(_DROPPED, h.nothing),
    **_NUMBERS,
    **QUANTITIES,
    **_LANGUAGES,
    **_DATES,
    **_BLOCKS,
    **_WORDS,
    **{name: h.constant(sign) for sign, names in _SIGNS.items() for name in names.split("|")},
    **COMMON_WORDS,
}
"""Handlers by normal name; a name that ends in a hyphen stands for all templates that begin with it."""
