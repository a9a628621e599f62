"""A paper as a set of text files: which one is the main file, and what an ``\\input`` means."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping

from llama_data.stages.arxiv.encoding import declared, decode
from llama_data.stages.arxiv.latex import Cleaner
from llama_data.stages.arxiv.masks import Masks

_TEX = (".tex", ".ltx", ".latex")
_CLASS = re.compile(r"\\document(?:class|style)\s*(?:\[[^\]]{0,4000}\])?\s*\{([^{}]*)\}")
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_SECTION = re.compile(r"\\(?:part|chapter|section)\*?\s*[\[{]")
_PLAIN_END = re.compile(r"\\(?:bye|end)(?![A-Za-z])\s*(?!\{)")
_READS = re.compile(
    r"\\(?:input|include|subfile|subfileinclude|InputIfFileExists|includestandalone)(?![A-Za-z@])\s*(?:\{([^{}]*)\}|([^\s{}\\]+))"
    r"|\\(?:sub)?(?:import|includefrom|inputfrom)\s*\{([^{}]*)\}\s*\{([^{}]*)\}"
)
_NAMES = ("main", "ms", "paper", "article", "manuscript", "arxiv", "root", "thesis")
_NOT_MAIN = ("supp", "appendix", "response", "rebuttal", "cover", "reply", "letter", "template", "sample", "note")
_TEX_SIGN = re.compile(
    r"\\(?:documentclass|documentstyle|begin|input|section|def|magnification|centerline|bye|title)\b"
)


def is_tex_name(name: str) -> bool:
    """True for the suffixes of TeX source, in any case."""
    return name.lower().endswith(_TEX)


def looks_like_tex(text: str) -> bool:
    """True when the text holds a command that a TeX paper starts or is built with."""
    return _TEX_SIGN.search(text) is not None


class Project:
    """The files of one paper, decoded when they are asked for; comments leave on the way in."""

    def __init__(self, *, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)
        self._lower: dict[str, str] = {}
        for name in sorted(files, reverse=True):
            self._lower[name.lower()] = name
        self._hint = declared(data for name, data in sorted(files.items()) if _is_source(name))
        self._raw: dict[str, str] = {}
        self._clean: dict[str, str] = {}
        self._targets: dict[str, list[str]] = {}
        self._cleaner: Cleaner | None = None
        self.encodings: dict[str, str] = {}
        self.masks = Masks()

    @property
    def tex_names(self) -> list[str]:
        """Names of the TeX files, sorted; of files without a suffix when there is no other."""
        names = sorted(name for name in self._files if is_tex_name(name) or name == "")
        if names:
            return names
        plain = (name for name in sorted(self._files) if not posixpath.splitext(name)[1] or name.endswith(".txt"))
        return [name for name in plain if not _is_readme(name) and looks_like_tex(self.raw(name))]

    def raw(self, name: str) -> str:
        """The decoded text of a file."""
        if name not in self._raw:
            self._raw[name], self.encodings[name] = decode(self._files[name], self._hint)
        return self._raw[name]

    def clean(self, name: str) -> str:
        """The text of a file without comments, its verbatim pieces behind marks."""
        if name not in self._clean:
            self._clean[name] = self._whole().clean(self.raw(name))
        return self._clean[name]

    def settled_flags(self) -> frozenset[str]:
        """The paper's own flags (``ifdraft``) of which every test has been settled by ``clean``."""
        return self._whole().settled

    def write(self, name: str, text: str) -> None:
        """Add a file that the paper writes; one that is there stays, as LaTeX keeps it."""
        name = posixpath.normpath(name.strip())
        if name not in self._files and not name.startswith(("/", "../")):
            self._files[name] = b""
            self._lower.setdefault(name.lower(), name)
            self._raw[name], self.encodings[name] = text, "utf-8"

    def _whole(self) -> Cleaner:
        if self._cleaner is None:
            sources = [self.raw(other) for other in sorted(self._files) if _is_source(other)]
            self._cleaner = Cleaner(masks=self.masks, sources=sources, write=self.write)
        return self._cleaner

    def find(self, name: str, folders: tuple[str, ...], suffixes: tuple[str, ...] = ("", ".tex")) -> str | None:
        """The file that TeX would read for ``name``, looked for in the folders; case is ignored last."""
        name = name.strip().strip('"').replace("\\", "/")
        if not name:
            return None
        wanted = [
            posixpath.normpath(posixpath.join(folder, name + suffix)).removeprefix("/")
            for folder in folders
            for suffix in sorted(suffixes, key=lambda suffix: name.endswith(suffix) and suffix != "")
        ]
        for path in wanted:
            if path in self._files and path != "":
                return path
        for path in wanted:
            if path.lower() in self._lower and path != "":
                return self._lower[path.lower()]
        return None

    def mains(self) -> list[str]:
        """The files that TeX is run on, in arXiv's order: those that the README names, else all complete ones.

        arXiv runs every complete file of the main file's folder that no other reads, in alphabetical order, and puts
        the pages together (its help pages, "supplemental material"); a file that begins with ``%auto-ignore`` is none
        of them. A paper without a complete file has its best one; the list is empty without TeX.
        """
        told = self._told("toplevel")
        if told:
            return told
        names = self.tex_names
        read = self._read_by_others(names)
        best = min(names, key=lambda name: self._rank(name, read), default=None)
        if best is None or not self._stands_alone(best, read):
            return [] if best is None else [best]
        folder = posixpath.dirname(best)
        found: list[str] = []
        read |= set(self._told("ignore")) | {name for name in names if self.raw(name).startswith("%auto-ignore")}
        for name in sorted(names):
            same = posixpath.dirname(name) == folder and (name == best or self._stands_alone(name, read))
            if same and (name == best or self.clean(name) not in (self.clean(best), *map(self.clean, found))):
                found.append(name)
        return found

    def _stands_alone(self, name: str, read: set[str]) -> bool:
        return self._rank(name, read)[:2] == (0, 0) and name not in read

    def main(self) -> str | None:
        """The file that TeX is run on, or None when the paper holds no TeX."""
        names = self.tex_names
        told = self._told("toplevel")
        if told:
            return told[0]
        read = self._read_by_others(names)
        return min(names, key=lambda name: self._rank(name, read), default=None)

    def _told(self, usage: str) -> list[str]:
        """The files that arXiv's 00README lists for a usage: ``toplevel`` or ``ignore``."""
        found: list[str] = []
        for name in sorted(self._files):
            readme = posixpath.basename(name).lower()
            if readme.startswith("00readme") and not found:
                listed = _listed_json(self.raw(name)) if readme.endswith(".json") else _listed_lines(self.raw(name))
                found = [path for path, use in listed if use == usage and path in self._files]
        return [name for name in found if usage != "toplevel" or is_tex_name(name) or "." not in name]

    def _read_by_others(self, names: list[str]) -> set[str]:
        return {target for name in names for target in self._reads(name) if target != name}

    def _reads(self, name: str) -> list[str]:
        """The paper's files that a file names as those that it reads."""
        if name not in self._targets:
            folder = posixpath.dirname(name)
            found: list[str] = []
            for hit in _READS.finditer(self.clean(name)):
                below = (hit[3] or "").strip()
                target = self.find(hit[1] or hit[2] or hit[4] or "", (posixpath.join(folder, below), below))
                if target is not None:
                    found.append(target)
            self._targets[name] = found
        return self._targets[name]

    def _begins(self, name: str, depth: int) -> bool:
        r"""True when a file holds ``\begin{document}``, or reads one that does."""
        if _BEGIN.search(self.clean(name)) is not None:
            return True
        return depth < 3 and any(self._begins(other, depth + 1) for other in self._reads(name) if other != name)

    def _rank(self, name: str, read: set[str]) -> tuple[int | str, ...]:
        """Smaller is more likely the main file."""
        text = self.clean(name)
        kind = _CLASS.search(text)
        begin = self._begins(name, 0)
        complete = kind is not None and begin
        helper = kind is not None and kind[1].strip() in ("subfiles", "standalone")
        stem = posixpath.splitext(posixpath.basename(name))[0].lower()
        return (
            0 if complete else 1 if kind is not None or begin else 2 if _PLAIN_END.search(text) else 3,
            int(helper),
            int(name in read),
            int(any(word in stem for word in _NOT_MAIN)),
            name.count("/"),
            _NAMES.index(stem) if stem in _NAMES else len(_NAMES),
            0 if _SECTION.search(text) or "\\input" in text or "\\include" in text else 1,
            -len(text),
            name,
        )


def _is_source(name: str) -> bool:
    return name == "" or is_tex_name(name) or name.lower().endswith((".sty", ".cls"))


def _is_readme(name: str) -> bool:
    return "readme" in posixpath.basename(name).lower()


def _listed_json(text: str) -> list[tuple[str, str]]:
    """The files that a ``00README.json`` lists, each with its usage; that of a TeX file is to be run."""
    try:
        sources = json.loads(text)["sources"]
        return [(str(item["filename"]), str(item.get("usage", "toplevel"))) for item in sources]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []  # a broken README only means that the main file is chosen by its content


def _listed_lines(text: str) -> list[tuple[str, str]]:
    words = (line.split() for line in text.splitlines())
    return [(pair[0], pair[1].lower().replace("toplevelfile", "toplevel")) for pair in words if len(pair) == 2]
