"""Measures a model on texts that the user brings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.models.fasttext_train import LABEL, one_line
from llama_data.pipeline.models.languages import language_code
from llama_data.pipeline.models.texts import find_files, read_texts, stem
from llama_data.stages.steps.model_files import STARTER, model_path, perplexity_files


def evaluate(model: str, data: Sequence[str], *, language: str = "en", models_dir: str | None = None) -> Iterator[str]:
    """Lines of a report: accuracy by label for a fastText model, percentiles for a perplexity model.

    Raises:
        ModelError: there is no such model.
        InputError: the data has no text, or no label that the model could be right about.
    """
    if model in ("ccnet", "starter") or os.path.isdir(model) or model.startswith(f"{STARTER}perplexity."):
        name, code = (
            ("starter", model.removeprefix(f"{STARTER}perplexity.")) if model.startswith(STARTER) else (model, language)
        )
        return _perplexities(name, data, code, models_dir)
    return _accuracy(model_path(model, models_dir), data)


def labelled_lines(data: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(label, text) of fastText lines, and of every line of at least 40 characters of ``<code>.txt`` files."""
    for path in find_files(data):
        for text in read_texts([path]):
            if text.text.startswith(LABEL):
                for line in text.text.splitlines():
                    label, _, rest = line.partition(" ")
                    yield label.removeprefix(LABEL), rest
            elif (code := text.language or language_code(stem(path))) is not None:
                yield from ((code, line) for line in text.text.splitlines() if len(line) >= 40)


def _accuracy(path: str, data: Sequence[str]) -> Iterator[str]:
    from llama_data.stages.fasttext.model import FastTextModel

    model = FastTextModel.load(path)
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for label, text in labelled_lines(data):
        if label not in model.labels:
            unknown[label] += 1
            continue
        found = model.predict([one_line(text).encode("utf-8", "surrogatepass")])[0]
        total[label] += 1
        right[label] += found.label == label
    if not total:
        raise InputError(f"no text with one of the model's labels ({', '.join(sorted(model.labels)[:8])}, ...)")
    yield f"accuracy {right.total() / total.total():.4f} on {total.total():,} texts"
    for label, count in sorted(total.items()):
        yield f"  {label:<8} {right[label] / count:.4f} of {count:,}"
    if unknown:
        yield f"  not measured, the model does not know: {', '.join(sorted(unknown))}"


def _perplexities(name: str, data: Sequence[str], language: str, models_dir: str | None) -> Iterator[str]:
    from llama_data.stages.steps.perplexity import PerplexityModel, bucket_of, read_cutoffs

    files = perplexity_files(name, language, models_dir)
    model = PerplexityModel(files)
    found = [model.perplexity(text.text) for text in read_texts(find_files(data)) if text.text.strip()]
    if not found:
        raise InputError(f"{', '.join(data)}: no text to measure on")
    yield f"perplexity of {len(found):,} texts"
    for percentile in (10, 30, 50, 60, 90):
        yield f"  p{percentile:<3} {np.percentile(found, percentile):10.1f}"
    buckets = Counter(bucket_of(value, read_cutoffs(files, language)) for value in found)
    yield "  " + ", ".join(f"{bucket} {count / len(found):.1%}" for bucket, count in sorted(buckets.items()))
