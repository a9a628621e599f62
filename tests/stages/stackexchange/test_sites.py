"""Which site a file is of, its language, and which sites are the largest."""

from __future__ import annotations

import pytest

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split
from llama_data.stages.stackexchange.sites import chosen_sites, is_posts, language_of, site_of


def split(name: str, root: str = "/in") -> Split:
    return Split(path=f"{root}/{name}", name=name, size=1)


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("beer.stackexchange.com.7z", "beer.stackexchange.com"),
        ("2024/beer.stackexchange.com.7z", "beer.stackexchange.com"),
        ("stackoverflow.com-Posts.7z", "stackoverflow.com"),
        ("beer.stackexchange.com/Posts.xml", "beer.stackexchange.com"),
        ("x/beer.stackexchange.com/Posts.xml.gz", "beer.stackexchange.com"),
    ],
)
def test_the_site_is_in_the_path(name: str, site: str) -> None:
    assert site_of(split(name)) == site


def test_the_site_of_a_file_given_alone_is_its_folder() -> None:
    assert site_of(split("Posts.xml", "/in/beer.stackexchange.com")) == "beer.stackexchange.com"
    with pytest.raises(InputError, match="folder named for the site"):
        site_of(split("Posts.xml", "/data/dumps"))


def test_other_tables_of_a_large_site_are_no_input() -> None:
    assert is_posts(split("stackoverflow.com-Posts.7z"))
    assert not is_posts(split("stackoverflow.com-PostHistory.7z"))
    assert is_posts(split("rus.stackexchange.com.7z"))


@pytest.mark.parametrize(
    ("site", "language"),
    [
        ("stackoverflow.com", "en"),
        ("pt.stackoverflow.com", "pt"),
        ("ja.meta.stackoverflow.com", "ja"),
        ("rus.stackexchange.com", "ru"),
        ("french.stackexchange.com", "en"),
    ],
)
def test_language(site: str, language: str) -> None:
    assert language_of(site) == language


def test_the_largest_sites_by_posts_ties_by_name() -> None:
    posts = {"d": 1, "b": 5, "a": 5, "c": 9}
    assert chosen_sites(posts, None, None) == set("abcd")
    assert chosen_sites(posts, None, 2) == {"c", "a"}
    assert chosen_sites(posts, None, 28) == set("abcd")
    assert chosen_sites(posts, ["d", "a", "nosuch"], None) == {"a", "d"}
    assert chosen_sites(posts, ["d", "a"], 1) == {"a"}
