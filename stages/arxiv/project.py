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
_CLASS = re.compile(r"\\document(?:class|style)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}")
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_SECTION = re.compile(r"\\(?:part|chapter|section)\*?\s*[\[{]")
_PLAIN_END = re.compile(r"\\(?:bye|end)(?![A-Za-z])\s*(?!\{)")
_READS = re.compile(
    r"\\(?:input|include|subfile|subfileinclude|InputIfFileExists)(?![A-Za-z@])\s*(?:\{([^{}]*)\}|([^\s{}\\]+))"
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

    def main(self) -> str | None:
        """The file that TeX is run on, or None when the paper holds no TeX."""
        names = self.tex_names
        if not names:
            return None
        told = self._told()
        if told is not None:
            return told
        read = self._read_by_others(names)
        return min(names, key=lambda name: self._rank(name, read))

    def _told(self) -> str | None:
        """What arXiv's 00README says is the top level file."""
        for name in sorted(self._files):
            if posixpath.basename(name).lower() == "00readme.json":
                for path in _toplevel_json(self.raw(name)):
                    if path in self._files:
                        return path
            elif posixpath.basename(name).lower().startswith("00readme"):
                for line in self.raw(name).splitlines():
                    words = line.split()
                    if len(words) == 2 and words[1].lower() == "toplevelfile" and words[0] in self._files:
                        return words[0]
        return None

    def _read_by_others(self, names: list[str]) -> set[str]:
        found: set[str] = set()
        for name in names:
            folder = posixpath.dirname(name)
            for hit in _READS.finditer(self.clean(name)):
                below = (hit[3] or "").strip()
                target = self.find(hit[1] or hit[2] or hit[4] or "", (posixpath.join(folder, below), below))
                if target is not None and target != name:
                    found.add(target)
        return found

    def _rank(self, name: str, read: set[str]) -> tuple[int | str, ...]:
        """Smaller is more likely the main file."""
        text = self.clean(name)
        kind = _CLASS.search(text)
        begin = _BEGIN.search(text)
        complete = kind is not None and begin is not None
        helper = kind is not None and kind[1].strip() in ("subfiles", "standalone")
        stem = posixpath.splitext(posixpath.basename(name))[0].lower()
        return (
            0 if complete else 1 if kind is not None or begin is not None else 2 if _PLAIN_END.search(text) else 3,
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


def _toplevel_json(text: str) -> list[str]:
    try:
        sources = json.loads(text)["sources"]
        return [str(item["filename"]) for item in sources if item.get("usage") == "toplevel"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []  # a broken README only means that the main file is chosen by its content
