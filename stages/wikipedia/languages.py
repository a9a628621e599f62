"""What the twenty languages call files, categories, redirects, disambiguation pages and end matter."""
# ruff: noqa: RUF001 - Cyrillic words

from __future__ import annotations

import re

LANGUAGES = (
    "bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu",
    "it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk",
)  # fmt: skip
"""The languages of LLaMA's Wikipedia (paper, section 2.1)."""


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip().casefold() for name in re.split(r"[|\n]", text) if name.strip())


FILE_NAMES = _names("""
    file|image|media|datei|bild|medium|fichier|archivo|imagen|medio|immagine|plik|grafika|ficheiro|imagem|arquivo
    multimédia|bestand|afbeelding|файл|изображение|медиа|медия|картинка|зображення|медіа|fil|mediafil|billede
    soubor|média|médium|fitxer|imatge|mèdia|fájl|kép|fișier|fişier|imagine|datoteka|slika|mediji|posredno
    датотека|слика|медиј|medij|mediju
""")
"""Prefixes of links that embed a file; any wiki also takes the English ones."""

CATEGORY_NAMES = _names("""
    category|kategorie|catégorie|categoría|categoria|kategoria|categorie|категория|категорія|kategori|kategória
    kategorija|категорија
""")

INTERWIKI = _names("""
    aa|ab|ace|ady|af|ak|als|alt|am|ami|an|ang|anp|ar|arc|ary|arz|as|ast|atj|av|avk|awa|ay|az|azb|ba|ban|bar
    bat-smg|bcl|be|be-tarask|be-x-old|bg|bh|bi|bjn|blk|bm|bn|bo|bpy|br|bs|bug|bxr|ca|cbk-zam|cdo|ce|ceb|ch|chr
    chy|ckb|co|cr|crh|cs|csb|cu|cv|cy|da|dag|de|din|diq|dsb|dty|dv|dz|ee|el|eml|en|eo|es|et|eu|ext|fa|fat|ff|fi
    fiu-vro|fj|fo|fr|frp|frr|fur|fy|ga|gag|gan|gcr|gd|gl|glk|gn|gom|gor|got|gpe|gu|guc|gur|guw|gv|ha|hak|haw
    he|hi|hif|hr|hsb|ht|hu|hy|hyw|ia|id|ie|ig|ik|ilo|inh|io|is|it|iu|ja|jam|jbo|jv|ka|kaa|kab|kbd|kbp|kcg|kg|ki
    kk|kl|km|kn|ko|koi|krc|ks|ksh|ku|kv|kw|ky|la|lad|lb|lbe|lez|lfn|lg|li|lij|lld|lmo|ln|lo|lt|ltg|lv|mad|mai
    map-bms|mdf|mg|mhr|mi|min|mk|ml|mn|mni|mnw|mr|mrj|ms|mt|mwl|my|myv|mzn|na|nah|nap|nds|nds-nl|ne|new|nia|nl
    nn|no|nov|nqo|nrm|nso|nv|ny|oc|olo|om|or|os|pa|pag|pam|pap|pcd|pcm|pdc|pfl|pi|pih|pl|pms|pnb|pnt|ps|pt|pwn
    qu|rm|rmy|rn|ro|roa-rup|roa-tara|ru|rue|rw|sa|sah|sat|sc|scn|sco|sd|se|sg|sh|shi|shn|si|simple|sk|skr|sl
    sm|smn|sn|so|sq|sr|srn|ss|st|stq|su|sv|sw|szl|szy|ta|tay|tcy|te|tet|tg|th|ti|tk|tl|tly|tn|to|tpi|tr|trv|ts
    tt|tum|tw|ty|tyv|udm|ug|uk|ur|uz|ve|vec|vep|vi|vls|vo|wa|war|wo|wuu|xal|xh|xmf|yi|yo|za|zea|zh|zh-classical
    zh-min-nan|zh-yue|zu
""")
"""Prefixes of links to the same article in another language; they stand in the side bar, not in the text."""

REDIRECT = re.compile(
    r"\s*#\s*(?:redirect(?:ion|ión)?|weiterleitung|redirección|redireccion|rinvia|rinvio|patrz|przekieruj|tam"
    r"|redirecionamento|doorverwijzing|перенаправление|перенапр|перенаправлення|omdirigering|omdiriger|viderestilling"
    r"|přesměruj|redirecció|átirányítás|redirecteaza|redirectează|preusmjeri|preusmeritev|преусмери|преусмјери"
    r"|виж|пренасочване|preusmeri)\s*:?\s*\[\[",
    re.IGNORECASE,
)
"""The first line of a redirect, for dumps without ``<redirect>``."""

DISAMBIGUATION = _names("""
    disambiguation|disambig|dab|disamb|hndis|geodis|begriffsklärung|homonymie|patronyme|toponyme|desambiguación
    desambiguacion|disambigua|disambiguazione|ujednoznacznienie|desambiguação|desambig|doorverwijspagina|dp
    неоднозначность|многозначность|disambig|багатозначність|неоднозначність|förgrening|gren|grensida|flertydig
    rozcestník|desambiguació|egyért|egyértelműsítő lap|dezambiguizare|razdvojba|razločitev|вишезначна одредница
    вишезначност|пояснение|disambiguation page|human name disambiguation|place name disambiguation
    airport disambiguation
""")
"""Templates by which a page says that it only tells articles with similar names apart."""

_END_MATTER = {
    "en": """see also|references|external links|external link|notes|notes and references|references and notes
        footnotes|further reading|citations|sources|bibliography and references|works cited|cited texts|cited sources
        general references|explanatory notes|citations and notes|notes and citations|footnotes and references
        references and further reading|general and cited references|cited works|gallery|image gallery|photo gallery
        notes and sources|sources and notes|references and sources|sources and references|literature cited
        references cited|additional reading|suggested reading|related links|reference|note|links|external media
        references and external links|notelist|endnotes|informational notes|web references|additional references
        references and footnotes|external sources|external websites|online references|bibliographic references""",
    "de": """siehe auch|einzelnachweise|weblinks|literatur|anmerkungen|fußnoten|quellen|referenzen|belege|weblink
        einzelnachweise und anmerkungen|anmerkungen und einzelnachweise|literatur und weblinks|nachweise|galerie
        quellen und einzelnachweise|quellenangaben|literaturhinweise|bildergalerie|weiterführende literatur
        literatur und quellen|quellen und literatur|sekundärliteratur|weiterführende informationen|einzelbelege""",
    "fr": """voir aussi|références|liens externes|lien externe|notes et références|notes|bibliographie|annexes
        articles connexes|article connexe|sources|références et notes|liens|sources et références|notes et sources
        références bibliographiques|galerie|galerie d'images|pour approfondir|notes et bibliographie
        sources et bibliographie|bibliographie et sources|lectures complémentaires|à lire|webographie|référence""",
    "es": """véase también|vea también|ver también|referencias|enlaces externos|enlace externo|notas|bibliografía
        notas y referencias|referencias y notas|fuentes|lecturas adicionales|galería|galería de imágenes|citas
        bibliografía adicional|lectura adicional|bibliografía recomendada|fuentes y referencias|notas al pie""",
    "it": """voci correlate|note|bibliografia|collegamenti esterni|altri progetti|riferimenti|fonti|galleria
        galleria d'immagini|galleria fotografica|note e riferimenti|voci correlate e collegamenti|annotazioni
        collegamento esterno|riferimenti bibliografici|esplicative|fonti e bibliografia|pagine correlate""",
    "pl": """zobacz też|przypisy|bibliografia|linki zewnętrzne|uwagi|literatura|źródła|galeria|link zewnętrzny
        uwagi i przypisy|literatura uzupełniająca|bibliografia i linki|zobacz także|przypisy i bibliografia""",
    "pt": """ver também|referências|ligações externas|ligação externa|notas|bibliografia|notas e referências
        referências e notas|fontes|leitura adicional|galeria|galeria de imagens|veja também|notas de rodapé
        links externos|referências bibliográficas|leituras adicionais|bibliografia adicional|leitura complementar""",
    "nl": """zie ook|referenties|externe links|externe link|noten|bronnen|literatuur|bronnen, noten en/of referenties
        bronvermelding|voetnoten|galerij|bron|bronnen en referenties|bronnen en noten|externe koppelingen|noot
        voetnoten en referenties|afbeeldingen|verwijzingen|literatuur en bronnen|bibliografie en bronnen""",
    "ru": """см. также|примечания|ссылки|литература|источники|сноски|комментарии|внешние ссылки|галерея
        см.также|примечания и ссылки|дополнительная литература|литература и ссылки|источники и литература
        смотрите также|использованная литература|смотри также|ссылки и примечания|примечания и источники
        библиография и источники|рекомендуемая литература|фотогалерея|галерея изображений""",
    "uk": """див. також|примітки|посилання|література|джерела|виноски|зовнішні посилання|галерея|джерела та література
        дивіться також|див.також|література та джерела|коментарі|посилання та примітки|джерела та посилання
        література та посилання|джерела й література|примітки та джерела|див. також:|дивись також|фотогалерея
        література і джерела|джерела і посилання|зноски|додаткова література|джерела та примітки""",
    "sv": """se även|referenser|externa länkar|källor|noter|fotnoter|litteratur|vidare läsning|källförteckning|galleri
        noter och referenser|extern länk|källhänvisningar|tryckta källor|webbkällor|referenser och noter|källa
        anmärkningar|bildgalleri|noter och källor|vidare läsning och länkar|elektroniska källor|kommentarer""",
    "da": """se også|referencer|eksterne henvisninger|eksterne links|kilder|noter|litteratur|fodnoter|henvisninger
        kilder og henvisninger|galleri|noter og referencer|kilde|ekstern henvisning|ekstern kilde
        referencer og kilder|kilder og eksterne henvisninger|videre læsning|kilder og referencer|kildehenvisninger
        kilder/henvisninger|eksterne kilder|eksterne kilder/henvisninger|billedgalleri|referencer og noter""",
    "cs": """odkazy|reference|externí odkazy|literatura|související články|poznámky|zdroje|galerie|viz též
        podobné články|poznámky a reference|použitá literatura|fotogalerie|související stránky|externí odkaz
        prameny|další literatura|citace|poznámky pod čarou|zdroje a literatura|prameny a literatura""",
    "ca": """vegeu també|referències|enllaços externs|notes|bibliografia|notes i referències|fonts|galeria
        referències i notes|enllaç extern|galeria d'imatges|bibliografia complementària|lectures addicionals
        per saber-ne més|notes i fonts|vegeu-ne també|bibliografia addicional|galeria fotogràfica|referència""",
    "hu": """lásd még|források|külső hivatkozások|jegyzetek|hivatkozások|irodalom|további információk|lábjegyzetek
        galéria|képgaléria|jegyzetek és források|források és irodalom|lásd még:|kapcsolódó szócikkek|forrás
        külső hivatkozás|felhasznált irodalom|további irodalom|jegyzet|képek|megjegyzések|fordítás|további olvasnivaló
        ajánlott irodalom|kapcsolódó lapok|bibliográfia és források""",
    "ro": """vezi și|vezi şi|referințe|referinţe|legături externe|note|bibliografie|surse|lectură suplimentară|galerie
        note și referințe|note și bibliografie|galerie de imagini|legătură externă|note bibliografice|vedeți și
        lecturi suplimentare|bibliografie suplimentară|galerie foto|imagini|vezi de asemenea|referințe și note""",
    "hr": """vidi još|poveznice|izvori|vanjske poveznice|bilješke|literatura|reference|izvor|vidi|galerija|napomene
        povezani članci|također pogledajte|vanjska poveznica|bilješke i literatura|bilješke i izvori|mrežna mjesta
        unutarnje poveznice|vanjske veze|fusnote|dodatna literatura""",
    "sl": """glej tudi|sklici|viri|zunanje povezave|opombe|literatura|reference|galerija|opombe in sklici
        sklici in opombe|viri in literatura|zunanja povezava|sklici in viri|nadaljnje branje|viri in sklici
        viri in opombe|literatura in viri|dodatno branje|navedki|galerija slik""",
    "sr": """види још|види|референце|спољашње везе|извори|литература|напомене|белешке|фусноте|галерија|спољне везе
        погледај још|додатна литература|референце и напомене|vidi još|reference|spoljašnje veze|izvori|literatura
        napomene|beleške|galerija|vidi|извор|референце и извори|повезани чланци|библиографија и извори""",
    "bg": """вижте също|източници|външни препратки|бележки|литература|бележки и източници|галерия
    допълнителна литература
        препратки|вж. също|виж също|източници и бележки|външна препратка|бележки под линия|виж още|забележки
        източници и литература|цитирана литература|използвана литература|бележки и литература|допълнително четене
        библиография и източници|вижте още""",
}

END_MATTER = {language: _names(text) for language, text in _END_MATTER.items()}
"""Headings of sections that hold links, references or pictures and no prose, by language, in lower case."""


_POINTERS = {
    "en": "main articles?|main pages?|see also|further information|for more information,? see",
    "de": "hauptartikel|siehe auch",
    "fr": "articles? détaillés?|article principal|voir aussi",
    "es": "artículos? principal(?:es)?|véase también",
    "it": "voc[ei] principal[ei]|lo stesso argomento in dettaglio|vedi anche",
    "nl": "hoofdartikel|zie ook",
    "pl": "osobny artykuł|główny artykuł|zobacz też",
    "pt": "artigos? principal|artigos principais|ver também|ver artigo principal",
    "ca": "articles? principals?|vegeu també",
    "cs": "hlavní článek|podrobnější informace naleznete v článku|viz též|viz také",
    "da": "hovedartikel|se også|uddybende artikel",
    "sv": "huvudartikel|se även|se också",
    "hu": "fő szócikk|bővebben|lásd még",
    "ro": "articol principal|articole principale|vezi și|vezi şi",
    "hr": "glavni članak|vidi još|vidi također",
    "sl": "glavni članek|glej tudi",
    "sr": "главни чланак|види још|такође погледајте|glavni članak|vidi još",
    "bg": "основна статия|вижте също|виж също",
    "ru": "основная статья|основные статьи|см. также",
    "uk": "основна стаття|основні статті|див. також",
}
_POINTER = {code: re.compile(rf"(?:- )?(?:{names}) ?:", re.IGNORECASE) for code, names in _POINTERS.items()}
_LINK = r"\[\[[^\[\]\n]*\]\]"
_POINTER_LINE = {
    code: re.compile(
        rf"\n[:*' ]*(?:{names})[:' ]*{_LINK}(?:[,;' ]*(?:\w{{1,4}} )?{_LINK})*[.' ]*$", re.IGNORECASE | re.MULTILINE
    )
    for code, names in _POINTERS.items()
}


def is_pointer(line: str, language: str) -> bool:
    """True when a line only points to other articles ("Main article: ..."); English counts everywhere."""
    line = line.lstrip()
    found = _POINTER.get(language, _POINTER["en"])
    return bool(found.match(line) or _POINTER["en"].match(line))


def without_pointers(wikitext: str, language: str) -> str:
    """Wikitext with nothing in the place of lines that hold such words and links only, with a colon or without."""
    text = "\n" + wikitext  # every line has an end before it: found faster than its beginning
    for code in dict.fromkeys((language if language in _POINTER_LINE else "en", "en")):
        text = _POINTER_LINE[code].sub("\n", text)
    return text[1:]


def is_end_matter(heading: str, language: str) -> bool:
    """True when a section of this name holds no prose in this language; English names count everywhere."""
    name = heading.strip(" :.–-").casefold()
    return name in END_MATTER.get(language, frozenset()) or name in END_MATTER["en"]


_TEMPLATE = re.compile(r"\{\{\s*+([^|{}\n]{2,40}?)\s*+(?:\||\}\})")


def is_disambiguation(wikitext: str) -> bool:
    """True when the page uses a template that marks disambiguation pages."""
    return any(found.group(1).replace("_", " ").casefold() in DISAMBIGUATION for found in _TEMPLATE.finditer(wikitext))
