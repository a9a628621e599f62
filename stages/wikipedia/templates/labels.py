"""What the Wikipedias write before a foreign word: the language's name or its abbreviation."""
# ruff: noqa: RUF001 - Cyrillic words

from __future__ import annotations

from llama_data.stages.wikipedia.templates.names import language_name

_CODES = "en de fr la es it ru pl el grc ar he ja zh ko tr hu cs uk nl pt sv be bg hr sr ro fa sk sl".split()  # noqa: SIM905

_NAMES = {
    "ru": "{} |англ.|нем.|фр.|лат.|исп.|итал.|рус.|польск.|греч.|др.-греч.|араб.|ивр.|яп.|кит.|кор.|тур.|венг.|чеш."
    "|укр.|нидерл.|порт.|швед.|белор.|болг.|хорв.|серб.|рум.|перс.|словацк.|словен.",
    "uk": "{} |англ.|нім.|фр.|лат.|ісп.|італ.|рос.|пол.|грец.|дав.-гр.|араб.|івр.|яп.|кит.|кор.|тур.|угор.|чес."
    "|укр.|нід.|порт.|швед.|біл.|болг.|хорв.|серб.|рум.|перс.|словац.|словен.",
    "sr": "{} |енгл.|нем.|фр.|лат.|шп.|итал.|рус.|пољ.|грч.|стгрч.|арап.|хебр.|јап.|кин.|кор.|тур.|мађ.|чеш.|укр."
    "|хол.|порт.|швед.|блр.|буг.|хрв.|срп.|рум.|перс.|слч.|словен.",
    "bg": "на {}: |английски|немски|френски|латински|испански|италиански|руски|полски|гръцки|старогръцки|арабски|иврит"
    "|японски|китайски|корейски|турски|унгарски|чешки|украински|нидерландски|португалски|шведски|беларуски|български"
    "|хърватски|сръбски|румънски|персийски|словашки|словенски",
    "pt": "em {}: |inglês|alemão|francês|latim|espanhol|italiano|russo|polonês|grego|grego clássico|árabe|hebraico"
    "|japonês|chinês|coreano|turco|húngaro|checo|ucraniano|neerlandês|português|sueco|bielorrusso|búlgaro|croata|sérvio"
    "|romeno|persa|eslovaco|esloveno",
    "es": "en {}: |inglés|alemán|francés|latín|español|italiano|ruso|polaco|griego|griego antiguo|árabe|hebreo|japonés"
    "|chino|coreano|turco|húngaro|checo|ucraniano|neerlandés|portugués|sueco|bielorruso|búlgaro|croata|serbio|rumano"
    "|persa|eslovaco|esloveno",
    "fr": "en {} : |anglais|allemand|français|latin|espagnol|italien|russe|polonais|grec|grec ancien|arabe|hébreu"
    "|japonais|chinois|coréen|turc|hongrois|tchèque|ukrainien|néerlandais|portugais|suédois|biélorusse|bulgare|croate"
    "|serbe|roumain|persan|slovaque|slovène",
    "ca": "en {}: |anglès|alemany|francès|llatí|castellà|italià|rus|polonès|grec|grec antic|àrab|hebreu|japonès|xinès"
    "|coreà|turc|hongarès|txec|ucraïnès|neerlandès|portuguès|suec|bielorús|búlgar|croat|serbi|romanès|persa|eslovac"
    "|eslovè",
    "ro": "în {} |engleză|germană|franceză|latină|spaniolă|italiană|rusă|poloneză|greacă|greaca veche|arabă|ebraică"
    "|japoneză|chineză|coreeană|turcă|maghiară|cehă|ucraineană|neerlandeză|portugheză|suedeză|belarusă|bulgară|croată"
    "|sârbă|română|persană|slovacă|slovenă",
    "cs": "{} |anglicky|německy|francouzsky|latinsky|španělsky|italsky|rusky|polsky|řecky|starořecky|arabsky|hebrejsky"
    "|japonsky|čínsky|korejsky|turecky|maďarsky|česky|ukrajinsky|nizozemsky|portugalsky|švédsky|bělorusky|bulharsky"
    "|chorvatsky|srbsky|rumunsky|persky|slovensky|slovinsky",
    "sv": "{}: |engelska|tyska|franska|latin|spanska|italienska|ryska|polska|grekiska|klassisk grekiska|arabiska"
    "|hebreiska|japanska|kinesiska|koreanska|turkiska|ungerska|tjeckiska|ukrainska|nederländska|portugisiska|svenska"
    "|vitryska|bulgariska|kroatiska|serbiska|rumänska|persiska|slovakiska|slovenska",
    "da": "{}: |engelsk|tysk|fransk|latin|spansk|italiensk|russisk|polsk|græsk|oldgræsk|arabisk|hebraisk|japansk"
    "|kinesisk|koreansk|tyrkisk|ungarsk|tjekkisk|ukrainsk|nederlandsk|portugisisk|svensk|hviderussisk|bulgarsk"
    "|kroatisk|serbisk|rumænsk|persisk|slovakisk|slovensk",
    "nl": "{}: |Engels|Duits|Frans|Latijn|Spaans|Italiaans|Russisch|Pools|Grieks|Oudgrieks|Arabisch|Hebreeuws|Japans"
    "|Chinees|Koreaans|Turks|Hongaars|Tsjechisch|Oekraïens|Nederlands|Portugees|Zweeds|Wit-Russisch|Bulgaars|Kroatisch"
    "|Servisch|Roemeens|Perzisch|Slowaaks|Sloveens",
    "hu": "{}: |angolul|németül|franciául|latinul|spanyolul|olaszul|oroszul|lengyelül|görögül|ógörögül|arabul|héberül"
    "|japánul|kínaiul|koreaiul|törökül|magyarul|csehül|ukránul|hollandul|portugálul|svédül|fehéroroszul|bolgárul"
    "|horvátul|szerbül|románul|perzsául|szlovákul|szlovénül",
    "sl": "{} |angleško|nemško|francosko|latinsko|špansko|italijansko|rusko|poljsko|grško|starogrško|arabsko|hebrejsko"
    "|japonsko|kitajsko|korejsko|turško|madžarsko|češko|ukrajinsko|nizozemsko|portugalsko|švedsko|belorusko|bolgarsko"
    "|hrvaško|srbsko|romunsko|perzijsko|slovaško|slovensko",
    "hr": "{} |engl.|njem.|franc.|lat.|španj.|tal.|rus.|polj.|grč.|stgrč.|arap.|hebr.|jap.|kin.|kor.|tur.|mađ.|češ."
    "|ukr.|niz.|port.|šved.|bjelorus.|bug.|hrv.|srp.|rum.|perz.|slč.|slov.",
}  # fmt: skip


def _table() -> dict[str, dict[str, str]]:
    table = {}
    for wiki, text in _NAMES.items():
        pattern, *names = text.split("|")
        table[wiki] = {code: pattern.format(name) for code, name in zip(_CODES, names, strict=True)}
    return table


_LABELS = _table()


def label_before(code: str, wiki: str) -> str:
    """What this Wikipedia writes before a word of a language, with the sign and the space behind it; "" unknown."""
    code = code.strip().lower()
    if wiki == "en":
        name = language_name(code)
        return f"{name}: " if name else ""
    labels = _LABELS.get(wiki, {})
    return labels.get(code, "") or labels.get(code.split("-", 1)[0], "")
