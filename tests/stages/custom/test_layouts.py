"""Layouts: a row as each dataset has it becomes a document; a recipe's own fields come first."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from llama_data.pipeline.core.errors import RecipeError
from llama_data.stages.custom.fields import Fields, SplitBy
from llama_data.stages.custom.layouts import LAYOUTS, layout_fields
from llama_data.stages.custom.values import find

ROWS = {
    "pile": {"text": "t", "meta": {"pile_set_name": "Books3"}},
    "wudao": {"id": 2, "uniqueKey": "k", "titleUkey": "u", "dataType": "d", "title": "h", "content": "t"},
    "redpajama-v1": {"text": "t", "meta": {"url": "http://x", "timestamp": "2023", "language": "en", "source": "c4"}},
    "dolma": {"id": "1", "text": "t", "source": "s", "added": "a", "created": "c", "metadata": {}},
    "c4-json": {"text": "t", "timestamp": "2019", "url": "http://x"},
    "c4-parquet": {"text": "t", "timestamp": "2019", "url": "http://x"},
    "fineweb": {"text": "t", "id": "<urn:uuid:1>", "dump": "CC", "url": "http://x", "date": "d", "file_path": "p"}
    | {"language": "en", "language_score": 0.9, "token_count": 1},
    "slimpajama": {"text": "t", "meta": {"redpajama_set_name": "RedPajamaC4"}},
    "refinedweb": {
        "content": "t",
        "url": "http://x",
        "timestamp": "2019",
        "dump": "CC",
        "segment": "s",
        "image_urls": [],
    },
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_finds_its_fields(name: str) -> None:
    fields = layout_fields(name, Fields())
    assert find(ROWS[name], fields.text) == "t"
    for field in (fields.id, *fields.keep[:1]):
        assert field is None or find(ROWS[name], field) is not None


def test_fields_of_the_recipe_come_before_those_of_the_layout() -> None:
    fields = layout_fields("fineweb", Fields(text="clean", keep=("dump",)))
    assert (fields.text, fields.id, fields.url, fields.keep) == ("clean", "id", "url", ("dump",))
    assert layout_fields("fineweb", Fields(id=None)).id is None
    assert layout_fields(None, Fields(text="x")) == Fields(text="x")


def test_an_unknown_layout_names_those_that_there_are() -> None:
    with pytest.raises(RecipeError, match=r"'piles' is not known; expected one of: pile, wudao, "):
        layout_fields("piles", Fields())


def test_a_value_leads_to_one_domain_and_is_written_as_json_writes_it() -> None:
    into = SplitBy.model_validate({"field": "x", "into": {"a": [True, 5], "b": ["y"]}}).into
    assert into == {"a": ("true", "5"), "b": ("y",)}
    with pytest.raises(ValidationError, match="'y' stands under a and under b"):
        SplitBy(field="x", into={"a": ("y",), "b": ("y",)})
