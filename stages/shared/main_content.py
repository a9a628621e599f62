"""The main content of an HTML page: its text without menus, headers, footers and sidebars.

Nothing here looks at a clock or at other pages: what a page gives is a function of the page. Work is bounded by what
the page is, and a page beyond the bound is an error.
"""

from __future__ import annotations

import re
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
    text = extract_plain_text(
        tree, preserve_formatting=True, main_content=True, alt_texts=False, skip_elements=_SKIPPED
    )
    return "\n".join(map(str.rstrip, text.split("\n")))


def _depth(body: Any) -> int:
    """How deep containers are nested in each other."""
    deepest = 0
    waiting = [] if body is None else [(body, 0)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + (child.tag in _CONTAINERS)) for child in node.child_nodes]
    return deepest


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
