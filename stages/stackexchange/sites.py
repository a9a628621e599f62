"""Stack Exchange sites: which one a file belongs to, in which language it is, and which are the largest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split

POSTS = "Posts"
_PARTS = ("Badges", "Comments", "PostHistory", "PostLinks", "Tags", "Users", "Votes")
_OTHER_PART = re.compile(rf"-({'|'.join(_PARTS)})\.7z$", re.IGNORECASE)
_LANGUAGE = re.compile(r"^([a-z]{2})(?:\.meta)?\.stackoverflow\.com$")
_LANGUAGES = {
    "rus.stackexchange.com": "ru",
    "rus.meta.stackexchange.com": "ru",
}


def site_of(split: Split) -> str:
    """The site of a dump file: ``SITE.7z``, ``SITE-Posts.7z``, ``SITE/Posts.xml`` or ``SITE/Posts.xml.gz``.

    Raises:
        InputError: a ``Posts.xml`` that lies in no folder named for its site.
    """
    folder, name = os.path.split(split.name)
    if name.lower().endswith(".7z"):
        return name[: -len(".7z")].removesuffix("-" + POSTS)
    site = os.path.basename(folder) or os.path.basename(os.path.dirname(split.path))
    if "." not in site:
        raise InputError(
            f"{split.path}: the site of this dump is not known: put it in a folder named for the site, "
            "such as cooking.stackexchange.com/Posts.xml"
        )
    return site


def is_posts(split: Split) -> bool:
    """False for an archive that by its name holds another table of a large site (``-Votes.7z`` and so on)."""
    return not _OTHER_PART.search(split.name)


def language_of(site: str) -> str:
    """The language of a site's posts: ``xx.stackoverflow.com`` is in xx, every other one in English."""
    match = _LANGUAGE.match(site)
    return match.group(1) if match else _LANGUAGES.get(site, "en")


def chosen_sites(posts: Mapping[str, int], sites: Iterable[str] | None, largest: int | None) -> frozenset[str]:
    """The sites that are kept, given the number of posts of each.

    ``sites`` None: all. Of these the ``largest`` by posts, ties by name; None: all (RedPajama
    stack_exchange/filter.py ranks by rows of ``Posts.xml`` and keeps 28, as the LLaMA paper does).
    """
    wanted = set(posts) if sites is None else set(posts) & set(sites)
    ranked = sorted(wanted, key=lambda site: (-posts[site], site))
    return frozenset(ranked if largest is None else ranked[:largest])
