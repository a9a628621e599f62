"""A small copy of the official places, as a web server's files: the layouts of their indexes, around given dumps."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

CRAWL = "CC-MAIN-2020-05"
DATE = "20220620"
SITE = "/mirror"


def digest(kind: str, data: bytes) -> str:
    return hashlib.new(kind, data, usedforsecurity=False).hexdigest()


def commoncrawl(files: Mapping[str, bytes], crawl: str = CRAWL) -> dict[str, bytes]:
    paths = {f"crawl-data/{crawl}/segments/1579250589560.16/wet/{name}": data for name, data in files.items()}
    listed = "".join(f"{path}\n" for path in paths)
    return {
        f"/crawl-data/{crawl}/wet.paths.gz": gzip.compress(listed.encode()),
        **{f"/{path}": data for path, data in paths.items()},
    }


def wikipedia(dumps: Mapping[str, bytes], date: str = DATE) -> dict[str, bytes]:
    """``dumps`` by language; the newest date of each is still being made."""
    found = {}
    for language, data in dumps.items():
        wiki = f"{language}wiki"
        name = f"{wiki}-{date}-pages-articles-multistream.xml.bz2"
        url = f"/{wiki}/{date}/{name}"
        file = {"url": url, "size": len(data), "sha1": digest("sha1", data), "md5": digest("md5", data)}
        other = {**file, "url": f"{url}-index.txt.bz2", "size": 1}
        jobs = {"articlesmultistreamdump": {"status": "done", "files": {name: file, f"{name}-index.txt.bz2": other}}}
        making = {"articlesmultistreamdump": {"status": "in-progress", "files": {name: {}}}}
        found |= {
            f"/{wiki}/": f'<a href="{date}/">{date}/</a> <a href="20990101/">x</a> <a href="latest/">'.encode(),
            f"/{wiki}/{date}/dumpstatus.json": json.dumps({"version": "0.8", "jobs": jobs}).encode(),
            f"/{wiki}/20990101/dumpstatus.json": json.dumps({"version": "0.8", "jobs": making}).encode(),
            url: data,
        }
    return found


def stackexchange(sites: Mapping[str, bytes]) -> dict[str, bytes]:
    rows = "".join(
        f"<file name={quoteattr(name)} source='original'><format>7z</format><size>{len(data)}</size>"
        f"<md5>{digest('md5', data)}</md5><sha1>{digest('sha1', data)}</sha1></file>"
        for name, data in sites.items()
    )
    item = "/download/stackexchange"
    return {
        f"{item}/stackexchange_files.xml": f"<files>{rows}<file name='license.txt'/></files>".encode(),
        **{f"{item}/{name}": data for name, data in sites.items()},
    }


def gutenberg(books: Mapping[int, tuple[str, bytes]]) -> dict[str, bytes]:
    """``books`` by number: language and text."""
    head = "Text#,Type,Issued,Title,Language,Authors,Subjects,LoCC,Bookshelves\n"
    rows = "".join(f'{n},Text,2000-01-01,"A, title\nof two lines",{code},,,,\n' for n, (code, _) in books.items())
    sound = '999999,Sound,2000-01-01,"A reading",en,,,,\n'
    return {
        "/cache/epub/feeds/pg_catalog.csv.gz": gzip.compress((head + rows + sound).encode()),
        **{f"/cache/epub/{number}/pg{number}.txt": data for number, (_, data) in books.items()},
    }


def arxiv(tars: Mapping[str, bytes]) -> dict[str, bytes]:
    """``tars`` by name, like ``arXiv_src_2101_001.tar``."""
    rows = "".join(
        f"<file><content_md5sum>x</content_md5sum><filename>src/{name}</filename><md5sum>{digest('md5', data)}</md5sum>"
        f"<size>{len(data)}</size><yymm>{name.split('_')[2]}</yymm></file>"
        for name, data in tars.items()
    )
    manifest = f"<?xml version='1.0' standalone='yes'?><arXivSRC>{rows}<timestamp>now</timestamp></arXivSRC>"
    return {
        "/src/arXiv_src_manifest.xml": manifest.encode(),
        **{f"/src/{name}": data for name, data in tars.items()},
    }


def c4(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """``files`` by name, like ``c4-train.00000-of-01024.json.gz``."""
    rows = [
        {"type": "file", "path": f"en/{name}", "size": len(data), "lfs": {"oid": digest("sha256", data)}}
        for name, data in files.items()
    ]
    return {
        "/api/datasets/allenai/c4/tree/main/en": json.dumps(rows).encode(),
        **{f"/datasets/allenai/c4/resolve/main/en/{name}": data for name, data in files.items()},
    }
