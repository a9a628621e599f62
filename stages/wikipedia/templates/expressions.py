"""``{{#expr:}}``: a small evaluator of arithmetic, with MediaWiki's operators, order and way of writing numbers.

Source: the help page of the extension ParserFunctions. Nothing of Python is evaluated; length and size are bounded.
"""
# ruff: noqa: RUF001 - the minus sign is an operator too

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable

MAX_CHARS = 1000
MAX_NESTING = 30

_TOKEN = re.compile(r"\s*+(\d++(?:\.\d*+)?|\.\d++|[a-zA-Z]++|<=|>=|<>|!=|[-+*/^()=<>−])")


class ExpressionError(ValueError):
    """The text is no expression, or has no value."""


def _divide(left: float, right: float) -> float:
    if right == 0:
        raise ExpressionError("division by zero")
    return left / right


def _modulo(left: float, right: float) -> float:
    """The remainder of whole numbers; it has the sign of the left one."""
    if int(right) == 0:
        raise ExpressionError("division by zero")
    return float(math.fmod(int(left), int(right)))


def _fmod(left: float, right: float) -> float:
    if right == 0:
        raise ExpressionError("division by zero")
    return math.fmod(left, right)


def _power(left: float, right: float) -> float:
    result = left**right
    if isinstance(result, complex):
        raise ExpressionError("no real number")
    return float(result)


def round_half_away(value: float, digits: int) -> float:
    """Rounding as PHP does: halves go away from zero; a negative ``digits`` rounds before the point."""
    if abs(digits) > 15:
        return value if digits > 0 else 0.0
    scale = 10.0 ** abs(digits)
    scaled = value * scale if digits >= 0 else value / scale
    scaled = float(f"{scaled:.15g}")  # 1.005 * 100 is 100.49999999999999, and PHP rounds it as 100.5
    rounded = math.copysign(math.floor(abs(scaled) + 0.5), scaled)
    return rounded / scale if digits >= 0 else rounded * scale


_BINARY: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "or": (2, lambda a, b: float(bool(a) or bool(b))),
    "and": (3, lambda a, b: float(bool(a) and bool(b))),
    "=": (4, lambda a, b: float(a == b)),
    "<>": (4, lambda a, b: float(a != b)),
    "!=": (4, lambda a, b: float(a != b)),
    "<": (4, lambda a, b: float(a < b)),
    ">": (4, lambda a, b: float(a > b)),
    "<=": (4, lambda a, b: float(a <= b)),
    ">=": (4, lambda a, b: float(a >= b)),
    "round": (5, lambda a, b: round_half_away(a, int(b))),
    "+": (6, operator.add),
    "-": (6, operator.sub),
    "*": (7, operator.mul),
    "/": (7, _divide),
    "div": (7, _divide),
    "mod": (7, _modulo),
    "fmod": (7, _fmod),
    "^": (8, _power),
    "e": (10, lambda a, b: a * 10.0**b),
}
_UNARY: dict[str, tuple[int, Callable[[float], float]]] = {
    "-": (10, operator.neg),
    "+": (10, operator.pos),
    "not": (9, lambda a: float(not a)),
    "sin": (9, math.sin),
    "cos": (9, math.cos),
    "tan": (9, math.tan),
    "asin": (9, math.asin),
    "acos": (9, math.acos),
    "atan": (9, math.atan),
    "exp": (9, math.exp),
    "ln": (9, math.log),
    "abs": (9, abs),
    "floor": (9, lambda a: float(math.floor(a))),
    "ceil": (9, lambda a: float(math.ceil(a))),
    "trunc": (9, lambda a: float(math.trunc(a))),
    "sqrt": (9, math.sqrt),
}
_CONSTANTS = {"pi": math.pi, "e": math.e}


def evaluate(text: str) -> str:
    """The value of an expression as MediaWiki writes it; empty for an empty one.

    Raises:
        ExpressionError: it is no expression, is longer than 1,000 characters, or has no value.
    """
    if not text.strip():
        return ""
    if len(text) > MAX_CHARS:
        raise ExpressionError("too long")
    for word, sign in (("&lt;", "<"), ("&gt;", ">"), ("&minus;", "-"), ("−", "-"), ("&nbsp;", " "), ("&#160;", " ")):
        text = text.replace(word, sign)
    reader = _Reader(text)
    try:
        value = reader.expression(0, 0)
        if reader.token is not None:
            raise ExpressionError(f"unexpected {reader.token}")
        return write_number(value)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise ExpressionError(str(error)) from None


class _Reader:
    """Precedence climbing over the tokens."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._position = 0
        self.token: str | None = None
        self._next()

    def _next(self) -> None:
        if self._position >= len(self._text):
            self.token = None
            return
        found = _TOKEN.match(self._text, self._position)
        if not found:
            raise ExpressionError("unknown sign")
        self._position = found.end()
        self.token = found.group(1).lower()

    def expression(self, least: int, nesting: int) -> float:
        """The value of operators that bind at least as strongly as ``least``."""
        if nesting > MAX_NESTING:
            raise ExpressionError("nested too deeply")
        value = self._operand(nesting)
        while self.token in _BINARY and _BINARY[self.token][0] >= least:
            binds, apply = _BINARY[self.token]
            self._next()
            value = apply(value, self.expression(binds + 1, nesting + 1))
        return value

    def _operand(self, nesting: int) -> float:
        token = self.token
        if token is None:
            raise ExpressionError("a number is missing")
        self._next()
        if token[0].isdigit() or token[0] == ".":
            return float(token)
        if token == "(":
            value = self.expression(0, nesting + 1)
            if self.token != ")":
                raise ExpressionError("a bracket is not closed")
            self._next()
            return value
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token in _UNARY:
            binds, apply = _UNARY[token]
            return float(apply(self.expression(binds, nesting + 1)))
        raise ExpressionError(f"unexpected {token}")


def write_number(value: float) -> str:
    """A number with at most 14 digits, as PHP writes it: ``0.3``, ``1.0E+25``."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    if value == 0:
        return "0"
    text = f"{value:.14G}"
    if "E" not in text:
        return text
    digits, _, power = text.partition("E")
    digits += "" if "." in digits else ".0"
    return f"{digits}E{power[0]}{power[1:].lstrip('0')}"


def number_of(text: str) -> float | None:
    """The number that PHP reads in a numeric string; None when it is none."""
    return (
        float(text)
        if len(text) < 40 and re.fullmatch(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", text)
        else None
    )
