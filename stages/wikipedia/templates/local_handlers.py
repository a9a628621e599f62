"""What templates show that single Wikipedias have."""

from __future__ import annotations

from llama_data.stages.wikipedia.templates.call import Call, Handler
from llama_data.stages.wikipedia.templates.handlers import is_month


def word_date(call: Call) -> str:
    """``{{date|1|janvier|1950}}`` → "1 janvier 1950"."""
    return " ".join(value for value in call.positional()[:3] if value)


def french_century(call: Call) -> str:
    """``{{s|XIX|e}}`` → "XIXe siècle"; ``{{s2|XVI|e|XVII|e}}`` → "XVIe et XVIIe siècles"."""
    values = call.positional()
    centuries = ["".join(values[at : at + 2]) for at in range(0, len(values), 2) if values[at]]
    if not centuries:
        return ""
    return " et ".join(centuries) + (" siècles" if len(centuries) > 1 else " siècle")


def centuries(word: str) -> Handler:
    """``{{siglo|XIX}}`` → "siglo XIX"."""
    return lambda call: f"{word} {value}" if (value := call.get(1)) else ""


def german_short(name: str) -> Handler:
    """``{{enS|word}}`` → "englisch word"."""
    return lambda call: f"{name} {call.get(1)}".strip()


def translated(call: Call) -> str:
    """``{{нп5|Title|label|en|Original}}``: the label, or the title."""
    return call.get("текст", "text", 2, 1)


_MONTHS = {
    "es": "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
    "pt": "janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro",
    "ca": "gener|febrer|març|abril|maig|juny|juliol|agost|setembre|octubre|novembre|desembre",
}


def iberian_date(call: Call) -> str:
    """``{{fecha|1|1|1950}}`` → "1 de enero de 1950"; the Portuguese and Catalan forms with their months."""
    months = _MONTHS[call.language].split("|")
    day, month, year = call.get(1), call.get(2), call.get(3)
    name = months[int(month) - 1] if is_month(month) else month
    return " de ".join(part for part in (day, name, year) if part)


def spanish_century(call: Call) -> str:
    """``{{siglo|XIX|a. C.}}`` → "siglo XIX a. C."."""
    return f"siglo {call.get(1)} {call.get(2)}".strip()


def french_link(call: Call) -> str:
    """``{{lien|Title|langue=en|texte=label}}``: the label, or the title."""
    return call.get("texte", "trad", "fr", 1)


def german_quotation(call: Call) -> str:
    """``{{Zitat|Text}}``, ``{{"|Text}}`` → „Text“."""
    text = call.get(1, "text")
    return f"„{text}“" if text else ""


def french_japanese(call: Call) -> str:
    """``{{japonais|Tōkyō|東京|Tōkyō}}`` → "Tōkyō (東京, Tōkyō)"."""
    inside = ", ".join(value for value in (call.get(2), call.get(3)) if value)
    return f"{call.get(1)} ({inside})" if inside else call.get(1)
