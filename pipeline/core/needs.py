"""The models that settings name: what a run must find before it starts, and what a list of models shows first."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from llama_data.pipeline.core.errors import RequestError

STARTER = "starter"


class Need(NamedTuple):
    """A model that settings name.

    ``key``: where in them (``perplexity_models.en``). ``files``: those that can be downloaded. ``find`` looks for it in
    a folder of models, and raises RequestError with what to do. ``starter``: the package brings one that may stand
    there. ``package``: the module without which no such model can be used.
    """

    key: str
    name: str
    files: tuple[str, ...]
    find: Callable[[str | None], object]
    starter: bool
    package: str | None = None

    def below(self, prefix: str) -> Need:
        """The same need of settings that lie in others."""
        return self._replace(key=f"{prefix}.{self.key}")

    def problem(self, models_dir: str | None) -> str | None:
        """Why it cannot be used, and what to do; None: it can."""
        try:
            self.find(models_dir)
        except RequestError as error:
            return str(error)
        return None
