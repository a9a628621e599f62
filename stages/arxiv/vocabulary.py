"""Names of commands, environments and file suffixes that the stage knows."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# suffixes of files that a paper's text is never read from; all others may be the target of an \input
BINARY = names(
    "pdf ps eps epsf epsi png jpg jpeg gif svg tif tiff bmp zip gz tgz z bz2 xz rar mp4 avi mov mp3 wav m4v fig "
    "bib bst ttf otf pfb pfa tfm vf afm xls xlsx doc docx odt ppt pptx jar class o so exe dll npy npz mat h5 fits "
    "nb pyc aux log out toc lof lot blg synctex fls ind idx ilg"
)

# environments whose content is not TeX: the kernel's, and those of fancyvrb, listings, minted, moreverb, spverbatim,
# tcolorbox, Sweave, jss and the packages that run other languages
VERBATIM = names(
    "verbatim verbatim* Verbatim Verbatim* BVerbatim BVerbatim* LVerbatim LVerbatim* SaveVerbatim VerbatimOut "
    "lstlisting minted spverbatim boxedverbatim boxedverbatim* verbatimtab verbatimwrite tcblisting tcblisting* "
    "tcboutputlisting luacode luacode* pycode pyblock pyconsole pyverbatim pyconcode sageblock sagesilent "
    "sageverbatim asy asydef gnuplot dot2tex Sinput Soutput CodeInput CodeOutput"
)
# environments in which only the backslash and the braces keep their meaning
HALF_VERBATIM = names("alltt semiverbatim verbatimcmd")
# environments that are not printed
EXCLUDED = names("comment")
# environments that write a file
WRITTEN = names("filecontents filecontents*")
# verbatim once a package is loaded: the name is something else without it
PACKAGE_VERBATIM = {
    "moreverb": names("listing listing* listingcont listingcont*"),
    "jss": names("Code"),
}

# begin with "if", but open no conditional that a \fi ends
NOT_CONDITIONAL = names(
    "iff ifthenelse ifstrempty ifstrequal ifblank ifdefempty ifdef ifundef ifcsdef ifcsundef iftoggle ifboolexpr "
    "ifnumcomp ifinlist ifdefstring ifbool ifmtarg ifpackageloaded ifdim@ ifrac ifft"
)

# what opens a conditional, so that its \fi can be found
CONDITIONAL = names(
    "if ifcat ifnum ifdim ifodd ifvmode ifhmode ifmmode ifinner ifvoid ifhbox ifvbox ifx ifeof iftrue iffalse "
    "ifcase ifdefined ifcsname iffontchar ifpdf ifxetex ifluatex ifPDFTeX ifXeTeX ifLuaTeX"
)

# the structure of a document: a paper that redefines it changes its looks, and later steps search for it
PROTECTED = names(
    "part chapter section subsection subsubsection paragraph subparagraph begin end item label ref eqref pageref "
    "cite citep citet citeauthor citeyear caption title author date maketitle thanks footnote footnotetext "
    "footnotemark includegraphics input include subfile import subimport documentclass documentstyle usepackage "
    "bibliography bibliographystyle printbibliography bibitem appendix abstract tableofcontents newcommand "
    "renewcommand def let left right middle big Big bigg Bigg mathbb mathcal mathrm mathbf mathit mathsf mathfrak "
    "text textbf textit emph frac sqrt sum int prod hline par newline hspace vspace ensuremath operatorname verb "
    "url href newtheorem document enddocument table figure equation align theorem proof lemma qed texttt textrm "
    "textsc underline footnotesize small large normalsize centering raggedright noindent indent newpage clearpage "
    "cleardoublepage hfill vfill smallskip medskip bigskip relax protect global long if else fi or the number "
    "today rm bf it tt sf sl sc em cal"
)

# their meaning depends on TeX's state: a body with one of them is not text and is not put into text
LOW_LEVEL = names(
    "csname endcsname expandafter noexpand futurelet afterassignment aftergroup catcode lccode uccode mathcode "
    "mathchardef chardef setbox newbox box copy unhbox unhcopy unvbox halign valign noalign mathchoice vcenter "
    "offinterlineskip else fi or loop repeat read write openin immediate string meaning jobname "
    "IfNoValueTF IfNoValueT IfNoValueF IfValueTF IfValueT IfValueF IfBooleanTF IfBooleanT IfBooleanF "
    "IfStrEq ifthenelse equal newif advance multiply divide dimexpr numexpr wd ht dp count dimen skip "
    "toks ExplSyntaxOn everymath everypar makeatletter makeatother mathpalette ooalign"
)

# how many tokens a command reads without expanding them (The TeXbook, chapter 20); those of \if and \ifcat are
# expanded by TeX, but a test that is left as it is keeps its operands
UNEXPANDED = {
    **dict.fromkeys(("ifx", "if", "ifcat", "expandafter"), 2),
    **dict.fromkeys(
        names(
            "ifdefined noexpand string meaning show afterassignment aftergroup newcount newdimen newskip newmuskip "
            "newtoks newbox newread newwrite newlength newsavebox newcounter chardef mathchardef countdef dimendef "
            "skipdef toksdef muskipdef font showtokens unexpanded detokenize DeclareMathSymbol DeclareMathAlphabet "
            "DeclareMathDelimiter DeclareMathAccent"
        ),
        1,
    ),
    "futurelet": 3,
}

# define a macro as \newcommand does
NEWCOMMAND = names(
    "newcommand renewcommand providecommand DeclareRobustCommand newrobustcmd renewrobustcmd providerobustcmd"
)
DEF = names("def gdef edef xdef")
DOCUMENT_COMMAND = frozenset(
    f"{verb}{kind}Command"
    for verb in ("New", "Renew", "Provide", "Declare")
    for kind in ("Document", "ExpandableDocument")
)
DEFINERS = (
    NEWCOMMAND
    | DEF
    | DOCUMENT_COMMAND
    | {"let", "DeclareMathOperator", "DeclarePairedDelimiter", "DeclarePairedDelimiterX", "DeclarePairedDelimiterXPP"}
)
PROVIDERS = names("providecommand providerobustcmd ProvideDocumentCommand ProvideExpandableDocumentCommand")
ENVIRONMENTS = names("newenvironment renewenvironment provideenvironment")
DOCUMENT_ENVIRONMENTS = frozenset(f"{verb}DocumentEnvironment" for verb in ("New", "Renew", "Provide", "Declare"))
