"""What a person is told whose input is not there: what was looked for, and what is there instead."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from llama_data.pipeline.core.left_out import told
from llama_data.pipeline.core.listing import Listing, printable


def no_such(path: str, expected: str, local: bool = True) -> str:
    """That there is nothing at a path; on this machine with the part of it that is wrong, and names like it."""
    sentence = f"{printable(path)}: no such file or folder"
    if local:
        above, name = os.path.split(os.path.abspath(path))
        while not os.path.isdir(above):
            above, name = os.path.split(above)
        if above != os.path.dirname(os.path.abspath(path)):
            sentence += f" ({printable(above)} holds no {printable(name)})"
        near = difflib.get_close_matches(name, _names(above), n=1)
        sentence += f"; did you mean {printable(os.path.join(above, near[0]))}?" if near else ""
    return f"{sentence}; expected {expected}"


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def nothing_taken(root: str, patterns: Sequence[str], found: Listing) -> str:
    """That no glob takes a file of a folder; with what the folder holds."""
    parts = [
        told(found.others, "file", "files"),
        told([f"{name}/" for name in found.unopened], "folder that no glob enters", "folders that no glob enters"),
        told(found.refused, "thing that is no file", "things that are no files"),
    ]
    holds = "; ".join(filter(None, parts)) or "nothing"
    what_to_do = "name the files in `inputs`, or give another folder or one file as the input"
    return f"{root}: no file matches {', '.join(patterns)}; it holds {holds}; {what_to_do}"
