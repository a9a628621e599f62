"""Measures: the source's value in the wiki's format, with a unit that is never an English word elsewhere."""
# ruff: noqa: RUF001 - dashes and signs are what is shown

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.templates import locales, units
from llama_data.stages.wikipedia.wikitext import clean

OTHERS = tuple(language for language in LANGUAGES if language != "en")


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, title="Title", language=language).text


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("{{convert|1,234|km}}", "1,234 kilometres"),
        ("{{convert|1,00,000|km}}", "1,00,000 kilometres"),
        ("{{convert|1'234|km}}", "1'234 kilometres"),
        ("{{convert|1,5|km}}", "1,5 kilometres"),
        ("{{convert|1.5e6|km2|abbr=on}}", "1.5×10⁶ km²"),
        ("{{convert|&minus;3|°C|1|disp=or}}", "−3 °C"),
        ("{{convert|2.1|and|−5.5|C|F|1}}", "2.1 and −5.5 °C"),
        ("{{convert|4|x|6|ft}}", "4 × 6 feet"),
        ("{{convert|60|to(-)|75|cm|in}}", "60 to 75 centimetres"),
        ("{{convert|42-56|km}}", "42–56 kilometres"),
        ("{{convert|13+7/8|in}}", "13 7⁄8 inches"),
        ("{{convert|-1-2/3|mi}}", "−1 2⁄3 miles"),
        ("{{convert|1/2|mi}}", "1⁄2 mile"),
        ("{{convert|4{{frac|1|2}}|ft}}", "4 1⁄2 feet"),
        ("{{convert|128|Nm|lb.ft|abbr=on}}", "128 N⋅m"),
        ("{{convert|1|MW}}, {{convert|5|MW|abbr=on}}, {{convert|5|mW}}", "1 megawatt, 5 MW, 5 milliwatts"),
        ("{{convert|115|PS|kW|order=flip|abbr=on}}", "115 PS"),
        ("a {{convert|1500|ft|m|adj=mid|-long}} road", "a 1,500-foot-long road"),
        ("a {{convert|10|mi|km|0|adj=mid}} walk", "a 10-mile walk"),
        ("{{convert|160|Tcuft}}, {{convert|11|MUSgal|Ml|sp=us}}", "160 trillion cubic feet, 11 million US gallons"),
        (
            "{{convert|2.3|Moilbbl/d}}, {{convert|50|koilbbl/d|abbr=on}}",
            "2.3 million barrels per day, 50 thousand bbl/d",
        ),
        ("{{convert|3|ft3}}, {{convert|5|kcal}}, {{convert|5|kbar}}", "3 cubic feet, 5 kilocalories, 5 kbar"),
        ("{{convert|~5|km}}", "~5 kilometres"),
        ("{{convert|3|W/m2}}", "3 W/m²"),
        ("a {{convert|}} {{convert||km}} {{convert|many|km}}", "a many"),
    ],
)
def test_english_measures(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("language", "wikitext", "expected"),
    [
        ("ru", "{{convert|3,5|km|mi}}", "3,5 км"),
        (
            "ru",
            "{{convert|1|mi|abbr=off}}, {{convert|3|mi|abbr=off}}, {{convert|5|mi|abbr=off}}",
            "1 миля, 3 мили, 5 миль",
        ),
        ("ru", "{{convert|3,5|mi|abbr=off}}", "3,5 мили"),
        ("ru", "{{convert|30|kN}}, {{convert|3|kg/m3}}, {{convert|100|/km2}}", "30 кН, 3 кг/м³, 100/км²"),
        ("ru", "{{convert|10|до|20|км}}, {{convert|10|to|20|km}}", "10 до 20 км, 10–20 км"),
        ("ru", "{{convert|-5|to|-2|C}}", "−5 – −2 °C"),
        ("uk", "{{convert|5|GHz}}, {{convert|2|e6km2}}", "5 ГГц, 2 мільйони км²"),
        ("ru", "{{convert|2|e6mi|abbr=off}}, {{convert|1e3|mi|abbr=off}}", "2 миллиона миль, 1×10³ мили"),
        ("bg", "{{convert|12345|kg|abbr=off}}", "12 345 килограма"),
        ("sr", "{{convert|2|km|abbr=off}}, {{convert|5|km|abbr=off}}", "2 километра, 5 километара"),
        ("es", "{{convertir|1|mi|km|abbr=off}}, {{convertir|3,5|mi|km|abbr=off}}", "1 milla, 3,5 millas"),
        ("es", "{{convertir|10|and|20|m}}, {{convertir|10|or|20|m}}", "10 y 20 m, 10 o 20 m"),
        ("it", "tra {{cvt|15|and|25|°C|°F}}, {{converti|105.4|km2}}", "tra 15 e 25 °C, 105,4 km²"),
        ("pt", "{{converter|4163|mm|in|3}}", "4163 mm"),
        ("ro", "{{conversie|3,5|km|mi}}", "3,5 km"),
        ("de", "{{convert|1.234|km}}", "1.234 km"),
        ("de", "{{convert|1.234,5|km}}", "1.234,5 km"),
        ("de", "{{convert|15|hand}}", "15 hand"),
        ("sl", "{{pretvori|2|mi|abbr=off}}", "2 milji"),
        ("cs", "{{convert|12|smoots}}", "12 smoots"),
        ("fr", "{{conversion|12000|m2|ha}}", "12 000 m²"),
        ("da", "{{convert|6|km|3|m}}", "6 km 3 m"),
    ],
)
def test_measures_in_other_languages(language: str, wikitext: str, expected: str) -> None:
    assert text(wikitext, language) == expected


def test_units_are_those_of_cldr() -> None:
    ids = locales.unit_ids()
    assert {name for name in units._CLDR_NAMES.values() if name and name not in ids} == set()
    assert {name for name in units._BASES.values() if name not in ids} == set()
    named = [names[0] for names in units.UNITS.values()]
    assert sum(bool(units._cldr_unit(name)) for name in named) > 0.8 * len(named)


_ENGLISH_WORDS = re.compile(
    r"\b(?:\w*met(?:re|er)s?|miles|feet|foot|inch(?:es)?|pounds?|square|cubic|per|people|and|to|by)\b"
)


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_words_in_the_symbols_of_other_languages(language: str) -> None:
    codes = [code for code in units.UNITS if len(code) <= 3] + list(units._SYMBOL_ONLY)
    shown = {code: text(f"{{{{convert|3,5|{code}}}}}", language) for code in codes}
    found = {code: words for code, words in shown.items() if _ENGLISH_WORDS.search(words.removeprefix("3,5"))}
    assert found == {}
    assert all(words.startswith("3,5") for words in shown.values())


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LANGUAGES),
    st.text("0123456789,. -+/eE", min_size=1, max_size=12),
    st.sampled_from(["km", "mi", "lb", "C", "acre", "smoots", "e6acre"]),
    st.sampled_from(["", "|abbr=on", "|abbr=off", "|sp=us", "|adj=on"]),
)
def test_the_digits_of_a_measure_are_those_of_the_source(language: str, value: str, unit: str, option: str) -> None:
    shown = text(f"a {{{{convert|{value}|{unit}{option}}}}}", language)
    plain = shown.replace("×10⁶", "").replace("×10", "").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    assert "".join(re.findall("[0-9]", plain)) == "".join(re.findall("[0-9]", value))


def test_numbers_of_any_length_have_a_plural() -> None:
    assert locales.plural("2" * 28, "ru") == "few"
    assert locales.plural("2" * 29, "ru") == "other"
    assert text("{{convert|" + "2" * 5000 + "|km}}", "ru").endswith(" км")


def test_babel_is_not_loaded_for_english() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from llama_data.stages.wikipedia.wikitext import clean; "
        "clean('{{convert|1234.5|km}} {{formatnum:12345}} {{val|5|u=m}}', language='en'); "
        "assert not any(name.startswith('babel') for name in sys.modules); "
        "clean('{{formatnum:12345}}', language='fr'); assert 'babel' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
