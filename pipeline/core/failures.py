"""Any error as a sentence: what failed, of which file, and what to do. Where one is not known, it is said so."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_WHAT_TO_DO = {
    errno.ENOSPC: "the disk is full: make room and give the same command again",
    errno.EDQUOT: "the quota is used up: make room and give the same command again",
    errno.EFBIG: "the file is larger than may be written here: raise the limit (ulimit -f) or write elsewhere",
    errno.EROFS: "the file system is read-only: write to another folder",
    errno.EACCES: "permission is denied: change its owner or mode, or name another",
    errno.EPERM: "that is not permitted: change its owner or mode, or name another",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n) or use fewer workers",
    errno.ENFILE: "the machine has too many files open: use fewer workers",
    errno.ENOENT: "there is no such file or folder: check the name",
    errno.ENOTDIR: "a part of its name is no folder: check the name",
    errno.EISDIR: "it is a folder: name a file",
    errno.ENAMETOOLONG: "its name is too long: choose a shorter one",
    errno.EIO: "the device cannot be read or written: check the disk",
}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REPEAT = "give the same command again; if it fails again, --debug shows where"
_DAMAGED = "it is damaged, cut short, or not what its name says; --debug shows where"
_STORE = "check the address, the keys and the network, then give the same command again"
# Errors of packages that are not imported for this, by package and class: what it is about, and what to do.
_KINDS: dict[str, tuple[str, str]] = {
    "pyarrow.ArrowMemoryError": ("there is not enough memory", "use fewer workers, or a machine with more"),
    "pyarrow.ArrowException": ("a parquet or Arrow file", _DAMAGED),
    "json.JSONDecodeError": ("JSON", _DAMAGED),
    "yaml.YAMLError": ("YAML", "check its indentation and quotes; --debug shows where"),
    "zstandard.ZstdError": ("a zstd stream", _DAMAGED),
    "zstd.ZstdError": ("a zstd stream", _DAMAGED),
    "zlib.error": ("a compressed stream", _DAMAGED),
    "_lzma.LZMAError": ("an xz stream", _DAMAGED),
    "py7zr.ArchiveError": ("a 7z archive", _DAMAGED),
    "zipfile.BadZipFile": ("a zip archive", _DAMAGED),
    "tarfile.TarError": ("a tar archive", _DAMAGED),
    "lxml.LxmlError": ("XML", _DAMAGED),
    "xml.ExpatError": ("XML", _DAMAGED),
    "pyexpat.ExpatError": ("XML", _DAMAGED),
    "builtins.UnicodeError": (
        "text",
        "it is not in the encoding that was expected, UTF-8 in most places; --debug shows where",
    ),
    "builtins.EOFError": ("a file", "it is cut short; --debug shows where"),
    "_pickle.PickleError": ("something cannot be sent to another process", _REPEAT),
    "builtins.OverflowError": (
        "a number is too large",
        "check the numbers of the recipe and the input; --debug shows where",
    ),
    "sqlite3.Error": ("a database", _DAMAGED),
    "botocore.NoCredentialsError": (
        "the store wants keys",
        "set them as its own tools do (AWS_PROFILE, AWS_ACCESS_KEY_ID)",
    ),
    "botocore.BotoCoreError": ("the store does not answer as expected", _STORE),
    "botocore.ClientError": ("the store refuses", _STORE),
    "aiohttp.ClientError": ("the server does not answer as expected", _STORE),
    "gcsfs.HttpError": ("the store refuses", _STORE),
    "builtins.ImportError": (
        "a package is missing or does not fit",
        "install llama-data again with the extras that you use; --debug shows where",
    ),
    "pydantic_core.ValidationError": ("a value is not allowed", "check the recipe and the flags; --debug shows where"),
}


def is_no_room(error: BaseException) -> bool:
    """Whether nothing more can be written: a full disk, a quota, a limit of a file's size."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Where there is no room for a file that others write, and their error does not name it, name this."""
    try:
        yield
    except OSError as error:
        if is_no_room(error) and error.filename is None:
            error.filename = path
        raise


def sentence_of_error(error: BaseException) -> str:
    """What a person is told of an error that is not one of ours."""
    kinds = _kinds_of(error)
    if "click.Abort" in kinds and error.__cause__ is not None:  # what click makes of an EOFError
        return sentence_of_error(error.__cause__)
    if isinstance(error, MemoryError):
        return "there is not enough memory: use fewer workers, or a machine with more"
    if isinstance(error, RecursionError):
        return "something is nested too deeply to be read; --debug shows where"
    if isinstance(error, OSError):
        return _of_system(error)
    said = " ".join(str(error).split())[:500]
    for kind in kinds:
        if kind in _KINDS:
            what, do = _KINDS[kind]
            return f"{what}: {said or type(error).__name__}; {do}"
    return f"{type(error).__name__}: {said or 'no more is known'}; {_REPEAT}"


def wrong_usage(error: BaseException) -> str | None:
    """What the command line's parser says of the arguments, as one sentence of ours; None: it is no error of its."""
    if "click.ClickException" not in _kinds_of(error):
        return None
    said = " ".join(str(error.format_message()).split()).rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else ""
    return f"{said[:1].lower()}{said[1:]}{f'; `{path} --help` shows what it takes' if path else ''}"


def help_of(error: BaseException) -> str | None:
    """The help that stands in place of an error where no arguments were given; None: it is something else."""
    return str(error.ctx.get_help()) if type(error).__name__ == "NoArgsIsHelpError" else None  # type: ignore[attr-defined]


def _kinds_of(error: BaseException) -> list[str]:
    """Package and name of an error's class and of those above it; typer's own copy of click is click."""
    names = []
    for kind in type(error).__mro__:
        package = kind.__module__.partition(".")[0]
        names.append(f"{'click' if package == 'typer' else package}.{kind.__name__}")
    return names


def _of_system(error: OSError) -> str:
    """Of the operating system or of a store: fsspec's, botocore's and aiohttp's errors come as such, or from such."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = f"{' to '.join(names)}: " if names else ""
    known = _WHAT_TO_DO.get(error.errno) if error.errno is not None else None
    if known is not None:
        return where + known
    said = " ".join((error.strerror or str(error)).split())[:500]
    return f"{where}{said or type(error).__name__}; {_REPEAT}"
