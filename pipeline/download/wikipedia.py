"""Wikimedia's dumps: https://dumps.wikimedia.org. A dump's ``dumpstatus.json`` names its files, sizes, md5 and sha1."""

from __future__ import annotations

import json
import re
from typing import Any

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.download.source import Ask, Item, Source, checked_name, index
from llama_data.stages.wikipedia.languages import LANGUAGES

# One file of all articles where a wiki's dump is in parts, else the job that makes the file.
_JOBS = ("articlesmultistreamdumprecombine", "articlesmultistreamdump")
_LANGUAGE = re.compile(r"[a-z]{2,}(?:-[a-z]+)*")
_DATE = re.compile(r'href="(?:[^"]*/)?(\d{8})/"')


def files(ask: Ask) -> list[Item]:
    """The articles of each language. Raises RequestError: no such language, date, or complete dump."""
    return [item for language in ask.what or LANGUAGES for item in _of_language(language, ask)]


def _of_language(language: str, ask: Ask) -> list[Item]:
    if not _LANGUAGE.fullmatch(language):
        raise RequestError(f"wikipedia: {language!r} is no language code; expected some like en,de")
    wiki = f"{language.replace('-', '_')}wiki"
    if ask.date is not None:
        found = _articles(wiki, ask.date, ask.base)
        if not found:
            raise RequestError(f"wikipedia: the dump {wiki} of {ask.date} is not complete; leave out --date, or wait")
        return found
    page = index(f"{ask.base}{wiki}/", f"there is no Wikipedia with the code {language}").decode("utf-8", "replace")
    for date in sorted(set(_DATE.findall(page)), reverse=True):
        found = _articles(wiki, date, ask.base)
        if found:
            return found
    raise RequestError(f"{ask.base}{wiki}/: no complete dump of articles is there")


def _articles(wiki: str, date: str, base: str) -> list[Item]:
    """The files of a dump's articles; none while it is being made."""
    url = f"{base}{wiki}/{date}/dumpstatus.json"
    text = index(url, f"there is no dump of {date}; Wikimedia keeps those of the last months (docs/downloads.md)")
    try:
        jobs: dict[str, Any] = json.loads(text)["jobs"]
        job: dict[str, Any] = next(
            (jobs[name] for name in _JOBS if jobs.get(name, {}).get("files")), {"status": "", "files": {}}
        )
        if job["status"] != "done":
            return []
        return [
            Item(
                checked_name(name),
                base.rstrip("/") + about["url"],
                int(about["size"]),
                tuple((kind, about[kind]) for kind in ("sha1", "md5") if about.get(kind)),
            )
            for name, about in sorted(job["files"].items())
            if name.endswith(".xml.bz2") or ".xml-p" in name
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"{url}: not the status of a dump as it is known: {type(error).__name__}: {error}") from None


SOURCE = Source(
    name="wikipedia",
    domain="wikipedia",
    what=f"languages, like en,de (default: LLaMA's {len(LANGUAGES)})",
    base="https://dumps.wikimedia.org/",
    licence="CC BY-SA 4.0 and GFDL",
    terms="https://dumps.wikimedia.org/legal.html",
    checksums="sha1 and md5 (dumpstatus.json)",
    connections=2,
    files=files,
)
