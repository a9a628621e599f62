"""The order of steps, curves that are thinned out, and numbers in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reported import row, write_ledger, write_recipe, write_rest

from llama_data.pipeline.report import step_times, training
from llama_data.pipeline.report.collect import collect
from llama_data.pipeline.report.compare import _merged
from llama_data.pipeline.report.domain import count_domain
from llama_data.pipeline.report.samples import SHOWN, Sample
from llama_data.pipeline.report.step_times import costs
from llama_data.pipeline.report.steps import funnel, in_order, order_of
from llama_data.pipeline.report.thresholds import Choice
from llama_data.pipeline.report.tokens import sampled_tokens
from llama_data.pipeline.report.training import Curve, read_training
from llama_data.pipeline.report.words import THIN, share, short, tick, whole


def test_the_funnel_follows_the_logs_and_loses_nothing(tmp_path: Path) -> None:
    rows = [row("a"), row("b", "too_short", "minimum_length"), row("c", "high_perplexity", "perplexity")]
    rows += [row("d", "broken_step", "own", outcome="failed"), row("e", "language_uncertain", "language")]
    write_ledger(tmp_path, "commoncrawl", [rows])
    write_recipe(tmp_path)
    write_rest(tmp_path, "commoncrawl")
    order = order_of(str(tmp_path), ["commoncrawl/documents"])
    steps = funnel(count_domain(str(tmp_path), "commoncrawl", Choice({})), order)
    assert [(step.code, step.gone, step.failed, step.left, step.chars_left) for step in steps] == [
        ("", 0, 0, 5, 500),
        ("minimum_length", 1, 0, 4, 400),
        ("language", 1, 0, 3, 300),
        ("perplexity", 1, 0, 2, 200),
        ("own", 1, 1, 1, 100),
    ]


def write_stats(run: Path, job: str, *tasks: dict[str, float]) -> None:
    folder = run / "logs" / job / "stats"
    folder.mkdir(parents=True)
    for task, seconds in enumerate(tasks):
        told = [{"name": name, "time_stats": {"total": spent} if spent else 0} for name, spent in seconds.items()]
        (folder / f"{task:05d}.json").write_text(json.dumps(told))


def test_seconds_of_steps_are_those_of_all_jobs_and_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        row("a"),
        row("b", "too_short", "length"),
        row("c", "too_short", "length"),
        row("d", "near_duplicate", "near_dup"),
    ]
    write_ledger(tmp_path, "web", [rows], {})
    before = {"read_source": 2.0, "length": 0.5}
    write_stats(
        tmp_path, "web/02-near_dup-signatures", {**before, "write_signatures": 4.0}, {**before, "write_signatures": 0}
    )
    write_stats(tmp_path, "web/02-near_dup-edges", {"find_edges": 8.0})
    write_stats(
        tmp_path,
        "web/documents",
        {**before, "near_dup": 0.25, "write": 1.0},
        {**before, "near_dup": 0.25, "write": 1.0},
    )
    jobs = ["web/02-near_dup-signatures", "web/02-near_dup-edges", "web/documents"]
    found = count_domain(str(tmp_path), "web", Choice({}))
    rows = costs(str(tmp_path), jobs, found, order_of(str(tmp_path), jobs))
    assert [(each.code, each.seconds, each.gone) for each in rows] == [
        ("read_source", 8.0, 0), ("length", 2.0, 2), ("near_dup", 0.5, 1), ("write", 2.0, 0), ("02-near_dup", 12.0, 0),
    ]  # fmt: skip
    assert rows[-1].title == "Near-duplicates: jobs before"
    # Of many tasks some are read, and stand for all.
    monkeypatch.setattr(step_times, "SAMPLED", 1)
    assert costs(str(tmp_path), jobs[2:], found, [])[0].seconds == 4.0
    assert costs(str(tmp_path), ["web/none"], found, []) == []


def test_what_stands_before_documents_that_are_left_on_disk_keeps_its_place_and_its_seconds(tmp_path: Path) -> None:
    rows = [row("a"), row("b", "language_not_chosen", "language"), row("c", "duplicate_document", "duplicates")]
    write_ledger(tmp_path, "web", [rows], {})
    jobs = ["web/02-persist-documents", "web/03-exact_dup-hashes", "web/documents"]
    write_stats(tmp_path, jobs[0], {"read_source": 2.0, "language": 4.0, "persist": 1.0})
    write_stats(tmp_path, jobs[1], {"read_persisted": 0.5, "write_hashes": 8.0})
    write_stats(tmp_path, jobs[2], {"read_persisted": 0.5, "duplicates": 0.25, "write": 3.0})
    found = count_domain(str(tmp_path), "web", Choice({}))
    order = order_of(str(tmp_path), jobs)
    assert [(step.code, step.gone, step.left) for step in funnel(found, order)] == [
        ("", 0, 3), ("language", 1, 2), ("duplicates", 1, 1),
    ]  # fmt: skip
    assert [(each.code, each.seconds, each.gone) for each in costs(str(tmp_path), jobs, found, order)] == [
        ("read_source", 2.0, 0), ("language", 4.0, 1), ("persist", 1.0, 0), ("read_persisted", 1.0, 0),
        ("duplicates", 0.25, 1), ("write", 3.0, 0), ("03-exact_dup", 8.0, 0),
    ]  # fmt: skip


def test_steps_that_the_logs_do_not_name_stand_where_the_sources_have_them() -> None:
    names = ["perplexity", "own", "read_commoncrawl", "language", "minimum_length"]
    assert in_order(names, []) == ["read_commoncrawl", "minimum_length", "language", "perplexity", "own"]
    known = ["language", "own", "minimum_length"]
    assert in_order(names, known) == ["read_commoncrawl", *known, "perplexity"]


def test_two_orders_become_one() -> None:
    assert _merged([["a", "b", "d"], ["b", "c", "d"]]) == ["a", "b", "c", "d"]
    assert _merged([["a"], ["z", "a"]]) == ["z", "a"]
    assert _merged([[], ["x", "y"]]) == ["x", "y"]


def test_a_curve_stays_short_and_keeps_its_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "POINTS", 4)
    curve = Curve()
    for n in range(1000):
        curve.add(n, n % 10)
    points = curve.points()
    assert len(points) <= 9
    assert curve.each == 128
    weights = [curve.each] * (len(points) - 1) + [1000 - curve.each * (len(points) - 1)]
    assert sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / 1000 == pytest.approx(4.5)
    assert curve.last == 9


def test_metrics_that_are_being_written_end_at_their_last_whole_line(tmp_path: Path) -> None:
    write_recipe(tmp_path)
    write_rest(tmp_path, "commoncrawl")
    path = tmp_path / "train" / "metrics.jsonl"
    whole_lines = read_training(str(tmp_path))
    assert whole_lines is not None
    assert not whole_lines.is_cut_off
    assert whole_lines.held_out[""].last == 6.25
    path.write_text(path.read_text() + '{"kind": "step", "lo')
    found = read_training(str(tmp_path))
    assert found is not None
    assert found.is_cut_off
    assert (found.steps, found.tokens) == (30, 30 * 4096)


def test_tokens_are_sampled_evenly_over_files_and_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    folder = tmp_path / "tokens" / "books" / "documents"
    (folder / "validation").mkdir(parents=True)
    for name, start, end in (("00000", 0, 10), ("00001", 10, 11), ("00002", 11, 23), ("validation/00000", 23, 30)):
        table = pa.table({"id": [f"d{n}" for n in range(start, end)], "tokens": list(range(start, end))})
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=4)
    for most in (1, 2, 4, 7, 29, 30, 99):
        monkeypatch.setattr("llama_data.pipeline.report.tokens.SAMPLED", most)
        stride = -(-30 // most)
        assert sampled_tokens(str(tmp_path), "books") == {f"d{n}": n for n in range(0, 30, stride)}


def test_numbers_are_said_without_more_digits_than_they_have() -> None:
    assert whole(1234567) == f"1{THIN}234{THIN}567"
    assert [short(value) for value in (0, 7, 999, 1000, 12_345, 999_499, 999_600, 43.1e6, 1.4e12)] == [
        text.replace(" ", THIN) for text in ("0", "7", "999", "1.00 k", "12.3 k", "999 k", "1.00 M", "43.1 M", "1.40 T")
    ]
    assert [tick(value) for value in (0, 0.5, 20, 4000, 1.5e6)] == ["0", "0.5", "20", f"4{THIN}k", f"1.5{THIN}M"]
    said = [share(part, 10_000) for part in (0, 1, 5, 9_995, 9_999, 10_000)]
    assert said == [text.replace(" ", THIN) for text in ("0 %", "< 0.1 %", "0.1 %", "100.0 %", "> 99.9 %", "100 %")]


def test_a_sample_says_when_it_is_cut() -> None:
    assert Sample("a", "", "x" * SHOWN, SHOWN + 1, {}).is_cut
    assert not Sample("a", "", "x" * SHOWN, SHOWN, {}).is_cut


def test_the_speed_of_a_result_and_its_slowest_task(tmp_path: Path) -> None:
    write_ledger(tmp_path, "commoncrawl", [[row("a")]])
    write_recipe(tmp_path)
    write_rest(tmp_path, "commoncrawl")
    report = collect(str(tmp_path))
    [speed] = report.speed
    assert (speed.cpu, speed.input_bytes, speed.records) == (3.0, 9_000_000, 12)
    assert (speed.jobs[0].median, speed.jobs[0].slowest) == (3.0, [(1, 4.0), (0, 2.0)])
    assert report.tokens[0].tokens == 1537
    assert report.tokens[0].held_out == 513
    [first, second] = report.changes
    assert (first.verb, first.diff, second.when) == ("run", [], "2026-01-02 04:05:06 UTC")
    assert any(line.startswith("+") and "0.1" in line for line in second.diff)
    assert json.loads((tmp_path / "mix" / "mix.json").read_text())["rows"] == report.mixes[0].rows
