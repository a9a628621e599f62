"""English names of languages, for ``{{lang-xx}}``."""

from __future__ import annotations

_NAMES = """
ab Abkhaz|af Afrikaans|akk Akkadian|aln Gheg Albanian|als Tosk Albanian|am Amharic|an Aragonese|ang Old English
ar Arabic|arc Aramaic|arz Egyptian Arabic|as Assamese|ast Asturian|ay Aymara|az Azerbaijani|ba Bashkir|bar Bavarian
be Belarusian|ber Berber|bg Bulgarian|bn Bengali|bo Tibetan|br Breton|brh Brahui|bs Bosnian|ca Catalan|ce Chechen
ckb Central Kurdish|co Corsican|cop Coptic|crh Crimean Tatar|cs Czech|cu Old Church Slavonic|cv Chuvash|cy Welsh
da Danish
de German|dsb Lower Sorbian|el Greek|en English|enm Middle English|eo Esperanto|es Spanish|et Estonian|eu Basque
fa Persian|fi Finnish|fil Filipino|fo Faroese|fr French|fro Old French|fur Friulian|fy West Frisian|ga Irish
gd Scottish Gaelic|gl Galician|gn Guarani|got Gothic|grc Ancient Greek|grc-gre Greek|gsw Swiss German|gu Gujarati
gv Manx
ha Hausa|haw Hawaiian|he Hebrew|hi Hindi|hr Croatian|hsb Upper Sorbian|ht Haitian Creole|hu Hungarian|hy Armenian
ia Interlingua|id Indonesian|ig Igbo|is Icelandic|it Italian|iu Inuktitut|ja Japanese|jv Javanese|ka Georgian
kab Kabyle
kk Kazakh|kl Greenlandic|km Khmer|kn Kannada|ko Korean|ku Kurdish|kw Cornish|ky Kyrgyz|la Latin|lad Judaeo-Spanish
lb Luxembourgish|li Limburgish|lij Ligurian|lmo Lombard|ln Lingala|lo Lao|lt Lithuanian|lv Latvian|mg Malagasy
mi Māori
mk Macedonian|ml Malayalam|mn Mongolian|mnc Manchu|mr Marathi|ms Malay|mt Maltese|my Burmese|nah Nahuatl
nap Neapolitan
nb Norwegian Bokmål|nci Classical Nahuatl|nds Low German|ne Nepali|nl Dutch|nn Norwegian Nynorsk|no Norwegian
non Old Norse|nv Navajo
oc Occitan|om Oromo|or Odia|orv Old East Slavic|os Ossetian|ota Ottoman Turkish|pa Punjabi|pal Middle Persian
peo Old Persian
pl Polish|pms Piedmontese|prs Dari|ps Pashto|pt Portuguese|qu Quechua|rm Romansh|ro Romanian|ru Russian|rue Rusyn
rus Russian|rw Kinyarwanda
sa Sanskrit|sc Sardinian|scn Sicilian|sco Scots|sd Sindhi|se Northern Sami|sga Old Irish|sh Serbo-Croatian
si Sinhala|sk Slovak
sl Slovene|sm Samoan|sn Shona|so Somali|sq Albanian|sr Serbian|st Sotho|su Sundanese|sux Sumerian|sv Swedish
sw Swahili
syc Classical Syriac|syr Syriac|szl Silesian|ta Tamil|te Telugu|tg Tajik|th Thai|ti Tigrinya|tk Turkmen|tl Tagalog
tn Tswana
to Tongan|tr Turkish|tt Tatar|ug Uyghur|uk Ukrainian|ur Urdu|uz Uzbek|vec Venetian|vi Vietnamese|vo Volapük|wa Walloon
wo Wolof|xcl Classical Armenian|xh Xhosa|yi Yiddish|yo Yoruba|zh Chinese|zh-hans Simplified Chinese
zh-hant Traditional Chinese|zu Zulu
"""


def _table() -> dict[str, str]:
    entries = (entry.split(" ", 1) for line in _NAMES.strip().split("\n") for entry in line.split("|"))
    return {code: name for code, name in entries}


_TABLE = _table()


def language_name(code: str) -> str:
    """English name of a language code; empty when it is not known."""
    return _TABLE.get(code, "") or _TABLE.get(code.split("-", 1)[0], "")
