"""What planning a run saw in its input folders and no stage takes, so that nothing is left out unnoticed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llama_data.pipeline.core.listing import Globs, Listing

SHOWN = 8
# Files that go with data: hidden ones, checksums, signatures, marks of a finished job, notes, a desktop's own.
_COMPANION = re.compile(
    r"(?:^|/)\.|(?:^|/)_SUCCESS$|(?:^|/)DOWNLOADS\.ndjson$|(?:^|/)(?:thumbs\.db|desktop\.ini|(?:readme|license|licence|copying|changelog)[^/]*)$"
    r"|(?:^|/)(?:md5|sha\d+|b2)?(?:sums?|checksums?)(?:\.txt)?$|\.(?:md5|sha1|sha224|sha256|sha512|crc|asc|sig)$",
    re.IGNORECASE,
)


class LeftOut:
    """Collects what the stages of a run see in their folders. What is pickled with a job is empty."""

    def __init__(self) -> None:
        self._others: dict[str, set[str]] = {}
        self._folders: dict[str, set[str]] = {}
        self._refused: dict[str, set[str]] = {}
        self._inside: list[str] = []
        self._claims: dict[str, list[str]] = {}
        self._idle: list[tuple[str, str]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return LeftOut, ()

    def saw(self, root: str, patterns: Sequence[str], found: Listing) -> None:
        """A stage has looked into a folder."""
        self.claim(root, patterns)
        self._others.setdefault(_plain(root), set()).update(found.others)
        self._folders.setdefault(_plain(root), set()).update(found.unopened)
        self.refuse(root, found.refused)
        self._idle += [(root, glob) for glob in found.idle]

    def claim(self, root: str, patterns: Sequence[str]) -> None:
        """These globs are of some stage of the recipe, also where it is not run now."""
        claims = self._claims.setdefault(_plain(root), [])
        claims += [pattern for pattern in patterns if pattern not in claims]

    def claim_folders(self, paths: Iterable[str]) -> None:
        """All that lies in these folders is taken, or made by the run."""
        self._inside += [_plain(path) + "/" for path in paths]

    def refuse(self, root: str, names: Iterable[str]) -> None:
        """These files match a glob and are not taken all the same."""
        self._refused.setdefault(_plain(root), set()).update(names)

    def idle(self, root: str, patterns: Sequence[str]) -> list[str]:
        """Which of the globs were found to match nothing in a folder."""
        return [pattern for pattern in patterns if (root, pattern) in self._idle]

    def lines(self) -> list[str]:
        """A sentence for every input folder in which something was left out."""
        found = []
        for root in sorted(self._claims):
            taken = self._takers(root)
            files = {name for name in self._others.get(root, ()) if not taken(name, False)}
            files |= self._refused.get(root, set())
            folders = sorted(name for name in self._folders.get(root, ()) if not taken(name, True))
            companions = sorted(name for name in files if _COMPANION.search(name))
            parts = [
                told(sorted(files.difference(companions)), "file was not taken", "files were not taken"),
                told([f"{name}/" for name in folders], "folder was not looked into", "folders were not looked into"),
                told(companions, "hidden file, checksum or note", "hidden files, checksums and notes", 3),
            ]
            if any(parts):
                globs = ", ".join(self._claims[root])
                found.append(f"{root}: {'; '.join(part for part in parts if part)} (globs: {globs})")
        return found

    def _takers(self, root: str) -> Callable[[str, bool], bool]:
        """Whether some stage takes a file of the folder (or looks into a folder in it)."""
        globs = [(f"{place}/", Globs(patterns)) for place, patterns in self._claims.items()]

        def taken(name: str, folder: bool) -> bool:
            path = f"{root}/{name}"
            if f"{path}/".startswith(tuple(self._inside)):
                return True
            if folder and any(place.startswith(f"{path}/") for place, _ in globs):
                return True
            inner = [(known, path.removeprefix(place)) for place, known in globs if path.startswith(place)]
            return any(known.reach(rest) if folder else known.match(rest) for known, rest in inner)

        return taken


def _plain(path: str) -> str:
    return path.rstrip("/")


def told(names: Sequence[str], one: str, many: str, shown: int = SHOWN) -> str:
    """How many there are, and some of them: of each kind the first, then the second."""
    if not names:
        return ""
    kinds: Counter[str] = Counter()
    ranked = []
    for name in names:
        kind = name.rpartition("/")[2].partition(".")[2].lower()
        ranked.append((kinds[kind], name))
        kinds[kind] += 1
    some = sorted(name for _, name in sorted(ranked)[:shown])
    rest = ", …" if len(names) > shown else ""
    return f"{len(names):,} {one if len(names) == 1 else many}: {', '.join(some)}{rest}"
