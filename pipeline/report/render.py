"""The report as one HTML file: no script, no outside resource, and nothing of a run's content can become markup.

Three things keep hostile text text: every value is escaped, control characters and marks that turn the direction of
writing are taken out of every value, and the page forbids scripts and everything from outside itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

from babel import Locale, UnknownLocaleError
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from llama_data.pipeline.core.reasons import sentence_of
from llama_data.pipeline.core.screen import plain
from llama_data.pipeline.report import charts, evaluations, words
from llama_data.pipeline.report.collect import DomainReport, RunReport
from llama_data.pipeline.report.compare import Comparison
from llama_data.pipeline.report.domain import Cell, templates_of
from llama_data.pipeline.report.join import ABSENT, KEPT
from llama_data.pipeline.report.recipes import LINES
from llama_data.pipeline.report.samples import Sample
from llama_data.pipeline.report.steps import words_for
from llama_data.pipeline.report.tally import Named

SAMPLES_BYTES = 2_500_000  # of all texts on the page together
REASONS = 40
NAMES = 15
TEMPLATES = 100
FIGURES = 8
_DOMAINS = {
    "commoncrawl": "Common Crawl",
    "c4": "C4",
    "github": "GitHub",
    "wikipedia": "Wikipedia",
    "books": "Books",
    "arxiv": "arXiv",
    "stackexchange": "Stack Exchange",
}
_TITLES = {
    "language": ("Languages", "Language"),
    "license": ("Licences", "Licence"),
    "code_language": ("File types", "File type"),
    "site": ("Sites", "Site"),
    "macro_problem": ("Problems with macros", "Problem"),
}
_PLAIN = {
    "language_score": "confidence",
    "perplexity_bucket": "part",
    "reference_score": "like references",
    "duplicate_of": "repeats",
}
_SIGNS = {">=": "≥", "<": "<", "<=": "≤"}


class Css(NamedTuple):
    """The page's style, and the hash by which its policy lets it through."""

    text: Markup
    hash: str


def environment() -> Environment:
    """Templates with everything that pages share: escaping, cleaning, and how figures are written."""
    made = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_read),
        finalize=_clean,
    )
    made.filters |= {
        "number": words.number,
        "amount": words.amount,
        "tile": lambda value: words.number(value) if value < 1e6 else words.amount(value),
        "bytes": lambda value: words.amount(value, "B"),
        "share": words.share,
        "figure": words.figure,
        "seconds": words.seconds,
        "domain": domain_name,
        "step": words_for,
        "language": language_name,
        "lower_first": lambda text: text[:1].lower() + text[1:],
        "plain_name": lambda name: _PLAIN.get(name, name.replace("_", " ")),
        "when": lambda text: text.replace("T", " ").replace("+00:00", " UTC"),
        "result": _result,
        "short_id": lambda id, domain: str(id).removeprefix(f"{domain}/").removeprefix(f"{domain}/"),
    }
    css = page_css()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    made.globals |= {
        "bar": charts.bar,
        "thin": words.THIN,
        "dash": words.DASH,
        "css": Css(Markup(css), f"sha256-{digest}"),
        "reasons_shown": REASONS,
        "tasks_shown": evaluations.SHOWN,
    }
    return made


def domain_name(domain: str) -> str:
    """A domain's name as its makers write it."""
    return _DOMAINS.get(domain, domain)


def language_name(code: str) -> str:
    """A language's English name; its code where nothing else is known of it."""
    if not code:
        return "not known"
    try:
        return Locale.parse(code, sep="-").get_display_name("en") or code
    except (ValueError, UnknownLocaleError):
        return code


def render(report: RunReport) -> str:
    """The page of one run."""
    total, kept, failed = (_sum(report.domains, outcome) for outcome in (None, "kept", "failed"))
    dropped = fit_texts([text for item in report.domains for text in _all_texts(item)])
    compression = [row for item in report.domains for row in item.compression]
    return (
        environment()
        .get_template("page.html")
        .render(
            report=report,
            contents=_contents(report),
            total=total,
            kept=kept,
            failed=failed,
            mix_top=max((share for mix in report.mixes for d in mix.domains for share in (d.share, d.paper_share or 0)),
                        default=1.0),
            compression=compression,
            compression_top=max((row.ratio for row in compression), default=1.0),
            loss_charts=_loss_charts(report),
            figure_charts={item.name: _figure_charts(item) for item in report.domains},
            texts={item.name: item.rejected for item in report.domains},
            examples={item.name: _examples(item) for item in report.domains},
            tallies={item.name: _tallies(item) for item in report.domains},
            templates={item.name: templates_of(item.ledger, TEMPLATES) for item in report.domains},
            dropped_texts=dropped,
        )
    )  # fmt: skip


def page_css() -> str:
    """The style that all pages share."""
    return _read("page.css")


def encode(page: str) -> bytes:
    """The page as UTF-8; what UTF-8 cannot say (half a surrogate pair in a recipe) is a question mark."""
    return page.encode("utf-8", "replace")


def fit_texts(lists: list[list[Sample]]) -> bool:
    """Take samples away, the last of each list first, until all fit into the page; True: some were."""
    dropped = False
    size = sum(_size(sample) for texts in lists for sample in texts)
    while size > SAMPLES_BYTES:
        longest = max(lists, key=lambda texts: sum(map(_size, texts)))
        size -= _size(longest.pop())
        dropped = True
    return dropped


def _size(sample: Sample) -> int:
    # Escaped, a quote or an ampersand is five bytes.
    return len(Markup.escape(sample.text).encode("utf-8", "replace")) + 500


def _all_texts(item: DomainReport) -> list[list[Sample]]:
    return [item.kept, *item.rejected.values()]


def _read(name: str) -> str:
    return resources.files("llama_data.pipeline.report").joinpath(name).read_text("utf-8")


def _clean(value: Any) -> Any:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _sum(domains: list[DomainReport], outcome: str | None) -> Cell:
    found = Cell()
    for item in domains:
        found = found.plus(item.ledger.total(outcome))
    return found


def _contents(report: RunReport) -> list[tuple[str, str]]:
    parts = [("overview", "At a glance")]
    parts += [("tokens", "Tokens and mixture")] if report.tokens or report.mixes else []
    parts += [("training", "Training")] if report.training else []
    parts += [(f"domain-{index}", domain_name(item.name)) for index, item in enumerate(report.domains, 1)]
    parts += [("speed", "Time")] if report.speed else []
    return [*parts, ("recipe", "Recipe")]


def _loss_charts(report: RunReport) -> list[tuple[str, Markup]]:
    found = report.training
    if found is None:
        return []
    low, high, end = charts.limits([*found.loss.values(), *found.held_out.values()])
    return [
        (
            key,
            charts.curves(
                domain_name(key) or "all domains", found.loss.get(key), found.held_out.get(key), low, high, end
            ),
        )
        for key in ("", *found.domains)
    ]


def _figure_charts(item: DomainReport) -> list[Mapping[str, Any]]:
    choice = item.ledger.choice
    return [
        {
            "title": f"{figure.title} ({language})" if language else figure.title,
            "sign": _SIGNS[figure.passes],
            "scale": scale,
            "chart": charts.distribution(figure, language, scale, choice),
            "moved": choice.moved(figure, language, scale),
            "bins": charts.bins(figure, scale),
        }
        for figure, language, scale in item.ledger.figures()[:FIGURES]
    ]


def _examples(item: DomainReport) -> list[tuple[str, str]]:
    """Reasons that have examples, in the order of the table."""
    rows = {row.code: row.sentence for row in item.ledger.reasons[:REASONS]}
    return [(code, text) for code, text in rows.items() if item.rejected.get(code) or item.ledger.examples.get(code)]


def _tallies(item: DomainReport) -> list[tuple[str, str, list[Named], Named | None, int]]:
    found = []
    for name, (title, one) in _TITLES.items():
        tally = item.ledger.tallies[name]
        if len(tally) > (1 if name == "language" else 0):
            found.append((title, one, tally.top(NAMES), tally.others(NAMES), tally.least))
    return found


def _result(folder: str) -> str:
    first, _, name = folder.partition("/")
    said = {"documents": "Documents of ", "tokens": "Tokens of ", "mix": "Mixture " if name else "Mixture"}
    return f"{said[first]}{domain_name(name)}" if first in said else "Tokenizer"


def render_comparison(found: Comparison) -> str:
    """The page of two runs side by side."""
    fit_texts([texts for item in found.domains for texts in item.texts.values()])
    made = environment()
    made.filters |= {"end": words_of_end, "moved_records": lambda rows: sum(moved.records for _, moved in rows)}
    made.globals |= {"minus": words.MINUS, "lines_shown": LINES}
    return made.get_template("compare.html").render(found=found)


def words_of_end(end: str) -> str:
    """What became of a record, for a person."""
    return {KEPT: "Kept.", ABSENT: "The other run has no such record."}.get(end) or sentence_of(end)
