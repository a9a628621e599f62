"""Any error as a sentence: what failed, of which file, and what to do. Where one is not known, it is said so."""

from __future__ import annotations

import errno

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


def is_no_room(error: BaseException) -> bool:
    """Whether nothing more can be written: a full disk, a quota, a limit of a file's size."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def sentence_of_error(error: BaseException) -> str:
    """What a person is told of an error that is not one of ours."""
    if isinstance(error, MemoryError):
        return "there is not enough memory: use fewer workers, or a machine with more"
    if isinstance(error, RecursionError):
        return "something is nested too deeply to be read; --debug shows where"
    if isinstance(error, OSError):
        return _of_system(error)
    said = " ".join(str(error).split())[:500]
    kind = type(error).__name__
    return f"{kind}: {said or 'no more is known'}; {_REPEAT}"


def _of_system(error: OSError) -> str:
    """Of the operating system or of a store: fsspec's, botocore's and aiohttp's errors come as such, or from such."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = f"{' to '.join(names)}: " if names else ""
    known = _WHAT_TO_DO.get(error.errno) if error.errno is not None else None
    if known is not None:
        return where + known
    said = " ".join((error.strerror or str(error)).split())[:500]
    return f"{where}{said or type(error).__name__}; {_REPEAT}"
