"""Training a tokenizer with the settings of LLaMA's own (read from the model file that was published with it)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import orjson
import sentencepiece
from pydantic import Field

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.core.files import Split, join, list_inputs, remove_tree
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import Count, Strict
from llama_data.pipeline.core.written import leave_note, written_bytes
from llama_data.tokenizer.huggingface import huggingface_files
from llama_data.tokenizer.model_file import parse_model
from llama_data.tokenizer.sample import Counts, Sample, collect

GROUP = "tokenizer"

# Every setting of LLaMA's trainer that is not a size or a path. The number of threads does not change the result.
LLAMA_SETTINGS: dict[str, Any] = {
    "model_type": "bpe",
    "character_coverage": 0.99995,
    "input_format": "text",
    "seed_sentencepiece_size": 1_000_000,
    "shrinking_factor": 0.75,
    "num_threads": 80,
    "num_sub_iterations": 2,
    "max_sentence_length": 4192,
    "shuffle_input_sentence": True,
    "max_sentencepiece_length": 16,
    "split_by_unicode_script": True,
    "split_by_whitespace": True,
    "split_by_number": True,
    "treat_whitespace_as_suffix": False,
    "split_digits": True,
    "allow_whitespace_only_pieces": True,
    "hard_vocab_limit": True,
    "use_all_vocab": False,
    "byte_fallback": True,
    "unk_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "pad_id": -1,
    "unk_surface": " \u2047 ",
    "normalization_rule_name": "identity",
    "add_dummy_prefix": True,
    "remove_extra_whitespaces": False,
}
# An upper line over the peak memory of runs on 10, 20 and 40 MB of web text, books and code (32,000 pieces): 462, 507
# and 650 MB for the process, a third of it Python's and the text's.
BASE_BYTES = 400 << 20
BYTES_PER_BYTE = 10
BYTES_PER_LINE = 150


class TokenizerSettings(Strict):
    """What a tokenizer is trained on and how large it is.

    ``input_sentence_size``: lines at most, over all domains (LLaMA: 200,000,000, which takes hundreds of GB of memory).
    ``sample_bytes``: text at most. ``max_task_bytes``: compressed input of one sampling task.
    """

    vocab_size: int = Field(default=32000, ge=300)
    input_sentence_size: Count = 10_000_000
    sample_bytes: Count = 1 << 30
    max_task_bytes: int = Field(default=256 << 20, gt=0)


def predicted_memory(settings: TokenizerSettings) -> int:
    """Bytes of memory that training may need at its peak, from the bounds of the sample."""
    lines = min(settings.input_sentence_size, settings.sample_bytes)
    return BASE_BYTES + BYTES_PER_BYTE * settings.sample_bytes + BYTES_PER_LINE * lines


def budgets(weights: Mapping[str, float], settings: TokenizerSettings) -> dict[str, tuple[int, int]]:
    """Bytes and lines that each domain may give: its share of the mixture."""
    total = sum(weights.values())
    return {
        domain: (
            max(1, int(settings.sample_bytes * weight / total)),
            max(1, int(settings.input_sentence_size * weight / total)),
        )
        for domain, weight in weights.items()
        if weight > 0
    }


def train_model(lines: Iterable[bytes], *, vocab_size: int, input_sentence_size: int) -> bytes:
    """The bytes of a model trained on the lines; the same for the same set of lines.

    Raises:
        RecipeError: the text cannot give that many pieces; says how many it can.
    """
    sentencepiece.set_random_generator_seed(0)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(line.decode() for line in lines),
            model_writer=model,
            vocab_size=vocab_size,
            input_sentence_size=input_sentence_size,
            minloglevel=2,
            **LLAMA_SETTINGS,
        )
    except RuntimeError as error:
        most = re.search(r"Vocabulary size too high .* value <= (\d+)", str(error))
        raise RecipeError(
            f"train-tokenizer: {vocab_size} pieces cannot be made from this text"
            f"{f', which gives {most[1]} at most' if most else f': {str(error).strip()}'}; "
            "give it more text or a smaller vocab_size (tokenizer.vocab_size in the recipe)"
        ) from None
    return model.getvalue()


class Train(Step):
    """Trains on the sample and writes tokenizer.model, its vocabulary, the Hugging Face files and the card."""

    name = "train"
    leaves = ""

    def __init__(
        self,
        *,
        work: str,
        run: str,
        groups: Sequence[str],
        weights: Mapping[str, float],
        seed: int,
        settings: TokenizerSettings,
    ) -> None:
        super().__init__()
        self.work = work
        self.root = run
        self.groups = tuple(groups)
        self.weights = dict(weights)
        self.seed = seed
        self.settings = settings

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write RUN/tokenizer. Yields nothing."""
        sample, counts = collect(self.work, self.groups, budgets(self.weights, self.settings))
        lines = (line for domain in sorted(sample) for line in sample[domain])
        model = train_model(
            lines,
            vocab_size=self.settings.vocab_size,
            input_sentence_size=self.settings.input_sentence_size,
        )
        facts = parse_model(model)
        vocabulary = "".join(f"{piece.text}\t{piece.score:g}\n" for piece in facts.pieces)
        files = {"tokenizer.model": model, "tokenizer.vocab": vocabulary.encode(), **huggingface_files(facts)}
        files["card.json"] = orjson.dumps(self.card(model, sample, counts), option=orjson.OPT_INDENT_2)
        written = [written_bytes(join(self.root, "tokenizer", name), content) for name, content in files.items()]
        leave_note(self.root, GROUP, f"{rank:05d}", written)
        remove_tree(self.work)
        yield from ()

    def card(self, model: bytes, sample: Mapping[str, list[bytes]], counts: Mapping[str, Counts]) -> dict[str, Any]:
        """What the model is, how it was made and from what."""
        total = sum(len(line) for lines in sample.values() for line in lines)
        domains = {
            domain: {
                "weight": self.weights[domain],
                "share_of_sample": sum(map(len, lines)) / total if total else 0.0,
                "lines": len(lines),
                "bytes": sum(map(len, lines)),
                "read": asdict(counts[domain]),
            }
            for domain, lines in sorted(sample.items())
        }
        return {
            "what": "SentencePiece BPE tokenizer with the settings of LLaMA's",
            "sha256": sha256(model).hexdigest(),
            "command": "llama-data train-tokenizer",
            "seed": self.seed,
            "settings": {
                **LLAMA_SETTINGS,
                "vocab_size": self.settings.vocab_size,
                "input_sentence_size": self.settings.input_sentence_size,
                "sample_bytes": self.settings.sample_bytes,
            },
            "sentencepiece": sentencepiece.__version__,
            "predicted_memory_bytes": predicted_memory(self.settings),
            "input": domains,
        }


def train_jobs(
    run: RunContext,
    *,
    weights: Mapping[str, float],
    settings: TokenizerSettings,
    documents: Mapping[str, Sequence[Split]] | None = None,
) -> list[Job]:
    """The jobs that sample RUN/documents by ``weights`` and write RUN/tokenizer.

    ``documents``: for each domain the files to take; None: those that lie there.

    Raises:
        InputError: a domain of the weights has no documents.
        RecipeError: no weight is above zero.
    """
    chosen = {domain: weight for domain, weight in sorted(weights.items()) if weight > 0}
    if not chosen:
        raise RecipeError("train-tokenizer: no domain has a weight above 0")
    groups: list[tuple[str, list[Split]]] = []
    for domain in chosen:
        size = 0
        files = list_inputs(run.documents(domain), ["*.jsonl.zst"]) if documents is None else documents[domain]
        for split in files:
            if not groups or groups[-1][0] != domain or size + split.size > settings.max_task_bytes:
                groups.append((domain, []))
                size = 0
            groups[-1][1].append(split)
            size += split.size
    work = join(run.work("tokenizer"), "sample")
    sample = Sample(groups=groups, budgets=budgets(chosen, settings), seed=run.seed, work=work)
    train = Train(
        work=work,
        run=run.output,
        groups=[domain for domain, _ in groups],
        weights=chosen,
        seed=run.seed,
        settings=settings,
    )
    return [Job(f"{GROUP}/sample", [sample], len(groups)), Job(f"{GROUP}/train", [train], 1)]
