"""What ``llama_data`` itself offers: every name is there, documented, and imported only when it is asked for."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys

import pytest

import llama_data


def test_every_name_stands_where_the_type_checker_finds_it() -> None:
    tree = ast.parse(inspect.getsource(llama_data))
    block = next(node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    typed = {
        (node.module or "").removeprefix("llama_data."): tuple(alias.name for alias in node.names)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }
    assert typed == llama_data._HOMES


@pytest.mark.parametrize("name", [name for name in llama_data.__all__ if name != "__version__"])
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(llama_data, name)
    assert inspect.getdoc(found)
    assert name in dir(llama_data)


def test_a_name_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"no 'Shards'; it has: .*Shard, ShardWriter"):
        llama_data.Shards  # noqa: B018


def test_one_name_brings_only_what_it_needs() -> None:
    code = (
        "import json, sys\nfrom llama_data import Shard, __version__\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    loaded = set(json.loads(subprocess.check_output([sys.executable, "-c", code])))
    assert "pyarrow" in loaded
    assert not loaded & {"torch", "datatrove", "fasttext", "kenlm", "sentencepiece", "lxml"}
