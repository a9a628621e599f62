"""What the templates of a page show: by the built-in tables, else by the dump's own definitions, else by a guess.

Definitions are expanded as MediaWiki does: arguments into parameters, parser functions, templates within templates.
Three limits hold for a page (levels, nodes, characters); beyond them, and where a definition comes back to itself or
needs what only a wiki has, a template is unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from llama_data.stages.wikipedia.opaque import BREAK, GAP
from llama_data.stages.wikipedia.templates.call import Call, Part, is_dropped, normal_name, title_of
from llama_data.stages.wikipedia.templates.definitions import MAX_REDIRECTS, Definition, Definitions
from llama_data.stages.wikipedia.templates.fallback import is_box, shown_anyway
from llama_data.stages.wikipedia.templates.functions import ERROR, VARIABLES, NotSimple, call_function, function_of
from llama_data.stages.wikipedia.templates.hidden import without_hidden
from llama_data.stages.wikipedia.templates.names import language_name
from llama_data.stages.wikipedia.templates.preprocessor import Kept, Node, Parameter, TreeCall, TreePart
from llama_data.stages.wikipedia.templates.tables import from_table

MAX_LEVEL = 60
"""Calls and parameters inside one another, within definitions."""

MAX_NODES = 250_000
"""Parts of definitions that are looked at for one page."""

MAX_OUTPUT = 2 << 20
"""Characters that the definitions of one page may give, as in MediaWiki."""

MAX_SEARCHED, MAX_ARGUMENTS = 1 << 15, 50
"""Characters and arguments among which the words of a call are looked for in what it shows."""

_LEFT = re.compile(r"\{\{\{[^{}|]*(?:\|[^{}]*)?\}\}\}|\{\{+|\}\}+")
_STARTS_A_BLOCK = ("{|", "*", "#", ":", ";")
_NOTHING = re.compile(r"[\s\x03\x04]*")


class Renderer:
    """Shows the templates of one page.

    ``keep`` sets a literal text aside and gives the mark that stands for it; ``resolve`` takes links and tables out
    of wikitext that holds no templates. ``unknown``: how often which unknown template stood in a line; ``lost``: those
    of them that show nothing.
    """

    def __init__(
        self,
        *,
        language: str,
        title: str,
        definitions: Definitions | None,
        keep: Callable[[str], str],
        resolve: Callable[[str], str],
    ) -> None:
        self.language = language
        self.title = title
        self.unknown: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._definitions = definitions
        self._keep = keep
        self._resolve = resolve
        self._level = 0
        self._nodes = 0
        self._output = 0
        self.opened: tuple[str, ...] = ()
        self._missed: list[tuple[str, bool]] = []

    def call(self, name: str, load: Callable[[], Sequence[Part]]) -> Call:
        """One use of a template on this page."""
        return Call(name=name, language=self.language, title=self.title, load=load)

    def show(self, call: Call, *, in_line: bool, alone: bool = False) -> str:
        """What a call on the page shows. ``in_line``: text stands beside it, so that its value may be missed.

        ``alone``: it is all that a list item holds; then there is no sentence to mend, and nothing is guessed.
        """
        call.in_line = in_line
        name = call.name
        missed, opened = len(self._missed), self.opened
        self.opened = ()  # what stands in an argument is outside the definition that asks for it
        value = self._render(call, in_line=in_line)
        self.opened = opened
        inner, self._missed[missed:] = self._missed[missed:], []
        if value is None:
            value = self._unknown(call, label_of(name), guess=not alone) if in_line else ""
        elif in_line and value:
            self._count(inner)
        return value

    def _unknown(self, call: Call, label: str, *, guess: bool) -> str:
        value = shown_anyway(call) if guess else ""
        self._count([(label, not value)])
        return value

    def _count(self, names: list[tuple[str, bool]]) -> None:
        for name, lost in names:
            self.unknown[name] += 1
            self.lost[name] += lost

    def _render(self, call: Call, *, in_line: bool) -> str | None:
        """The value as text whose links and tables are resolved; None: unknown."""
        name = normal_name(call.name)
        if ":" in name or name in VARIABLES:
            found = function_of(call.head())
            if found is not None:
                return self._function(*found, call)
        value = from_table(call)
        if value is not None:
            return value
        if is_dropped(name) or (not in_line and is_box(name)):
            return ""
        if self._definitions is not None:
            missed = len(self._missed)
            try:
                text = self._defined(call)
            except NotSimple:
                text = None
            nothing_known = len(self._missed) > missed and text is not None and _NOTHING.fullmatch(text)
            if text is not None and ERROR not in text and not nothing_known:
                return self._finish(text, call, in_line=in_line)
        if len(call.parts) == 1 and language_name(name):  # ``{{en}}``: a sign that a source is in English
            return ""
        return "" if ":" in name and not name.startswith("#") else None

    def _function(self, name: str, first: str, call: Call) -> str | None:
        try:
            return call_function(name, first, call)
        except NotSimple:
            return None

    def _finish(self, text: str, call: Call, *, in_line: bool) -> str:
        """Expanded wikitext to text; nothing where it stands alone and holds nothing of the call's own words."""
        if _is_part_of_a_table(text):
            return ""
        text = _LEFT.sub(GAP, without_hidden(text))
        if _NOTHING.fullmatch(text):
            return ""
        if text.startswith(_STARTS_A_BLOCK):
            text = "\n" + text
        text = self._resolve(text)
        if _NOTHING.fullmatch(text) or not (in_line or _holds_an_argument(text, call)):
            return ""
        return text

    def _defined(self, call: Call) -> str | None:
        """The wikitext that the call gives by its definition; None when there is none. Raises NotSimple."""
        if self._definitions is None:
            return None
        title = title_of(call.name)
        definition = self._definitions.get(title)
        for _ in range(MAX_REDIRECTS):
            if definition is None or not definition.redirect:
                break
            title = definition.redirect
            call.name = title
            value = from_table(call)
            if value is not None or is_dropped(normal_name(title)):
                return value or ""
            definition = self._definitions.get(title)
        if definition is None or definition.redirect:
            return None
        return self._expand_definition(title, definition, call)

    def _expand_definition(self, title: str, definition: Definition, call: Call) -> str:
        if title in self.opened:
            raise NotSimple("loop")
        opened, self.opened = self.opened, (*self.opened, title)
        try:
            text = self._expand(definition.nodes, call)
        finally:
            self.opened = opened
        self._output += len(text)
        if self._output > MAX_OUTPUT:
            raise NotSimple("output")
        return text

    def _expand(self, nodes: Sequence[Node], frame: Call) -> str:
        """The wikitext of nodes; ``frame`` has the arguments. Raises NotSimple, also beyond a limit."""
        self._nodes += len(nodes)
        if self._level >= MAX_LEVEL or self._nodes > MAX_NODES:
            raise NotSimple("limit")
        self._level += 1
        try:
            return "".join([node if isinstance(node, str) else self._node(node, frame) for node in nodes])
        finally:
            self._level -= 1

    def argument(self, nodes: Sequence[Node], frame: Call, opened: tuple[str, ...]) -> str:
        """Nodes of a call's part, expanded where the call stands: inside the definitions that were open there."""
        now, self.opened = self.opened, opened
        try:
            return self._expand(nodes, frame)
        finally:
            self.opened = now

    def _node(self, node: Kept | Parameter | TreeCall, frame: Call) -> str:
        if isinstance(node, Kept):
            return self._keep(node.text)
        if isinstance(node, Parameter):
            name = self._expand(node.name, frame).strip()
            value = frame.raw(name)
            if value is None:
                return "{{{" + name + "}}}" if node.default is None else self._expand(node.default, frame)
            self._output += len(value)
            if self._output > MAX_OUTPUT:
                raise NotSimple("output")
            return value
        return self._nested(node, frame)

    def _nested(self, node: TreeCall, frame: Call) -> str:
        """A call within a definition: wikitext, links and all."""
        head = self._expand(node.head, frame)
        parts: list[Part] = [_Text(head), *[_Branch(self, part, frame) for part in node.parts]]
        call = self.call(head, lambda: parts)
        found = function_of(head)
        if found is not None:
            return call_function(*found, call)
        value = from_table(call)
        if value is None and not is_dropped(normal_name(call.name)):
            try:
                value = self._defined(call)
            except NotSimple:
                value = None
            if value is None:
                value = shown_anyway(call)
                self._missed.append((label_of(head), not value))
        return value or GAP


class _Text(Part):
    """A part that is expanded already."""

    __slots__ = ()
    named = False

    def __init__(self, text: str) -> None:
        super().__init__()
        self._value = text

    def read_value(self) -> str:
        return self._value or ""

    read_name = read_whole = read_value


class _Branch(Part):
    """A part of a call within a definition."""

    __slots__ = ("_frame", "_open", "_part", "_renderer", "named")

    def __init__(self, renderer: Renderer, part: TreePart, frame: Call) -> None:
        super().__init__()
        self._renderer = renderer
        self._part = part
        self._frame = frame
        self._open = renderer.opened
        self.named = part.name is not None

    def read_name(self) -> str:
        return self._renderer.argument(self._part.name or (), self._frame, self._open)

    def read_value(self) -> str:
        return self._renderer.argument(self._part.value, self._frame, self._open)

    def read_whole(self) -> str:
        return f"{self.read_name()}={self.value()}"


def label_of(name: str) -> str:
    """How an unknown template is called in the account: its title, of a function the name before the colon."""
    title = title_of(name)
    return title.partition(":")[0] + ":" if title.startswith("#") else title[:MAX_LABEL]


MAX_LABEL = 80


def _is_part_of_a_table(text: str) -> bool:
    """True when a table begins in the text and ends elsewhere, or the other way round."""
    lines = [line.lstrip(" \t:*#;" + GAP) for line in text.split("\n")]
    opened = sum(line.startswith("{|") for line in lines)
    closed = sum(line.startswith("|}") for line in lines)
    tags = text.lower().count("<table") - text.lower().count("</table")
    return opened != closed or tags != 0 or (not opened and any(line.startswith(("|-", "|+")) for line in lines))


def _holds_an_argument(text: str, call: Call) -> bool:
    """True when the text holds words that the call was given, so that it is more than a standing notice."""
    plain = text[:MAX_SEARCHED].replace(BREAK, "\n")
    for name in call.names()[:MAX_ARGUMENTS]:
        value = (call.raw(name) or "").strip()
        if not value or name == "date":
            continue
        if value in plain and (value == plain.strip() or (len(value) > 1 and not value.isdigit())):
            return True
    return False
