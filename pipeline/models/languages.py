"""Language codes as fastText's language models use them: two letters where ISO 639-1 has them."""

from __future__ import annotations

import re

# ISO 639-3 codes (and individual languages of a macrolanguage) that have another name in fastText's models.
_NAMES = """
afr af  als sq  amh am  arb ar  ara ar  azj az  bel be  ben bn  bod bo  bos bs  bre br  bul bg  cat ca  ces cs
chv cv  cmn zh  zho zh  cos co  cym cy  dan da  deu de  div dv  ell el  eng en  epo eo  est et  eus eu  fin fi
fra fr  fas fa  pes fa  gla gd  gle ga  glg gl  gug gn  guj gu  hat ht  heb he  hin hi  hrv hr  hun hu  hye hy
ido io  ina ia  ind id  isl is  ita it  jav jv  jpn ja  kan kn  kat ka  kaz kk  khm km  kir ky  kor ko  lao lo
lat la  lav lv  lit lt  ltz lb  mal ml  mar mr  mkd mk  mlt mt  khk mn  mya my  nep ne  nld nl  nob no  nor no
nno nn  oci oc  oss os  pan pa  plt mg  pol pl  por pt  quz qu  roh rm  ron ro  rus ru  sah sah  san sa  sin si
slk sk  slv sl  som so  spa es  src sc  srp sr  sun su  swe sv  swh sw  swa sw  tam ta  tat tt  tel te  tgk tg
tgl tl  tha th  tuk tk  tur tr  uig ug  ukr uk  urd ur  uzn uz  vie vi  wln wa  ydd yi  yor yo  nb no
"""
_CODES = dict(zip(_NAMES.split()[::2], _NAMES.split()[1::2], strict=True))
_CODE = re.compile(r"([a-z]{2,3})(?:[-_][A-Za-z0-9]+)*")


def language_code(name: str) -> str | None:
    """fastText's code for ``deu``, ``deu_1901``, ``pt-BR`` or ``en``; None for what is not a language code."""
    match = _CODE.fullmatch(name)
    return _CODES.get(match.group(1), match.group(1)) if match else None
