"""Rules in pipelines of ours and of others; what breaks in a step costs its record; passes and rules make a chain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from datatrove.data import Document as DatatroveDocument
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

from llama_data.pipeline.core import block
from llama_data.pipeline.core.block import BatchRule, Reader, Rule, Step
from llama_data.pipeline.core.document import Document, Outcome, new_document, note, verdict
from llama_data.pipeline.core.errors import ModelError, RecordError, RequestError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.steps import c4_rules, exact_dup, fineweb_quality, length, line_dedup
from llama_data.stages.steps.catalogue import STEPS, OneStep, load_rule
from llama_data.stages.steps.contract import Built, Pass, StepContext, build_all, chain
from llama_data.stages.steps.foreign import Filter, Formatter

LONG = "The quick brown fox jumps over the lazy dog and does not look back at it. " * 8


class Numbers(Reader):
    """Ten texts of 0 to 9 letters; the seventh cannot be read."""

    def read(self, split: Split) -> Iterator[Document]:
        for number in range(10):
            if number == 7:
                yield self.failed(split, key=7, reason=Reason.damaged_record)
            else:
                source = f"{split.name}#{number}"
                yield new_document(domain="d", id=f"d/{source}", text="x" * number, source=source)


class NoFives(Rule):
    """Rejects five letters for a reason of its own, and notes every length."""

    name = "no_fives"

    def judge(self, doc: Document) -> str | None:
        note(doc, letters=len(doc.text))
        return "five_letters" if len(doc.text) == 5 else None


class Breaks(Rule):
    """Breaks in every way on the texts of 1 to 4 letters."""

    name = "breaks"

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error

    def judge(self, doc: Document) -> Reason | None:
        match len(doc.text):
            case 1:
                raise RecordError(Reason.too_complex, "one")
            case 2:
                raise ZeroDivisionError("a bug\nin a rule")
            case 3 if self.error is not None:
                raise self.error
        return None


class BreaksInBatches(BatchRule):
    """As ``Breaks``, many at a time."""

    name = "breaks"

    def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
        rule = Breaks()
        return [rule.judge(doc) for doc in docs]


def context(folder: Path, tasks: int = 1) -> StepContext:
    run = RunContext(input="", output=str(folder))
    return StepContext(run=run, domain="d", sizes=(100,) * tasks, task_bytes=1000, work=run.work("d"))


def numbers(names: str = "a") -> Numbers:
    return Numbers(splits=[Split(path=name, name=name, size=1) for name in names], domain="d")


def stream(*steps: Step) -> list[Document]:
    data: Any = None
    for step in steps:
        data = step.run(data, 0, 1)
    return list(data)


def test_in_a_job_every_record_travels_to_its_end() -> None:
    docs = stream(*Job("d/x", [numbers(), NoFives()], 1).steps)
    assert len(docs) == 10
    found = {len(doc.text): verdict(doc) for doc in docs if verdict(doc) and doc.text}
    assert list(found) == [5]
    assert found[5] == (Outcome.rejected, "five_letters", "no_fives", "")
    assert [doc.notes.get("letters") for doc in docs] == [0, 1, 2, 3, 4, 5, 6, None, 8, 9]


def test_outside_of_a_job_a_document_that_is_not_kept_goes_no_further() -> None:
    assert [len(doc.text) for doc in stream(numbers(), NoFives())] == [0, 1, 2, 3, 4, 6, 8, 9]


def test_a_broken_step_costs_its_record_and_says_how() -> None:
    for rule in (Breaks(), BreaksInBatches()):
        docs = stream(*Job("d/x", [numbers(), rule], 1).steps)
        failed = {doc.id: verdict(doc) for doc in docs if verdict(doc)}
        assert failed["d/a#1"] == (Outcome.failed, Reason.too_complex, "breaks", "one")
        assert failed["d/a#2"] == (Outcome.failed, Reason.broken_step, "breaks", "ZeroDivisionError: a bug in a rule")
        assert len(failed) == 3


@pytest.mark.parametrize(
    "error", [ModelError("no model"), OSError("disk full"), MemoryError(), ImportError("no spacy"), KeyboardInterrupt()]
)
def test_what_concerns_all_records_ends_the_task(error: BaseException) -> None:
    with pytest.raises(type(error)):
        stream(*Job("d/x", [numbers(), Breaks(error)], 1).steps)


def test_a_broken_reader_costs_what_follows_in_its_split() -> None:
    class Torn(Numbers):
        def read(self, split: Split) -> Iterator[Document]:
            for doc in super().read(split):
                if split.name == "a" and doc.text == "xxx":
                    raise KeyError("torn")
                yield doc

    reader = Torn(splits=numbers("ab").splits, domain="d")
    docs = stream(*Job("d/x", [reader], 1).steps)
    assert [doc.id for doc in docs[:5]] == ["d/a#0", "d/a#1", "d/a#2", "d/a#after-3", "d/b#0"]
    assert len(docs) == 4 + 10
    assert verdict(docs[3]) == (
        Outcome.failed, Reason.broken_reader, "read", "after 3 records: KeyError: 'torn'; what follows was not read",
    )  # fmt: skip


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_batches_keep_the_order_of_documents(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(block, "BATCH_DOCUMENTS", most)
    seen: list[int] = []

    class Sizes(BatchRule):
        def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
            seen.append(len(docs))
            return [Reason.too_short if len(doc.text) < 2 else None for doc in docs]

    rule = Sizes()
    rule.name = "sizes"
    docs = stream(*Job("d/x", [numbers(), rule], 1).steps)
    assert [doc.id for doc in docs] == [f"d/a#{n}" for n in range(10)]
    assert max(seen) <= most
    assert sum(seen) == 9


def test_rules_stand_before_a_writer_of_datatrove(tmp_path: Path) -> None:
    texts = ["short", LONG, LONG, "{ " + LONG]
    (tmp_path / "in").mkdir()
    lines = [json.dumps({"text": text, "id": number}) for number, text in enumerate(texts)]
    (tmp_path / "in" / "a.jsonl").write_text("\n".join(lines))
    rules = [
        *length.Settings(min_characters=100).build(context(tmp_path)).rules,
        *c4_rules.Settings().build(context(tmp_path)).rules,
    ]
    steps = [JsonlReader(str(tmp_path / "in")), *rules, JsonlWriter(str(tmp_path / "out"), compression=None)]
    LocalPipelineExecutor(steps, tasks=1, logging_dir=str(tmp_path / "logs")).run()
    [written] = (tmp_path / "out").iterdir()
    rows = [json.loads(line) for line in written.read_text().splitlines()]
    assert [row["id"] for row in rows] == [1, 2]
    assert rows[0]["metadata"]["removed_lines"] == 0
    counted = {
        name: stat
        for step in json.loads((tmp_path / "logs" / "stats.json").read_text())
        for name, stat in step["stats"].items()
    }
    assert {name: counted[name] for name in ("too_short", "curly_brace")} == {"too_short": 1, "curly_brace": 1}


def test_our_reader_stands_before_a_writer_of_datatrove(tmp_path: Path) -> None:
    writer = JsonlWriter(str(tmp_path / "out"), compression=None)
    LocalPipelineExecutor([numbers(), NoFives(), writer], tasks=1, logging_dir=str(tmp_path / "logs")).run()
    [written] = (tmp_path / "out").iterdir()
    rows = [json.loads(line) for line in written.read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"d/a#{n}" for n in (0, 1, 2, 3, 4, 6, 8, 9)]
    assert rows[2] == {"text": "xx", "id": "d/a#2", "metadata": {"domain": "d", "source": "a#2"}}


class LongWords(BaseFilter):
    """A filter that says why."""

    def filter(self, doc: DatatroveDocument) -> bool | tuple[bool, str]:
        return True if max(map(len, doc.text.split())) < 9 else (False, "long_word")


def test_filters_and_formatters_of_datatrove_are_rules() -> None:
    texts = [LONG, "a word of this length: interminable", "Write to a@example.org now. " + LONG, "badword here"]
    docs = [new_document(domain="d", id=str(n), text=text, source="s") for n, text in enumerate(texts)]
    made = [
        load_rule("datatrove.pipeline.filters:RegexFilter", {"regex_exp": "badword"}),
        load_rule("datatrove.pipeline.formatters:PIIFormatter", {}),
        Filter(LongWords()),
    ]
    data: Any = iter(docs)
    for rule in Job("d/x", made, 1).steps:
        data = rule.run(data, 0, 1)
    out = list(data)
    expected = PIIFormatter().format(texts[2])
    assert "a@example.org" not in expected
    assert [doc.text for doc in out] == [texts[0], texts[1], expected, texts[3]]
    assert [verdict(doc) and verdict(doc)[1:3] for doc in out] == [
        None,
        ("long_word", "LongWords"),
        ("long_word", "LongWords"),
        ("filtered", "RegexFilter"),
    ]


class Picky(BaseFilter):
    """A filter that gives no reason, and judges in batches."""

    def __init__(self, letters: int = 3) -> None:
        super().__init__(batch_size=4)
        self.letters = letters

    def filter(self, doc: DatatroveDocument) -> bool:
        raise AssertionError("not one by one")

    def filter_batch(self, batch: list[DatatroveDocument]) -> list[bool | tuple[bool, str]]:
        return [len(doc.text) != self.letters for doc in batch]


def test_a_filter_without_reasons_still_has_a_code() -> None:
    docs = stream(*Job("d/x", [numbers(), Filter(Picky())], 1).steps)
    assert [found.reason for doc in docs if (found := verdict(doc)) and found.outcome is Outcome.rejected] == [
        "filtered"
    ]


class NotAStep:
    """Nothing that could judge."""


@pytest.mark.parametrize(
    ("path", "settings", "message"),
    [
        ("no_such_module_at_all:X", {}, "No module named 'no_such_module_at_all'.*PYTHONPATH"),
        (":NoModule", {}, "expected module:Class"),
        (".near:Class", {}, "expected module:Class"),
        ("json:NoSuchClass", {}, "the module json has no NoSuchClass"),
        ("json:loads", {}, "expected a class derived from llama_data.Rule"),
        ("datatrove.pipeline.filters:GopherQualityFilter", {"mni_words": 1}, r"mni_words.*; it takes \(min_doc_words"),
        ("datatrove.pipeline.readers:JsonlReader", {}, "expected a class derived from"),
    ],
)
def test_steps_from_outside_that_cannot_be_used_say_why(path: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        load_rule(path, settings)


@pytest.mark.parametrize(
    ("written", "name", "changed"),
    [
        ("length", "length", {}),
        ({"length": None}, "length", {}),
        ({"length": {"min_characters": 5}}, "length", {"min_characters": 5}),
        ("a.b:C", "outside", {"step": "a.b:C", "settings": {}}),
        ({"a.b:C": {"x": 1}}, "outside", {"step": "a.b:C", "settings": {"x": 1}}),
    ],
)
def test_a_step_is_read_and_written_alike(written: Any, name: str, changed: dict[str, Any]) -> None:
    step = OneStep.model_validate(written)
    found, settings = step.chosen()
    assert found == name
    assert {key: getattr(settings, key) for key in changed} == changed
    again = OneStep.model_validate(step.model_dump(mode="json"))
    assert again.chosen() == step.chosen()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("langauge", "there is no step 'langauge'; there are: language, perplexity"),
        ({"language": {}, "length": {}}, "expected a step's name"),
        ([], "expected a step's name"),
        ({5: {}}, "there is no step '5'"),
        ({"length": {"minimum": 3}}, "Extra inputs are not permitted"),
    ],
)
def test_steps_that_are_not_there_are_errors(written: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OneStep.model_validate(written)


def test_every_step_of_the_catalogue_has_a_docstring_and_defaults_or_says_what_it_needs() -> None:
    for name, settings in STEPS.items():
        assert settings.__doc__, name
        needed = [field for field, info in settings.model_fields.items() if info.is_required()]
        assert needed == {"bad_words": ["path"], "quality": ["models"], "decontaminate": ["evaluations"]}.get(name, [])


def test_a_chain_runs_the_passes_of_each_step_behind_the_rules_before_it(tmp_path: Path) -> None:
    first, second, third = Breaks(), NoFives(), length.MinimumLength(minimum=1)
    find, count, alone = NoFives(), NoFives(), numbers()
    steps = [
        Built(rules=[first]),
        Built(
            rules=[second], passes=[Pass("look", [find]), Pass("find", [count], 7), Pass("own", [alone], reads=False)]
        ),
        Built(rules=[third], columns={"letters": "int64"}),
    ]
    begin = numbers()
    made = chain(context(tmp_path, tasks=3), [begin], steps, columns={"a": "string"})
    assert [(job.name, job.tasks) for job in made] == [("d/look", 3), ("d/find", 7), ("d/own", 3), ("d/documents", 3)]
    assert [list(job.steps) for job in made[:3]] == [[begin, first, find], [count], [alone]]
    assert list(made[3].steps[:-1]) == [begin, first, second, third]
    assert made[3].steps[-1].columns == {"a": "string", "letters": "int64"}
    assert all(step.accountable for job in made for step in job.steps)


def test_a_step_may_stand_twice_in_a_chain(tmp_path: Path) -> None:
    steps = [
        ("exact_dup", exact_dup.Settings()),
        ("line_dedup", line_dedup.Settings()),
        ("exact_dup", exact_dup.Settings()),
    ]
    built = build_all(steps, context(tmp_path))
    jobs = [step.name for made in built for step in made.passes]
    assert jobs == [
        f"{own}-{job}" for own in ("01-exact_dup", "02-line_dedup", "03-exact_dup") for job in ("hashes", "duplicates")
    ]


def test_a_formatter_of_datatrove_that_breaks_costs_its_record() -> None:
    class Bad:
        def format(self, text: str) -> str:
            raise ValueError("no")

    docs = stream(*Job("d/x", [numbers(), Formatter(Bad())], 1).steps)
    assert {found.reason for doc in docs if (found := verdict(doc))} == {Reason.broken_step, Reason.damaged_record}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(("fineweb_quality", {"variant": variant}) for variant in ("datatrove", "v1", "paper")),
        ("fineweb_quality", {"variant": "paper", "char_dup_ratio": 0.01, "list_ratio": 0.3}),
        ("fineweb_quality", {"variant": "datatrove", "list_ratio": None}),
        *(("gopher_quality", {"variant": variant}) for variant in ("datatrove", "dclm", "dolma3", "paper")),
        *(("gopher_repetition", {"variant": variant}) for variant in ("datatrove", "dclm", "dolma3", "paper")),
        *(("near_dup", {"preset": preset}) for preset in ("llama_data", "datatrove", "fineweb")),
        ("near_dup", {"preset": "datatrove", "bands": 26}),
    ],
)
def test_a_step_does_what_its_settings_say_once_they_are_written_down(name: str, given: dict[str, Any]) -> None:
    """As in RUN/recipe.yaml, where those are written too that were not given."""
    settings = STEPS[name](**given)
    written = STEPS[name].model_validate(settings.model_dump(mode="json"))
    assert written == settings
    assert written.checks(None) == settings.checks(None)


@pytest.mark.parametrize(
    ("given", "copies", "newlines"),
    [
        ({}, 0.01, 0.3),
        ({"variant": "v1"}, 0.01, 0.3),
        ({"variant": "paper"}, 0.1, None),
        ({"variant": "paper", "char_dup_ratio": None, "list_ratio": 0.2}, None, 0.2),
    ],
)
def test_fineweb_limits_that_are_left_out_are_the_variants(
    given: dict[str, Any], copies: float | None, newlines: float | None
) -> None:
    settings = fineweb_quality.Settings(**given)
    assert (settings.char_dup_ratio, settings.list_ratio) == (copies, newlines)
    limits = {limit.setting: limit.at for limit in settings.limits()}
    assert (limits["char_dup_ratio"], limits["list_ratio"]) == (copies, newlines)
