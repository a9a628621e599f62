"""Names of commands, environments and file suffixes that the stage knows."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# suffixes of files that a paper's text is never read from; all others may be the target of an \input
BINARY = _names(
    "pdf ps eps epsf epsi png jpg jpeg gif svg tif tiff bmp zip gz tgz z bz2 xz rar mp4 avi mov mp3 wav m4v "
    "fig bib bst ttf otf pfb pfa tfm vf afm xls xlsx doc docx odt ppt pptx jar class o so exe dll npy npz mat "
    "h5 fits nb pyc aux log out toc lof lot blg synctex fls ind idx ilg"
)

# environments whose content is not TeX
VERBATIM = _names(
    "verbatim verbatim* Verbatim Verbatim* BVerbatim LVerbatim SaveVerbatim VerbatimOut alltt lstlisting "
    "minted filecontents filecontents* listing luacode luacode* pycode pyconsole sagesilent sageblock "
    "semiverbatim tcblisting spverbatim boxedverbatim verbatimtab asy asydef comment*"
)

# what opens a conditional, so that its \fi can be found
CONDITIONAL = _names(
    "if ifcat ifnum ifdim ifodd ifvmode ifhmode ifmmode ifinner ifvoid ifhbox ifvbox ifx ifeof iftrue iffalse "
    "ifcase ifdefined ifcsname iffontchar ifpdf ifxetex ifluatex ifPDFTeX ifXeTeX ifLuaTeX"
)

# the structure of a document: a paper that redefines it changes its looks, and later steps search for it
PROTECTED = _names(
    "part chapter section subsection subsubsection paragraph subparagraph begin end item label ref eqref "
    "pageref cite citep citet citeauthor citeyear caption title author date maketitle thanks footnote "
    "footnotetext footnotemark includegraphics input include subfile import subimport documentclass "
    "documentstyle usepackage bibliography bibliographystyle printbibliography bibitem appendix abstract "
    "tableofcontents newcommand renewcommand def let left right middle big Big bigg Bigg mathbb mathcal mathrm "
    "mathbf mathit mathsf mathfrak text textbf textit emph frac sqrt sum int prod hline par newline hspace "
    "vspace ensuremath operatorname verb url href newtheorem document enddocument table figure equation align "
    "theorem proof lemma qed texttt textrm textsc underline footnotesize small large normalsize centering "
    "raggedright noindent indent newpage clearpage cleardoublepage hfill vfill smallskip medskip bigskip relax "
    "protect global long if else fi or the number today rm bf it tt sf sl sc em cal"
)

# their meaning depends on TeX's state: a body with one of them is not text and is not put into text
LOW_LEVEL = _names(
    "csname endcsname expandafter noexpand futurelet afterassignment aftergroup catcode lccode uccode mathcode "
    "mathchardef chardef setbox newbox box copy unhbox unhcopy unvbox halign valign noalign mathchoice vcenter "
    "offinterlineskip else fi or loop repeat read write openin immediate string meaning jobname lowercase "
    "uppercase IfNoValueTF IfNoValueT IfNoValueF IfValueTF IfValueT IfValueF IfBooleanTF IfBooleanT IfBooleanF "
    "IfStrEq ifthenelse equal newif advance multiply divide dimexpr numexpr hsize vsize wd ht dp count dimen "
    "skip toks ExplSyntaxOn everymath everypar makeatletter makeatother mathpalette ooalign"
)

# take one argument: a macro that stands there without braces gets them when it is expanded
TAKES_ONE = _names(
    "sqrt hat bar vec tilde dot ddot widehat widetilde overline underline mathbf mathrm mathcal mathbb "
    "mathfrak mathsf mathit mathscr bm boldsymbol text textbf textit emph acute grave check breve mathring "
    "mbox textrm overrightarrow overleftarrow underbrace overbrace operatorname"
)

# take two
TAKES_TWO = _names("frac dfrac tfrac cfrac binom dbinom tbinom stackrel overset underset")

# define a macro as \newcommand does
NEWCOMMAND = _names(
    "newcommand renewcommand providecommand DeclareRobustCommand newrobustcmd renewrobustcmd providerobustcmd"
)
