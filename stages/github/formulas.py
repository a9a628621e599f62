"""Sentences that licences are made of: grants, conditions, disclaimers, pointers to the text, labels, titles.

Each formula is a wording, never a word: "licence", "warranty" or "SPDX" may be what a program is about.
"""

from __future__ import annotations

import re

URL = r"[<(\[\"']*(?:https?://|www\.|[\w-]+(?:\.[\w-]+)*\.(?:org|com|net|io|it)/)\S*"
"""An address, with or without its scheme."""
_NAMES = (
    r"(?:mit|apache|bsd|gpl|lgpl|agpl|fdl|gfdl|gnu|mpl|mozilla|epl|eclipse|cddl|boost|bsl|isc|zlib|libpng|unlicense|"
    r"cc0|cc|wtfpl|artistic|psf|psfl|python|ms-pl|mspl|ecl|eupl|ofl|x11|ncsa|afl|osl|openssl|php|ruby|upl|mulan|"
    r"postgresql|beer-?ware|busl|sspl|elastic|polyform|creative|public|cpl|ibm|qpl|zpl|w3c|perl|gplv[123]\w*|"
    r"lgplv[23]\w*|agplv3\w*|gpl[123]|lgpl[23]|apache2|bsd[234]|mplv2|academic|educational|microsoft|proprietary|"
    r"commercial|expat|curl|hpnd|fsf|llvm|uiuc|intel|cecill(?:-[abc])?|ssleay|sleepycat|tcl|unicode|vim|dual|asl)"
)
_NAME_WORD = (
    r"(?:the|a|an|and|or|of|any|later|only|at|your|option|with|without|version|ver|v|v?\d[\w.+-]*|license|licenses|"
    r"licensed|licensing|licence|general|lesser|library|affero|public|domain|software|new|revised|modified"
    r"|simplified|"
    r"clause|[234]-clause|two|three|two-clause|three-clause|style|like|-like|bsd-style|mit-style|mit-like|classpath|"
    r"exception|exceptions|linking|runtime|openssl|font|contract|attribution|sharealike|noncommercial|commons|"
    r"international|by|sa|nc|nd|by-sa|by-nc|by-nc-sa|full|under|see|terms|\(c\)|or-later|source|code|rights|free"
    r"|documentation|community|"
    r"same|as|perl|itself|agreement|dual|either|both|plus|permissive|open|foundation|self|for|details|clear)"
)
_TITLE = re.compile(
    rf"\W*(?:(?:license|licence|licensing|license type|license\(s\)|spdx-license-identifier)\W+)?"
    rf"(?:{_NAME_WORD}[\s,/()&:;\"'-]+)*{_NAMES}(?![a-z])(?:[-\s,/()&:;\"'.+]+(?:{_NAMES}(?![a-z])"
    rf"|{_NAME_WORD}))*\W*",
)
_LICENCE_LABEL = re.compile(
    r"\W{0,4}(?:(?P<tag>[@:\\.]\s?licen[cs]e\b|spdx-[\w-]+\s*[:=])|meta licen[cs]e\s|licen[cs]es?(?: type|"
    r" identifier| uri| url|"
    r" text| file| name| info| information| link)?\s*[:=]|licen[cs]e\s+-\s|spdx-\w+[\w-]*\s*[:=]|"
    r"license\s{2,})[:\s]*(?P<value>.*)",
    re.DOTALL,
)
_LICENCE_VALUE = re.compile(
    rf"(?:\W*(?:\(\w+ |http |link2 |the |a |new |osi approved |gnu |modified |released under |under |this"
    rf" )*{_NAMES}(?![a-z])"
    rf"|\W*(?:see|see the|read|view|"
    r"refer to|released|distributed|under|https?:|www\.|all rights|public domain|none|other|free|no |for non"
    r"|commercial|"
    r"please|in |file|copyright|redistrib|permission|you (?:may|can)|this (?:file|code|program|software|is)))",
)
# Of documentation generators: "$(LINK2 http://..., Boost)".
_MACRO = re.compile(r"\$\(\w+ ")
_HAS_NAME = re.compile(rf"\b{_NAMES}\b|licen[cs]e|copyright")
_THIS = (
    r"(?:\w+: )?(?:(?:this|these|all|any|our|its?|it's|each|every|both|most|some|you may use|use of|portions of"
    r"|parts of|"
    r"the (?:[\w.+-]+ )?(?:source|code|software|program|library|file|package|project|script|following|above|rest"
    r"|entire|content|"
    r"work|module|document|documentation|original|author|copyright|licen)\w*|[\w.+-]+(?: [\w.+-]+)?(?= is | are )"
    r"|source"
    r"|code|everything|"
    r"redistribution)\b.{0,110}?)"
)
_GRANT = (
    r"(?:licen[cs]ed|sub-?licen[cs]ed|released|re-?distributed|distributable|available|published|provided|covered|"
    r"governed|offered|shared|used|modified|copied|reproduced|placed|made available|subject|protected|issued|donated|"
    r"contributed|usable|open.?sourced?)"
)
_TERMS = (
    r"(?:licen[cs]e|licen[cs]ing|\bterms\b|\bl?gpl|\bmit\b|\bbsd\b|apache|copyright|agreement|public domain"
    r"|artistic|wtfpl|gfdl|creative commons)"
)
_FORMULAS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\A\W*(?:and |or |is |are |also |dual[ -]*|double[ -]*|multi-?|triple[ -]*|re-?)*(?:licen[cs]ed"
        rf"|distributed|"
        rf"released|published|made available|provided|redistributed|available|offered) .{{0,30}}?(?:under"
        rf"|according to|"
        rf"by the terms|subject to|with the same|in accordance with|pursuant to)\b.{{0,90}}{_TERMS}",
        r"\A\W*(?:dual[ -]*|double[ -]*|multi-?|re-?)?licen[cs]ed (?:under|to|according|with|by|per|as|for|both"
        r"|the same)\b",
        rf"\A\W*{_THIS}\b{_GRANT}\b.{{0,50}}?\b(?:under|by the terms|according to|subject to|pursuant to|"
        rf"in accordance with|governed by|covered by|protected by|with the same|to the terms)\b.{{0,90}}?{_TERMS}",
        rf"\A\W*{_THIS}\b(?:is|are|falls?|comes?|subject to) (?:also )?(?:under|in|subject to|part of)"
        rf" .{{0,40}}(?:licen[cs]e|"
        r"public domain|\bterms and|\bgpl|\bl-?gpl)",
        r"\b(?:under|by|with|to) the (?:terms|conditions|provisions) (?:and conditions )?(?:of|as|in|set|stated"
        r"|specified)"
        r"\b.{0,60}(?:licen[cs]e|agreement|\b[al]?gpl|\bwtfpl|\bgfdl)",
        r"\b(?:see|view|refer to|read|consult|reading|found in|find in|contained in|included in|in|under"
        r"|accompanying|"
        r"described in|check|at)\b.{0,60}\b(?:licen[cs]e|copying|copyright|unlicense|eula)"
        r"(?:[-.]\w+)? ?(?:file|files|text|agreement|information|details|\.txt|\.md|\.rst|document|for (?:more"
        r"|full|details|"
        r"the|further|licen[cs]e|copyright|additional|terms|licensing|rights|information))\b",
        r"\b(?:see|view|refer to|read|consult|found in|contained in|at|in) .{0,40}\b(?:licen[cs]e|copying"
        r"|copyright|notice|"
        r"eula)(?:[-_][\w.]+)?\.(?:txt|md|rst|html|lesser|lib|mit|bsd|apache|gpl|rtf|pdf)\b",
        r"\bfor (?:the |an? )?(?:more|full|further|complete|additional|exact|specific|original|licen[cs]e"
        r"|licensing|copyright|its|"
        r"terms|conditions|detailed|details|information)\b.{0,50}\b(?:licen[cs]\w+|copyright|copying|terms of)\b",
        r"\A\W*(?:the )?(?:full |complete |exact |entire |open source |software )?(?:licen[cs]e|licensing"
        r"|copyright)[\w ,]{0,40} (?:can be|is|may be|are)"
        r" (?:(?:found|available|obtained|located|included|distributed|described|contained|viewed"
        r"|stated)\b.{0,8}\b(?:in|at|from|on|under|via|with"
        r"|below|above|here|along)\b|in the|at the)",
        r"\A\W*(?:please )?(?:see|read|refer to|view|check|consult) (?:the |also |our |file |accompanying "
        r"|included |attached |enclosed )*[\"'`<(]*(?:\w+_)?(?:licen[cs]e|copying|"
        r"copyright|unlicense|notice)(?:[-_.][\w.]+)?[\"'`>)]*(?:$|[.,;]| for | in | at | file| and | \(|\W*$)",
        r"\A\W*for (?:the |full |our )*(?:licen[cs]\w*|copyright|copying)[\w ,]{0,40}(?:see|refer|read|view"
        r"|consult|visit|contact|check)\b",
        r"\bsame (?:copyright|licen[cs]e)\b.{0,20}\b(?:terms|as)\b|\b(?:licen[cs]e|copyright) (?:and distribution"
        r" )?terms\b|\bgnu public"
        r" licen|\bexcept as contained in this|\bname of (?:a|the) copyright|\bas a special exception\b|\bhereby"
        r" authori[sz]ed\b",
        r"\A\W*(?:please )?see (?:the )?(?:file )?[\"'`]?authors?\b(?:\.\w+)?[\"'`]?(?:$|[,.]| file| for )",
        r"\b(?:distribution|copying|use|using|modifications?|reproduction)\b.{0,90}\b(?:is|are) (?:hereby "
        r"|strictly |also )?"
        r"(?:permitted|allowed|prohibited|granted|forbidden)\b",
        r"\bin place of a legal notice\b|\bmay you (?:do good and not evil|find forgiveness|share freely)\b|\bin"
        r" all material mentioning\b",
        r"\A\W*do not (?:copy|distribute|redistribute|reproduce|disclose)\b.{0,60}(?:without|permission|prior"
        r"|consent)"
        r"|\A\W*(?:the )?(?:sole |exclusive )?property of\b",
        r"\bversion of this licen[cs]e is\b|\bdistribution terms\b|\bmay be copyrighted by\b|\b(?:file|files)"
        r" (?:named |called )?[\"'`]?licen[cs]e\."
        r"(?:terms|txt|md)",
        rf"\A\W*(?:this|the|all|these)\b.{{0,40}}\b{_NAMES}[- ]licen[cs]ed\b",
        r"\blicen[cs]e (?:is )?(?:applied|applies) to (?:this|the|all)\b",
        r"\A\W*(?:please )?see (?:the )?(?:copyright|licen[cs]e)(?: notice| statement| terms)?s? (?:in|at|above"
        r"|below|on)\b",
        r"\bprovisions above\b|\b(?:your|my) version of this file\b|\b(?:released|placed|put|donated|dedicated"
        r"|belongs?|given|contributed|taken|is|are)"
        r" .{0,20}\b(?:to|in|into|from|under) (?:the )?public domain\b|\bpublic-domain (?:code|software|work"
        r"|dedication)",
        r"\A\W*use(?:,|s|d)? (?:.{0,40}of )?(?:this|these) .{0,60}\b(?:is |are )?(?:governed|subject|permitted"
        r"|restricted|covered)\b",
        r"\A\W*(?:permission (?:to use|to copy|to modify|and permission)\b|(?:is )?hereby granted)",
        r"\bpermission is (?:hereby |also )?(?:granted|given)\b(?=\W*$|.{0,160}\b(?:cop(?:y|ies|ied|ying)|use|used"
        r"|distribut\w+|modif\w+|reproduc\w+|free|freely|anyone|any person|without)\b)"
        r"|\bgrants? (?:you|to|the recipient)"
        r" .{0,60}(?:licen[cs]e|right)",
        r"\bredistributions? (?:and|or|of|in|with|is) (?:use|source|binary|.{0,60}\b(?:permitted|allowed|must"
        r"|forms?)\b)",
        r"\b(?:is|are) (?:a )?free (?:and (?:open|unencumbered)|software|[-\w]* ?software)(?:$|[;:,.)]| and| \(|"
        r" which| released"
        r"| under| in|released| but)",
        r"\bunencumbered software\b",
        r"\bwithout (?:even the (?:implied )?|any |express or implied )*warrant(?:y|ies)\b",
        r"\b(?:no|any|all|other|express|implied|express or implied|of any|limited|disclaims?.{0,40}) warrant(?:y"
        r"|ies)\b.{0,60}"
        r"(?:express|implied|including|merchant|fitness|kind|made|provided|given|disclaim|whatsoever|$|regarding"
        r"|with)",
        r"\bwarrant(?:y|ies),? (?:of|or|either|expressed|express|including|and) .{0,30}"
        r"(?:any kind|merchant|fitness|conditions|guarant|express|implied|liab|represent)",
        r"\b(?:provided|distributed|supplied|available|licensed|furnished|software|is|on an?|released|offered"
        r"|comes|delivered)"
        r"\b.{0,40}[\"'`\u201c\u201d\u2018\u2019]+as[ -]?is[\"'`\u201c\u201d\u2018\u2019,]+",
        r"\b(?:provided|distributed|supplied|furnished|delivered|offered) (?:strictly )?(?:on an )?as[ -]is\b"
        r"(?=\W*$|[^\w\s]| (?:and|or|with|without|by|basis|for|in the hope)\b)",
        r"\bon an [\"'\u201c]?as[ -]is[\"'\u201d]? basis\b|\bat your own risk\b.{0,60}|\buse (?:it )?at your"
        r" (?:own )?risk\b",
        r"\bin no (?:event|case|way|circumstances?) (?:shall|will|should|unless|can|is|are|may|do|does|as)\b",
        r"\b(?:shall|will|can|may|cannot|is|are|be|accepts?|assumes?) (?:not |no |n't |in no .{0,20})?(?:be"
        r" )?(?:held )?"
        r"(?:any |no )?(?:liable|liability|responsib\w+) (?:for|in|or|from|to)\b.{0,60}"
        r"(?:damage|loss|use|claim|direct|software|error|caus|consequence|any )",
        r"\bmerchant(?:ability|ibility)\b|\bfitness for (?:a|any) (?:particular|purpose|specific)",
        r"\A\W*(?:and |then )?(?:you|licensee) (?:may|can|shall|must|are|should|agree|acknowledge|hereby)(?: not|"
        r" also| only| freely)* "
        r"(?:use (?:(?:this|the) (?:source |\w+ )?(?:file|software|code|program|work|library|package|script"
        r"|module)s?|and modify|or copy|it (?:under|"
        r"freely|for any|as you|in any))\b|obtain (?:a|the|copies|it)\b.{0,20}(?:copy|copies|licen|at )|have"
        r" received|copy,? (?:and|or|modify|distribute|it,)|redistribute|distribute (?:this|it|the|copies|and"
        r"|under|verbatim)|choose|"
        r"elect|remove this|free to|permitted to|allowed to|modify (?:this|it|and|or)|reproduce|retain|reverse"
        r" engineer|find (?:a copy|the"
        r" (?:full |text of the )?licen)|contact .{0,60}licen|receive a|view the (?:full"
        r" )?licen)(?!.{0,40}(?:method|function|class|object|"
        r"instance|value|parameter|option|argument|interface|implementation)\b)",
        r"\byou (?:should|must|may) have received\b|\bif not,? (?:see|write|you can|please|visit|contact"
        r"|go)\b.{0,90}(?:licen|http|www|foundation"
        r"|copy|gnu|author|contact|to the)|\bif you (?:did not|do not|don't|didn't) (?:receive|agree|accept|wish"
        r" to (?:do|allow))\b",
        r"\bunless (?:required by applicable|agreed to in writing|otherwise (?:noted|stated|specified|agreed"
        r"|explicitly)\b.{0,90}"
        r"(?:licen|copyright|in writing))",
        r"\bsubject to (?:the|such|these|a|an|those|all)\b.{0,40}(?:terms|conditions|licen[cs]e|restrictions"
        r"|provisions|limitations|disclaimer)\b",
        r"\bthis (?:source )?(?:file|program|code|software) is subject to\b|\bsubject to version\b",
        r"\bthe contents? of this (?:file|work|software|program|package)s? (?:is|are|may|constitutes?|can|has"
        r"|have)\b",
        r"\bthis (?:source )?(?:file|program|software|code|library|work|package|script) (?:may|can|must|shall)"
        r" (?:not )?(?:only )?"
        r"(?:be )?(?:freely )?(?:re-?)?(?:used|distributed|copied|modified|reproduced|published|disclosed)\b",
        r"\babove copyright\b|\b(?:this|the|all|these|above|following|original|any|such|appropriate|said|existing"
        r"|and|or|its|a|"
        r"other) (?:entire )?(?:copyright|licen[cs]e|permission|attribution) (?:and (?:permission|licen[cs]e) )?"
        r"(?:notices?|statements?|headers?|messages?)\b.{0,80}"
        r"(?:retain|appear|reproduc|included|remov|preserv|intact|must|alter|shall|kept|remain|above|copies"
        r"|disclaimer|and)",
        r"\b(?:preserve|retain|keep|remove|alter|delete|reproduce|include)\b.{0,40}(?:copyright|licen[cs]e"
        r"|attribution|this)"
        r" (?:notice|header|statement|comment|message|information|block|text)s?\b",
        r"\bthis (?:notice|header|comment|copyright|permission|licen[cs]e|message)(?: \w+)? (?:must|may|shall"
        r"|should|is to|has to|and)"
        r" (?:not )?(?:be )?(?:remov|kept|retain|remain|appear|stay|intact|includ|preserv|alter|list)",
        r"\A\W*(?:this |the )?(?:file |code |software |program |source )*(?:is |are )?(?:the )?(?:sole |exclusive "
        r"|confidential |proprietary |intellectual )*property of\b"
        r"|\A\W*(?:this|these|all)\b.{0,40}\b(?:is|are) (?:the )?"
        r"(?:sole|exclusive|confidential|proprietary|intellectual) property of\b"
        r"|\A\W*licensed materials?\W*(?:property of\b|$)",
        r"\A\W*unpublished\b.{0,40}\brights? reserved\b|\brights? reserved under the copyright laws?\b"
        r"|\b(?:duplication|reproduction),? or disclosure\b.{0,60}\b(?:restrict|subject|prohibit)",
        # The GPL's first sentence, a grant and "all rights reserved" in other languages.
        r"\b(?:ist|sind) (?:eine )?freie software\b|\best (?:un )?logiciels? libres?\b|\bes (?:un )?software libre\b"
        r"|\bé (?:um )?software livre\b|\bè (?:un )?software libero\b|\bsous (?:la )?licence\b.{0,40}"
        rf"\b{_NAMES}(?![a-z])|\A\W*(?:lizenz|licencia|licença|licenza)\s*:\W*{_NAMES}(?![a-z])"
        r"|\b(?:unter den bedingungen|selon les termes|suivant les termes|bajo los términos|según los términos"
        r"|secondo i termini|nei termini|sob os termos)\b.{0,60}(?:\bgnu\b|licen|lizenz)"
        r"|\btodos os direitos reservados\b|\bвсе права защищены\b|版权所有|版權所有|著作権所有|保留所有权利",  # noqa: RUF001
        r"\bcontributor licen[cs]e agreements?\b|\bnotice file distributed\b|\bregarding copyright (?:ownership"
        r"|owner)\b",
        r"\blicen[cs]es? this (?:file|work|software|code|program|project)\b|\bunder (?:an?|the|one|this|their"
        r"|its) (?:.{0,50} )?"
        r"licen[cs]e(?: agreement)?\b(?! plate)(?=.{0,60}(?:$|[.,;(]|with this|that can|version|v\d|as|or|found"
        r"|which|included|see))"
        r"(?<!check under a licence)(?!.{0,3}\bkey)",
        r"\b(?:initial developer|(?:the|of) original code (?:is|are|and|or|means)|covered (?:code|software)"
        r"|portions created by|larger work|cddl"
        r" header)\b.{0,80}",
        r"\bthis (?:source )?(?:file|code|program|software|material|work|package|library) and (?:the|its)"
        r" accompanying\b"
        r"|\bthis program and the accompanying\b",
        r"\b(?:unable|possible) to (?:obtain|get) (?:it|the licen|a copy|the code)|\bsend (?:you|us|an?)"
        r" .{0,40}(?:a copy|email|note)"
        r"(?=.{0,60}(?:licen|copy|immediately))|\bsend an? e-?mail to .{0,60}(?:license|copy)",
        r"\bfree software foundation\b|\btemple place\b|\bfranklin st\w*|\bmass(?:achusetts)? ave\w*\b|\bmenlo"
        r" park, ca\b.{0,30}94",
        r"\balternatively,? (?:the|this|you|it|if|at)\b.{0,120}(?:licen[cs]e|\bterms|\bl?gpl)",
        r"\ball right'?s (?:are )?(?:reserved|granted)\b|\ball rights? not expressly\b|\b(?:some|no|all) rights"
        r" reserved\b"
        r"|\balle rechte vorbehalten|\btous droits r[ée]serv|\btodos los derechos|\btutti i diritti|\ball right"
        r" reserved",
        r"\bin (?:to )?the public domain\b.{0,60}$|\binto the public domain\b|\bdisclaims? (?:all )?(?:copyright"
        r"|any|all|liab|warr)"
        r"|\bno copyright(?: is)?(?: claimed|\.|$)|\b(?:waive|dedicate)[sd]? .{0,60}(?:copyright|public domain"
        r"|rights)"
        r"|\W*public domain\b.{0,40}$",
        r"\b(?:confidential (?:and|or) (?:proprietary|trade|internal)|proprietary (?:and|or) confidential|"
        r"(?:contains?|valuable|proprietary).{0,40}trade secrets?"
        r"|(?:contains?|disclose|such|this is|are|is the) confidential information|confidential information of"
        r"|proprietary"
        r" (?:information|software|property|rights|to|code)|"
        r"company confidential)\b",
        r"\A\W*unauthori[sz]ed (?:copying|use|reproduction|distribution|duplication|modification|access"
        r"|disclosure|re)",
        r"\bdo not (?:alter or )?remove (?:or (?:alter|modify|change) )?(?:this|the|any|these|copyright)\b",
        r"\bbeer-?ware licen[cs]e\b|\bretain this notice\b|\bbuy me a beer\b",
        r"\b(?:restricted rights|u\.?s\.? government|export (?:control|administration|laws|regulations)|dfars|far"
        r" 52)\b",
        r"\b(?:misrepresent|do what the fuck|endorse or promote products|prior written (?:permission|consent"
        r"|approval|agreement)|"
        r"derived from this software|without (?:specific|express|explicit) (?:prior )?(?:written )?(?:permission"
        r"|consent)|"
        r"jurisdictions that recognize|substantial portions of the software|governing permissions and|"
        r"intellectual property (?:of|rights|law)|property of (?:their|its|the) respective|property of [\w"
        r" ]{2,40} and|"
        r"patents? (?:pending|rights?|licen[cs]e)|to the extent possible under law|moral rights|neighbou?ring rights|"
        r"terms and conditions|licen[cs]e agreement|applicable law|written agreement|derivative works?)\b.{0,90}",
        r"\b(?:redistribute|distribute|copy|reproduc\w+|sell|modify)\b.{0,60}\b(?:as long as|provided that|under"
        r" the terms|free of"
        r" charge|without fee|without restriction|without charge|for any purpose|is (?:strictly )?(?:prohibited"
        r"|forbidden)|freely)\b",
        r"\b(?:free|freely|granted|permitted|allowed|feel free|free of charge)\b.{0,50}\b(?:to|use|be"
        r"|for)\b.{0,30}\b(?:copy|"
        r"redistribut\w+|distribut\w+|modif\w+|use it|use this|us(?:e|ed|age) for any)\b.{0,60}",
        r"\boriginally (?:licensed|released|distributed) (?:under|by)\b|\bthis (?:file|code) (?:was|is)"
        r" (?:originally )?licensed\b",
        r"\$qt_(?:begin|end)_license|@(?:apple_)?(?:oss)?license_?header(?:_start|_end)?@"
        r"|@license(?:_header)?(?:_start|_end)\b",
        r"\bamazon software licen[cs]e\b|\bnotice to (?:licensee|user)s?\b|\bdo not edit or add to this file if"
        r" you wish to upgrade",
        r"\b(?:oracle designates this|classpath[\"\u201d]? exception|contact oracle|oracle, 500|500 oracle parkway"
        r"|llvm exceptions?)\b",
        r"\b(?:open software|academic free|common public|mozilla public|general public|eclipse public|boost"
        r" software|apache"
        r"(?: software)?|educational community|bsd|mit|isc|zlib|artistic|unlicense|creative commons(?:"
        r" [\w-]+){0,3}) licen[cs]e"
        r"(?:,? (?:version|v\.?|ver\.?) ?\d[\d.]*)?(?: \(?(?:the"
        r" )?[\"\u201c]licen[cs]e[\"\u201d]\)?)?[;,.)]*$(?<!check"
        r" license)",
    )
)  # fmt: skip
# A sentence that says what the code does; licences are its subject.
_DOES = (
    "check detect scan pars read list comput return find handl validat manag extract test print show generat sort"
    " search"
    " verif look collect download display render convert compar count classif recogni identif match filter format"
    " insert add"
    " replac updat implement defin get set load stor sav creat build run call fetch track monitor log map model"
    " represent"
    " describ support help pick choos select guess calculat analy[sz] inspect process transform translat fix"
    " report enforc"
    " ensur determin lookup resolv crawl import export encod decod serializ annotat strip prepend append apply"
)
_ABOUT = re.compile(
    r"\W*(?:(?:this|the|a|an|simple|small|it|script|tool|utility|utilities|module|class|package|library|file"
    r"|program|function|"
    r"helper|helpers|command|plugin|code|rule|rules|service|view|model|api|cli|which|that|to|for|will|can|is|used"
    r"|we)\s+)*"
    rf"(?:{'|'.join(_DOES.split())})(?:s|es|ies|y|e|ed|er|ers|ing|ting|tes|ging|ning)?\b(?! this (?:notice"
    rf"|copyright|header|license))"
    r"(?!.{0,5}\b(?:at your own|or modify it))|\W*[\w.]+ (?:for|to) (?:\w+ing|check|detect|parse|find|add|manage"
    r"|read|handle)\b"
)  # fmt: skip
# Labels and titles are short.
_LABEL_LENGTH = 160
_CUE = re.compile(
    r"licen[cs]|copy|rights|warrant|liab|permi|redistrib|free|public domain|merchant|fitness|law|as[ -]?is|in no "
    r"|you |if not"
    r"|subject to|contents? of|notice|header|initial dev|original code|covered|portions|larger|accompany|obtain"
    r"|send|foundation"
    r"|temple|franklin|mass|menlo|alternativ|droits|rechte|diritti|derechos|disclaim|waive|dedicat|confiden"
    r"|propriet|secret"
    r"|unauthor|remove|beer|government|export|dfars|misrepr|fuck|endors|prior written|derived|consent|jurisd"
    r"|substantial|governing"
    r"|intellect|property|patent|extent|moral|neighb|terms|agreement|applicable|risk|qt_|oracle|llvm|classpath"
    r"|bsd|mit|apache"
    r"|isc|zlib|commons|mozilla|gpl|do not|distribut|retain|©|unless|other|regarding|far 52|duplicat|reproduc"
    r"|materials|reserv|libre|livre|libero|freie soft|lizenz|wtfpl|gfdl|direitos|права защ|版权|版權|著作権|保留所有"
)


def is_formula(plain: str) -> bool:
    """True for a licence's sentence in its wording. ``plain``: lower case, one space between words.

    A sentence that says what the code does is none: licences are its subject then.
    """
    if _CUE.search(plain) is None or _ABOUT.match(plain):
        return False
    if len(plain) < _LABEL_LENGTH:
        plain = _MACRO.sub("", plain)
        found = _LICENCE_LABEL.match(plain)
        if found is not None and (found["tag"] or not found["value"] or _LICENCE_VALUE.match(found["value"])):
            return True
        bare = re.sub(URL, " ", plain)
        if _TITLE.fullmatch(bare) and _HAS_NAME.search(bare) and _is_title(bare):
            return True
    return any(formula.search(plain) for formula in _FORMULAS)


def _is_title(plain: str) -> bool:
    """A title says "licence", or is nothing but an id such as ``GPL-2.0+``."""
    return "licen" in plain or "public domain" in plain or re.search(r"\d", plain) is not None
