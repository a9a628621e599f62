"""Any bytes: a reader gives documents or rows of what it could not read, and nothing ends its task."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from formats import FORMATS, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = 1000 if "LLAMA_DATA_SOAK" in os.environ else 15

# What readers look for; by themselves bytes at random would hardly ever have one.
_MARKS = (
    *(b"WARC/1.0\r\n", b"Content-Length: ", b"\r\n\r\n", b"WARC-Type: response\r\n", b"HTTP/1.1 200 OK\r\n"),
    *(
        b"<row ",
        b' Id="1"',
        b" />\n",
        b"<page>",
        b"</page>",
        b"<text>",
        b"<title>",
        b"<!DOCTYPE a [<!ENTITY b '&b;'>]>",
    ),
    *(b'{"text": "', b'"}\n', b'"', b"\\ud800", b"[", b"\n", b"\r", b",", b"\t", b"\0", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff", b"7z\xbc\xaf\x27\x1c", b"ustar\0"),
    *(
        b"\x1f\x8b\x08",
        b"BZh91AY&SY",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"http://a/ 1.2.3.4 20080430204825 text/html 9\n",
    ),
    *(
        b"99999999999999999999",
        b"-1",
        b"{{",
        b"}}",
        b"[[",
        b"]]",
        b"<ref>",
        rb"\begin{document}",
        b"1e999",
        b"\xed\xa0\x80",
    ),
)
_FILES = st.lists(st.sampled_from(_MARKS) | st.binary(max_size=40), max_size=30).map(b"".join)


def _pieces(name: str) -> st.SearchStrategy[bytes]:
    """Pieces of a sound file in any order, and other things between them."""
    data = FORMATS[name].data
    places = st.integers(0, len(data))
    piece = st.tuples(places, places).map(lambda ends: data[min(ends) : max(ends)])
    return st.lists(piece | st.sampled_from(_MARKS) | st.binary(max_size=9), min_size=1, max_size=5).map(b"".join)


@pytest.mark.parametrize("name", FORMATS)
def test_any_bytes_are_documents_or_rows(name: str) -> None:
    format = FORMATS[name]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(_FILES | _pieces(name))
    def of_any_bytes(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = read(format, data, Path(folder))
        assert not [detail for reason, detail in found.rows if reason == "broken_reader"]
        assert all(isinstance(text, str) for text in found.texts)

    of_any_bytes()
