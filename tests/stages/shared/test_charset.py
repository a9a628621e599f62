# ruff: noqa: RUF001
"""The characters of pages whose encoding is said well, badly, or not at all."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.shared import charset
from llama_data.stages.shared.charset import declared, decode_html, encoding_of

TEXTS = {
    "shift_jis": "これは古い水車についての頁です。水車は川のそばで一日中回っています。",
    "euc-jp": "これは古い水車についての頁です。水車は川のそばで一日中回っています。",
    "iso-2022-jp": "これは古い水車についての頁です。水車は川のそばで一日中回っています。",
    "gbk": "这是关于河边古老水车的一页。老人们说它一直在转动，从早到晚。",
    "gb18030": "这是关于河边古老水车的一页。老人们说它一直在转动，从早到晚。",
    "big5": "這是關於河邊古老水車的一頁。老人們說它一直在轉動，從早到晚。",
    "euc-kr": "이것은 강가의 오래된 물레방아에 관한 쪽입니다. 하루 종일 돌아갑니다.",
    "windows-1251": "Это страница о старой мельнице у реки. Колесо её вертится весь день.",
    "koi8-r": "Это страница о старой мельнице у реки. Колесо её вертится весь день.",
    "koi8-u": "Це сторінка про старий млин біля річки. Колесо його крутиться цілий день.",
    "x-mac-cyrillic": "Это страница о старой мельнице у реки. Колесо её вертится весь день.",
    "windows-1253": "Αυτή η σελίδα μιλά για τον παλιό μύλο δίπλα στο ποτάμι.",
    "windows-1255": "זה דף על הטחנה הישנה ליד הנהר. הגלגל שלה מסתובב כל היום.",
    "iso-8859-8-i": "זה דף על הטחנה הישנה ליד הנהר. הגלגל שלה מסתובב כל היום.",
    "windows-1256": "هذه صفحة عن الطاحونة القديمة قرب النهر. عجلتها تدور طوال النهار.",
    "windows-874": "นี่คือหน้าเกี่ยวกับโรงสีเก่าริมแม่น้ำ",
    "iso-8859-2": "To jest strona o starym młynie nad rzeką. Koło obraca się cały dzień.",
    "windows-1252": "C’est une page sur le vieux moulin près de la rivière, où l’été est là.",
    "macintosh": "C’est une page sur le vieux moulin près de la rivière, où l’été est là.",
}
CODECS = {
    "x-mac-cyrillic": "mac-cyrillic",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "macintosh": "mac-roman",
}
encodings = pytest.mark.parametrize("label", TEXTS)


def page(text: str, head: str = "") -> str:
    return f"<html><head>{head}<title>T</title></head><body><p>{text}</p></body></html>"


@encodings
def test_what_the_header_says_is_taken(label: str) -> None:
    whole = page(TEXTS[label])
    body = whole.encode(CODECS.get(label, label))
    assert decode_html(body, label) == whole
    assert decode_html(body, label.upper()) == whole


@encodings
@pytest.mark.parametrize(
    "meta",
    [
        '<meta charset="{}">',
        "<META CHARSET={}>",
        "<meta  http-equiv='Content-Type' content='text/html; charset={}'/>",
        '<meta content="text/html; charset={}" http-equiv="content-type">',
        "<!-- <meta charset=utf-8> --><meta name=a content=b><meta charset = '{}' >",
        "<!-- " + "x" * 5000 + " --><meta charset='{}'>",
    ],
)
@pytest.mark.parametrize("header", [None, "foo-bar"])
def test_what_the_page_says_is_taken_where_the_header_says_nothing(label: str, meta: str, header: str | None) -> None:
    whole = page(TEXTS[label], meta.format(label))
    assert decode_html(whole.encode(CODECS.get(label, label)), header) == whole


def test_the_header_goes_before_the_page() -> None:
    whole = page(TEXTS["koi8-r"], "<meta charset=windows-1251>")
    assert decode_html(whole.encode("koi8-r"), "koi8-r") == whole


@pytest.mark.parametrize("label", ["windows-1251", "shift_jis", "gbk", "big5", "euc-jp", "iso-2022-jp"])
def test_the_page_goes_before_a_server_that_says_latin_1_of_everything(label: str) -> None:
    whole = page(TEXTS[label] * 4, f"<meta charset={label}>")
    assert decode_html(whole.encode(label), "ISO-8859-1") == whole
    # A page that is Latin 1 and says another is Latin 1.
    french = page(TEXTS["windows-1252"], f"<meta charset={label}>")
    assert decode_html(french.encode("cp1252"), "iso-8859-1") == french


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1251", "gbk", "shift_jis", "us-ascii", "iso-8859-15", None])
def test_utf_8_goes_before_what_is_said(label: str | None) -> None:
    whole = page("Æsop’s mill – naïve façade, and a coöperative wheel: “old”.", f"<meta charset={label}>")
    assert decode_html(whole.encode(), label) == whole
    # A few broken bytes do not make another encoding of it: two to these eight characters and twelve more.
    for more, kept in ((12, True), (11, label is None)):
        long = whole.replace("</p>", "é" * more + "</p>")
        found = decode_html(long.encode().replace(b"mill", b"mi\xe9l\x85l"), label)
        assert (found == long.replace("mill", "mi\ufffdl\ufffdl")) == kept


@pytest.mark.parametrize("count", [1, 7, 8, 20])
def test_few_characters_do_not_make_utf_8_of_what_is_said_to_be_gbk(count: int) -> None:
    # The two bytes of this character are a character of UTF-8 too.
    body = b"<p>" + "模".encode("gbk") * count
    assert decode_html(body, "gbk") == "<p>" + ("模" if count < charset.MIN_UTF8 else "ģ") * count
    assert decode_html(body, None) == "<p>" + "ģ" * count


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_a_byte_order_mark_decides(mark: bytes) -> None:
    name = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le"}.get(mark, "utf-16-be")
    whole = page("Мельница “old”", "<meta charset=koi8-r>")
    assert decode_html(mark + whole.encode(name), "iso-8859-1") == whole


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("label", [None, "utf-16", "utf-16le", "utf-16be", "unicode"])
def test_utf_16_without_a_mark_is_seen(name: str, label: str | None) -> None:
    for begin in ("", "<!DOCTYPE html>", "<?xml version='1.0'?>"):
        whole = begin + page("Мельница “old”")
        assert decode_html(whole.encode(name), label) == whole


def test_ascii_said_to_be_utf_16_is_ascii() -> None:
    for meta in ("<meta charset=utf-16>", "<meta charset=utf-16be>", "<meta charset=unicode>"):
        whole = page("An old mill.", meta)
        assert decode_html(whole.encode(), "utf-16") == whole
        assert decode_html(page("“old”", meta).encode(), None) == page("“old”", meta)


def test_an_xml_declaration_is_read() -> None:
    for text in ("<?xml version='1.0' encoding='koi8-r'?>", '\n<?xml version="1.0" encoding = "KOI8-R" ?>'):
        whole = text + page(TEXTS["koi8-r"])
        assert decode_html(whole.encode("koi8-r"), None) == whole


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("x-sjis", "cp932"), ("gb2312", "gb18030"), ("gb_2312-80", "gb18030"), ("iso-8859-1", "cp1252"),
        ("latin1", "cp1252"), ("ascii", "cp1252"), ("unicode", "utf-16-le"), ("utf8", "utf-8"), ("utf_8", "utf-8"),
        ("iso-8859-9", "cp1254"), ("iso-8859-11", "cp874"), ("tis-620", "cp874"), ("ks_c_5601-1987", "cp949"),
        ("big5-hkscs", "big5hkscs"), ("x-x-big5", "big5hkscs"), ("x-mac-cyrillic", "mac-cyrillic"),
        ("iso-8859-8-i", "iso8859-8"), ("logical", "iso8859-8"), ("gb18030", "gb18030"), ("hz-gb-2312", "hz"),
        ("iso-2022-kr", "iso2022_kr"), ("x-user-defined", "x-user-defined"), ("\t KOI8-R \n", "koi8-r"),
        ("windows1251", "cp1251"), ("win-1250", "cp1250"), ("cp 1252", None), ("ibm850", "cp850"),
        ("replacement", None), ("iso-2022-cn", None), ("foo-bar", None), ("", None), (None, None), ("é", None),
        ("rot13", None), ("zlib", None), ("utf-7", None), ("idna", None), ("unicode_escape", None),
        ('utf-8"', None), ("utf-8\0", None), ("a" * 41, None), ("../x", None),
    ],
)  # fmt: skip
def test_labels_mean_what_they_mean_on_the_web(label: str | None, name: str | None) -> None:
    found = encoding_of(label)
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("body", "label", "text"),
    [
        (b"<p>\x93q\x94 \x81\x9d", "iso-8859-1", "<p>“q” \x81\x9d"),
        (b"a\x80b\xd6\xd0\xb9\xfa", "gbk", "a€b中国"),
        (b"\xa5\xad\xad\xa1\xad\xea\xf9\xa1\xc6\xfc", "euc-jp", "キ①㈱纊日"),
        (b"\x87\x40\x93\xfa", "shift_jis", "①日"),
        (b"a\xe1\xf7", "x-user-defined", "a\uf7e1\uf7f7"),
        (b"~{VPND~} text", "hz-gb-2312", "中文 text"),
        (b"\xb5\xb5\xb5", "koi8-r", "╣╣╣"),
    ],
)
def test_bytes_mean_what_they_mean_on_the_web(body: bytes, label: str, text: str) -> None:
    assert decode_html(body, label) == text


@pytest.mark.parametrize(
    ("body", "label"),
    [
        (b"", None),
        (b"<meta charset=koi8-r", None),
        (b"<meta charset=>", None),
        (b"<meta charset=foo><meta charset=koi8-r>", "koi8-r"),
        (b"<meta content='charset=koi8-r'>", None),
        (b"<meta http-equiv=refresh content='charset=koi8-r'>", None),
        (b"<meta http-equiv=content-type content='x; charset koi8-r'>", None),
        (b"<meta http-equiv=content-type content='charset; charset=koi8-r'>", "koi8-r"),
        (b"<meta charset=utf-16le>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<metacharset=koi8-r>", None),
        (b"<p title='<meta charset=koi8-r>'>", None),
        (b"<!-- <meta charset=koi8-r> -->", None),
        (b"<!--><meta charset=koi8-r>", "koi8-r"),
        (b"<!x <meta charset=koi8-r>", None),
        (b"</ <meta charset=big5><meta charset=koi8-r>", "koi8-r"),
        (b"<p a=b c='d' e=\"f\"g / h><meta/charset=koi8-r/>", None),
        (b"<p a=b c='d' e=\"f\"g / h><meta/charset=koi8-r>", "koi8-r"),
        (b"<meta charset=koi8-r charset=big5>", "koi8-r"),
        (b"<?xml version='1.0' encoding='koi8-r'?><meta charset=big5>", "big5"),
        (b"< <meta charset=koi8-r>", "koi8-r"),
    ],
)
def test_the_scan_of_a_page(body: bytes, label: str | None) -> None:
    assert declared(body) == label


def test_the_scan_ends_at_its_limit() -> None:
    meta = b"<meta charset=koi8-r>"
    for before, found in ((charset.SCAN - len(meta), "koi8-r"), (charset.SCAN - len(meta) + 1, None)):
        assert declared(b" " * before + meta) == found


@given(st.binary(max_size=200), st.one_of(st.none(), st.text(max_size=12), st.sampled_from(sorted(TEXTS))))
def test_any_bytes_are_some_text(body: bytes, label: str | None) -> None:
    text = decode_html(body, label)
    text.encode()  # no lone surrogate
    decode_html(b"<meta charset=" + body, label)
    assert isinstance(text, str)


@pytest.mark.parametrize("label", ["utf8", "UTF-8"])
@pytest.mark.parametrize("count", [1, 3])
def test_damaged_utf_8_that_is_said_to_be_utf_8_is_not_guessed(label: str, count: int) -> None:
    body = b"<p>The mill by the river</p>" + "é ".encode() * count + b"\xe9 " * count
    assert decode_html(body, label).endswith("é " * count + "\ufffd " * count)


@pytest.mark.parametrize("header", [None, "utf-8"])
@pytest.mark.parametrize("name", ["euc-kr", "euc-jp", "gbk", "big5", "shift_jis", "windows-1251", "koi8-r"])
def test_another_encoding_is_guessed(name: str, header: str | None) -> None:
    text = "<p>" + TEXTS[{"euc-jp": "shift_jis"}.get(name, name)] * 3
    assert decode_html(text.encode(name), header) == text
