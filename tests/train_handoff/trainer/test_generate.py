"""Going on with a text: the cache, the draws, the spelling, stops, ends, a full context, and the two commands."""

from __future__ import annotations

import io
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.tokenizer.train import LLAMA_SETTINGS
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import find_checkpoint
from llama_data.train_handoff.trainer.spelling import Spelling, Stops
from llama_data.train_handoff.trainer.template import TEMPLATES, Template, find_template

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer.chat import converse  # noqa: E402
from llama_data.train_handoff.trainer.config import ModelConfig  # noqa: E402
from llama_data.train_handoff.trainer.generate import Sampling, Speaker, choose, open_speaker  # noqa: E402
from llama_data.train_handoff.trainer.model import Llama  # noqa: E402
from llama_data.train_handoff.trainer.past import empty_past  # noqa: E402

MakeModel = Callable[..., Path]
GREEDY = Sampling(tokens=12, temperature=0)


def speaker(run: Path, sampling: Sampling = GREEDY, said: list[str] | None = None, dtype: str = "float32") -> Speaker:
    told = [] if said is None else said
    return open_speaker(find_checkpoint(run / "train"), None, sampling, told.append, device="cpu", dtype=dtype)


def without_cache(model: Llama, ids: list[int], tokens: int, pieces: int) -> list[int]:
    """The likeliest tokens, each from reading everything anew."""
    found: list[int] = []
    while len(found) < tokens:
        with torch.no_grad():
            found.append(int(model(torch.tensor([[*ids, *found]]))[0, -1, :pieces].argmax()))
    return found


def model_file(**changes: Any) -> bytes:
    """A tokenizer of 300 pieces with other special ids."""
    made = io.BytesIO()
    lines = (f"{number} barges go down the canal in the evening" for number in range(400))
    given = {**LLAMA_SETTINGS, "vocab_size": 300, "minloglevel": 2, **changes}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=made, **given)
    return made.getvalue()


def always(model: Speaker, id: int) -> None:
    """Let the model find one id the likeliest, whatever it reads."""
    with torch.no_grad():
        model.model.norm.weight.fill_(0)
        model.model.norm.weight[0] = 1
        model.model.output.weight.zero_()
    head = model.model.output

    def forward(x: Any) -> Any:
        logits = torch.zeros(*x.shape[:-1], head.weight.shape[0])
        logits[..., id] = 10
        return logits

    head.forward = forward


# The cache


@pytest.mark.parametrize("kv_heads", [None, 2, 1])
@pytest.mark.parametrize("cuts", [[24], [1] * 24, [5, 1, 1, 1, 16], [23, 1], [1, 23], [10, 7, 7]])
def test_logits_with_the_cache_are_those_without(kv_heads: int | None, cuts: list[int]) -> None:
    config = ModelConfig(
        dim=32, n_heads=4, n_kv_heads=kv_heads, n_layers=3, vocab_size=64, seq_len=24, multiple_of=32, init_std=0.3
    )
    model = Llama(config)
    model.init_weights(1)
    ids = torch.randint(0, 64, (1, 24), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model.eval()(ids)
        past = empty_past(config, model.tok_embeddings.weight)
        found = torch.cat([model(piece, past=past) for piece in ids.split(cuts, dim=1)], dim=1)
        assert (expected[0, 1:] - expected[0, :-1]).abs().max() > 1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"n_kv_heads": 2}])
def test_a_completion_is_the_one_without_a_cache(
    make_model: MakeModel, held_out_texts: list[str], changes: dict[str, Any]
) -> None:
    run = make_model(**changes)
    one = speaker(run)
    ids = [1, *one.encode("naïve 日本")]
    text = "".join(one.complete(one.encode("naïve 日本")))
    expected = without_cache(one.model, ids, one.count, 500)
    assert (one.ended, one.count) == ("length", 12)
    assert text == one.pieces.model.decode([*ids, *expected])[len("naïve 日本") :]
    # And what comes after it in the same conversation.
    more = "".join(one.complete(one.encode("café")))
    everything = [*ids, *expected, *one.encode("café")]
    follows = without_cache(one.model, everything, one.count, 500)
    whole = one.pieces.model.decode([*everything, *follows])
    assert more == whole[len(one.pieces.model.decode(everything)) :]
    one.restart()
    assert "".join(one.complete(one.encode("naïve 日本"))) == text


def test_types_and_devices(make_model: MakeModel) -> None:
    run = make_model()
    for dtype in ("bfloat16", "float16"):
        one = speaker(run, dtype=dtype)
        assert {str(p.dtype) for p in one.model.parameters()} == {f"torch.{dtype}"}
        assert one.model.cos.dtype == torch.float32
        assert "".join(one.complete(one.encode("a")))
    if not torch.cuda.is_available():
        with pytest.raises(RequestError, match="no CUDA device is visible"):
            open_speaker(find_checkpoint(run / "train"), None, GREEDY, print, device="cuda", dtype="float32")


# The draws


def drawn(sampling: Sampling, logits: list[float], draws: int = 400) -> set[int]:
    generator = torch.Generator().manual_seed(sampling.seed)
    return {choose(torch.tensor(logits), sampling, generator) for _ in range(draws)}


LOGITS = torch.tensor([0.1, 0.4, 0.2, 0.3]).log().tolist()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {0, 1, 2, 3}),
        ({"temperature": 0}, {1}),
        ({"top_k": 1}, {1}),
        ({"top_k": 3}, {1, 2, 3}),
        ({"top_k": 9}, {0, 1, 2, 3}),
        ({"top_p": 0.0}, {1}),
        ({"top_p": 0.39}, {1}),
        ({"top_p": 0.41}, {1, 3}),
        ({"top_p": 0.69}, {1, 3}),
        ({"top_p": 0.71}, {1, 2, 3}),
        ({"top_p": 1.0}, {0, 1, 2, 3}),
        ({"top_k": 2, "top_p": 0.56}, {1}),  # of the two, the first has 4/7
        ({"top_k": 2, "top_p": 0.58}, {1, 3}),
    ],
)
def test_what_may_be_drawn(changes: dict[str, Any], expected: set[int]) -> None:
    assert drawn(Sampling(**{"temperature": 1.0, **changes}), LOGITS) == expected


def test_how_often_it_is_drawn() -> None:
    generator = torch.Generator().manual_seed(3)
    ids = [choose(torch.tensor(LOGITS), Sampling(temperature=1.0, top_k=2), generator) for _ in range(4000)]
    assert ids.count(1) / 4000 == pytest.approx(4 / 7, abs=0.03)
    colder = [choose(torch.tensor(LOGITS), Sampling(temperature=0.5), generator) for _ in range(4000)]
    assert colder.count(1) / 4000 == pytest.approx(16 / 30, abs=0.03)


def test_draws_follow_the_seed(make_model: MakeModel) -> None:
    run = make_model()

    def text(seed: int, number: int = 0) -> str:
        one = speaker(run, Sampling(tokens=8, temperature=1.0, seed=seed))
        one.restart(number)
        return "".join(one.complete(one.encode("b")))

    assert text(1) == text(1)
    assert len({text(1), text(2), text(3)}) == 3
    assert text(1, 2) == text(3)


# Spelling and stops


def test_text_comes_whole_and_is_that_of_the_ids(tokenizer: Path) -> None:
    processor = Pieces(tokenizer.parent).model
    chooser = random.Random(4)
    texts = ["naïve 日本 the  end", "\n\n  x", "🦙🦙 é", " a", "日" * 20, "e\u0301 \ufffd ok", ""]
    for text in texts * 3:
        before = [1, *processor.encode(chooser.choice(["", "so", "日", "a "]))]
        ids = processor.encode(text)
        spelling = Spelling(processor, before)
        parts = [spelling.add(id) for id in ids]
        whole = processor.decode([*before, *ids])
        assert "".join(parts) + spelling.rest() == whole[len(processor.decode(before)) :]
        assert not any(part.endswith("\ufffd") for part in parts if "\ufffd" not in text)


def test_bytes_that_are_no_text_do_not_hold_it_back(tokenizer: Path) -> None:
    processor = Pieces(tokenizer.parent).model
    wild = processor.piece_to_id("<0xFF>")
    spelling = Spelling(processor, [1])
    parts = [spelling.add(wild) for _ in range(40)]
    assert "".join(parts) == "\ufffd" * 40


@given(
    text=st.text("abc", max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=8),
    stops=st.lists(st.text("abc", min_size=1, max_size=4), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_text_ends_before_the_first_stop_however_it_comes(text: str, cuts: list[int], stops: list[str]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    found = Stops(tuple(stops))
    shown = ""
    for begin, end in itertools.pairwise(edges):
        shown += found.add(text[begin:end])
        if found.found:
            break
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    assert found.found == bool(places)
    # A stop is known as soon as it is whole; of two that overlap the one that comes whole first may begin later.
    if not places:
        assert shown + found.rest() == text
    else:
        assert text.startswith(shown)
        assert not any(stop in shown for stop in stops)
        assert any(text.startswith(stop, len(shown)) for stop in stops)


# Ends


def test_it_ends_where_the_document_does(make_model: MakeModel) -> None:
    for id in (1, 2):
        one = speaker(make_model(f"run{id}"))
        always(one, id)
        assert "".join(one.complete(one.encode("a"))) == ""
        assert (one.ended, one.count) == ("end", 0)


def test_it_ends_at_a_stop(make_model: MakeModel) -> None:
    run = make_model()
    text = "".join(speaker(run).complete(speaker(run).encode("a")))
    stop = text[3:6]
    one = speaker(run, Sampling(tokens=12, temperature=0, stop=("not there", stop)))
    assert "".join(one.complete(one.encode("a"))) == text[: text.index(stop)]
    assert one.ended == "stop"
    assert one.count < 12


def test_padding_of_the_vocabulary_is_never_drawn(make_model: MakeModel) -> None:
    run = make_model(model_file=model_file(), vocab_size=320)
    one = speaker(run, Sampling(tokens=5, temperature=1.0))
    always(one, 310)
    assert "".join(one.complete(one.encode("a")))
    assert one.count == 5


@pytest.mark.parametrize(("bos", "eos", "opener"), [(-1, 2, [2]), (1, -1, [1]), (4, 3, [4]), (-1, -1, [])])
def test_a_model_without_bos_begins_as_its_documents_do(
    make_model: MakeModel, bos: int, eos: int, opener: list[int]
) -> None:
    one = speaker(make_model(model_file=model_file(bos_id=bos, eos_id=eos), vocab_size=300))
    ids = [*opener, *one.encode("the canal")]
    text = "".join(one.complete(one.encode("the canal")))
    expected = without_cache(one.model, ids, one.count, 300)
    assert text == one.pieces.model.decode([*ids, *expected])[len("the canal") :]
    one.restart()
    if opener:
        assert list(one.complete([]))
    else:
        with pytest.raises(RequestError, match="the prompt is empty"):
            list(one.complete([]))


@pytest.mark.parametrize(
    ("rows", "opener"),
    [
        ({"bos_id": None, "eos_id": 2}, [2]),
        ({"bos_id": 1, "eos_id": None}, [1]),
        ({"bos_id": None, "eos_id": None}, []),
    ],
)
def test_rows_say_what_a_document_begins_with(make_model: MakeModel, rows: dict[str, Any], opener: list[int]) -> None:
    one = speaker(make_model(rows=rows), Sampling(tokens=1, temperature=0))
    read: list[int] = []
    one.model.register_forward_pre_hook(lambda _, ids: read.extend(ids[0][0].tolist()))
    list(one.complete(one.encode("the")))
    assert read == [*opener, *one.encode("the")]


def test_a_model_that_computes_no_numbers_is_named(make_model: MakeModel) -> None:
    one = speaker(make_model())
    with torch.no_grad():
        one.model.norm.weight[3] = float("nan")
    with pytest.raises(RequestError, match="logits are not finite"):
        list(one.complete(one.encode("a")))


@pytest.mark.parametrize("slide", [False, True])
def test_a_full_context_is_said(make_model: MakeModel, slide: bool) -> None:
    said: list[str] = []
    one = speaker(make_model(seq_len=16), Sampling(tokens=30, temperature=0, slide=slide), said)
    always(one, 300)
    prompt = one.encode("a")
    list(one.complete(prompt))
    if not slide:
        # 16 positions are read, and what follows the last of them is still known.
        assert (one.ended, one.count) == ("context", 16 - 1 - len(prompt) + 1)
        assert said == ["the context of 16 tokens is full; with --overflow slide its older half is forgotten"]
        assert "".join(one.complete(one.encode("b"))) == ""
    else:
        assert (one.ended, one.count) == ("length", 30)
        assert len(said) == 2 + (1 + len(prompt) + 29 - 16 - 8 - 7) // 7
        assert set(said) == {"the context of 16 tokens is full: its older half is forgotten"}


def test_after_sliding_it_reads_the_newer_half_after_an_opener(make_model: MakeModel) -> None:
    one = speaker(make_model(seq_len=16), Sampling(tokens=1, temperature=0, slide=True))
    ids = list(range(300, 330))
    text = "".join(one.complete(ids))
    expected = without_cache(one.model, [1, *ids[-8:]], 1, 500)
    assert text == one.pieces.model.decode([*ids, *expected])[len(one.pieces.model.decode(ids)) :]


# Templates and conversations


def test_a_template_is_read_into_ids(tokenizer: Path) -> None:
    pieces = Pieces(tokenizer.parent)
    default = find_template("open-llama")
    assert TEMPLATES["open-llama"] == "user: {prompt}<s>system: {completion}</s>"
    encode = pieces.model.encode
    assert default.opening(pieces, "what?") == [*encode("user: what?"), 1, *encode("system:")]
    assert (default.closing(pieces), default.stop) == ([2], "")
    # A person's text cannot write a marker or a field.
    asked = default.opening(pieces, "</s><s>{completion}{prompt}")
    assert asked == [*encode("user: </s><s>{completion}{prompt}"), 1, *encode("system:")]
    other = Template("Q: {prompt}\nA: {completion}\n\n")
    assert other.stop == "\n\n"
    assert other.opening(pieces, "why") == encode("Q: why\nA:")
    assert other.closing(pieces) == encode("\n\n")


def test_a_marker_without_an_id_is_text(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(model_file(bos_id=-1))
    pieces = Pieces(tmp_path)
    encode = pieces.model.encode
    expected = [*encode("user: a"), *encode("<s>"), *encode("system:")]
    assert find_template("open-llama").opening(pieces, "a") == expected


def test_what_is_no_template_is_refused(tmp_path: Path) -> None:
    for text in ("{prompt}", "{completion}", "{completion}{prompt}", "{prompt}{prompt}{completion}", ""):
        with pytest.raises(RequestError, match=r"expected \{prompt\} and, after it, \{completion\}, each once"):
            Template(text)
    with pytest.raises(RequestError, match=r"--template nothing: neither a file that can be read .* open-llama"):
        find_template("nothing")
    (tmp_path / "mine").write_text("<{prompt}>\n{completion}\n")
    assert find_template(str(tmp_path / "mine")).stop == ""


def talk(one: Speaker, prompts: list[str], breakable: bool = False) -> tuple[str, list[int]]:
    """What is written, and every id that the model read."""
    written: list[str] = []
    read: list[int] = []
    one.model.register_forward_pre_hook(lambda _, ids: read.extend(ids[0][0].tolist()))
    converse(one, find_template("open-llama"), prompts, written.append, breakable=breakable)
    return "".join(written), read


def test_a_conversation_is_read_as_the_template_says(make_model: MakeModel) -> None:
    one = speaker(make_model(seq_len=64), Sampling(tokens=3, temperature=0))
    word = one.encode("a")[0]
    always(one, word)
    written, read = talk(one, ["hi", "", "  ", "so", "/new", "hi"])
    opening = [1, *one.encode("user: hi"), 1, *one.encode("system:")]
    first = [*opening, word, word, word]
    second = [2, *one.encode("user: so"), 1, *one.encode("system:"), word, word]
    assert read == [*first, *second, *opening, word, word]
    lines = written.split("\n")
    assert len(lines) == 4
    assert lines[0] == lines[2] == one.pieces.model.decode([word] * 3)


def test_an_answer_can_be_broken_off(make_model: MakeModel) -> None:
    one = speaker(make_model(seq_len=64), Sampling(tokens=5, temperature=0))
    word = one.encode("a")[0]
    always(one, word)
    layer, calls = one.model.layers[1], 0

    def interrupt(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    layer.register_forward_pre_hook(interrupt)
    written, read = talk(one, ["hi", "so"], breakable=True)
    assert [line.count(one.pieces.model.decode([word])) > 0 for line in written.split("\n")] == [True, True, False]
    # What was not read to the end is read again, and every layer has read the same.
    assert {past.length for past in one._past} == {len(one._read_ids)}
    whole = read[: len(read) - len(one._read_ids)]
    assert read != one._read_ids
    assert len(whole) == 1
    calls = 0
    with pytest.raises(KeyboardInterrupt):
        talk(one, ["hi"])


# The commands


def run_command(*words: str, stdin: bytes | str | None = None) -> Any:
    done = CliRunner().invoke(app, list(words), input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_generate_prints_a_text_as_it_comes(make_model: MakeModel) -> None:
    run = make_model()
    done = run_command("generate", str(run / "train"), "naïve", "--tokens", "5", "--temperature", "0")
    one = speaker(run, Sampling(tokens=5, temperature=0))
    assert done.stdout == "naïve" + "".join(one.complete(one.encode("naïve"))) + "\n"


def test_generate_answers_many_prompts(make_model: MakeModel, tmp_path: Path) -> None:
    run = make_model()
    texts = ["a", "café", "", "a"]
    (tmp_path / "prompts.txt").write_text("".join(text + "\n" for text in texts))
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    command = ["generate", str(run / "train"), "--tokens", "6", "--temperature", "1", "--prompts"]
    outputs = [
        run_command(*command, str(tmp_path / "prompts.txt")).stdout,
        run_command(*command, str(tmp_path / "prompts.jsonl")).stdout,
        run_command(*command, "-", stdin=(tmp_path / "prompts.txt").read_bytes()).stdout,
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    lines = [json.loads(line) for line in outputs[0].splitlines()]
    assert [line["prompt"] for line in lines] == texts
    assert all(line["tokens"] <= 6 and line["ended"] in ("end", "length") for line in lines)
    assert lines[0]["completion"] != lines[3]["completion"]

    (tmp_path / "bad.txt").write_bytes(b"fine\n\xff\n")
    (tmp_path / "bad.jsonl").write_text('{"prompt": "a"}\n{"text": "b"}\n')
    for name, message in (("bad.txt", "line 2: not UTF-8"), ("bad.jsonl", "line 2: expected an object with")):
        with pytest.raises(InputError, match=message):
            run_command(*command, str(tmp_path / name))
    with pytest.raises(InputError, match="cannot be read"):
        run_command(*command, str(tmp_path / "none.txt"))


def test_generate_says_that_the_context_is_full(make_model: MakeModel) -> None:
    run = make_model(seq_len=8)
    words = ["generate", str(run / "train"), "naïve café", "--tokens", "40", "--top-k", "1"]
    done = run_command(*words)
    assert "llama-train: the context of 8 tokens is full; with --overflow slide" in done.stderr
    assert "its older half is forgotten" in run_command(*words, "--overflow", "slide").stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "a prompt, or --prompts"),
        (["a", "--prompts", "-"], "a prompt, or --prompts"),
        (["a", "--device", "tpu"], "--device tpu: expected auto, cpu or cuda"),
        (["a", "--dtype", "int8"], "--dtype int8: expected float32, bfloat16 or float16"),
        (["a", "--overflow", "burst"], "--overflow burst: expected stop or slide"),
        (["a", "--stop", ""], "--stop: expected a text"),
    ],
)
def test_generate_refuses(make_model: MakeModel, more: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        run_command("generate", str(make_model() / "train"), *more)


def test_chat_answers_a_pipe(make_model: MakeModel, tmp_path: Path) -> None:
    run = make_model(seq_len=128)
    words = ["chat", str(run / "train"), "--tokens", "4", "--temperature", "0"]
    done = run_command(*words, stdin="hi\nhow\n/new\nhi\n")
    written: list[str] = []
    one = speaker(run, Sampling(tokens=4, temperature=0, slide=True))
    converse(one, find_template("open-llama"), ["hi", "how", "/new", "hi"], written.append, breakable=False)
    assert done.stdout == "".join(written)
    (tmp_path / "mine").write_text("{prompt} -> {completion}")
    assert run_command(*words, "--template", str(tmp_path / "mine"), stdin="hi\n").exit_code == 0
    with pytest.raises(InputError, match="standard input: line 1: not UTF-8"):
        run_command(*words, stdin=b"\xff\n")
