"""Packages that only some requests need: what installs each, and the check before anything starts."""

from __future__ import annotations

from importlib.util import find_spec

from llama_data.pipeline.core.errors import RequestError

# The module that is imported, and the extra of ours that brings it.
EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "lm_eval": "eval",
    "accelerate": "eval",
    "transformers": "eval",
    "ray": "ray",
    "s3fs": "s3",
    "gcsfs": "gcs",
    "trafilatura": "trafilatura",
    "spacy": "words",
}
# Wheels of these are not made for every machine; there they are compiled.
COMPILED = {"kenlm": "ufal-kenlm", "fasttext": "fasttext-numpy2"}
# The module that opens a kind of address.
STORES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}


def is_installed(module: str) -> bool:
    """True when a module can be imported; it is not imported for that."""
    try:
        return find_spec(module) is not None
    except ValueError:  # None stands in sys.modules for what must not be imported
        return False


def install(module: str) -> str:
    """The command that installs what brings a module."""
    if module in EXTRAS:
        return f'pip install "llama-data[{EXTRAS[module]}]"'
    return f"pip install {COMPILED[module]}"


def require(module: str, what_for: str, error: type[RequestError] = RequestError) -> None:
    """Raise ``error`` when a module is not installed; it says what for it is needed, and what installs it."""
    if is_installed(module):
        return
    compiles = " (where it has no wheel, that compiles it with a C++ compiler)" if module in COMPILED else ""
    raise error(f"{what_for} needs {module}, which is not installed: `{install(module)}`{compiles}")


def require_store(path: str, error: type[RequestError] = RequestError) -> None:
    """Raise ``error`` when what opens a path's kind of address is not installed."""
    protocol = path.partition("://")[0] if "://" in path else ""
    if protocol in STORES:
        require(STORES[protocol], f"{path}: an address that begins with {protocol}://", error)
