r"""Taking one branch of a conditional in an expanded macro, where it is certain which (The TeXbook, chapter 20)."""

from __future__ import annotations

import re
from collections.abc import Callable

from llama_data.stages.arxiv.reading import read_group, read_token, skip_space
from llama_data.stages.arxiv.vocabulary import NOT_CONDITIONAL, names

# conditionals of which the outcome may be known; a body with another one stays as it is
DECIDABLE = names(
    "ifx if ifnum ifodd iftrue iffalse ifdefined ifthenelse equal ifstrempty ifblank notblank ifstrequal IfStrEq "
    "IfBooleanTF IfBooleanT IfBooleanF IfNoValueTF IfNoValueT IfNoValueF IfValueTF IfValueT IfValueF else fi detokenize"
)

# (what a control word means: "macro" with a text body, "kernel" for a known command, "" when nobody knows, the body)
Meaning = Callable[[str], tuple[str, str]]

_OPENS = re.compile(r"\\((?:if[A-Za-z@]*)|IfStrEq|If(?:Boolean|NoValue|Value)(?:TF|T|F)|notblank)(?![A-Za-z@])")
_BRANCH = re.compile(r"\\(?:(if[A-Za-z@]*|else|fi|or)(?![A-Za-z@])|[A-Za-z@]+|[\s\S])")
_INTEGERS = re.compile(r"\s*([-+]?\d+)\s*([<=>])\s*([-+]?\d+)(?:\s|\\relax(?![A-Za-z@]))?")
_INTEGER = re.compile(r"\s*([-+]?\d+)(?:\s|\\relax(?![A-Za-z@]))?")
_LEFT = re.compile(r"\\(?:else|fi|or|if[A-Za-z@]*)(?![A-Za-z@])")
_TEST = re.compile(r"\s*\\equal(?![A-Za-z@])")
_EXPANDAFTER_END = re.compile(r"\\expandafter\s*(\\[A-Za-z@]+|[^\\{}\s])\s*\Z")
_WORD_END = re.compile(r"\\[A-Za-z@]+\Z")
_MAX_STEPS = 200
_UNDEFINED = frozenset(["undefined", "@undefined"])
_EMPTY = frozenset(["empty", "@empty"])


def resolve(text: str, meaning: Meaning) -> str | None:
    """The text with the branches taken; None when the outcome of one of its conditionals is not known."""
    pos = 0
    for _ in range(_MAX_STEPS):
        found = _OPENS.search(text, pos)
        while found is not None and found[1] in ("iff",):
            found = _OPENS.search(text, found.end())
        if found is None:
            return None if any(hit[0] not in ("\\iff",) for hit in _LEFT.finditer(text)) else text
        name = found[1]
        taken = _braced(text, found.end(), name, meaning) if _is_braced(name) else _plain(text, found, meaning)
        if taken is None:
            return None
        branch, after = taken
        head = text[: found.start()]
        text = _together(head, branch, text[after:])
        pos = len(head)
    return None


def _together(head: str, branch: str, rest: str) -> str:
    if branch[:1].isalpha() and _WORD_END.search(head[-60:]):
        head += " "
    if (rest[:1].isalpha() or rest[:1] == "@") and _WORD_END.search(branch[-60:] or head[-60:]):
        branch += " "
    return head + branch + rest


def _is_braced(name: str) -> bool:
    return name[0] != "i" or name in NOT_CONDITIONAL


def _braced(text: str, pos: int, name: str, meaning: Meaning) -> tuple[str, int] | None:
    """The branch of a conditional that takes its branches as arguments, and the place after them."""
    operands = 2 if name in ("ifstrequal", "IfStrEq") else 1
    if name not in DECIDABLE:
        return None
    arguments: list[str] = []
    branches = 1 if name[0] == "I" and name[-1] in "TF" and name[-2:] != "TF" else 2
    for _ in range(operands + branches):
        part = read_token(text, pos)
        if part is None:
            return None
        arguments.append(part[0])
        pos = part[1]
    outcome = _braced_outcome(name, arguments, meaning)
    if outcome is None:
        return None
    yes, no = arguments[operands], arguments[-1]
    if branches == 1:
        return (yes if outcome == (name[-1] == "T") else ""), pos
    return (yes if outcome else no), pos


def _braced_outcome(name: str, arguments: list[str], meaning: Meaning) -> bool | None:
    first = arguments[0].strip()
    if name.startswith("IfBoolean"):
        return {r"\BooleanTrue": True, r"\BooleanFalse": False}.get(first)
    if name.startswith(("IfNoValue", "IfValue")):
        if first.startswith("#"):
            return None
        return (first == "-NoValue-") == name.startswith("IfNoValue")
    if name == "ifstrempty":
        return arguments[0] == ""
    if name in ("ifblank", "notblank"):
        return (not first) == (name == "ifblank")
    if name == "ifthenelse":
        return _equal_test(arguments[0], meaning)
    return _same_text(arguments[0], arguments[1], meaning)


def _equal_test(test: str, meaning: Meaning) -> bool | None:
    found = _TEST.match(test)
    left = read_token(test, found.end()) if found else None
    right = read_token(test, left[1]) if left else None
    if left is None or right is None or test[right[1] :].strip():
        return None
    return _same_text(left[0], right[0], meaning)


def _same_text(left: str, right: str, meaning: Meaning) -> bool | None:
    """Whether two texts are equal once expanded; None when they differ and hold what cannot be expanded here."""
    one, two = _flat(left, meaning), _flat(right, meaning)
    if one == two:
        return True
    if "\\" in one and "\\" in two:
        return None
    return False


def _flat(text: str, meaning: Meaning) -> str:
    for _ in range(5):
        if "\\" not in text:
            break
        text = re.sub(r"\\([A-Za-z@]+)[ \t]*", lambda found: _body(found, meaning), text)
    return text.strip()


def _body(found: re.Match[str], meaning: Meaning) -> str:
    kind, body = meaning(found[1])
    return body if kind == "macro" else "" if found[1] in _EMPTY else found[0]


def _plain(text: str, found: re.Match[str], meaning: Meaning) -> tuple[str, int] | None:
    r"""The branch of a conditional that a ``\fi`` ends, and the place after the ``\fi``."""
    tested = _outcome(text, found.end(), found[1], meaning)
    if tested is None:
        return None
    outcome, start = tested
    start = _after_word(text, start)
    parts = _branches(text, start)
    if parts is None:
        return None
    else_start, else_end, fi_start, fi_end = parts
    if outcome:
        branch = text[start : else_start if else_start >= 0 else fi_start]
    else:
        branch = text[_after_word(text, else_end) : fi_start] if else_start >= 0 else ""
    # an \expandafter before the \fi takes the \fi away before the next command reads on
    return _EXPANDAFTER_END.sub(lambda last: last[1], branch), _after_word(text, fi_end)


def _after_word(text: str, pos: int) -> int:
    """The place after the spaces that TeX skips behind a command made of letters."""
    return skip_space(text, pos) if _WORD_END.search(text, max(0, pos - 40), pos) else pos


def _branches(text: str, pos: int) -> tuple[int, int, int, int] | None:
    depth, else_start, else_end = 0, -1, -1
    for found in _BRANCH.finditer(text, pos):
        word = found[1]
        if word is None or word in NOT_CONDITIONAL:
            continue
        if word == "fi":
            if depth == 0:
                return else_start, else_end, found.start(), found.end()
            depth -= 1
        elif word == "else":
            if depth == 0 and else_start < 0:
                else_start, else_end = found.span()
        elif word == "or":
            if depth == 0:
                return None
        else:
            depth += 1
    return None


def _outcome(text: str, pos: int, name: str, meaning: Meaning) -> tuple[bool, int] | None:
    if name in ("iftrue", "iffalse"):
        return name == "iftrue", pos
    if name == "ifnum":
        numbers = _INTEGERS.match(text, pos)
        if numbers is None:
            return None
        left, right = int(numbers[1]), int(numbers[3])
        return {"<": left < right, "=": left == right, ">": left > right}[numbers[2]], numbers.end()
    if name == "ifodd":
        number = _INTEGER.match(text, pos)
        return None if number is None else (int(number[1]) % 2 == 1, number.end())
    if name == "ifdefined":
        token = read_token(text, pos)
        if token is None:
            return None
        kind = meaning(token[0][1:])[0] if token[0][:1] == "\\" else "character"
        return None if not kind else (True, token[1])
    if name not in ("ifx", "if"):
        return None
    return _tokens_outcome(text, pos, name, meaning)


def _tokens_outcome(text: str, pos: int, name: str, meaning: Meaning) -> tuple[bool, int] | None:
    first = _token(text, pos, name)
    second = _token(text, first[1], name) if first else None
    if first is None or second is None:
        return None
    same = _same_meaning(first[0], second[0], meaning) if name == "ifx" else _same_code(first[0], second[0])
    return None if same is None else (same, second[1])


def _token(text: str, pos: int, name: str) -> tuple[str, int] | None:
    r"""The next token and the place after it; for ``\if`` an empty ``\detokenize`` is none."""
    while text[pos : pos + 1] in (" ", "\t"):
        pos += 1
    if name == "if" and text.startswith(r"\detokenize", pos):
        group = read_group(text, pos + len(r"\detokenize"))
        if group is None:
            return None
        return (group[0][:1], group[1]) if group[0] else _token(text, group[1], name)
    if text[pos : pos + 1] in ("{", "}"):
        return text[pos], pos + 1
    return read_token(text, pos)


def _same_meaning(one: str, two: str, meaning: Meaning) -> bool | None:
    if one == two:
        return True
    if one[0] != "\\" and two[0] != "\\":
        return False
    if one[0] != "\\" or two[0] != "\\":
        name = (one if one[0] == "\\" else two)[1:]
        return False if meaning(name)[0] or name in _EMPTY | _UNDEFINED | {"relax"} else None
    kinds = {one[1:]: meaning(one[1:]), two[1:]: meaning(two[1:])}
    for name, other in ((one[1:], two[1:]), (two[1:], one[1:])):
        kind, body = kinds[other]
        if name in _UNDEFINED and kind:
            return False
        if name in _EMPTY and kind == "macro":
            return body == ""
        if name == "relax" and kind == "macro":
            return False
    if all(kind == "macro" for kind, _ in kinds.values()):
        return kinds[one[1:]] == kinds[two[1:]]
    return None


def _same_code(one: str, two: str) -> bool | None:
    if any(token[:1] == "\\" and token != r"\relax" for token in (one, two)):
        return None
    return one == two
