"""Behaviour switches: the double-underscore words that MediaWiki takes as orders, in the languages of the wikis.

Any other word between underscores is text: ``__FILE__``, ``__init__``. Sources: MediaWiki's languages/messages and the
magic words of its extensions, as the wikis' own site information lists them.
"""
# ruff: noqa: RUF001 - Cyrillic words

from __future__ import annotations

import re
from functools import cache

_ANY_CASE = """
    ARCHIVEDTALK EXPECTWITHOUTSCANS FORCETOC NOCC NOCONTENTCONVERT NOEDITSECTION NOGALLERY NOTALK NOTC NOTITLECONVERT
    NOTOC TOC
"""
_UPPER_CASE = """
    DISAMBIG EXPECTED_UNCONNECTED_PAGE EXPECTUNUSEDCATEGORY EXPECTUNUSEDTEMPLATE HIDDENCAT INDEX KEEPTITLE
    NEWSECTIONLINK NOGLOBAL NOINDEX NONEWSECTIONLINK STATICREDIRECT
"""

# Each language's own words: those that count in any case, then those that must be written as here.
_LOCAL: dict[str, tuple[str, str]] = {
    "bg": (
        "БЕЗ_РЕДАКТИРАНЕ_НА_РАЗДЕЛИ БЕЗГАЛЕРИЯ БЕЗСЪДЪРЖАНИЕ СЪДЪРЖАНИЕ СЪССЪДЪРЖАНИЕ",
        "БЕЗИНДЕКСИРАНЕ ВРЪЗКА_ЗА_НОВ_РАЗДЕЛ ИНДЕКСИРАНЕ СКРИТАКАТЕГОРИЯ",
    ),
    "ca": (
        """
        CAPDEGALARIA CAPDEGALARIÁ CAPDETAULA CAPGALERIA CAPTAULA FORÇARSOMARI FORÇARTAULA FORÇARTDM FORÇATAULA
        NOGALERIA NOTAULA PASCAPDEDEGALARIÁ PASCAPDESOMARI PASCAPDETDM RESUM SECCIONNONEDITABLA SECCIONOEDITABLE
        SECCIÓNOEDITABLE SOMARI TAULA TDM
    """,
        """
        CAPINDEX CATAMAGADA LIGAMSECCIONNOVÈLA PASCAPDELIGAMSECCIONNOVÈLA PASCAPDINDÈX REDIRECCIOESTATICA
        REDIRECCIONESTATICA REDIRECCIÓESTATICA
    """,
    ),
    "cs": (
        """
        BEZEDITOVATČÁST BEZGALERIE BEZGALÉRIE BEZKONVERZENADPISU BEZKONVERZEOBSAHU BEZOBSAHU NEUPRAVOVAŤSEKCIE OBSAH
        VYNÚTIŤOBSAH VŽDYOBSAH
    """,
        """
        BEZLINKUPŘIDATKOMENTÁŘ INDEXOVAT LINKPŘIDATKOMENTÁŘ NEINDEXOVAT SKRYTÁKAT SKRYTÁKATEGÓRIA SKRÝTKAT
        STATICKÉPŘESMĚROVÁNÍ
    """,
    ),
    "de": (
        """
        ABSCHNITTE_NICHT_BEARBEITEN INHALTSVERZEICHNIS INHALTSVERZEICHNIS_ERZWINGEN KEINEGALERIE KEINE_GALERIE
        KEINE_INHALTSKONVERTIERUNG KEINE_TITELKONVERTIERUNG KEININHALTSVERZEICHNIS KEIN_INHALTSVERZEICHNIS
    """,
        """
        INDEXIEREN INDIZIEREN KEIN_INDEX KEIN_NEUER_ABSCHNITTSLINK KEIN_PLUS_LINK NEUER_ABSCHNITTSLINK
        NICHT_INDEXIEREN NICHT_INDIZIEREN PERMANENTE_WEITERLEITUNG PLUS_LINK VERSTECKTE_KATEGORIE WARTUNGSKATEGORIE
    """,
    ),
    "es": (
        """
        FORZARTDC FORZARTOC FORZAR_TDC NOCC_ NOCONVERTIRCONTENIDO NOCONVERTIRTITULO NOCONVERTIRTÍTULO NOCT_
        NOEDITARSECCION NOEDITARSECCIÓN NOGALERIA NOGALERÍA NOTDC NO_EDITAR_SECCIÓN SIN_GALERÍA SIN_TDC TDC
    """,
        """
        CATEGORÍAOCULTA DISAMBIGUACION ENLACECREARSECCIÓN INDEXAR NOINDEXAR NOVINCULARANUEVASECCION
        REDIRECCIONESTATICA REDIRECCIÓNESTÁTICA SINENLACECREARSECCIÓN VINCULARANUEVASECCION
    """,
    ),
    "fr": (
        """
        AUCUNEGALERIE AUCUNETDM AUCUNSOMMAIRE FORCERSOMMAIRE FORCERTDM SANSCC SANSCONVERSIONCONTENU
        SANSCONVERSIONTITRE SANSCT SECTIONNONEDITABLE SOMMAIRE TDM
    """,
        "AUCUNINDEX AUCUNLIENNOUVELLESECTION CATCACHEE LIENNOUVELLESECTION REDIRECTIONSTATIQUE",
    ),
    "hr": (
        "BEZGALERIJE BEZSADRŽAJA BEZUREĐIVANJAODLOMAKA SADRŽAJ UKLJUČISADRŽAJ",
        "BEZKAZALA KAZALO NEPOMIČNOPREUSMJERAVANJE SKRIVENAKAT",
    ),
    "hu": (
        """
        LEGYENTARTALOMJEGYZÉK LEGYENTJ NINCSGALÉRIA NINCSSZERK NINCSSZERKESZTÉS NINCSTARTALOMJEGYZÉK NINCSTJ
        TARTALOMJEGYZÉK TJ
    """,
        "NINCSINDEX REJTETTKAT REJTETTKATEGÓRIA STATIKUSÁTIRÁNYÍTÁS ÁLLANDÓÁTIRÁNYÍTÁS",
    ),
    "it": (
        "",
        "INDICE NOINDICE",
    ),
    "nl": (
        """
        FORCEERINHOUD GEENIC GEENINHOUD GEENINHOUDCONVERSIE GEENPAGINANAAMCONVERSIE GEENTC GEENTITELCONVERSIE
        GEEN_GALERIJ INHOUD INHOUD_DWINGEN NIETBEWERKBARESECTIE
    """,
        """
        GEENINDEX GEENNIEUWESECTIELINK GEENNIEUWKOPJEKOPPELING GEENNIEUWKOPJEVERWIJZING NIEUWESECTIEKOPPELING
        NIEUWESECTIELINK STATISCHEDOORVERWIJZING STATISCHEREDIRECT VERBORGENCAT
    """,
    ),
    "pl": (
        "BEZEDYCJISEKCJI BEZGALERII BEZSPISU SPIS WYMUŚSPIS ZESPISEM",
        "INDEKSUJ KATEGORIAUKRYTA LINKNOWEJSEKCJI NIEINDEKSUJ",
    ),
    "pt": (
        """
        FORCARSUMARIO FORCARTDC FORÇARSUMÁRIO FORÇARTDC NAOEDITARSECAO NÃOEDITARSEÇÃO SEMCC SEMCONVERTERCONTEUDO
        SEMCONVERTERCONTEÚDO SEMCONVERTERTITULO SEMCONVERTERTÍTULO SEMCT SEMEDITARSECAO SEMEDITARSEÇÃO SEMGALERIA
        SEMSUMÁRIO SEMTDC SUMARIO SUMÁRIO TDC
    """,
        """
        CATEGORIAOCULTA CATOCULTA INDEXAR LIGACAODENOVASECAO LIGAÇÃODENOVASEÇÃO LINKDENOVASECAO LINKDENOVASEÇÃO
        NAOINDEXAR NÃOINDEXAR REDIRECIONAMENTOESTATICO REDIRECIONAMENTOESTÁTICO SEMLIGACAODENOVASECAO
        SEMLIGAÇÃODENOVASEÇÃO SEMLINKDENOVASECAO SEMLINKDENOVASEÇÃO
    """,
    ),
    "ro": (
        "CUPRINS FARACUPRINS FARAEDITSECTIUNE FARAGALERIE FORTEAZACUPRINS",
        "ASCUNDECAT FARAINDEX REDIRECTIONARESTATICA",
    ),
    "ru": (
        """
        БЕЗ_ГАЛЕРЕИ БЕЗ_ОГЛ БЕЗ_ОГЛАВЛЕНИЯ БЕЗ_ПРЕОБРАЗОВАНИЯ_ЗАГОЛОВКА БЕЗ_ПРЕОБРАЗОВАНИЯ_ТЕКСТА
        БЕЗ_РЕДАКТИРОВАНИЯ_РАЗДЕЛА ОБЯЗ_ОГЛ ОБЯЗАТЕЛЬНОЕ_ОГЛАВЛЕНИЕ ОГЛ ОГЛАВЛЕНИЕ
    """,
        """
        БЕЗ_ИНДЕКСА БЕЗ_ССЫЛКИ_НА_НОВЫЙ_РАЗДЕЛ ИНДЕКС СКРЫТАЯ_КАТЕГОРИЯ ССЫЛКА_НА_НОВЫЙ_РАЗДЕЛ
        СТАТИЧЕСКОЕ_ПЕРЕНАПРАВЛЕНИЕ
    """,
    ),
    "sl": (
        "BREZGALERIJE BREZKAZALAVSEBINE BREZUREJANJARAZDELKOV POGLAVJE VSILIKAZALOVSEBINE",
        "BREZKAZALA KAZALO SKRITAKATEGORIJA STATICNAPREUSMERITEV",
    ),
    "sr": (
        """
        BEZCC BEZGALERIJE BEZIZMENA BEZIZMJENA BEZKN BEZKS BEZSADRŽAJA BEZ_GALERIJE BEZ_IZMENA BEZ_IZMJENA
        BEZ_SADRŽAJA FORSIRAJSADRŽAJ FORSIRANISADRŽAJ FORSIRANI_SADRŽAJ PRIMORANISADRŽAJ PRIMORANI_SADRŽAJ SADRŽAJ
        БЕЗ_ГАЛЕРИЈЕ БЕЗ_ИЗМЈЕНА БЕЗ_ИЗМЕНА БЕЗ_САДРЖАЈА БЕЗГАЛЕРИЈЕ БЕЗИЗМЈЕНА БЕЗИЗМЕНА БЕЗКН БЕЗКС БЕЗСАДРЖАЈА
        БЕЗЦЦ ПРИМОРАНИ_САДРЖАЈ ПРИМОРАНИСАДРЖАЈ САДРЖАЈ ФОРСИРАЈСАДРЖАЈ ФОРСИРАНИ_САДРЖАЈ ФОРСИРАНИСАДРЖАЈ
    """,
        """
        BEZINDEKSA BEZINDEKSIRANJA BEZLINKAZANOVIODELJAK BEZLINKAZANOVIODJELJAK BEZNOVEVEZEODELJKA
        BEZNOVEVEZEODJELJKA BEZVEZEZANOVIODELJAK BEZVEZEZANOVIODJELJAK BEZ_INDEKSA BEZ_NOVE_VEZE_ODELJKA
        BEZ_NOVE_VEZE_ODJELJKA INDEKS INDEKSIRAJ INDEKSIRANJE LINKZANOVIODELJAK LINKZANOVIODJELJAK NEINDEKSIRAJ
        NOVAVEZAODELJKA NOVAVEZAODJELJKA NOVA_VEZA_ODELJKA NOVA_VEZA_ODJELJKA SAKRIVENAKAT SAKRIVENAKATEGORIJA
        SKRIVENAKAT SKRIVENAKATEGORIJA STATIČKOPREUSMERENJE STATIČKOPREUSMJERENJE STATIČNOPREUSMERENJE
        STATIČNOPREUSMJERENJE VEZAZANOVIODELJAK VEZAZANOVIODJELJAK БЕЗ_ИНДЕКСА БЕЗ_НОВЕ_ВЕЗЕ_ОДЈЕЉКА
        БЕЗ_НОВЕ_ВЕЗЕ_ОДЕЉКА БЕЗВЕЗЕЗАНОВИОДЈЕЉАК БЕЗВЕЗЕЗАНОВИОДЕЉАК БЕЗИНДЕКСА БЕЗИНДЕКСИРАЊА
        БЕЗЛИНКАЗАНОВИОДЈЕЉАК БЕЗЛИНКАЗАНОВИОДЕЉАК БЕЗНОВЕВЕЗЕОДЈЕЉКА БЕЗНОВЕВЕЗЕОДЕЉКА ВЕЗАЗАНОВИОДЈЕЉАК
        ВЕЗАЗАНОВИОДЕЉАК ИНДЕКС ИНДЕКСИРАЈ ИНДЕКСИРАЊЕ ЛИНКЗАНОВИОДЈЕЉАК ЛИНКЗАНОВИОДЕЉАК НЕИНДЕКСИРАЈ
        НОВА_ВЕЗА_ОДЈЕЉКА НОВА_ВЕЗА_ОДЕЉКА НОВАВЕЗАОДЈЕЉКА НОВАВЕЗАОДЕЉКА САКРИВЕНАКАТ САКРИВЕНАКАТЕГОРИЈА
        СКРИВЕНАКАТ СКРИВЕНАКАТЕГОРИЈА СТАТИЧКОПРЕУСМЈЕРЕЊЕ СТАТИЧКОПРЕУСМЕРЕЊЕ СТАТИЧНОПРЕУСМЈЕРЕЊЕ
        СТАТИЧНОПРЕУСМЕРЕЊЕ
    """,
    ),
    "sv": (
        """
        ALLTIDINNEHÅLLSFÖRTECKNING INGENINNEHÅLLSFÖRTECKNING INGETGALLERI INNEHÅLLSFÖRTECKNING INTEREDIGERASEKTION
    """,
        "DOLDKAT INDEXERA INTEINDEXERA NYTTAVSNITTLÄNK STATISKOMDIRIGERING",
    ),
    "uk": (
        """
        БЕЗ_ГАЛЕРЕЇ БЕЗ_ГАЛЕРЕИ БЕЗ_ЗМІСТУ БЕЗ_ОГЛ БЕЗ_ОГЛАВЛЕНИЯ БЕЗ_ПРЕОБРАЗОВАНИЯ_ЗАГОЛОВКА
        БЕЗ_ПРЕОБРАЗОВАНИЯ_ТЕКСТА БЕЗ_РЕДАГУВ_РОЗДІЛУ БЕЗ_РЕДАКТИРОВАНИЯ_РАЗДЕЛА ЗМІСТ ОБОВ_ЗМІСТ ОБЯЗ_ОГЛ
        ОБЯЗАТЕЛЬНОЕ_ОГЛАВЛЕНИЕ ОГЛ ОГЛАВЛЕНИЕ
    """,
        """
        ІНДЕКС БЕЗ_ІНДЕКСУ БЕЗ_ИНДЕКСА БЕЗ_ПОСИЛАННЯ_НА_НОВИЙ_РОЗДІЛ БЕЗ_ССЫЛКИ_НА_НОВЫЙ_РАЗДЕЛ ИНДЕКС
        ПОСИЛАННЯ_НА_НОВИЙ_РОЗДІЛ ПРИХОВ_КАТ ПРИХОВАНА_КАТЕГОРІЯ СКРЫТАЯ_КАТЕГОРИЯ ССЫЛКА_НА_НОВЫЙ_РАЗДЕЛ
        СТАТИЧЕСКОЕ_ПЕРЕНАПРАВЛЕНИЕ СТАТИЧНЕ_ПЕРЕНАПРАВЛЕННЯ
    """,
    ),
}


@cache
def _pattern(language: str) -> re.Pattern[str]:
    any_case, upper_case = _LOCAL.get(language, ("", ""))
    loose = "|".join(map(re.escape, (_ANY_CASE + any_case).split()))
    strict = "|".join(map(re.escape, (_UPPER_CASE + upper_case).split()))
    return re.compile(f"__(?:(?i:{loose})|{strict})__")


def without_switches(text: str, language: str) -> str:
    """Text without the switches of this language's wiki; the English ones count on every wiki."""
    return _pattern(language).sub("", text) if "__" in text else text
