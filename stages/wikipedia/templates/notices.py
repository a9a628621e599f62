"""Names that wikis give to pointers and notices: main articles, other meanings, stubs, calls for work, language signs.

They show no running text, even where one follows a picture or a word on the same line.
"""
# ruff: noqa: RUF001 - Cyrillic names

from __future__ import annotations

from llama_data.stages.wikipedia.templates.call import Call, Handler, named

_NAMES = {
    "bg": """основна|основна статия|главна статия|вижте също|виж също|вж|вж.|пояснение|друго значение
        други значения|не се бърка|за пояснение|мъниче|обработка|източници|без източници|нормативен контрол
        сродни проекти|портал""",
    "ca": """article principal|vegeu també|vegeu|ap|vt|vegeu-lo|altres usos|redirecció|no confondre|esborrany
        millorar|falten referències|autoritat|projectes germans|portal""",
    "cs": """hlavní článek|podrobně|viz též|viz také|další významy|různé významy|rozcestník|neplést|pahýl|upravit
        neověřeno|autoritní data|sesterské projekty|portály""",
    "da": """uddybende|uddybende2|hovedartikel|se også|for alternative betydninger|flertydig2|harflertydig
        andre betydninger|ikke forveksle|ikke|opdateres|opdatering|opdater|stub|kildeløs|ukategoriseret
        autoritetsdata|oprydning|kursiv titel""",
    "de": """hauptartikel|siehe auch|begriffsklärungshinweis|dieser artikel|weiterleitungshinweis|überarbeiten
        lückenhaft|veraltet|neutralität|belege fehlen|belege""",
    "es": """ap|vt|véase|véase también|vease también|artículo principal|principal|otros usos|otrosusos
        redirige aquí|redirige|no confundir|distinguir|añadir referencias|referencias|referencias adicionales
        artículo bueno|artículo destacado|traducido de|mejorar|wikificar|copyedit|esbozo|control de autoridades
        revisar|discutido|no neutralidad|endesarrollo""",
    "fr": """article détaillé|articles détaillés|article principal|article connexe|articles connexes|détails
        voir aussi|voir|autre|autre1|autre2|autre3|autre4|autres|voir homonymes|voir homonyme|voir paronymes
        confusion|à ne pas confondre|redirect|homon|à actualiser|à sourcer|à recycler|à vérifier|section vide
        section vide ou incomplète|à illustrer|section à sourcer|à délister|catégorie principale|recyclage
        sources secondaires|pour|à fusionner""",
    "hr": """glavni članak|glavni|vidi još|vidi|također pogledajte|drugo značenje|druga značenja|mrva
        normativna kontrola|dorada|nedostaje izvor|ne miješati""",
    "hu": """fő|bővebben|bővebben2|fő szócikk|fő cikk|lásd még|lásd|lásd itt|egyért|egyért2|egyért3|egyértelműsítő
        más|hasonló|nem tévesztendő össze|csonk|korrektúra|lektor|lektorálni|nincs forrás|kevés forrás|pontosabban
        átirányítás|forráskérő|gyatra|építés alatt|nemzetközi katalógusok|jegyzetek|források|portál|társprojekt""",
    "it": """vedi anche|voce principale|vedi|torna a|nota disambigua|nd|disambigua|disclaimer|disclaimer medico
        abbozzo|da aiutare|wip|in corso|controllare|stub|organizzare|curiosità|recentismo|correggere|tradotto da
        controllo di autorità|portale|interprogetto|avvisounicode|avviso unicode|vetrina|voce di qualità""",
    "nl": """zie hoofdartikel|hoofdartikel|zie ook|zie artikel|zie|zie ook artikel|zie dp|zie dpintro|dpintro
        zie doorverwijzing|beginnetje|meebezig|twijfel|wiu|wikify|nuweg|weg|actueel|npov|bronvermelding|appendix
        navigatie|onderdeel""",
    "pl": """osobny artykuł|główny artykuł|zobacz też|zobacz|inne znaczenia|disambigr|seealso|nie mylić z
        nie mylić|stub|dopracować|źródła|kontrola autorytatywna|przypisy""",
    "pt": """artigo principal|principal|ver também|ver artigo principal|ap|vt|vertambém|outros usos|ver desambig
        ver desambiguação|não confundir|não confundir com|redirect|mais notas|sem fontes|sem-fontes|esboço
        controle de autoria|portal3""",
    "ro": """articol principal|articole principale|vezi și|vezi şi|vezi|principal|despre|altesensuri|alte sensuri
        pentru|confuzie|a nu se confunda|ciot|formatare|fără surse|surse|informații bibliotecare
        control de autoritate|de actualizat|redirect|redirecționare|portal|dezambiguizare""",
    "ru": """основная статья|главная статья|см. также|см.также|значения|другие значения|не путать|перенаправление
        заготовка|достоверность|проверить|обновить|внешние ссылки|нормативный контроль""",
    "sl": """glavni članek|glavni|glej tudi|glej|več|drugi pomeni|drugipomeni|drugi pomeni2|ne zamenjuj
        preusmeritev|škrbina|stran v delu|slog|brez virov|čiščenje|normativna kontrola|portal|opombe|sklici""",
    "sr": """главни|главни чланак|главна|посебан чланак|види још|види|такође погледајте|друго значење
        друга значења|вишезначна|вишезначна одредница|за|детаљније|кратак опис|клица|рут|сређивање|без извора
        нормативна контрола|није за мешање|портал|glavni|glavni članak|vidi još|drugo značenje""",
    "sv": """huvudartikel|huvudartiklar|se även|se också|olika betydelser|för|ej förväxla|skilj från|omdirigering
        omdirigering här|stub|ifrågasatt uppgift|fakta saknas|källor|ingen källa|saknar källor|uppdatera
        auktoritetsdata|portal|grund""",
    "uk": """основна стаття|головна стаття|докладніше|див. також|див.також|значення|інші значення|не плутати
        доробити|без джерел|перенаправлення|бібліоінформація|нормативний контроль|портали""",
}  # fmt: skip


def _nothing(call: Call) -> str:
    return ""


NOTICES: dict[str, dict[str, Handler]] = {language: named(names, _nothing) for language, names in _NAMES.items()}
"""Handlers by language and normal name: each shows nothing."""
