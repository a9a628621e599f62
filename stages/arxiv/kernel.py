r"""What LaTeX and its common packages define, and how many arguments each command takes.

Two questions need it: whether ``\providecommand`` does anything, and whether a macro stands where an argument is
read, so that its expansion needs braces (The TeXbook, chapter 20: an undelimited argument is a token or a group).
Sources: The TeXbook's appendix B and index, the LaTeX kernel's and amsmath's documented sources, package manuals.
"""

from __future__ import annotations

from collections.abc import Set

from llama_data.stages.arxiv.vocabulary import names

# primitives, the plain and the LaTeX kernel's commands without a mandatory argument that may follow at once
_NONE = names(
    r"""
    above abovedisplayskip abovewithdelims accent adjdemerits advance afterassignment aftergroup atop atopwithdelims
    badness baselineskip batchmode begingroup belowdisplayskip box boxmaxdepth brokenpenalty catcode char chardef
    cleaders clubpenalty copy count cr crcr csname day dimen discretionary displaylimits displaystyle divide
    doublehyphendemerits dp dump edef else emergencystretch end endcsname endgroup endinput endlinechar eqno
    everydisplay everymath everypar exhyphenpenalty expandafter fam fi finalhyphendemerits floatingpenalty font
    futurelet gdef global halign hangafter hangindent hbadness hbox hfil hfill hfilneg hfuzz hoffset hrule hsize
    hskip hss ht hyphenation hyphenchar hyphenpenalty if ifcase ifcat ifdim ifeof iffalse ifhbox ifhmode ifinner
    ifmmode ifnum ifodd iftrue ifvbox ifvmode ifvoid ifx ignorespaces immediate indent insert interlinepenalty
    jobname kern language lastbox lastkern lastpenalty lastskip lccode leaders left leftskip leqno let limits
    linepenalty lineskip lineskiplimit long looseness lower lowercase mag mark mathchar mathchardef mathchoice
    mathcode mathsurround maxdepth meaning medmuskip message middle mkern month moveleft moveright mskip multiply
    muskip noalign noboundary noexpand noindent nolimits nonscript nonstopmode nulldelimiterspace nullfont number
    omit openin openout or outer output over overfullrule overwithdelims pagegoal pagetotal par parfillskip
    parindent parshape parskip patterns pausing penalty postdisplaypenalty predisplaypenalty prevdepth prevgraf
    raise read relax relpenalty right rightskip romannumeral scriptfont scriptscriptfont scriptscriptstyle
    scriptspace scriptstyle setbox setlanguage sfcode shipout show showbox showthe skip space spacefactor spaceskip
    span special splittopskip string tabskip textfont textstyle the thickmuskip thinmuskip time toks tolerance
    topskip uccode unhbox unhcopy unkern unpenalty unskip unvbox unvcopy uppercase vadjust valign vbadness vbox
    vcenter vfil vfill vfilneg vfuzz voffset vrule vsize vskip vss vtop wd widowpenalty write xdef xspaceskip year
    numexpr dimexpr glueexpr detokenize unexpanded protected ifdefined ifcsname iffontchar currentgrouplevel
    eTeXversion pdfoutput

    AA AE L O OE S P aa ae l o oe ss i j dag ddag copyright pounds dots ldots cdots vdots ddots textellipsis slash
    TeX LaTeX LaTeXe today thepage hrulefill dotfill leftarrowfill rightarrowfill quad qquad enspace enskip
    thinspace negthinspace medspace thickspace nobreakspace allowbreak nobreak break newline linebreak nolinebreak
    pagebreak nopagebreak newpage clearpage cleardoublepage smallskip medskip bigskip smallbreak medbreak bigbreak
    goodbreak filbreak eject supereject offinterlineskip nointerlineskip openup obeylines obeyspaces endgraf endline
    bye smallskipamount medskipamount bigskipamount hidewidth strut mathstrut null lq rq lbrack rbrack lbrace rbrace
    bgroup egroup empty item bibitem appendix frontmatter mainmatter backmatter maketitle tableofcontents
    listoffigures listoftables makeatletter makeatother makeindex makeglossary printindex onecolumn twocolumn sloppy
    fussy flushbottom raggedbottom raggedright raggedleft centering samepage protect noalign hline vline
    tabularnewline kill poptabs pushtabs and nonumber notag displaybreak allowdisplaybreaks leavevmode
    ignorespacesafterend normalbaselines frenchspacing nonfrenchspacing nofiles boldmath unboldmath normalsize small
    footnotesize scriptsize tiny large Large LARGE huge Huge rm sf tt bf it sl sc em cal mit oldstyle rmfamily
    sffamily ttfamily mdseries bfseries upshape itshape slshape scshape normalfont selectfont normalcolor
    footnotemark linewidth textwidth textheight columnwidth columnsep paperwidth paperheight hsize oddsidemargin
    evensidemargin topmargin headheight headsep footskip marginparwidth unitlength fboxsep fboxrule arraycolsep
    tabcolsep arrayrulewidth doublerulesep arraystretch baselinestretch leftmargin itemsep parsep topsep partopsep
    labelsep labelwidth listparindent floatsep textfloatsep intextsep abovecaptionskip belowcaptionskip jot
    footnoterule footnotesep refname bibname abstractname figurename tablename contentsname indexname appendixname
    chaptername partname theequation thesection thesubsection thechapter thefigure thetable thefootnote theenumi
    proofname magnification beginsection endproclaim relax

    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho varrho
    sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
    aleph hbar imath jmath ell wp Re Im partial infty prime emptyset nabla surd top bot angle triangle forall exists
    neg lnot flat natural sharp clubsuit diamondsuit heartsuit spadesuit backslash coprod bigvee bigwedge biguplus
    bigcap bigcup intop int prod sum bigotimes bigoplus bigodot ointop oint bigsqcup smallint triangleleft
    triangleright bigtriangleup bigtriangledown wedge land vee lor cap cup ddagger dagger sqcap sqcup uplus amalg
    diamond bullet wr div odot oslash otimes ominus oplus mp pm circ bigcirc setminus cdot ast times star propto
    sqsubseteq sqsupseteq parallel mid dashv vdash nearrow searrow nwarrow swarrow Leftrightarrow Leftarrow
    Rightarrow neq ne leq le geq ge succ prec approx succeq preceq supset subset supseteq subseteq in ni owns gg ll
    not leftrightarrow leftarrow gets rightarrow to mapsto mapstochar sim simeq perp equiv asymp smile frown
    leftharpoonup leftharpoondown rightharpoonup rightharpoondown rightleftharpoons cong notin doteq hookrightarrow
    hookleftarrow bowtie models Longrightarrow longrightarrow longleftarrow Longleftarrow longmapsto
    longleftrightarrow Longleftrightarrow iff ldotp cdotp colon lmoustache rmoustache lgroup rgroup bracevert
    arrowvert Arrowvert Vert vert uparrow downarrow updownarrow Uparrow Downarrow Updownarrow rangle langle rfloor
    lfloor rceil lceil arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf
    limsup ln log max min Pr sec sin sinh sup tan tanh bmod mho Join Box Diamond leadsto sqsubset sqsupset lhd unlhd
    rhd unrhd mathdollar mathsection mathparagraph mathsterling mathellipsis mathunderscore textbackslash textbar
    textless textgreater textasciitilde textasciicircum textunderscore textdollar textquotedblleft textquotedblright
    textquoteleft textquoteright textquotesingle textendash textemdash textbullet textperiodcentered textdagger
    textdaggerdbl textsection textparagraph textregistered texttrademark textdegree texteuro textmu textpm texttimes
    textdiv textcopyright textvisiblespace textbraceleft textbraceright textasteriskcentered guillemotleft
    guillemotright guillemetleft guillemetright guilsinglleft guilsinglright quotedblbase quotesinglbase DH DJ NG TH
    dh dj ng th SS
    """
)

# the number of mandatory arguments; those in brackets do not count
_COUNTS = {
    1: names(
        r"""
            textrm textsf texttt textmd textbf textup textit textsl textsc textnormal textulc textsw emph text
            mathrm mathsf mathtt mathbf mathit mathnormal mathcal mathbb mathfrak mathscr boldsymbol bm pmb mathds
            mathbbm hat check breve acute grave tilde bar vec dot ddot dddot ddddot mathring widehat widetilde
            widecheck overline underline MakeUppercase ket bra abs norm overbrace underbrace overrightarrow
            overleftarrow overleftrightarrow underrightarrow underleftarrow underleftrightarrow sqrt root mathop
            mathbin mathrel mathord mathopen mathclose mathpunct mathinner operatorname operatornamewithlimits
            phantom hphantom vphantom smash boxed fbox mbox hbox makebox framebox centerline leftline rightline llap
            rlap clap mathllap mathrlap mathclap underbar oldstylenums mathversion ensuremath footnote footnotetext
            marginpar caption label ref pageref eqref cite citet citep citealt citealp citeauthor citeyear
            citeyearpar nocite section subsection subsubsection paragraph subparagraph chapter part title author
            date thanks address email affiliation keywords begin hspace vspace addvspace input include includeonly
            includegraphics bibliography bibliographystyle usepackage RequirePackage documentclass documentstyle
            pagestyle thispagestyle pagenumbering stepcounter refstepcounter newcounter newlength newsavebox newfont
            newif usebox value arabic roman Roman alph Alph fnsymbol index glossary typeout big Big bigg Bigg bigl
            bigr Bigl Bigm Bigr biggl biggm biggr Biggl Biggm Biggr pmod pod mod substack intertext shortintertext
            tag xrightarrow xleftarrow xleftrightarrow slashed cancel bcancel xcancel stretch symbol textsuperscript
            textsubscript textcircled uline uuline uwave sout xout hl ul st so MakeLowercase url path nolinkurl
            hyperref autoref cref Cref vref nameref c b d u v t H k r ding num si unit ang lefteqn columncolor
            rowcolor cellcolor color tikz linespread DeclareMathOperator enlargethispage settowidth cline cmidrule
            shoveleft shoveright
            """
    ),
    2: names(
        r"""
            frac dfrac tfrac cfrac binom dbinom tbinom stackrel overset underset buildrel textcolor colorbox href
            raisebox parbox setlength addtolength setcounter addtocounter rule resizebox scalebox rotatebox
            foreignlanguage savebox sbox markboth newtheorem texorpdfstring mathpalette fontsize qty SI sfrac
            nicefrac xfrac ifstrempty addtocontents
            """
    ),
    3: names(
        "multicolumn multirow addcontentsline fcolorbox overunderset definecolor put multiput DeclareSymbolFontAlphabet"
    ),
}
_SYMBOLS = {**dict.fromkeys("'`\"^~=.", 1), **dict.fromkeys(",;:!>< /-{}%&#_$\\()[]|@*+\n\t", 0)}

_AMS_SYMBOLS = names(
    r"""
        boxdot boxplus boxtimes square blacksquare centerdot lozenge blacklozenge circlearrowright circlearrowleft
        rightleftharpoons leftrightharpoons boxminus Vdash Vvdash vDash twoheadrightarrow twoheadleftarrow
        leftleftarrows rightrightarrows upuparrows downdownarrows upharpoonright restriction downharpoonright
        upharpoonleft downharpoonleft rightarrowtail leftarrowtail leftrightarrows rightleftarrows Lsh Rsh
        rightsquigarrow leftrightsquigarrow looparrowleft looparrowright circeq succsim gtrsim gtrapprox multimap
        therefore because doteqdot Doteq triangleq precsim lesssim lessapprox eqslantless eqslantgtr curlyeqprec
        curlyeqsucc preccurlyeq leqq leqslant lessgtr backprime risingdotseq fallingdotseq succcurlyeq geqq geqslant
        gtrless vartriangleright vartriangleleft trianglerighteq trianglelefteq bigstar between blacktriangledown
        blacktriangleright blacktriangleleft vartriangle blacktriangle triangledown eqcirc lesseqgtr gtreqless
        lesseqqgtr gtreqqless Rrightarrow Lleftarrow veebar barwedge doublebarwedge measuredangle sphericalangle
        varpropto smallsmile smallfrown Subset Supset Cup doublecup Cap doublecap curlywedge curlyvee leftthreetimes
        rightthreetimes subseteqq supseteqq bumpeq Bumpeq lll llless ggg gggtr circledS pitchfork dotplus backsim
        backsimeq complement intercal circledcirc circledast circleddash lvertneqq gvertneqq nleq ngeq nless ngtr
        nprec nsucc lneqq gneqq nleqslant ngeqslant lneq gneq npreceq nsucceq precnsim succnsim lnsim gnsim nleqq
        ngeqq precneqq succneqq precnapprox succnapprox lnapprox gnapprox nsim ncong diagup diagdown varsubsetneq
        varsupsetneq nsubseteqq nsupseteqq subsetneqq supsetneqq varsubsetneqq varsupsetneqq subsetneq supsetneq
        nsubseteq nsupseteq nparallel nmid nshortmid nshortparallel nvdash nVdash nvDash nVDash ntrianglerighteq
        ntrianglelefteq ntriangleleft ntriangleright nleftarrow nrightarrow nLeftarrow nRightarrow nLeftrightarrow
        nleftrightarrow divideontimes varnothing nexists Finv Game mho eth eqsim beth gimel daleth lessdot gtrdot
        ltimes rtimes shortmid shortparallel smallsetminus thicksim thickapprox approxeq succapprox precapprox
        curvearrowleft curvearrowright digamma varkappa Bbbk hslash backepsilon ulcorner urcorner llcorner lrcorner
        yen checkmark circledR maltese angle hbar dashrightarrow dashleftarrow dasharrow
        """
)
_AMSMATH = names(
    r"""
        text boldsymbol pmb operatorname operatornamewithlimits DeclareMathOperator dfrac tfrac cfrac binom dbinom
        tbinom genfrac overset underset overunderset sideset substack boxed tag notag eqref intertext displaybreak
        allowdisplaybreaks raisetag shoveleft shoveright xrightarrow xleftarrow overleftrightarrow underrightarrow
        underleftarrow underleftrightarrow dddot ddddot iint iiint iiiint idotsint dotsb dotsc dotsi dotsm dotso
        lvert rvert lVert rVert injlim projlim varlimsup varliminf varinjlim varprojlim varGamma varDelta varTheta
        varLambda varXi varPi varSigma varUpsilon varPhi varPsi varOmega implies impliedby hdotsfor numberwithin mod
        pod smash leftroot uproot mspace negmedspace negthickspace Hat Check Tilde Acute Grave Dot Ddot Breve Bar
        Vec lvert thinspace medspace
        """
)
_URL = names("url path urlstyle DeclareUrlCommand")
_COLOR = names("color textcolor colorbox fcolorbox pagecolor definecolor normalcolor")
_GRAPHICS = names("includegraphics graphicspath scalebox resizebox rotatebox reflectbox DeclareGraphicsExtensions")
_PACKAGES = {
    "amsmath": _AMSMATH,
    "amssymb": _AMS_SYMBOLS | names("mathbb mathfrak Bbb frak"),
    "amsfonts": names("mathbb mathfrak Bbb frak"),
    "amsthm": names("qed qedsymbol qedhere theoremstyle newtheoremstyle swapnumbers pushQED popQED proofname"),
    "bm": names("bm bmdefine boldsymbol"),
    "graphicx": _GRAPHICS,
    "color": _COLOR,
    "xcolor": _COLOR | names("colorlet rowcolors definecolorset"),
    "url": _URL,
    "hyperref": _URL
    | names(
        "href nolinkurl hyperref hypersetup autoref nameref texorpdfstring hypertarget hyperlink phantomsection "
        "pdfbookmark"
    ),
    "xspace": names("xspace"),
    "natbib": names("citet citep citealt citealp citeauthor citeyear citeyearpar Citet Citep citetext bibsep natexlab"),
    "mathrsfs": names("mathscr"),
    "dsfont": names("mathds"),
    "bbm": names("mathbbm mathbbmss mathbbmtt"),
    "slashed": names("slashed declareslashed"),
    "cancel": names("cancel bcancel xcancel cancelto"),
    "booktabs": names("toprule midrule bottomrule cmidrule addlinespace specialrule"),
    "multirow": names("multirow"),
    "textcomp": names(
        "textcelsius textohm textonehalf textonequarter textthreequarters textbaht textdong textlira textwon"
    ),
    "mathtools": names(
        "coloneqq eqqcolon Coloneqq prescript DeclarePairedDelimiter mathclap mathllap mathrlap clap adjustlimits "
        "vcentcolon xleftrightarrow shortintertext overbracket underbracket splitfrac dblcolon"
    ),
    "siunitx": names("SI si num ang qty unit SIrange numrange sisetup DeclareSIUnit"),
    "cleveref": names("cref Cref crefrange Crefrange crefname Crefname"),
    "ulem": names("uline uuline uwave sout xout"),
    "soul": names("so caps ul st hl"),
    "physics": names(
        "abs norm ket bra braket ketbra dv pdv dd qty comm acomm expval ev mel grad curl laplacian Tr tr order vb va "
        "vu eval"
    ),
    "braket": names("bra ket braket Bra Ket Braket set Set"),
    "ifpdf": names("ifpdf"),
    "enumitem": names("setlist newlist"),
    "verbatim": names("verbatiminput"),
    "comment": names("includecomment excludecomment specialcomment"),
}
_LOADS = {
    "mathtools": ("amsmath",),
    "empheq": ("amsmath",),
    "physics": ("amsmath", "xcolor"),
    "amssymb": ("amsfonts",),
    "graphics": ("graphicx",),
    "cleveref": (),
    "tikz": ("graphicx", "xcolor"),
    "biblatex": ("url",),
    # classes
    "amsart": ("amsmath", "amsfonts", "amsthm"),
    "amsbook": ("amsmath", "amsfonts", "amsthm"),
    "amsproc": ("amsmath", "amsfonts", "amsthm"),
    "acmart": ("amsmath", "amsthm", "hyperref", "graphicx", "xcolor", "natbib", "booktabs"),
    "revtex4": ("natbib", "url"),
    "revtex4-1": ("natbib", "url"),
    "revtex4-2": ("natbib", "url"),
    "elsarticle": ("natbib", "graphicx"),
    "beamer": ("amsmath", "amssymb", "hyperref", "graphicx", "xcolor"),
    "jmlr": ("amsmath", "amssymb", "natbib", "graphicx", "url", "xcolor", "hyperref"),
    "lipics-v2019": ("amsmath", "amssymb", "amsthm", "hyperref", "graphicx", "xcolor"),
    "lipics-v2021": ("amsmath", "amssymb", "amsthm", "hyperref", "graphicx", "xcolor"),
}
# listed above for their arguments, but defined only by a class or a package that the lists do not name
_ELSEWHERE = names(
    """
        vref num ding si widecheck sfrac nicefrac xfrac qty SI foreignlanguage ifstrempty cellcolor rowcolor
        columncolor tikz email affiliation address keywords leadsto Join Box Diamond sqsubset sqsupset lhd unlhd rhd
        unrhd mho magnification beginsection endproclaim bye chapter frontmatter mainmatter backmatter citealt
        citealp printindex
        """
)

UNKNOWN = -1
_ARITY: dict[str, int] = {
    **_SYMBOLS,
    **dict.fromkeys(_AMS_SYMBOLS | _AMSMATH, 0),
    **dict.fromkeys(_NONE, 0),
    **{name: count for count, listed in _COUNTS.items() for name in listed},
}
_PACKAGED = frozenset(name for listed in _PACKAGES.values() for name in listed)
_KERNEL = (
    _NONE
    | _SYMBOLS.keys()
    | names("refname bibname abstractname appendixname figurename tablename contentsname indexname partname smash pmod")
    | (frozenset(name for listed in _COUNTS.values() for name in listed) - _PACKAGED)
) - _ELSEWHERE


def arity(name: str) -> int:
    """
    How many arguments a command takes that is not the paper's own; ``UNKNOWN`` for one that is not listed.
    """
    return _ARITY.get(name, UNKNOWN)


def loaded(packages: Set[str]) -> frozenset[str]:
    """
    The packages and classes with those that they load themselves.
    """
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _LOADS.get(name, ())
    return frozenset(found)


def is_defined(name: str, packages: Set[str]) -> bool:
    """
    True for a command of the LaTeX kernel, or of one of the packages and classes.
    """
    return name in _KERNEL or any(name in _PACKAGES.get(package, ()) for package in packages)
