"""The main content of an HTML page: its text without menus, headers, footers and sidebars.

Nothing here looks at a clock or at other pages: what a page gives is a function of the page. Work is bounded by what
the page is, and a page beyond the bound is an error.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from typing import Any, Literal

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

Extractor = Literal["resiliparse", "trafilatura"]

MAX_WORK = 10**9
"""Characters of a page times the depth of its containers. The extraction reads a container's text once for each that
it stands in: the bound is some seconds, and some 300 times what the largest of ordinary pages come to."""

MAX_TRAFILATURA = 2 << 20
"""Most characters of a page for trafilatura, which has no other bound."""

LINKED = 0.5
"""A list of which so large a share of the characters is links is a menu. Hardly a list is between 0.2 and 0.5."""

SCARCE = 1000
"""A main content of fewer characters is looked at again: it may be that a name has taken all of a page."""

MIN_PARAGRAPH = 80
"""Characters from which on a paragraph is counted as text: shorter ones are labels and notices."""

MAX_WRAPPERS = 24
"""How many elements, each in the one before, are asked whether they hold most of a page's paragraphs."""

# Containers around a list from which on the extraction does not take every list for the site's menu.
_AROUND, _AROUND_END = "<div>" * 3, "</div>" * 3
# What is never closed goes to the end of the page, as in HTML; and no search begins where another has looked in vain,
# or a page of nothing but beginnings would take hours.
_LIST = re.compile(
    r"<(?:!--.*?(?:-->|\Z)|script[\s>].*?(?:</script|\Z)|(/?)ul(?:\s[^<>]*)?>)", re.IGNORECASE | re.DOTALL
)
_LINK = re.compile(r"<a[\s>].*?(?:</a\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_LINK_TAG = re.compile(r"(</?)a(?=[\s>])", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
# What menus are called in the attributes of their list. The extraction knows some of them, at some depths.
_MENU = re.compile(
    r"<ul\s[^<>]*(?<![a-z])(?:nav|navbar|navigation|menu|menubar|breadcrumbs?|pagination|pager|share|social|tabs?|tablist"
    r"|toolbar|dropdown|footer|sidebar)(?![a-z])",
    re.IGNORECASE,
)
_CONTAINER = re.compile(r"<(?:div|article)(?=[\s/>])", re.IGNORECASE)
_CONTAINERS = frozenset({"div", "article"})
# Alone between two tags a character of three bytes in UTF-8 is dropped, as pictures of icon fonts are, which have three
# bytes too: a quotation mark after a link, a Chinese word, a minus, a tick in a table. Another one beside it keeps it.
_ALONE = re.compile(r">\s*([\u0800-\uffff]|&#?\w{2,10};)(?=\s*<(?!/title))", re.IGNORECASE)
_BESIDE = "\ufdd0"
_ORNAMENTS = frozenset("\u2022\u2023\u2039\u203a\u2191\u21a9\u2715\u2716\u276e\u276f")  # of menus, buttons, footnotes
# Names of elements that may hold most paragraphs of a page and still are none of its text.
_NO_TEXT = re.compile(r"foot|cookie|consent|gdpr|privacy|comment|modal|popup|overlay|newsletter|nav", re.IGNORECASE)
_ARTICLE = "article, main, [itemprop=articleBody]"
# Numbers of code lines and links of headings to themselves, as documentation tools name them.
_SKIPPED = ["td.linenos", "span.lineno", "span.linenos", "td.gutter", "a.headerlink", "a.anchorjs-link"]


def main_text(html: str, tree: HTMLTree) -> str:
    """The text of the page's main content by resiliparse; headings, paragraphs, lists, tables and code are lines of it.

    ``tree``: what ``html`` parses to, after ``keep_lists``.

    Raises:
        RecordError: the page is too large and too deeply nested for the extraction.
    """
    opened = len(_CONTAINER.findall(html))
    if opened * len(html) > MAX_WORK and (depth := _depth(tree.body)) * len(html) > MAX_WORK:
        raise RecordError(Reason.too_complex, f"{len(html):,} characters in containers nested {depth:,} deep")
    text = _extract(tree)
    if len(text) < SCARCE:
        text = _unwrapped(tree, max(SCARCE, 4 * len(text))) or text
    return "\n".join(map(str.rstrip, text.replace(_BESIDE, "").split("\n")))


def _extract(tree: HTMLTree) -> str:
    text: str = extract_plain_text(
        tree, preserve_formatting=True, main_content=True, alt_texts=False, skip_elements=_SKIPPED
    )
    return text


def _unwrapped(tree: HTMLTree, more: int) -> str:
    """The main content of a page whose outer elements are named like what frames one; nothing when it has no text.

    The extraction goes by names, and templates call everything `no-share`, `site-header` or `sidebar-right`. What holds
    more than half of the paragraphs frames nothing: such elements lose their attributes, and the outermost that gives
    ``more`` characters is the page.
    """
    node = tree.body
    wrappers: list[Any] = []
    while node is not None and _prose(node) > more and len(wrappers) < MAX_WRAPPERS:
        for name in list(node.attrs):
            node.remove_attribute(name)
        wrappers.append(node)
        inner = [(_prose(one), one) for one in node.children if not _is_frame(one)]
        whole = sum(prose for prose, _ in inner)
        node = next((one for prose, one in inner if 2 * prose > whole), None)
    texts = (_extract(HTMLTree.parse(f"<body>{one.inner_html}")) for one in wrappers)
    return next((text for text in texts if len(text) > more), "")


def _is_frame(node: Any) -> bool:
    """True for an element that is named so, unless an article stands in it."""
    if node.tag in ("nav", "footer"):
        return True
    return bool(_NO_TEXT.search(f"{node.class_name} {node.id}")) and node.query_selector(_ARTICLE) is None


def _prose(node: Any) -> int:
    """Characters in the paragraphs of an element."""
    lengths = [len(" ".join(one.text.split())) for one in node.query_selector_all("p")]
    return sum(length for length in lengths if length >= MIN_PARAGRAPH)


def _depth(body: Any) -> int:
    """How deep containers are nested in each other."""
    deepest = 0
    waiting = [] if body is None else [(body, 0)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + (child.tag in _CONTAINERS)) for child in node.child_nodes]
    return deepest


def keep_alone(html: str) -> str:
    """The page with its characters that stand alone between tags so written that they stay."""
    return _ALONE.sub(_beside, html)


def _beside(found: re.Match[str]) -> str:
    sign = unescape(found[1])
    if len(sign) != 1 or not "\u0800" <= sign < "\ufff0" or sign in _ORNAMENTS or "\u25a0" <= sign <= "\u25ff":
        return found[0]
    return found[0] if unicodedata.category(sign) in ("Co", "Cf", "Cn", "Cs", "Zs") else found[0] + _BESIDE


def keep_lists(html: str) -> str:
    """The page with its outermost lists so written that those which are no menus stay.

    The extraction drops a list that stands near the top of the page, as the articles of simple pages have them, and
    one of which more than a fifth is links, as references and lists of software have them. What stands around the
    list still counts.
    """
    parts: list[str] = []
    done = depth = begin = 0
    for found in _LIST.finditer(html):
        if found[1] is None:
            continue
        if not found[1]:
            begin = begin if depth else found.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth and not _is_menu(whole := html[begin : found.end()]):
                parts += [html[done:begin], _AROUND, _LINK_TAG.sub(r"\1span", whole), _AROUND_END]
                done = found.end()
    return "".join([*parts, html[done:]])


def _is_menu(html: str) -> bool:
    """True for a list that is called a menu, or is mostly links."""
    if _MENU.match(html):
        return True
    linked = sum(_visible(link[0]) for link in _LINK.finditer(html))
    return linked >= LINKED * _visible(html)


def _visible(html: str) -> int:
    """Characters between the tags, without blanks."""
    return sum(map(len, _TAG.sub("", html).split()))


def trafilatura_text(html: str) -> str:
    """The text of the page's main content by trafilatura, with FineWeb's choices; one line a paragraph.

    Raises:
        RecordError: the page is too large for it.
    """
    if len(html) > MAX_TRAFILATURA:
        detail = f"{len(html):,} characters, more than trafilatura is given: {MAX_TRAFILATURA:,}"
        raise RecordError(Reason.too_complex, detail)
    import trafilatura  # type: ignore[import-not-found, unused-ignore]

    # Not FineWeb's `deduplicate`, which goes by what the process has read before.
    found = trafilatura.extract(html, favor_precision=True, include_comments=False, deduplicate=False)
    return found or ""
