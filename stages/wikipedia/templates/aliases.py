"""Further names of templates that the tables know: redirects of the single Wikipedias, the known name first."""
# ruff: noqa: RUF001 - Cyrillic names and typographic signs are the subject

from __future__ import annotations

_ALIASES = {
    "bg": """
        color<цвят2
        unicode<уникод
    """,
    "ca": """
        abbr<abr|abreviatura
        as of<a data de
        big<gran
        birth date<data de defunció|data de naixement|data naixement
        birth date and age<data de naixement i edat|data naixement i edat
        death date and age<data de defunció i edat|data defunció i edat|data defunció
        chem<quím
        citació<frase|viquidites
        quote box<caixa de citació
        columns-list<llista de columnes
        comma separated entries<entrades separades per comes
        flatlist<llista plana
        hlist<llistah
        lang<lleng
        nihongo<japonès
        nobold<nonegreta
        noitalics<nocursiva
        nuclide<núclid
        overline<sobreratlla|sobreratllat
        polytonic<grec antic
        radic<arrel|radical
        red<vermell
        resize<mida|petit|menor
        start date<data inici
        val<pv
        versaleta<versaletes|versalita
        ·<,|·w|•w
    """,
    "cs": """
        convert<převod
        overline<nadtrženo|nadtržení
    """,
    "da": """
        bigger<større
        birth date and age<dato og alder|fødselsdato og alder
        bulleted list<bulleted|ulist
        columns-list<collist
        date<dato
        end date<slut dato
        flag<land flag
        gray<grå
        key press<tastetryk
        lang<språk
        music<musik
        nobold<ikkefed
        proper name<ikke stavefejl
        roman<romertal
        spaces<mellemrum
        start date<start dato
        visible anchor<visanc
    """,
    "de": """
        center<zentrieren
        nowrap<kein umbruch
        overline<oberstrich|periode
        script<schrift
        ars<lang-ar
        bgs<lang-bg
        css<lang-cs
        els<lang-el
        ens<lang-en
        ess<lang-es
        frs<lang-fr
        hes<lang-he
        hrs<lang-hr
        hus<lang-hu
        las<lang-la
        nls<lang-nl
        pls<lang-pl
        ros<lang-ro
        rus<lang-ru
        sks<lang-sk
        srs<lang-sr
        uks<lang-uk
    """,
    "es": """
        abbr<abreviación|abreviatura
        audio-afi<ipaudio
        bibleref2<biblia
        center<centrar
        chem<fquim
        convert<convertir
        esd<espacio duro
        flatlist<lista horizontal|lista plana
        height<altura
        ipa2<afi2
        multicol<columnas
        music<musica|música
        noitalic<sin cursiva
        nuclide<nucleido
        overline<sobrerrayado
        plainlist<lista simple
        quote box<caja de cita|cuadro azul
        red<rojo
        ship<barco
        start date and age<fecha de lanzamiento
        traducción<en traducción
        unbulleted list<lista sin viñetas|lsv
        unidad<unidades|unité
        versalita<versalitas
        zh<zh-cpa|zh-p|zh-stp|zh-stpa
        ·<,
    """,
    "fr": """
        abrd<abréviation discrète
        ap jc<apjc
        api<phonétique|prononciation api
        api-fr<ipa-fr
        citation bloc<bloc citation
        citation nécessaire<citnec
        colonnes<colonne
        date de décès<date de décès et âge|date de mort
        date de naissance<date de naissance et âge
        dr<dr.
        e<è
        etc.<, etc.|etc...
        euro<euros
        font<fonte|police de caractères
        grec ancien<polytonique
        ibid.<ibid|ibidem
        inr<roupie indienne
        m.<monsieur
        math<formule
        me<me.
        mgr<monseigneur
        mlle<mademoiselle
        mm.<messieurs
        mme<madame
        nos<numéros
        n°<nᵒ
        op. cit.<op cit|opcit
        p.<pages
        passage évasif<imprecis|imprécis|évasif
        petites capitales<smcp
        pr<pr.
        rom<nombre en romain|roman
        référence nécessaire<cit|réf nécessaire|réfnéc|références nécessaires
        référence souhaitée<réfsou|référence demandée
        small<petit
        sqrt<racine
        tooltip<info
        typo<typographie
        unité<nau|unit
        xixe siècle<19e siècle|xixème siècle
        xviie siècle<17e siècle
        xviiie siècle<18e siècle
        xxe siècle<20e siècle
        zh<chinois|lang-zh|lang-zh-hans|lang-zh-hant|lang-zh-latn|zh-c|zh-p|zh-s|zh-st|zh-stp|zh-stpl|zh-t|zh-tpw
        ·<puce
    """,
    "hr": """
        ·<točka
    """,
    "hu": """
        =<egyenlőségjel
        birth date and age<életkor-élő-dátummal
        code<kód
        columns-list<oszloplista
        comment<komment|kommentár
        cuneiform<ékírás
        frac<tört
        idézet<idéz|idézet4|idézet 4
        keypress<bill|billentyű
        lang<nyelv
        legend<jelmagyarázat
        overline<felülvonás
        sic<rögzültrossz
        ·<,|pont
    """,
    "it": """
        abbr<descrizione comando
        chiarire<da chiarire|non chiaro
        citazione<q
        color<colore|colore carattere
        convert<converti
        endash<ln
        multicol<colonne
        nihongo<giapponese
        senza fonte span<citazione necessaria
        start date and age<data e tempo|data rilascio
        su<apici e pedici|sup sub
        ta<tuttoattaccato
        •<,
    """,
    "nl": """
        aut<kleinkap
        comment<commentaar|opm|opmerking
        sortname<sortnaam
    """,
    "pl": """
        roman<arabska na rzymską
    """,
    "pt": """
        =<igual
        as of<desde
        big<grande
        birth date and age<birthdate and age|nascimento
        center<centro
        code<código
        color<hi
        convert<conversor|converter
        end date<data de fim
        flagcountry<bandeira-país
        flatlist<lista horizontal|lista plana
        hebrew<hebreu
        height<altura
        inr<rupia indiana
        ipa2<afi2
        korean<coreano
        lang<língua|language
        mdash<--
        nihongo<japonês
        plainlist<lista simples
        quote box<quote box2|pcita
        radic<radix|raiz
        resize<redimensionar
        small<pequeno
        smallcaps<aut
        spaces<espaços
        sqrt<raiz quadrada|raizquadrada
        start date<data de início
        typo<como escrito|nome próprio|não é erro
        ubl<lista sem marcas|lsm
        ·<,
        •<*|ponto
    """,
    "ro": """
        abbr<abr
        birth date<data nașterii
        birth date and age<data nașterii și vârsta|dnv
        columns-list<coloane-listă
        death date<data decesului
        death date and age<data decesului și vârsta|ddv
        flag<drapel|steag
        frac<fracţie|fracție
        height<înălţime|înălțime
        ipa2<api2
        korean<coreeană
        marriage<mariaj
        native name<nume nativ
        nobold<nu aldin
        smallcaps<aut|litere mici|scaps
        su<su1|subsuper
        zh<lang-zh
        ·<,
        •<*|bulina
    """,
    "ru": """
        =<eq
        abbr<аббревиатура
        afi<afid|кул
        as of<на
        blockquote<bq
        bulleted list<bulleted|ulist|маркированный список
        color<color1|подсветка
        comment<cm|comm|комм
        date<д
        dot<·w|·wrap
        fraction<дробь
        gray<серый
        iast<lang-iast
        ipa<ipa-ro
        legend<легенда
        legend2<легенда2
        nihongo<нихонго
        nobr<ы
        oldstyledate<osd|новый стиль|сс|старый стиль
        resize<font-size
        smallcaps<aut|авт|капитель
        ubl<ubt|unbullet|немаркированный список|ненумерованный список
        мфа2<мфа 2
        не переведено<нет перевода|нужен перевод
        не переведено 2<translation2|не переведено2
        не переведено 3<ut3|не переведено3
        не переведено 5<international wikilink|iw2|ut5|неп5|нп6|шц
        нп4<ut4|не переведено 4
        ударение<stress|удар
        флагификация<флаг2
        цветная ссылка<цв
        цитата<цитатник|нц
        язык<диалект
        ·<'-|т
        •<*
    """,
    "sl": """
        abbr<okr
        big<veliko
        birth date and age<datum rojstva in starost
        chem<kem
        code<koda
        color<barva|barvapis|osvetli
        date<datum
        death date<datum smrti
        death date and age<datum smrti in starost
        dob<datum rojstva
        end date<končni datum
        flag<zastava
        flagcountry<zastava države
        frac<ulomek
        legend<legenda
        link<povezava
        math<matematična formula
        mdash<--
        music<glasba
        nbsp<presledki|presledek
        nobr<brez preloma|brezpreloma
        polytonic<politonalno
        quotation<citatni blok|navedba
        ship<ladja
        smallcaps<aut|malekapit
        start date<začetni datum
    """,
    "sr": """
        abbr<abbrev|define
        ca.<cca.|цирка
        comment<коментар
        date<formatdate
        link<веза
        quote<bq|цитат3|цитат5|цитат 2|навод|цитирање
        quote box<quote box2|кутијица за цитат
        raised<raise
        small<мало|мал|мли
        smallcaps<aut
        space<размак|размакница|размаци
        typo<nat|није грешка
        unbulleted list<ubt|unbullet
        ·<,
        •<*|•w
    """,
    "sv": """
        citat<centred pull quote|cpq|quoteit
        color<färg
        color box<färglåda
        columns-list<collist
        fraction<bråk
        gray<grå
        larger<110%
        linktext<länktext
        music<musik
        nobold<ej fet|ejfet
        overline<överstreck
        roman<romersk siffra|romerska siffror
        smallcaps<kapitäler
        start date and age<startdatum och ålder
        start date<startdatum
        zh<lang-zh|translit-zh2|zh-c|zh-cpwl|zh-full|zh-p|zh-spw|zh-stp
        ·<punkt|·w
        •<listpunkt
    """,
    "uk": """
        =<eq
        abbr<скорочений текст|скорочення
        as of<станом на
        color<кольоровий текст|кт
        columns<колонки
        comment<примітка
        date<д
        dts<дтс
        flagcountry<країна|країна з прапорцем
        fraction<дріб
        key<клавіша
        legend<легенда
        mono<моно
        nihongo<ніхонго
        nobr<нерозривно
        oldstyledate<сс
        overline<¯
        quotation<виписка
        sfrac<ндріб
        smallcaps<капітель
        spaces<проміжок
        text<текст
        мфа<pron|pronounced
        мфа-всі<ipa-all
        не перекладено<iw2|неперекладена стаття
        ·<,|т
        •<*
    """,
}


def aliases_of(language: str) -> dict[str, str]:
    """Further names in this Wikipedia, each with the name that the tables know."""
    known: dict[str, str] = {}
    for line in _ALIASES.get(language, "").split("\n"):
        name, _, others = line.strip().partition("<")
        known.update((other, name) for other in others.split("|") if other)
    return known
