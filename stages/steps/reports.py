"""What a step has to say of a whole source beside the ledger: small files, listed in the source's manifest."""

from __future__ import annotations

from collections.abc import Mapping

from llama_data.pipeline.core.files import join
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.written import leave_note, written_bytes


def report_name(work: str) -> str:
    """The name of a step's report, like ``02-quality``: that of the step's own folder."""
    return work.rstrip("/").rpartition("/")[2]


def report_notes(name: str) -> str:
    """How the note begins that ``leave_report`` leaves."""
    return f"report-{name}-"


def leave_report(run: RunContext, domain: str, name: str, files: Mapping[str, bytes]) -> None:
    """Write ``RUN/reports/DOMAIN/NAME.SUFFIX`` for each suffix, and the note of the one task that does so."""
    written = [written_bytes(join(run.reports(domain), f"{name}.{suffix}"), data) for suffix, data in files.items()]
    leave_note(run.output, domain, f"{report_notes(name)}{0:05d}", written)
