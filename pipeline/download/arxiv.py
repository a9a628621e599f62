"""arXiv's sources: the bucket ``arxiv``, where who downloads pays, and its manifest with sizes and md5.

https://info.arxiv.org/help/bulk_data_s3.html
"""

from __future__ import annotations

import re

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.download.source import Ask, Item, Source, checked_name, index
from llama_data.pipeline.download.xml_index import file_elements

MANIFEST = "src/arXiv_src_manifest.xml"
DOLLARS_A_GB = 0.09  # out of Amazon to the internet, the first 10 TB a month, https://aws.amazon.com/s3/pricing/
_MONTHS = re.compile(r"(\d{2}(?:0[1-9]|1[0-2]))(?:-(\d{2}(?:0[1-9]|1[0-2])))?")


def files(ask: Ask) -> list[Item]:
    """The tars of months, or all. Raises RequestError: nobody has said that he pays."""
    if ask.base.startswith("s3://") and not ask.pays:
        raise RequestError(
            "arxiv: its bucket is one where who downloads pays Amazon: about 3 TB of sources (2023), some "
            f"${DOLLARS_A_GB} a GB outside of us-east-1, and a few MB for the manifest that says which files there "
            "are. --requester-pays says that you do, with the credentials of your AWS account"
        )
    url = ask.base + MANIFEST
    spans = [_span(months) for months in ask.what]
    found = []
    for row in file_elements(index(url, "the manifest is not there; check --from", pays=ask.pays), url):
        month = _month(row.get("yymm", "0000"))
        if not spans or any(first <= month <= last for first, last in spans):
            name = checked_name(row.get("filename", ""))
            size = int(row["size"]) if row.get("size", "").isdecimal() else None
            sums = (("md5", row["md5sum"]),) if row.get("md5sum") else ()
            found.append(Item(name, ask.base + name, size, sums))
    if not found:
        raise RequestError(f"{url}: no file of {', '.join(ask.what) or 'any month'}")
    return found


def _month(yymm: str) -> str:
    return ("19" if yymm >= "9100" else "20") + yymm


def _span(months: str) -> tuple[str, str]:
    found = _MONTHS.fullmatch(months)
    if found is None:
        raise RequestError(f"arxiv: {months!r} is no month; expected YYMM, like 2101 or 2101-2112")
    return _month(found[1]), _month(found[2] or found[1])


SOURCE = Source(
    name="arxiv",
    domain="arxiv",
    what="months, like 2101 or 1901-2012 (default: all)",
    base="s3://arxiv/",
    licence="each paper's own; mostly arXiv's non-exclusive licence, which lets nobody else distribute it",
    terms="https://info.arxiv.org/help/bulk_data_s3.html",
    checksums="md5 (arXiv_src_manifest.xml)",
    connections=4,
    files=files,
)
