"""Templates that show a number, on the English and on the other Wikipedias."""
# ruff: noqa: RUF001 - dashes and signs are what is shown

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.templates.quantity_registry import LOCAL_QUANTITIES
from llama_data.stages.wikipedia.wikitext import clean


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, title="Title", language=language).text


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("{{val|10|to|20|u=K}}", "10 to 20 K"),
        ("{{val|1|x|2|x|3|u=m}}", "1 × 2 × 3 m"),
        ("{{val|5|–|7|u=%}}", "5–7%"),
        ("{{val|1.5|0.2|e=3|u=kg}}", "(1.5±0.2)×10³ kg"),
        ("{{val|1.23|0.02|0.03}}", "1.23+0.02−0.03"),
        ("{{val|1.23|+0.02|-0.03|e=5}}", "(1.23+0.02−0.03)×10⁵"),
        ("{{val|1.234|(5)|e=-3}}", "1.234(5)×10⁻³"),
        ("{{val|1.234(5)|e=-3|ul=kg.m-3}}", "1.234(5)×10⁻³ kg⋅m⁻³"),
        ("{{val|9.8|u=m/s2}}, {{val|4|ul=km2}}, {{val|5|u=m|up=s}}", "9.8 m/s², 4 km², 5 m/s"),
        ("{{val|-5|u=°C}}, {{val|45|u=°}}, {{val|5|u=%}}", "−5 °C, 45°, 5%"),
        ("{{val|p=~|5|s=!}}, {{val|123.24|end=...}}, {{val|e=5}}", "~5!, 123.24..., 10⁵"),
        ("{{val|1234567}}, {{val|1234567|fmt=none}}, {{val|-1234567.5|fmt=none}}", "1,234,567, 1234567, −1234567.5"),
        ("{{val|1.5e6|u=m}}", "1.5×10⁶ m"),
        (
            "{{gaps|1|234}} m, {{gaps|6.022|141|e=23|u=mol}}, a {{gaps|3|×|3}} matrix",
            "1 234 m, 6.022 141×10²³ mol, a 3 × 3 matrix",
        ),
        ("{{ordinal|1}} {{ordinal|2}} {{ordinal|3}} {{ordinal|4}} {{ordinal|10}}", "1st 2nd 3rd 4th 10th"),
        (
            "{{ordinal|11}} {{ordinal|12}} {{ordinal|13}} {{ordinal|112}} {{ordinal|1,021}}",
            "11th 12th 13th 112th 1,021st",
        ),
        ("{{ordinal|last}}", "last"),
        ("{{nts|1234}} {{nts|-1234.5}} {{number table sorting|12345|format=no}}", "1,234 −1,234.5 12345"),
        ("{{nts|123456789.00123|prefix=approx.&nbsp;}}", "approx. 123,456,789.00123"),
        ("{{formatnum:1,234}} {{formatnum:1234.5|R}}", "1,234 1234.5"),
        ("2{{e|-3}} {{e|3.5}} {{10^|5}} {{10^|n+1}}", "2×10⁻³ ×10^3.5 10⁵ 10^(n+1)"),
        ("4{{frac|1|2}} ft, 4{{sfrac|1|2}} ft, a{{frac|1|2}}", "4 1⁄2 ft, 4 1/2 ft, a1⁄2"),
        ("the {{3/4}} size, a {{1/4}}-inch cable", "the 3⁄4 size, a 1⁄4-inch cable"),
        (
            "{{height|ft=6|in=2}}, {{height|m=1.85}}, {{height|ft=5|in=11|frac=3/4}}",
            "6 ft 2 in, 1.85 m, 5 ft 11 3⁄4 in",
        ),
        (
            "{{duration|h=1|m=2|s=3}} {{duration|m=3|s=25}} {{duration|1|30|5}} {{duration|s=7}}",
            "1:02:03 3:25 1:30:05 0:07",
        ),
        (
            "{{US$|5 million}} {{INR|1,00,000}} {{INRConvert|5|c}} {{currency|5|CHF}}",
            "US$5 million ₹1,00,000 ₹5 crore 5 CHF",
        ),
        ("at {{coord|51|30|N|0|7|W}} and {{coord|51.5|-0.12}}", "at 51°30′N 0°7′W and 51.5°N 0.12°W"),
        ("at {{coord|51.5|N|0.12|W|type:city|display=inline,title}}", "at 51.5°N 0.12°W"),
        ("a{{coord|51|30|N|0|7|W|display=title}} b{{coord|51|30|N|0|7|W|display=t}}", "a b"),
        ("a{{coord|51|30|N|0|7|W|affichage=titre}} b", "a b"),
        ("{{RA|05|35|17.3}} 5{{±|0.5}}", "05h 35m 17.3s 5±0.5"),
        ("{{age|1954|7|17|2000|7|16}} {{age|1954|7|17|2000|7|17}}", "45 46"),
    ],
)
def test_english_numbers(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    "wikitext", ["{{age|1954|7|17}}", "{{inflation|US|5|1990}}", "{{age in days|1954|7|17}}", "{{currentyear}}"]
)
def test_what_cannot_be_known_is_counted_and_shows_nothing(wikitext: str) -> None:
    found = clean(f"a {wikitext} b", language="en")
    assert found.text == "a b"
    assert found.unknown_templates == 1


@pytest.mark.parametrize(
    ("language", "wikitext", "expected"),
    [
        ("fr", "{{unité|3743,31|km|2}}, {{unité|26,2|milliards}}", "3 743,31 km², 26,2 milliards"),
        ("fr", "{{Unité|1234567.89}}, {{Unité|1.23456789|e=15}}", "1 234 567,89, 1,23456789×10¹⁵"),
        ("fr", "{{Unité|10000|km||h|-1}}, {{Unité|10000|J||kg||m|-2}}", "10 000 km⋅h⁻¹, 10 000 J⋅kg⋅m⁻²"),
        ("fr", "{{Unité|1,5|e=9|J|2|K|3|s|-1}}, {{unité|10|m|s|-2}}", "1,5×10⁹ J²⋅K³⋅s⁻¹, 10 m⋅s⁻²"),
        ("fr", "{{unité|10|à=20|km/h}}, {{unité|5|±=0,5|kg}}, {{unité|92|%}}", "10 à 20 km/h, 5 ± 0,5 kg, 92 %"),
        ("fr", "{{unité|5|millions|habitants}}, {{unité|1'234|km}}", "5 millions habitants, 1'234 km"),
        ("fr", "{{unité|110000 camions}}, {{unité|8032926 [[Autrichiens]]}}", "110 000 camions, 8 032 926 Autrichiens"),
        (
            "fr",
            "{{unité|9,88 Mo}}, {{unité|1 234,5 km}}, {{unité|4203 hab./km 2}}",
            "9,88 Mo, 1 234,5 km, 4 203 hab./km²",
        ),
        ("fr", "{{unité|14431 d'entre eux}}, {{unité|1,00,000 km}}", "14 431 d'entre eux, 1,00,000 km"),
        ("fr", "{{dunité|21|29,7|cm}}, {{unité|45|°}}", "21 × 29,7 cm, 45°"),
        ("fr", "{{nombre|1,5}}, {{nombre|1234567}}", "1,5, 1 234 567"),
        ("fr", "{{tmp|-40,1}}, {{tmp|300|K}}, {{tmp|95|°C}}", "−40,1 °C, 300 K, 95 °C"),
        ("fr", "{{heure|14|30}}, {{durée|1|30|20}}, {{heure|14}}", "14 h 30, 1 h 30 min 20 s, 14 h"),
        ("fr", "{{taille|m=2.01}}, {{poids|kg=72,5}}", "2,01 m, 72,5 kg"),
        ("fr", "2{{x10|5}}, m{{exp|2}}, {{val|10|to|20|u=K}}", "2×10⁵, m², 10–20 K"),
        (
            "es",
            "{{unidad|3,5|km}}, {{unidad|12345.6|km|2}}, {{unidad|−273.144|°C}}",
            "3,5 km, 12 345,6 km², −273,144 °C",
        ),
        ("es", "{{altura|m=2.01}}, {{formatnum:1234.5}}, {{ordinal|3}}", "2,01 m, 1234,5, 3.º"),
        (
            "de",
            "{{Höhe|115,4|DE-NHN}}, {{Höhe|1234.5|NO}}, {{Höhe|900–1100|CH}}",
            "115,4 m ü. NHN, 1.234,5 m, 900–1.100 m ü. M.",
        ),
        (
            "de",
            "{{Zahl|12345.6}}, {{Bruch|1|2}}, {{ZAHLENFORMAT:12345}}, {{val|1.234|u=kg}}",
            "12.345,6, 1⁄2, 12.345, 1,234 kg",
        ),
        (
            "de",
            "{{Coordinate|text=DMS|NS=52/30/10.4/N|EW=13/24/15/E}} x{{Coordinate|article=DMS|NS=52/30//N|EW=13/4/1/E}}",
            "52° 30′ 10,4″ N, 13° 24′ 15″ O x",
        ),
        ("it", "{{M|120||km}}, {{M|1,5|e=6|u=m}}, {{M|10|-|20|km}}", "120 km, 1,5×10⁶ m, 10–20 km"),
        ("it", "{{M|5|k|m}}, {{M|3,5|M|W}}, {{M|5|m}}", "5 km, 3,5 MW, 5 m"),
        ("fr", "{{unité|5|à|10|km}}, {{unité|5|x|10|x|3|cm|2}}, {{unité|5|m|2}}", "5 à 10 km, 5 × 10 × 3 cm², 5 m²"),
        ("pt", "{{fmtn|12345.6|km}}, {{fmtn|3}}", "12 345,6 km, 3"),
        ("it", "{{M|12345|km}}, {{M|10|0,5|km}}, {{M|5|ul=m}}", "12 345 km, 10 ± 0,5 km, 5 m"),
        ("pt", "{{fmtn|1234567.5}}, {{unidade|3,5|km}}, {{duração|m=3|s=25}}", "1 234 567,5, 3,5 km, 3:25"),
        ("ru", "{{число|3,5}}, {{num|12345.6|км}}, {{евро|2,5}}, {{дробь|1|2}}", "3,5, 12 345,6 км, 2,5 €, 1⁄2"),
        ("uk", "{{num|1234567.5}}, {{ФОРМАТУВАТИ_ЧИСЛО:12345}}", "1 234 567,5, 12 345"),
        ("bg", "{{число|1234,5}}", "1234,5"),
        ("pl", "{{liczba|12345,6}}, {{ułamek|3|4}}", "12 345,6, 3⁄4"),
        ("cs", "{{nts|1234,5}}, {{zlomek|1|2}}", "1 234,5, 1⁄2"),
        ("hu", "{{szám|12345,6}}", "12 345,6"),
        ("sv", "{{nts|1234,5}}, {{bråk|1|2}}", "1 234,5, 1⁄2"),
        ("da", "{{formatnum:1234.5}}, {{ordinal|3}}", "1.234,5, 3."),
        ("nl", "{{getal|1234,5}}", "1.234,5"),
        ("ca", "{{unitats|3,5|km}}", "3,5 km"),
        ("ro", "{{formatnum:1234.5}}, {{dim|3,5|km}}", "1.234,5, 3,5 km"),
        ("hr", "{{broj|1234.5}}", "1.234,5"),
        ("sl", "{{število|1234,5}}", "1.234,5"),
        ("sr", "{{број|1234.5}}", "1.234,5"),
    ],
)
def test_numbers_of_other_wikipedias(language: str, wikitext: str, expected: str) -> None:
    assert text(wikitext, language) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(LANGUAGES),
    st.sampled_from(
        [
            "val",
            "nts",
            "unité",
            "unidad",
            "M",
            "Höhe",
            "число",
            "tmp",
            "gaps",
            "ordinal",
            "e",
            "10^",
            "US$",
            "euro",
            "fmtn",
        ]
    ),
    st.text("0123456789,.-−+ ' ", max_size=12),
)
def test_every_handler_shows_the_digits_that_it_was_given(language: str, name: str, value: str) -> None:
    shown = text(f"a {{{{{name}|{value}}}}} b", language)
    if shown == "a b":  # unknown on this wiki, or nothing to show
        return
    plain = re.sub(r"^a |×?10(?=[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻^])" if name in ("e", "10^") else "^a ", "", shown)
    found = "".join(re.findall("[0-9]", plain.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))))
    assert found == "".join(re.findall("[0-9]", value))


def test_local_names_are_of_known_languages() -> None:
    assert set(LOCAL_QUANTITIES) <= set(LANGUAGES)
