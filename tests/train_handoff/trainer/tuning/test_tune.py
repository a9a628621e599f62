"""A run of `tune`: its loss, its processes, its resume, and the model that it hands on."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner
from workshop import Workshop

from llama_data.pipeline.core.errors import RequestError
from llama_data.tokenizer.huggingface import huggingface_files
from llama_data.tokenizer.model_file import read_model
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import Record, checkpoint_name, checkpoints, find_checkpoint, read_record
from llama_data.train_handoff.trainer.template import TEMPLATES, Template
from llama_data.train_handoff.trainer.tuning.rows import ExampleRows

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from llama_data.train_handoff.trainer import checkpoint, generate  # noqa: E402
from llama_data.train_handoff.trainer.chat import converse  # noqa: E402
from llama_data.train_handoff.trainer.generate import Sampling, open_speaker  # noqa: E402
from llama_data.train_handoff.trainer.learner import token_losses  # noqa: E402
from llama_data.train_handoff.trainer.model import Llama  # noqa: E402

SEQ_LEN = 48
EPOCHS = 100


def command(*words: object, stdin: str | None = None) -> Any:
    done = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def lessons(words: list[str]) -> list[tuple[str, str]]:
    """Prompts that each have an answer of their own."""
    return [(f"say {words[n]}", " ".join(words[n + 20 : n + 21 + n % 3])) for n in range(12)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Path:
    """A run with a model that has learned nothing, and its tokenizer beside it."""
    run = tmp_path_factory.mktemp("base") / "train"
    (run.parent / "tokenizer").mkdir()
    shutil.copy(tokenizer, run.parent / "tokenizer")
    for name, content in huggingface_files(read_model(str(tokenizer))).items():
        (run.parent / "tokenizer" / name).write_bytes(content)
    config = ModelConfig(dim=64, n_layers=2, n_heads=4, vocab_size=500, seq_len=SEQ_LEN, multiple_of=32)
    model = Llama(config)
    model.init_weights(3)
    digest = sha256(tokenizer.read_bytes()).hexdigest()
    record = Record(
        step=0, rows=8, fingerprint="f", seed=1, tokenizer_sha256=digest, model=config.model_dump(), bos_id=1, eos_id=2
    )
    (run / "checkpoints").mkdir(parents=True)
    checkpoint.save_weights(run / "checkpoints" / checkpoint_name(8), record, model)
    return run


@pytest.fixture(scope="module")
def asked(base: Path, lessons: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The command that tunes it, but for processes and output."""
    file = tmp_path_factory.mktemp("lessons") / "lessons.jsonl"
    lines = [json.dumps({"prompt": prompt, "completion": completion}) for prompt, completion in lessons]
    file.write_text("\n".join([*lines, "no JSON"]) + "\n")
    return [
        *("tune", file, "--from", base, "--epochs", EPOCHS, "--lr", "5e-3", "--dtype", "float32", "--device", "cpu"),
        *("--batch-tokens", 4 * SEQ_LEN, "--micro-rows", 2, "--save-every", 40),
    ]


@pytest.fixture(scope="module")
def tuned(asked: list[object], tmp_path_factory: pytest.TempPathFactory, workshop: Workshop) -> Path:
    """An uninterrupted run on two processes."""
    output = tmp_path_factory.mktemp("tuned") / "run"
    with workshop.instead():
        command(*asked, "--output", output, "--nproc", 2)
    return output


def test_the_loss_is_that_of_each_example_read_alone(asked: list[object], tuned: Path, base: Path) -> None:
    rows = ExampleRows(str(next(tuned.glob("examples-*"))), EPOCHS)
    model = Llama(read_record(find_checkpoint(base)).model_config(base))
    model.init_weights(3)
    total = count = 0.0
    for index in range(4):  # the rows of the first step
        ids, marks = torch.from_numpy(rows[index].astype(np.int64)), rows.marks(index)
        begins = [0, *(np.flatnonzero(np.diff(marks.examples)) + 1).tolist(), SEQ_LEN]
        for begin, end in pairwise(begins):
            counts = torch.from_numpy(marks.counts[begin:end])
            losses = F.cross_entropy(model(ids[None, begin:end])[0], ids[begin + 1 : end + 1], reduction="none")
            total += float(losses.detach()[counts].double().sum())
            count += float(counts.sum())
        documents = torch.from_numpy(marks.examples)[None]
        with torch.no_grad():
            packed = token_losses(model, ids[None], None, documents=documents)[0]
        assert bool((packed > 0).all())
    assert len(begins) > 2  # examples do share rows
    assert metrics(tuned)[0]["loss"] == pytest.approx(total / count, rel=1e-6)


def test_on_another_number_of_processes_and_after_a_stop_it_takes_the_same_steps(
    asked: list[object], tuned: Path, tmp_path: Path, at_home: None
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tuned, run)
    stopped = checkpoints(run)[0]
    for later in checkpoints(run)[1:]:
        shutil.rmtree(later)
    row = read_record(stopped).rows
    assert 0 < row < metrics(tuned)[-1]["row"]
    said = command(*asked, "--output", run, "--nproc", 1).stdout
    assert f"goes on from {stopped} (row {row:,}" in said
    ours, theirs = metrics(run), metrics(tuned)
    assert [line["row"] for line in ours] == [line["row"] for line in theirs]
    assert ours[-1]["processes"] == 1
    np.testing.assert_allclose([a["loss"] for a in ours], [b["loss"] for b in theirs], rtol=2e-4, atol=1e-5)
    with pytest.raises(RequestError, match=r"trained with .*epochs 100.*; this command has epochs 101"):
        command(*asked, "--epochs", EPOCHS + 1, "--output", run, "--dry-run")
    with pytest.raises(RequestError, match=r"the checkpoint was made with examples [0-9a-f]{64}, this run has"):
        command(*asked, "--template", "vicuna", "--output", run, "--dry-run")


def test_a_step_does_not_depend_on_how_rows_are_held(
    asked: list[object], tuned: Path, tmp_path: Path, at_home: None
) -> None:
    """A row at a time, on one process: the same mean over what counts in the whole step, to rounding of float32."""
    command(*asked, "--output", tmp_path / "run", "--nproc", 1, "--micro-rows", 1, "--epochs", 1)
    assert metrics(tmp_path / "run")[0]["loss"] == pytest.approx(metrics(tuned)[0]["loss"], rel=1e-7)
    assert metrics(tmp_path / "run")[0]["gradient_norm"] == pytest.approx(metrics(tuned)[0]["gradient_norm"], rel=1e-5)


def test_what_was_taught_is_answered(tuned: Path, lessons: list[tuple[str, str]]) -> None:
    assert metrics(tuned)[-1]["loss"] < 0.1
    assert read_record(find_checkpoint(tuned)).template == TEMPLATES["open-llama"]
    prompts = "".join(f"{prompt}\n/new\n" for prompt, _ in lessons)
    said = command("chat", tuned, "--temperature", 0, "--device", "cpu", stdin=prompts).stdout
    assert said.splitlines() == [completion for _, completion in lessons]


def test_its_export_speaks_the_same_template(
    tuned: Path, base: Path, tmp_path: Path, lessons: list[tuple[str, str]]
) -> None:
    transformers = pytest.importorskip("transformers")
    command("export", tuned, tmp_path / "hf", "--dtype", "float32")
    asked, taught = lessons[0]
    pieces = Pieces(tuned / "tokenizer")
    template = Template(TEMPLATES["open-llama"])
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    jinja = (tmp_path / "hf" / "chat_template.jinja").read_text()
    assert theirs.chat_template == jinja
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": taught}]
    text = theirs.apply_chat_template(messages, tokenize=False)
    assert text == f"<s>user: {asked}<s>system: {taught}</s>"
    whole = theirs.apply_chat_template(messages * 2, return_dict=False)
    assert whole == [1, *template.example(pieces, [(asked, taught)] * 2)[0]]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    ids = theirs.apply_chat_template(messages[:1], return_dict=False)
    assert ids == [1, *template.opening(pieces, asked)]
    with torch.no_grad():
        found = model.generate(torch.tensor([ids]), max_new_tokens=20, do_sample=False)[0, len(ids) :].tolist()
    assert found == template.answer(pieces, taught)[0]
    # The template of another model is said.
    for words in ((tmp_path / "hf", "--overwrite"), (tmp_path / "other", "--template", "vicuna")):
        command("export", base, *words)
    assert not (tmp_path / "hf" / "chat_template.jinja").exists()
    assert (tmp_path / "other" / "chat_template.jinja").read_text() == Template(TEMPLATES["vicuna"]).jinja


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_chat_template_of_transformers_writes_what_ours_does(name: str) -> None:
    jinja2 = pytest.importorskip("jinja2")
    template = Template(TEMPLATES[name])
    render = jinja2.Environment().from_string(template.jinja).render
    turns = [("a <b>", "c"), ("d", "e'\"")]
    messages = [{"role": "system", "content": "be brief"}]
    for prompt, completion in turns:
        messages += [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    told = [(f"be brief\n\n{turns[0][0]}", "c"), turns[1]]
    whole = "".join(TEMPLATES[name].replace("{prompt}", a).replace("{completion}", b) for a, b in told)
    assert render(messages=messages, bos_token="<s>", eos_token="</s>") == "<s>" + whole
    opened = render(messages=messages[:2], bos_token="<s>", eos_token="</s>")
    assert opened == "<s>" + template.before.rstrip(" ").replace("{prompt}", told[0][0])


@pytest.mark.parametrize("text", [*TEMPLATES.values(), "Q: {prompt}\nA: {completion}\n\n"])
def test_a_model_is_asked_as_it_was_taught(base: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every id that a conversation reads is that of the example with the same turns."""
    template, turns = Template(text), [("what?", "this that"), ("and?", "more"), ("x", "y")]
    sampling = Sampling(tokens=40, stop=(template.stop,) if template.stop else (), slide=True)
    speaker = open_speaker(find_checkpoint(base), None, sampling, lambda _: None, device="cpu", dtype="float32")
    speaker.model.seq_len = 10_000  # nothing is forgotten
    read: list[int] = []
    answers = iter([id for _, answer in turns for id in template.answer(speaker.pieces, answer)[0]])
    monkeypatch.setattr(generate, "choose", lambda *_: next(answers))

    def forward(ids: Any, past: Any = None) -> Any:
        read.extend(ids[0].tolist())
        return torch.zeros(1, ids.shape[1], 500)

    monkeypatch.setattr(speaker.model, "forward", forward)
    written: list[str] = []
    converse(speaker, template, [prompt for prompt, _ in turns], written.append, breakable=False)
    expected = [1, *template.example(speaker.pieces, turns)[0]]
    unread = len(expected) - len(read)  # what ends the last answer is not read
    assert 0 < unread < 6
    assert read == expected[:-unread]
    assert "".join(written) == "".join(f"{answer}\n" for _, answer in turns)


def test_what_cannot_be_tuned_is_named(asked: list[object], base: Path, tmp_path: Path) -> None:
    (tmp_path / "endless").write_text("{prompt} {completion}")
    for more, message in (
        (("--template", tmp_path / "endless"), "nothing ends an answer; put </s> after"),
        (("--seq-len", SEQ_LEN + 1), "--seq-len 49: the model reads at most 48 tokens"),
        (("--overflow", "wrap"), "--overflow wrap: expected drop or truncate"),
    ):
        with pytest.raises(RequestError, match=message):
            command(*asked, *more, "--output", tmp_path / "run", "--nproc", 1, "--dry-run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "model.yaml").write_text("name: a\nmodel: {dim: 32, n_heads: 2, n_layers: 1}\nepochs: 2\n")
    with pytest.raises(RequestError, match="epochs are for examples"):
        command("launch", "--data", tmp_path, "--model", tmp_path / "model.yaml", "--dry-run", "--nproc", 1)


@pytest.mark.filterwarnings("default::FutureWarning", "default::UserWarning")  # of peft, about transformers
def test_the_documented_way_to_lora_runs(tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippet of docs/training.md, as it stands there, on an export of this model."""
    pytest.importorskip("peft")
    page = (Path(__file__).resolve().parents[4] / "docs" / "training.md").read_text()
    snippet = page.partition("from peft import")[2].partition("\n\n## ")[0]
    code = "from peft import" + "\n".join(line.removeprefix("    ") for line in snippet.split("\n"))
    command("export", tuned, tmp_path / "RUN" / "hf", "--dtype", "float32")
    lessons = [{"prompt": "say it", "completion": "it"}] * 4
    (tmp_path / "lessons.jsonl").write_text("".join(json.dumps(lesson) + "\n" for lesson in lessons))
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(compile(code, "docs/training.md", "exec"), found)
    assert found["losses"][-1] < found["losses"][0]
    command("import", "RUN/lora", "RUN/lora-checkpoint")
