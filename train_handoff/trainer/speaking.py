"""The options that `llama-train generate` and `chat` share: the fields of ``Speaking``. Starts without torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.options import require_in

if TYPE_CHECKING:
    from llama_data.train_handoff.trainer.generate import Speaker


@dataclass(frozen=True)
class Speaking:
    """How a model goes on with a text."""

    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="Folder of its tokenizer [default: tokenizer/ beside the mix].")
    ] = None
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Tokens to add at most.")] = 64
    temperature: Annotated[float, typer.Option("--temperature", min=0, help="0 takes the likeliest token.")] = 0.8
    top_p: Annotated[
        float | None, typer.Option("--top-p", min=0, max=1, help="Draw from the likeliest that together reach this.")
    ] = None
    top_k: Annotated[int | None, typer.Option("--top-k", min=1, help="Draw from so many of the likeliest.")] = None
    stop: Annotated[list[str] | None, typer.Option("--stop", help="End before this text; repeat it for more.")] = None
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws.")] = 1
    overflow: Annotated[
        str, typer.Option("--overflow", help="When the context is full: stop, or slide (forget its older half).")
    ] = "stop"
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto"
    dtype: Annotated[str, typer.Option("--dtype", help="float32, bfloat16 or float16.")] = "float32"

    def open(self, checkpoint: Path, stop: str = "") -> Speaker:
        """The model, which ends before the text ``stop`` too; what is to be known of it goes to standard error.

        Raises RequestError for an option that has no such value, and as ``generate.open_speaker`` does.
        """
        require_in(self.device, ("auto", "cpu", "cuda"), "--device")
        require_in(self.dtype, ("float32", "bfloat16", "float16"), "--dtype")
        require_in(self.overflow, ("stop", "slide"), "--overflow")
        if self.stop and "" in self.stop:
            raise RequestError("--stop: expected a text, found an empty one")
        from llama_data.train_handoff.trainer.generate import Sampling, open_speaker

        stops = (*(self.stop or ()), *([stop] if stop else []))
        slide = self.overflow == "slide"
        sampling = Sampling(self.tokens, self.temperature, self.top_p, self.top_k, stops, self.seed, slide)
        return open_speaker(checkpoint, self.tokenizer, sampling, _notice, device=self.device, dtype=self.dtype)


def _notice(text: str) -> None:
    typer.echo(f"llama-train: {text}", err=True)


def speaking(**defaults: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command with a parameter ``how: Speaking`` the fields as options; ``defaults`` are the command's own."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(Speaking, include_extras=True)
        options = {
            field.name: inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(field.name, field.default),
                annotation=hints[field.name],
            )
            for field in fields(Speaking)
        }
        own = [value for name, value in inspect.signature(command, eval_str=True).parameters.items() if name != "how"]

        def run(**given: Any) -> None:
            how = Speaking(**{name: given.pop(name) for name in options})
            command(**given, how=how)

        parameters = [*own, *options.values()]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__annotations__ = {value.name: value.annotation for value in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return run

    return decorate
