"""The built-in tables together: by language, by pattern, by name, by the beginning of a name."""

from __future__ import annotations

from functools import lru_cache

from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.templates.aliases import aliases_of
from llama_data.stages.wikipedia.templates.call import Call, Handler, normal_name, title_of
from llama_data.stages.wikipedia.templates.handlers import constant
from llama_data.stages.wikipedia.templates.local_registry import LOCAL
from llama_data.stages.wikipedia.templates.numbers import fraction_name
from llama_data.stages.wikipedia.templates.registry import COMMON
from llama_data.stages.wikipedia.templates.words_registry import by_pattern


def _with_aliases(language: str) -> dict[str, Handler]:
    own = dict(LOCAL.get(language, {}))
    for alias, name in aliases_of(language).items():
        handler = own.get(name) or COMMON.get(name)
        if handler is None:
            raise AssertionError(f"aliases: {language} has no template {name!r}")
        own.setdefault(alias, handler)
    return own


_LOCAL = {language: _with_aliases(language) for language in LANGUAGES}
_STEMS = ("lang-", "ipa-", "ipac-", "јез-", "jez-")


def from_table(call: Call) -> str | None:
    """What the template shows by the built-in tables; None when its name is in none of them.

    Names are found whatever their case, but those of a pattern (``{{XIXe siècle}}``, ``{{USA}}``) in their own.
    """
    handler = _handler(call.name, call.language)
    return None if handler is None else handler(call)


@lru_cache(maxsize=1 << 14)
def _handler(template: str, language: str) -> Handler | None:
    name = normal_name(template)
    handler = by_pattern(title_of(template), language) or _LOCAL.get(language, {}).get(name) or COMMON.get(name)
    if handler is None and "-" in name:
        handler = next((COMMON[stem] for stem in _STEMS if name.startswith(stem)), None)
    if handler is None and (fraction := fraction_name(name)):
        handler = constant(fraction)
    return handler
