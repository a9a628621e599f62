"""What templates show that single Wikipedias have."""

from __future__ import annotations

from llama_data.stages.wikipedia.opaque import BREAK
from llama_data.stages.wikipedia.templates.call import Call, Handler


def centuries(word: str) -> Handler:
    """``{{siglo|XIX}}`` → "siglo XIX"."""
    return lambda call: f"{word} {value}" if (value := call.get(1)) else ""


def german_short(name: str) -> Handler:
    """``{{enS|word}}`` → "englisch word"."""
    return lambda call: f"{name} {call.get(1)}".strip()


def translated(call: Call) -> str:
    """``{{нп5|Title|label|en|Original}}``: the label, or the title."""
    return call.get("текст", "text", 2, 1)


def french_link(call: Call) -> str:
    """``{{lien|Title|langue=en|texte=label}}``: the label, or the title."""
    return call.get("texte", "trad", "fr", 1)


def german_quotation(call: Call) -> str:
    """``{{Zitat|Text|Autor=A}}`` → „Text“, and on the next line who said it, where that is named."""
    text = german_inline_quotation(call)
    who = ", ".join(part for part in (call.get("Autor", "autor"), call.get("Quelle", "quelle")) if part)
    return text + (f"{BREAK}— {who}" if who and text else "")


def german_inline_quotation(call: Call) -> str:
    """``{{"|Text}}`` → „Text“."""
    text = call.get("Text", "text", 1)
    return f"„{text}“" if text else ""


def french_japanese(call: Call) -> str:
    """``{{japonais|Tōkyō|東京|Tōkyō}}`` → "Tōkyō (東京, Tōkyō)"."""
    inside = ", ".join(value for value in (call.get(2), call.get(3)) if value)
    return f"{call.get(1)} ({inside})" if inside else call.get(1)
