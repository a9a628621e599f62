"""Checks a KenLM model, binary or ARPA, before KenLM maps it: it follows what the file says of itself, unchecked.

The binary format (version 5, as lm/binary_format.cc, vocab.cc, trie.cc, bhiksha.cc and quantize.cc write it): the
magic, test values, order, counts, then the vocabulary, one table for each order, and the words. Whatever is used as an
index or as the end of a search is checked here; probabilities are only numbers.
"""

from __future__ import annotations

import re
import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import ModelError
from llama_data.stages.steps.kernels.kenlm_tables import NO_EMPTY, OUT_OF_RANGE, check_table, check_trie

_MAGIC = b"mmap lm http://kheafield.com/code"
_VERSION = _MAGIC + b" format version 5\n\0"
_UNFINISHED = _MAGIC + b" incomplete"
# Behind the magic, which is filled up to a multiple of eight: 0, 1 and -0.5, 1 and the largest word, a gap, 1.
_SANITY = _VERSION.ljust(56, b"\0") + struct.pack("<fffIIIQ", 0.0, 1.0, -0.5, 1, 0xFFFFFFFF, 0, 1)
_FIXED = struct.Struct("<B3xfi?3xI")
_PROBING, _REST, _TRIE, _QUANT, _ARRAY, _QUANT_ARRAY = range(6)
_SEARCH_VERSIONS = {_PROBING: 0, _TRIE: 1, _QUANT: 1, _ARRAY: 1, _QUANT_ARRAY: 1}
_QUANTISER = 2
_MAX_BITS = 25
_MAX_ORDER = 20
_MAX_WORDS = 0xFFFFFFFE
_MAX_COUNT = 1 << 57
_MAX_MULTIPLIER = 100.0
# Bytes of a slot: of the vocabulary (hash, word), of a middle order (hash, two floats), of the longest (hash, float).
_WORD_SLOT, _MIDDLE_SLOT, _LONGEST_SLOT = 12, 16, 12
_SHOWN = 300
# An ARPA file's counts stand on lines of their own, few and short.
_ARPA_HEAD = 64 << 10
_COUNT_LINE = re.compile(rb"ngram (\d{1,18})=\s*(\d{1,18})\s*")


class _Header(NamedTuple):
    kind: int
    multiplier: float
    has_words: bool
    counts: tuple[int, ...]
    end: int

    @property
    def order(self) -> int:
        return len(self.counts)


class _File:
    """A mapped model file; what is damaged in it is said in one form."""

    def __init__(self, path: str, data: NDArray[np.uint8]) -> None:
        self.path = path
        self.data = data

    def check(self, sound: bool, found: str) -> None:
        """Refuse the file unless it is sound; ``found``: what it has."""
        if not sound:
            raise ModelError(f"{self.path}: the KenLM model is damaged: it has {found}; get it again")

    def take(self, layout: str, at: int) -> tuple[Any, ...]:
        size = struct.calcsize("<" + layout)
        self.check(at + size <= self.data.size, f"{self.data.size:,} bytes, too few for its tables")
        return struct.unpack("<" + layout, self.data[at : at + size].tobytes())


def load_kenlm(path: str) -> Any:
    """KenLM's model of a file, which is checked before.

    Raises:
        ModelError: there is no such file, it is not a KenLM model of a kind that is read here, or it is damaged.
    """
    import kenlm  # type: ignore[import-not-found]

    check_kenlm(path)
    config = kenlm.Config()
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    config.show_progress = False
    try:
        return kenlm.Model(path, config)
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        # KenLM names its own file, function and condition first; what it says of the model comes last.
        said = " ".join(str(error).split()).rsplit("'. ", 1)[-1][:_SHOWN]
        raise ModelError(f"{path}: not a KenLM model that can be read: {said}") from None


def check_kenlm(path: str) -> None:
    """Check every index, size and count of a KenLM model that KenLM itself takes on trust.

    Raises:
        ModelError: there is no such file, it is not a KenLM model of a kind that is read here, or it is damaged.
    """
    try:
        data = np.asarray(np.memmap(path, np.uint8, "r")).view(np.ndarray)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: no KenLM model can be read here: {error}; expected a .arpa or a .arpa.bin file"
        ) from None
    _check(_File(path, data))


def _check(file: _File) -> None:
    if file.data[: len(_MAGIC)].tobytes() != _MAGIC:
        _check_arpa(file)
        return
    header = _header(file)
    tables = _check_probing if header.kind == _PROBING else _check_trie_file
    end = tables(file, header)
    file.check(end <= file.data.size, f"{file.data.size:,} bytes, where its counts need {end:,}")
    if header.has_words:
        words = file.data[end:].tobytes() if file.data.size - end < 16 else file.data[end : end + 6].tobytes()
        file.check(words[:6] == b"<unk>\0", "no words behind its tables")


def _header(file: _File) -> _Header:
    head = file.data[: len(_SANITY)].tobytes()
    if head.startswith(_UNFINISHED):
        raise ModelError(f"{file.path}: build_binary did not finish this KenLM model; build it again from its .arpa")
    if head != _SANITY:
        raise ModelError(
            f"{file.path}: not a KenLM binary of version 5 made on a machine like this one; build it again from its "
            ".arpa with build_binary"
        )
    order, multiplier, kind, has_words, version = file.take("B3xfi?3xI", len(head))
    file.check(int(file.data[len(head) + 12]) <= 1, "a flag that is neither yes nor no")
    if kind == _REST:
        raise ModelError(f"{file.path}: a KenLM model with rest costs; build it without -r")
    file.check(kind in _SEARCH_VERSIONS, f"a kind of number {kind}")
    file.check(version == _SEARCH_VERSIONS[kind], f"tables of version {version}")
    file.check(2 <= order <= _MAX_ORDER, f"an order of {order}")
    file.check(1.0 <= multiplier <= _MAX_MULTIPLIER, f"hash tables of {multiplier} times their entries")
    at = len(head) + _FIXED.size
    counts = file.take(f"{order}Q", at)
    file.check(0 < counts[0] <= _MAX_WORDS, f"{counts[0]:,} words")
    file.check(max(counts) < _MAX_COUNT, f"{max(counts):,} n-grams of one length")
    return _Header(kind, multiplier, has_words, counts, -(-(at + 8 * order) // 8) * 8)


def _slots(count: int, multiplier: float) -> int:
    """Slots of KenLM's hash table for so many entries: its product is one of two float32."""
    return max(count + 1, int(np.float32(multiplier) * np.float32(count)))


def _check_probing(file: _File, header: _Header) -> int:
    """Check the hash tables; returns where they end. A search in a table without an empty slot would never end."""
    at, counts = header.end, header.counts
    version, bound = file.take("II", at)
    file.check(version == 0, f"a vocabulary of version {version}")
    file.check(1 <= bound <= counts[0] + 1, f"{bound:,} words, where {counts[0]:,} are counted")
    at = _table(file, at + 8, _slots(counts[0], header.multiplier), _WORD_SLOT, counts[0])
    at += 8 * (counts[0] + 1)
    for count in counts[1:-1]:
        at = _table(file, at, _slots(count, header.multiplier), _MIDDLE_SLOT, -1)
    return _table(file, at, _slots(counts[-1], header.multiplier), _LONGEST_SLOT, -1)


def _table(file: _File, at: int, slots: int, width: int, largest: int) -> int:
    end = at + slots * width
    file.check(end <= file.data.size, f"{file.data.size:,} bytes, too few for its tables")
    found = check_table(file.data, at, slots, width, largest)
    file.check(found != NO_EMPTY, "a hash table without an empty slot, in which a search never ends")
    file.check(found != OUT_OF_RANGE, f"a word whose number is over {largest:,}")
    return end


def _bits(largest: int) -> int:
    return largest.bit_length()


def _check_trie_file(file: _File, header: _Header) -> int:
    """Check the sorted vocabulary and the pointers of every order; returns where the tables end."""
    counts, at = header.counts, header.end
    (words,) = file.take("Q", at)
    file.check(words <= counts[0], f"{words:,} words, where {counts[0]:,} are counted")
    at += 8
    file.check(at + 8 * counts[0] <= file.data.size, f"{file.data.size:,} bytes, too few for its tables")
    hashes = np.frombuffer(file.data[at : at + 8 * words].tobytes(), "<u8")
    file.check(bool((hashes[1:] > hashes[:-1]).all()), "words that are not sorted")
    at += 8 * counts[0]
    middle, longest = 63, 31
    if header.kind in (_QUANT, _QUANT_ARRAY):
        version, prob, backoff = file.take("BBB", at)
        file.check(version == _QUANTISER, f"a quantiser of version {version}")
        file.check(1 <= prob <= _MAX_BITS and 1 <= backoff <= _MAX_BITS, f"{prob} and {backoff} bits for a value")
        middle, longest = prob + backoff, prob
        at += 8 + 4 * ((header.order - 2) * ((1 << prob) + (1 << backoff)) + (1 << prob))
    file.check(at + 16 * (counts[0] + 2) <= file.data.size, f"{file.data.size:,} bytes, too few for its tables")
    entries = np.frombuffer(file.data[at : at + 16 * (words + 2)].tobytes(), "<u8")[1::2]
    ascending = bool((entries[1:] >= entries[:-1]).all())
    file.check(ascending and int(entries[-1]) <= counts[1], "words that point outside the pairs of words")
    at += 16 * (counts[0] + 2)
    chop = _chop_limit(file, header, at)
    for number in range(1, header.order - 1):
        at = _middle(file, header, number, at, middle, chop)
    return at + _packed(counts[-1], _bits(counts[0]) + longest)


def _packed(entries: int, bits: int) -> int:
    """Bytes of so many entries, one more for the last end, and eight that a read may go beyond."""
    return ((1 + entries) * bits + 7) // 8 + 8


def _chop_limit(file: _File, header: _Header, at: int) -> int | None:
    """How many bits of a pointer may be kept apart from it; None where pointers are whole."""
    if header.kind not in (_ARRAY, _QUANT_ARRAY) or header.order == 2:
        return None
    version, limit = file.take("BB", at)
    file.check(version == 0, f"compressed pointers of version {version}")
    return int(limit)


def _chopped(offsets: int, largest: int, limit: int) -> int:
    """Bits of a pointer that KenLM keeps apart: those that save most, the first of equal ones."""
    required = _bits(largest)
    costs = [(largest >> (required - chop)) * 64 - offsets * chop for chop in range(min(required, limit) + 1)]
    return costs.index(min(costs))


def _middle(file: _File, header: _Header, number: int, at: int, values: int, limit: int | None) -> int:
    """Check the pointers of one order into the next; returns where its table ends."""
    count, following = header.counts[number], header.counts[number + 1]
    inline, steps = _bits(following), np.zeros(1, np.uint64)
    if limit is not None:
        apart = _chopped(count + 1, following, limit)
        inline -= apart
        held = (following >> inline) + 1
        begin = -(-at // 8) * 8 + 8
        file.check(begin + 8 * held <= file.data.size, f"{file.data.size:,} bytes, too few for its tables")
        steps = np.frombuffer(file.data[begin : begin + 8 * held].tobytes(), "<u8")
        file.check(int(steps[0]) == 0 and bool((steps[1:] >= steps[:-1]).all()), "compressed pointers out of order")
        at += 8 * (1 + held) + 7
    words = _bits(header.counts[0])
    total = words + values + inline
    end = at + _packed(count, total)
    file.check(end <= file.data.size, f"{file.data.size:,} bytes, too few for its tables")
    sound = check_trie(file.data[at:end], count, total, words + values, inline, steps, following)
    file.check(bool(sound), f"n-grams of {number + 1} words that point outside those of {number + 2}")
    return end


def _check_arpa(file: _File) -> None:
    """Check what an ARPA file counts: KenLM asks for memory by that before it reads an n-gram."""
    head = file.data[:_ARPA_HEAD].tobytes()
    lines = head.split(b"\n")
    begin = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith(b"#")), len(lines))
    if begin == len(lines) or lines[begin].rstrip() != b"\\data\\":
        raise ModelError(f"{file.path}: neither a KenLM binary nor an ARPA file (which begins with \\data\\)")
    least = 0
    order = 0
    for line in lines[begin + 1 :]:
        if not line.strip():
            break
        order += 1
        found = _COUNT_LINE.fullmatch(line)
        if found is None or int(found[1]) != order:
            raise ModelError(f"{file.path}: line {begin + order + 1}: expected `ngram {order}=` and a count")
        # A probability of one digit, and for each word a blank or tab and one byte; then the line's end.
        least += int(found[2]) * (2 + 2 * order)
    file.check(2 <= order <= _MAX_ORDER, f"an order of {order}")
    file.check(least <= file.data.size, f"{file.data.size:,} bytes, where its counts need {least:,}")
