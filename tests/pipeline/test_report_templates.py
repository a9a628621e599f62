"""Unknown templates of a run, ranked for the report."""

from __future__ import annotations

from pathlib import Path

from llama_data.pipeline.core.document import Document, new_document, note
from llama_data.pipeline.core.ledger import LedgerWriter
from llama_data.pipeline.report.templates import UnknownTemplate, unknown_templates


def row(language: str, unknown: str | None, lost: str | None) -> Document:
    doc = new_document(domain="wikipedia", id="wikipedia/1", text="t", source="s", language=language)
    note(doc, templates_unknown_names=unknown, templates_lost_names=lost)
    return doc


def write(path: Path, rows: list[Document], columns: dict[str, str]) -> str:
    with LedgerWriter(str(path), columns) as ledger:
        for doc in rows:
            ledger.add(doc)
    return str(path)


def test_names_are_ranked_by_how_often_they_stand_in_lines(tmp_path: Path) -> None:
    columns = {"templates_unknown_names": "string", "templates_lost_names": "string"}
    first = [row("en", '{"A": 2, "B": 1}', '{"B": 1}'), row("de", '{"A": 1}', None), row("en", None, None)]
    paths = [
        write(tmp_path / "0.parquet", first, columns),
        write(tmp_path / "1.parquet", [row("en", '{"A": 3}', '{"A": 1}')], columns),
        write(tmp_path / "2.parquet", [row("en", None, None)], {}),
    ]
    assert unknown_templates(paths) == [
        UnknownTemplate("en", "A", 5, 1),
        UnknownTemplate("de", "A", 1, 0),
        UnknownTemplate("en", "B", 1, 1),
    ]
