"""What a dump file is: its language, its namespaces' names, and the pieces it can be cut into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import unescape
from itertools import pairwise

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, open_binary
from llama_data.stages.wikipedia.dump.encoding import UTF8, detect, is_known
from llama_data.stages.wikipedia.dump.stream import Damage, find_stream, read_range

HEAD_BYTES = 1 << 16
SEARCH_BYTES = 64 << 20  # streams of a multistream dump hold 100 pages, about a megabyte
HIDDEN_NAMESPACES = (6, -2, 14)  # files, media, categories

_NAMED = re.compile(r"(?:^|[^a-z_])([a-z][a-z_]*?)wiki(?=[-.])")
_DBNAME = re.compile(rb"<dbname>\s*([a-z_]+?)wiki\s*</dbname>")
_NAMESPACE = re.compile(rb'<namespace key="(-?\d{1,6})"[^>]*>([^<]*)</namespace>')
_LABEL = re.compile(r"-pages-(?:articles|meta).*|\.xml.*|\.(?:bz2|gz|xz)$")
_INDEX = re.compile(r"-index\d*\.txt(?:-p\d+p\d+)?(?:\.(?:bz2|gz|xz))?$")
_PAGE_RANGE = re.compile(r"-p(\d+)p(\d+)")


@dataclass(frozen=True)
class Dump:
    """One dump file. ``label`` goes into the ids when the language alone does not tell its pages apart.

    ``hidden_prefixes``: what links to files and categories begin with on this wiki, in lower case, by ``<siteinfo>``.
    ``encoding``: Python's name of the file's encoding, or what its declaration says when that is not known.
    """

    language: str
    label: str = ""
    hidden_prefixes: frozenset[str] = frozenset()
    encoding: str = UTF8

    def page_id(self, page: str) -> str:
        """The part of a document's id that follows the domain."""
        return "/".join(part for part in (self.language, self.label, page) if part)


def is_index(name: str) -> bool:
    """True for the name of a file that says where the pages of a multistream dump are (``...-index.txt.bz2``)."""
    return bool(_INDEX.search(name))


def inspect(split: Split) -> Dump:
    """Read a file's head. The file name (``dewiki-...``) tells the language; ``<dbname>`` does when it does not.

    Raises:
        InputError: neither tells it.
    """
    head, encoding = _head(split)
    named = _NAMED.search(split.name.rsplit("/", 1)[-1])
    stored = _DBNAME.search(head)
    if named:
        language = named.group(1)
    elif stored:
        language = stored.group(1).decode("ascii")
    else:
        raise InputError(
            f"{split.path}: cannot tell which Wikipedia this dump is from: neither its name (expected something like "
            "dewiki-20220701-pages-articles.xml.bz2) nor a <dbname> at its head says so; rename the file"
        )
    hidden = [name for key, name in _NAMESPACE.findall(head) if int(key) in HIDDEN_NAMESPACES]
    names = {unescape(name.decode("utf-8", "replace")).strip().casefold() for name in hidden}
    return Dump(language.replace("_", "-"), hidden_prefixes=frozenset(names - {""}), encoding=encoding)


def _head(split: Split) -> tuple[bytes, str]:
    """The beginning of a dump in UTF-8, and the encoding that it is stored in."""
    head = b""
    for block in read_range(split.path, 0, None):
        if isinstance(block, Damage):
            break
        head += block.data
        if len(head) >= HEAD_BYTES or b"</siteinfo>" in head or b"<page>" in head:
            break
    encoding = detect(head)
    if encoding != UTF8 and is_known(encoding):
        head = head.decode(encoding, "replace").encode()
    return head, encoding


def label_dumps(files: Sequence[Split], dumps: dict[str, Dump]) -> dict[str, Dump]:
    """Give the dumps of a language labels when there is more than one and their pages could collide.

    Page ids are unique in one dump only. Parts of one dump whose names say disjoint page ranges
    (``-p1p41242``) need no label. The rule looks at names alone, so it does not depend on the workers.
    """
    by_language: dict[str, list[str]] = {}
    for split in files:
        by_language.setdefault(dumps[split.name].language, []).append(split.name)
    labelled = dict(dumps)
    for names in by_language.values():
        if len(names) < 2 or _disjoint_parts(names):
            continue
        short = {name: _LABEL.sub("", name.rsplit("/", 1)[-1]) for name in names}
        unique = len(set(short.values())) == len(names)
        for name in names:
            label = short[name] if unique else name.replace("/", "_")
            labelled[name] = replace(dumps[name], label=label)
    return labelled


def _disjoint_parts(names: Sequence[str]) -> bool:
    ranges: list[tuple[int, int]] = []
    stems: set[str] = set()
    for name in names:
        found = _PAGE_RANGE.search(name)
        if not found:
            return False
        ranges.append((int(found.group(1)), int(found.group(2))))
        stems.add(_LABEL.sub("", name.rsplit("/", 1)[-1]))
    ranges.sort()
    return len(stems) == 1 and all(a[1] < b[0] for a, b in pairwise(ranges))


def cut(split: Split, max_bytes: int, encoding: str = UTF8) -> list[Split]:
    """Cut a file into pieces of about ``max_bytes``: plain XML anywhere, bzip2 where a stream begins, gzip and xz not.

    The streams of a bzip2 file are looked for in the file itself, behind each wanted cut: the index of a multistream
    dump, which says the same, is not needed. A file in which none begins within 64 MiB is single-stream and stays
    whole, and so does a file in another encoding than UTF-8, for its characters cannot be told from any byte on.
    """
    if split.size <= max_bytes or split.path.lower().endswith((".gz", ".xz")) or encoding != UTF8:
        return [split]
    starts = [0]
    if split.path.lower().endswith(".bz2"):
        with open_binary(split.path) as file:
            wanted = max_bytes
            while wanted < split.size:
                found = find_stream(file, wanted, min(wanted + SEARCH_BYTES, split.size))
                if found is None:
                    break
                starts.append(found)
                wanted = found + max_bytes
    else:
        starts += range(max_bytes, split.size, max_bytes)
    ends = [*starts[1:], None]
    return [
        replace(split, size=(end if end is not None else split.size) - start, start=start, end=end)
        for start, end in zip(starts, ends, strict=True)
    ]
