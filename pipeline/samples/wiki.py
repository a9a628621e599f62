"""XML samples: Wikipedia's article dumps and Stack Exchange's Posts.xml."""

from __future__ import annotations

import bz2
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from llama_data.pipeline.samples.sheets import EPOCH, Entry, gzipped, sheet, write

NAMESPACE = "http://www.mediawiki.org/xml/export-0.10/"
POST_TYPES = {"question": "1", "answer": "2", "wiki": "5"}


def _page(entry: Entry) -> str:
    number, redirect = entry.fields["id"], entry.fields.get("redirect")
    parts = [f"    <title>{escape(entry.head)}</title>", f"    <ns>{entry.fields.get('ns', '0')}</ns>"]
    parts.append(f"    <id>{number}</id>")
    if redirect is not None:
        parts.append(f"    <redirect title={quoteattr(redirect)} />")
    size = len(entry.text.encode())
    parts += [
        "    <revision>",
        f"      <id>{int(number) + 9000}</id>",
        "      <timestamp>2022-07-01T12:00:00Z</timestamp>",
        "      <contributor>\n        <username>Sample</username>\n        <id>1</id>\n      </contributor>",
        "      <model>wikitext</model>\n      <format>text/x-wiki</format>",
        f'      <text bytes="{size}" xml:space="preserve">{escape(entry.text)}</text>',
        "    </revision>",
    ]
    return "  <page>\n" + "\n".join(parts) + "\n  </page>\n"


def _site(language: str) -> str:
    return (
        f'<mediawiki xmlns="{NAMESPACE}" version="0.10" xml:lang="{language}">\n  <siteinfo>\n'
        f"    <sitename>Wikipedia</sitename>\n    <dbname>{language}wiki</dbname>\n"
        f"    <base>https://{language}.wikipedia.org/wiki/Sample</base>\n"
        '    <namespaces>\n      <namespace key="0" case="first-letter" />\n'
        '      <namespace key="1" case="first-letter">Talk</namespace>\n    </namespaces>\n  </siteinfo>\n'
    )


def build_wikipedia(folder: Path) -> None:
    """One pages-articles dump for each of English, German and French."""
    for language in ("en", "de", "fr"):
        pages = "".join(_page(entry) for entry in sheet(f"wikipedia/{language}.wiki"))
        data = bz2.compress(f"{_site(language)}{pages}</mediawiki>\n".encode())
        write(folder / f"{language}wiki-sample-pages-articles.xml.bz2", data)


def _row(entry: Entry, answers: int) -> str:
    number = int(entry.fields["id"])
    moment = datetime.fromtimestamp(EPOCH, tz=UTC) + timedelta(hours=5 * number)
    values = {
        "Id": str(number),
        "PostTypeId": POST_TYPES[entry.head],
        "ParentId": entry.fields.get("parent"),
        "CreationDate": moment.strftime("%Y-%m-%dT%H:%M:%S.000"),
        "Score": entry.fields.get("score", "0"),
        "Body": entry.text + "\n",
        "OwnerUserId": str(100 + number % 7),
        "Title": entry.fields.get("title"),
        "Tags": "".join(f"<{tag}>" for tag in entry.fields.get("tags", "").split(",") if tag) or None,
        "AnswerCount": str(answers) if entry.head == "question" else None,
        "ContentLicense": "Apache-2.0",
    }
    attributes = " ".join(
        f"{name}={quoteattr(value, {chr(10): '&#xA;', chr(34): '&quot;'})}"
        for name, value in values.items()
        if value is not None
    )
    return f"  <row {attributes} />\n"


def posts_xml(topic: str) -> bytes:
    """Posts.xml of one made-up site: rows by id, and a byte order mark first, as in real dumps."""
    entries = sorted(sheet(f"questions/{topic}.html"), key=lambda entry: int(entry.fields["id"]))
    parents = [entry.fields.get("parent") for entry in entries]
    rows = "".join(_row(entry, parents.count(entry.fields["id"])) for entry in entries)
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n{rows}</posts>\n'.encode()


def build_stackexchange(folder: Path) -> None:
    """One site as a 7z archive and one as a folder with a gzipped Posts.xml."""
    import py7zr

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "Posts.xml"
        source.write_bytes(posts_xml("cooking"))
        # The archive stores the times and the mode of the file.
        os.utime(source, (EPOCH, EPOCH))
        source.chmod(0o644)
        with py7zr.SevenZipFile(folder / "cooking.sample.stackexchange.com.7z", "w") as archive:
            archive.write(source, "Posts.xml")
    site = folder / "gardening.sample.stackexchange.com"
    write(site / "Posts.xml.gz", gzipped(posts_xml("gardening")))
