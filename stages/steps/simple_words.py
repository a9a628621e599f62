"""Words as datatrove's steps compare them: what its ``simplify_text`` leaves of a text, split."""

from __future__ import annotations

from typing import Literal

Words = Literal["whitespace", "spacy"]


def simple_words(text: str, how: Words) -> list[str]:
    """The words of what datatrove's normalisation leaves of a text: split at spaces, or by spaCy, as it does."""
    # half a second to load, and only a few settings need it
    from datatrove.utils.text import simplify_text  # type: ignore[import-untyped]

    simple = str(simplify_text(text))
    if how == "whitespace":
        return simple.split()
    from datatrove.utils.word_tokenizers import load_word_tokenizer  # type: ignore[import-untyped]

    return list(load_word_tokenizer("en").word_tokenize(simple))
