"""Settings errors name the file, the line and the field."""

from __future__ import annotations

import pytest
from pydantic import Field

from llama_data.pipeline.core import settings
from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.core.settings import Strict, parse_count, parse_yaml, validate


class Inner(Strict):
    threshold: float = 0.5
    languages: tuple[str, ...] = ("en",)


class Outer(Strict):
    name: str
    inner: Inner = Inner()
    named: dict[str, Inner] = Field(default_factory=dict)
    listed: tuple[Inner, ...] = ()


def load(text: str) -> Outer:
    data, places = parse_yaml(text, "file.yaml")
    return validate(Outer, data, "file.yaml", places)


def test_a_good_file_loads() -> None:
    assert load("name: a\ninner:\n  threshold: 0.25\n").inner.threshold == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\ninner:\n  treshold: 1\n", r"file\.yaml:3: inner\.treshold: unknown key; did you mean 'threshold'\?"),
        ("name: a\nfoo: 1\n", r"file\.yaml:2: foo: unknown key; expected one of: name, inner, named, listed$"),
        ("name: a\ninner: {threshold: high}\n", r"file\.yaml:2: inner\.threshold: .*valid number.*found 'high'"),
        ("name: a\nnamed:\n  x:\n    treshold: 1\n", r"file\.yaml:4: named\.x\.treshold: .*did you mean 'threshold'"),
        (
            "name: a\nlisted:\n- threshold: 1\n- foo: 1\n",
            r"file\.yaml:4: listed\.1\.foo: unknown key; expected one of: threshold, languages",
        ),
        ("inner: {}\n", r"file\.yaml: name: field required"),
        ("name: a\nname: b\n", r"file\.yaml:2: the key 'name' is given twice"),
        ("name: [\n", r"file\.yaml:2: not valid YAML"),
        ("- a\n", r"file\.yaml:1: expected a mapping of settings, found list"),
        (f"name: {'[' * 5000}{']' * 5000}\n", r"file\.yaml: its values are nested too deeply"),
    ],
)
def test_each_mistake_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load(text)


def test_aliases_that_unfold_without_end_are_refused() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    for text in (bomb, "name: &a [*a]\n"):
        with pytest.raises(RecipeError, match="aliases unfold"):
            load(text)
    assert load("name: &n x\ninner: {languages: [*n]}\n").inner.languages == ("x",)


def test_a_list_is_asked_for_in_plain_words() -> None:
    with pytest.raises(RecipeError, match="input should be a list, found 'en'"):
        load("name: x\ninner:\n  languages: en\n")


def test_counts_may_have_a_unit() -> None:
    assert [parse_count(value) for value in ("1.4T", "200m", "3K", 7)] == [1_400_000_000_000, 200_000_000, 3_000, 7]
    assert parse_count("manyT") == "manyT"


def test_what_is_no_count_is_left_for_the_model_to_refuse() -> None:
    assert [parse_count(value) for value in ("12x", "", "T", "k", None, 1.5)] == ["12x", "", "T", "k", None, 1.5]
    assert [parse_count(value) for value in ("1.5k", "0.0001T", "2b")] == [1500, 100_000_000, 2_000_000_000]


def test_a_file_holds_as_many_values_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    # The two mappings, three keys, the list, and three values.
    text = "name: a\ninner: {languages: [en, de]}\n"
    monkeypatch.setattr(settings, "MAX_NODES", 9)
    assert load(text).inner.languages == ("en", "de")
    monkeypatch.setattr(settings, "MAX_NODES", 8)
    with pytest.raises(RecipeError, match="more than 8 values"):
        load(text)


def test_without_places_the_file_is_named() -> None:
    with pytest.raises(RecipeError, match=r"^file\.json: inner\.threshold: .*number.*found 'x'"):
        validate(Outer, {"name": "a", "inner": {"threshold": "x"}}, "file.json")
