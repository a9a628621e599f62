"""What templates show, in English and in the other languages."""
# ruff: noqa: RUF001 - the signs that templates stand for

from __future__ import annotations

import pytest

from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.templates.local_registry import LOCAL
from llama_data.stages.wikipedia.templates.numbers import format_number, spell
from llama_data.stages.wikipedia.templates.registry import COMMON
from llama_data.stages.wikipedia.wikitext import clean


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, title="Title", language=language).text


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("{{convert|50.6|C|F}}", "50.6 °C"),
        ("{{convert|1300|mi|km}}", "1,300 miles"),
        ("{{convert|1|mi|km}}", "1 mile"),
        ("{{convert|1300|mi|km|abbr=on}}", "1,300 mi"),
        ("{{cvt|111866|km}}", "111,866 km"),
        ("a {{convert|5|mi|km|adj=on}} walk", "a 5-mile walk"),
        ("{{convert|10|to|20|km}}", "10 to 20 kilometres"),
        ("{{convert|10|–|20|km|mi|sp=us}}", "10–20 kilometers"),
        ("{{convert|10|by|20|m}}", "10 by 20 metres"),
        ("{{convert|6|ft|3|in|m}}", "6 feet 3 inches"),
        ("{{convert|6|ft|3|in|m|abbr=on}}", "6 ft 3 in"),
        ("{{convert|5|km|spell=in}}", "five kilometres"),
        ("{{convert|2|e6acre|km2}}", "2 million acres"),
        ("{{convert|1+1/2|mi|km}}", "1 1⁄2 miles"),
        ("{{convert|100|/km2|/sqmi}}", "100/km²"),
        ("{{convert|-40|C}}", "−40 °C"),
        ("{{convert|12|smoots}}", "12 smoots"),
        ("{{convert|652230|km2|abbr=on}}", "652,230 km²"),
        ("{{val|6.241|e=18|u=C}}", "6.241×10¹⁸ C"),
        ("{{val|12345.6|0.1|u=m/s}}", "12,345.6±0.1 m/s"),
        ("5.98{{e|24}} kg", "5.98×10²⁴ kg"),
        ("{{formatnum:1234567.5}}", "1,234,567.5"),
        ("{{frac|1|2|3}} {{frac|1|2}} {{frac|3}}", "1 2⁄3 1⁄2 1⁄3"),
        ("{{sfrac|3''n'' + 1|2}}", "(3n + 1)/2"),
        ("{{chem|H|2|O}}", "H₂O"),
        ("{{lang|grc|ἀναρχία}}", "ἀναρχία"),
        ("{{lang-ru|Али́са}}", "Russian: Али́са"),
        ("{{lang-de|label=none|Wort}}", "Wort"),
        ("{{lang-grc-gre|Ἀριστοτέλης}}", "Greek: Ἀριστοτέλης"),
        ("{{transl|ar|DIN|al-Jazā'ir}}", "al-Jazā'ir"),
        ("{{Nihongo|'''Aikido'''|合気道|Aikidō}}", "Aikido (合気道, Aikidō)"),
        ("{{zh|c=北京|p=Běijīng}}", "Chinese: 北京; pinyin: Běijīng"),
        ("{{IPA|/a/}}, {{IPA|de|bɛʁˈliːn}}", "/a/, bɛʁˈliːn"),
        ("{{IPAc-en|ˌ|æ|l|ə|ˈ|b|æ|m|ə}}", "/ˌæləˈbæmə/"),
        ("{{IPA-el|aristotélɛːs}}", "[aristotélɛːs]"),
        ("{{respell|AL|ə|BAM|ə}}", "AL-ə-BAM-ə"),
        ("{{as of|2014|lc=y}}, {{As of|2014|5}}", "as of 2014, As of May 2014"),
        ("{{circa|1800|1820}}", "c. 1800 – c. 1820"),
        ("{{birth date|1954|7|17}}, {{birth date and age|1954|7|17|df=y}}", "July 17, 1954, 17 July 1954"),
        ("{{OldStyleDate|February 2|1905|January 20}}", "February 2 [O.S. January 20] 1905"),
        ("{{reign|1000|1020}}", "r. 1000–1020"),
        ("{{ill|Title|de|Titel}} {{ill|de|A|B}} {{Interlanguage link|X|de|lt=Y}}", "Title A Y"),
        ("{{US$|2 billion}} {{currency|13&nbsp;billion|USD}}", "US$2 billion US$13 billion"),
        ("{{nowrap|1=''E'' = ''mc''<sup>2</sup>}}", "E = mc²"),
        ("{{color|red|word}} {{abbr|SR|Strike Rate}}", "word SR"),
        ("1990{{ndash}}2000{{snd}}x", "1990–2000 – x"),
        ("{{quote|Text.|Author|Work}}", "Text.\n— Author, Work"),
        ("{{columns-list|2|\n* a\n* b\n}}", "- a\n- b"),
        ("{{unbulleted list|a|b}}", "- a\n- b"),
        ("{{HMS|Victory}} {{USS|Enterprise|CV-6}}", "HMS Victory USS Enterprise (CV-6)"),
        ("x{{sfn|A|1999}}{{citation needed|date=May}}{{efn|note}}.", "x."),
        ("{{hlist|a|b}}", "a · b"),
        ("* {{flag|Abkhazia}}\n* {{flagicon|FRA}} Paris", "- Abkhazia\n- Paris"),
        ("{{IPAc-en|ˈ|eɪ|ʒ|ə|,_|ˈ|eɪ|ʃ|ə}}", "/ˈeɪʒə, ˈeɪʃə/"),
        ("{{lang|zh|{{linktext|藻}}}}", "藻"),
        ("{{angbr|a}} {{IPAslink|b}} {{IPAblink|c}}", "⟨a⟩ /b/ [c]"),
        ("{{spellnum|12}}, {{numtext|1,200}}, {{spellnum|3.5}}", "twelve, one thousand two hundred, 3.5"),
    ],
)
def test_english_templates(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("language", "wikitext", "expected"),
    [
        ("de", "Teufelsberg ({{Höhe|120.1|DE-NHN|link=true}})", "Teufelsberg (120,1 m ü. NHN)"),
        ("de", "{{enS|word}} und {{lang|en|word}}", "englisch word und word"),
        ("de", '{{Zitat|Text}} {{"|kurz}}', "„Text“ „kurz“"),
        ("fr", "{{unité|12000|km}} au {{s|XIX|e}}", "12 000 km au XIXe siècle"),
        ("de", "So {{Zitat|Text=Wort|Autor=A. B.|Quelle=C}}", "So „Wort“\n— A. B., C"),
        ("fr", "{{s2|XVI|e|XVII|e}}", "XVIe et XVIIe siècles"),
        ("fr", "{{sp-|XVI|e|et|XVII|e}}, {{sp|I|er|-|II|e}}", "XVIe et XVIIe siècles, Ier-IIe siècle"),
        ("fr", "{{s|XX}}, {{s|I}}, le {{-m|II|e}} avant", "XXe siècle, Ier siècle, le IIe avant"),
        ("fr", "10{{ind|2}}, log{{ind|10}}, x{{indice|i}}, 1{{exp|er}}", "10₂, log₁₀, x_i, 1er"),
        ("fr", "{{fchim|H|2|O}}, {{fchim|SO|4|2-}}", "H₂O, SO₄²⁻"),
        ("fr", "le {{date|1|janvier|1950}}, {{1er}} {{nobr|mot}}", "le 1er janvier 1950, 1er mot"),
        ("fr", "{{lang|en|texte=word}} {{citation|mot}}", "word « mot »"),
        ("es", "{{unidad|12|km}} en el {{siglo|XIX||s}}", "12 km en el siglo XIX"),
        ("es", "{{fecha|1|2|1950}}", "1 de febrero de 1950"),
        ("pt", "{{fmtn|1000000}} no {{séc|XIX}}", "1 000 000 no século XIX"),
        ("pt", "{{dtlink|7|9|1822}}", "7 de setembro de 1822"),
        ("it", "{{M|120||km}} e {{M|5|ul=m}}", "120 km e 5 m"),
        ("pl", "({{ang.}} ''word''), {{j|en|word}} x", "(ang. word), x"),
        ("nl", "{{citaat|Tekst}} {{formatnum:12345}}", "Tekst\n\n12.345"),
        ("ru", "({{lang-de|Berlin}}) {{s|10 км}} {{нп5|Имя|имя|en|Name}}", "(нем. Berlin) 10 км имя"),
        ("ru", "{{число|12345|км}}", "12 345 км"),
        ("uk", "({{lang-de|Berlin}}, {{МФА-всі|bɛʁˈliːn}})", "(нім. Berlin, bɛʁˈliːn)"),
        ("bg", "({{lang-en|word}}) {{lang|en|other}}", "(на английски: word) other"),
        ("ca", "el {{segle|XIX}} ({{lang|de|Wort}})", "el segle XIX (Wort)"),
        ("cs", "({{cizojazyčně|de|Berlin}})", "(Berlin)"),
        ("hu", "{{szám|12345}} fő", "12 345 fő"),
        ("sv", "{{nowrap|10 km}}, {{lang|de|Wort}}", "10 km, Wort"),
        ("sr", "{{јез-нем|Berlin}} -{Berlin}-", "нем. Berlin Berlin"),
    ],
)
def test_templates_of_other_wikipedias(language: str, wikitext: str, expected: str) -> None:
    assert text(wikitext, language) == expected


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        ("en", "1234567.5", "1,234,567.5"),
        ("de", "1234567.5", "1.234.567,5"),
        ("fr", "1234567.5", "1 234 567,5"),
        ("es", "1234", "1234"),
        ("es", "12345", "12 345"),
        ("en", "-40", "−40"),
        ("en", "n/a", "n/a"),
        ("en", "0012", "0012"),
    ],
)
def test_numbers_have_the_separators_of_the_language(language: str, number: str, expected: str) -> None:
    assert format_number(number, language) == expected


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (13, "thirteen"), (42, "forty-two"), (100, "one hundred"), (715, "seven hundred and fifteen"),
     (12_000, "twelve thousand"), (21_305, "twenty-one thousand three hundred and five")],
)  # fmt: skip
def test_numbers_in_words(number: int, words: str) -> None:
    assert spell(number) == words


def test_handlers_are_known_by_normal_names() -> None:
    for names in (COMMON, *LOCAL.values()):
        assert all(name == name.casefold().strip() and name for name in names)
    assert set(LOCAL) <= set(LANGUAGES)


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("a {{IPA|/a/|/b/}} b", "a /a/ b"),
        ("a {{IPA|de|/a/}} b", "a /a/ b"),
        ("a {{IPA|/a/|sound.ogg}} b", "a /a/ b"),
        ("a {{reign|1000|1020|1030}} b", "a r. 1000–1020 b"),
        ("a {{lang-de|Wort}} b", "a German: Wort b"),
    ],
)
def test_values_beyond_those_that_are_shown_are_left_out(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


def test_a_template_of_a_language_without_a_text_shows_nothing() -> None:
    assert "German" not in text("a {{lang-de|}} b")
