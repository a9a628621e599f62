"""Index files in XML, flat: an element for each file."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from lxml import etree  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RequestError


def file_elements(data: bytes, url: str) -> Iterator[dict[str, str]]:
    """The attributes of each ``<file>`` and the texts of what is in it, by name. Raises RequestError: no XML."""
    try:
        for _, element in etree.iterparse(BytesIO(data), tag="file", resolve_entities=False, no_network=True):
            inner = {str(child.tag): (child.text or "").strip() for child in element}
            yield {**{str(key): str(value) for key, value in element.attrib.items()}, **inner}
            element.clear()
    except etree.XMLSyntaxError as error:
        raise RequestError(f"{url}: not readable as XML: {error}") from None
