"""The benchmarks can be loaded, and are found under their names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "benchmarks" / "run.py"
SOURCES = (
    "commoncrawl line_hash language c4_vs_datatrove c4_vs_plain github wikipedia books_signatures books_candidates"
)
TOKENS = "encode_cold encode_warm tokenize_job mix_write"


def test_every_benchmark_is_found_by_its_name() -> None:
    shown = subprocess.run([sys.executable, str(RUN), "--help"], capture_output=True, text=True, check=True).stdout
    assert set(f"{SOURCES} {TOKENS}".split()) <= set(shown.split())
