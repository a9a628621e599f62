"""C4 as the Allen Institute publishes it: https://huggingface.co/datasets/allenai/c4; sha256 from the hub's API."""

from __future__ import annotations

import json

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.http import Reading
from llama_data.pipeline.download.source import Ask, Item, Source, checked_name

REPOSITORY = "datasets/allenai/c4"
_KINDS = ("en", "en.noblocklist", "en.noclean", "realnewslike")


def files(ask: Ask) -> list[Item]:
    """The training files of a variant (default: ``en``, LLaMA's)."""
    found: list[Item] = []
    revision = ask.date or "main"
    for kind in ask.what or ("en",):
        if kind not in _KINDS:
            raise RequestError(f"c4: there is no variant {kind}; expected one of {', '.join(_KINDS)}")
        url: str | None = f"{ask.base}api/{REPOSITORY}/tree/{revision}/{kind}"
        while url is not None:
            reading = Reading(url)
            try:
                rows = json.loads(b"".join(reading))
                found += [_item(row, ask.base, revision) for row in rows if f"{kind}/c4-train." in row["path"]]
            except FileNotFoundError:
                raise RequestError(f"{url}: no such dataset or revision; check --from and --date") from None
            except PermissionError as error:
                raise RequestError(f"{url}: {error.strerror}") from None
            except (ValueError, KeyError, TypeError) as error:
                raise RequestError(f"{url}: not a list of files as it is known: {error}") from None
            url = reading.after
    return found


def _item(row: dict[str, object], base: str, revision: str) -> Item:
    path, size, lfs = str(row["path"]), row["size"], row.get("lfs")
    sums = (("sha256", str(lfs["oid"])),) if isinstance(lfs, dict) and lfs.get("oid") else ()
    address = f"{base}{REPOSITORY}/resolve/{revision}/{path}"
    return Item(checked_name(path), address, size if isinstance(size, int) else None, sums)


SOURCE = Source(
    name="c4",
    domain="c4",
    what=f"variants: {', '.join(_KINDS)} (default: en)",
    base="https://huggingface.co/",
    licence="ODC-BY, and Common Crawl's terms of use",
    terms="https://huggingface.co/datasets/allenai/c4",
    checksums="sha256 (the hub's list of files)",
    connections=4,
    files=files,
)
