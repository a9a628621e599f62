"""S3 under the project's rule for stores: s3fs, whose every request is tried as ``core.stores`` says.

Neither botocore nor s3fs tries by itself here: three layers of five tries would be 125. The body of a reply is read
inside the try, so that one that breaks is asked for from the byte where it broke, of the same version of the object.
Listings are not kept: other processes write into the same folders.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

import aiohttp  # type: ignore[import-not-found, unused-ignore]
import s3fs  # type: ignore[import-not-found, import-untyped, unused-ignore]
from botocore import exceptions as boto  # type: ignore[import-not-found, import-untyped, unused-ignore]
from fsspec.asyn import sync_wrapper  # type: ignore[import-untyped]
from s3fs.errors import translate_boto_error  # type: ignore[import-not-found, import-untyped, unused-ignore]

from llama_data.pipeline.core import stores
from llama_data.pipeline.core.stores import Pace, Patience, StoreError

AT_ONCE = 16
CHANGED = "the object has changed while it was read; let what writes it end, and give the same command again"
_PIECE = 1 << 20
_DELETED_AT_ONCE = 1000
_TOO_FAST = ("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "429", "503")
_PASSING = (
    *_TOO_FAST,
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "OperationAborted",
)
_BROKEN = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    aiohttp.ClientError,
    TimeoutError,
    ConnectionError,
)
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class PatientS3(s3fs.S3FileSystem):  # type: ignore[misc, unused-ignore]
    """s3fs with the project's tries, pace and time limits."""

    patient = True
    retries = 1
    connect_timeout = stores.CONNECT_SECONDS
    read_timeout = stores.READ_SECONDS

    def __init__(self, *args: Any, config_kwargs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        config = {"retries": {"total_max_attempts": 1, "mode": "standard"}, **(config_kwargs or {})}
        kwargs["use_listings_cache"] = False
        super().__init__(*args, config_kwargs=config, **kwargs)
        self._pace = Pace()
        self._gate: asyncio.Semaphore | None = None
        self._known = False

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        """As s3fs's; all that is read through one file is of one version of the object."""
        stream = super()._open(path, mode, **kwargs)
        if "r" in mode and stream.details.get("ETag"):
            stream.read_kw = {**stream.read_kw, "IfMatch": stream.details["ETag"]}
        return stream

    async def _call_s3(self, method: str, *akwarglist: Any, **kwargs: Any) -> Any:
        what = f"s3://{kwargs.get('Bucket', '')}/{kwargs.get('Key') or kwargs.get('Prefix') or ''}"
        patience = Patience(what, known=self._known)
        reading = _Reading(kwargs) if method == "get_object" else None
        while True:
            try:
                reply = await self._once(method, akwarglist, reading.request() if reading else kwargs, reading)
                self._known = True
                return reply
            except Exception as error:
                if reading is not None and reading.went_on():
                    patience.progress()
                if reading is not None and reading.is_empty(error):
                    continue
                if not self._may_pass(error):
                    done = await self._done_before(method, kwargs, error)
                    if done is not None:
                        return done
                    raise _explained(error, what) from error
                pause = patience.pause(error)
            await asyncio.sleep(pause)

    call_s3 = sync_wrapper(_call_s3)  # what s3fs's own classes call is its parent's otherwise

    async def _once(self, method: str, lists: Any, kwargs: dict[str, Any], reading: _Reading | None) -> Any:
        """Send a request once, in its turn."""
        if self._gate is None:
            self._gate = asyncio.Semaphore(AT_ONCE)
        await self.set_session()
        async with self._gate:
            await asyncio.sleep(self._pace.wait(time.monotonic()))
            client = await self.get_s3(kwargs.get("Bucket"))
            call = getattr(client, method)
            reply = await call(**self._get_s3_method_kwargs(call, *lists, **kwargs))
            if reading is not None:
                await reading.take(reply)
                reply = reading.reply
        self._pace.answered()
        return reply

    def _may_pass(self, error: Exception) -> bool:
        if isinstance(error, boto.ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
            if code in _TOO_FAST or status in (429, 503):
                self._pace.slow_down(time.monotonic())
            self._known = True
            return code in _PASSING or status in (408, 429) or (status >= 500 and status != 501)
        return isinstance(error, (_Short, *_BROKEN)) or type(error).__name__ == "ResponseParserError"

    async def _done_before(self, method: str, kwargs: dict[str, Any], error: Exception) -> dict[str, Any] | None:
        """What the store holds where an earlier try, whose reply was lost, has done what is found done already.

        That may have been a try of which nothing is known here: aiohttp sends a PUT again whose connection broke.
        """
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, boto.ClientError) else ""
        if method == "complete_multipart_upload" and code in ("NoSuchUpload", "404"):
            parts = [bytes.fromhex(part["ETag"].strip('"')) for part in kwargs["MultipartUpload"]["Parts"]]
            expected = f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
        elif method == "put_object" and "IfNoneMatch" in kwargs and code in ("PreconditionFailed", "412"):
            expected = hashlib.md5(kwargs["Body"], usedforsecurity=False).hexdigest()
        else:
            return None
        found: dict[str, Any] = await self._call_s3("head_object", Bucket=kwargs["Bucket"], Key=kwargs["Key"])
        return found if found["ETag"].strip('"') == expected else None

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Nothing: a store has no folders. s3fs asks for the bucket, and makes one where there is none."""

    makedirs = sync_wrapper(_makedirs)

    async def _ls(self, path: str, detail: bool = False, refresh: bool = False, versions: bool = False) -> list[Any]:
        """What lies directly in a folder; one listing. s3fs lists the folder above besides where there is nothing."""
        folder = self._strip_protocol(path).rstrip("/")
        found = await self._lsdir(folder, versions=versions) if folder else await self._lsbuckets()
        if not found and "/" in folder:
            raise FileNotFoundError(errno.ENOENT, "no such folder", path)
        return found if detail else sorted(entry["name"] for entry in found)

    async def _isfile(self, path: str) -> bool:
        """Whether there is an object; one request, and a store that does not answer is an error."""
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        try:
            return bool(key and await self._call_s3("head_object", Bucket=bucket, Key=key))
        except FileNotFoundError:
            return False

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """The bytes of an object. s3fs asks for its size before."""
        return bytes(await super()._cat_file(path, start=start, end=end, max_concurrency=1))

    async def _rm(self, path: Any, recursive: bool = False, **kwargs: Any) -> None:
        """Remove an object, or a folder with all that is in it; what is not there is removed already."""
        if not (recursive and isinstance(path, str) and self.split_path(self._strip_protocol(path))[1]):
            await super()._rm(path, recursive=recursive, **kwargs)
            return
        names = [entry["name"] for entry in await self._lsdir(self._strip_protocol(path).rstrip("/"), delimiter="")]
        for first in range(0, len(names), _DELETED_AT_ONCE):
            await self._bulk_delete(names[first : first + _DELETED_AT_ONCE])
        if not names:
            await self._rm_file(path)

    async def _bulk_delete(self, pathlist: list[str], **kwargs: Any) -> list[str]:
        """Remove objects, and again those that the reply says are still there, which s3fs does not read."""
        bucket, keys = self.split_path(pathlist[0])[0], [self.split_path(path)[1] for path in pathlist]
        patience = Patience(f"s3://{bucket}")
        while keys:
            objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
            reply = await self._call_s3("delete_objects", Bucket=bucket, Delete=objects)
            refused = reply.get("Errors", [])
            keys = [one["Key"] for one in refused]
            codes = {one.get("Code", "") for one in refused}
            if codes - set(_PASSING):
                why = f"the store does not remove it ({', '.join(sorted(codes))})"
                raise PermissionError(errno.EACCES, why, f"s3://{bucket}/{keys[0]}")
            if keys:
                await asyncio.sleep(patience.pause(OSError(f"{', '.join(sorted(codes))} for {len(keys)} objects")))
        return pathlist

    async def _exists(self, path: str) -> bool:
        """As s3fs's, but a bucket that cannot be asked for is an error and not one that is not there."""
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if key or not bucket:
            return bool(await super()._exists(path))
        try:
            await self._call_s3("head_bucket", Bucket=bucket)
        except FileNotFoundError:
            return False
        return True

    exists = sync_wrapper(_exists)


class _Short(Exception):
    """A reply has fewer bytes than it is of."""


class _Reading:
    """The bytes of one object, or of a range of it, over as many replies as it takes."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        self.kwargs = dict(kwargs)
        found = _RANGE.fullmatch(kwargs.get("Range", "bytes=0-"))
        self.resumes = found is not None
        self.start = int(found[1]) if found else 0
        self.end = int(found[2]) + 1 if found and found[2] else None
        self.got = bytearray()
        self.seen = 0
        self.reply: dict[str, Any] = {}
        self.etag = ""
        self.empty = False

    def request(self) -> dict[str, Any]:
        """The request for what is still to come."""
        if self.empty or not self.resumes:
            self.got.clear()
            return self.kwargs
        last = "" if self.end is None else self.end - 1
        same = {"IfMatch": self.etag} if self.etag else {}
        return {**self.kwargs, **same, "Range": f"bytes={self.start + len(self.got)}-{last}"}

    def went_on(self) -> bool:
        """True when bytes have come since this was last asked."""
        before, self.seen = self.seen, len(self.got)
        return self.seen > before

    def is_empty(self, error: Exception) -> bool:
        """True, once, for the error by which a store says that an object without a byte has no range."""
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, boto.ClientError) else ""
        if code not in ("InvalidRange", "416") or "Range" in self.kwargs or self.empty or self.got:
            return False
        self.empty = True
        return True

    async def take(self, reply: dict[str, Any]) -> None:
        """Read the body of a reply. Raises _Short: it ended before its last byte; what came of it is kept."""
        if self.etag and reply.get("ETag", self.etag) != self.etag:
            raise StoreError(CHANGED)
        body = reply["Body"]
        spans = _CONTENT_RANGE.fullmatch(reply.get("ContentRange", ""))
        if spans is None:
            if self.got or (self.start and self.resumes):
                body.close()
                raise StoreError("the store does not answer requests for a range of an object, which reading needs")
            size = int(reply.get("ContentLength", 0))
        else:
            begin, size = int(spans[1]), int(spans[2]) + 1 - int(spans[1])
            if self.resumes and begin != self.start + len(self.got):
                raise _Short(f"bytes from {begin} on came instead of those from {self.start + len(self.got)} on")
        self.etag = self.etag or (reply.get("ETag", "") if self.resumes else "")
        self.reply = self.reply or reply
        came = 0
        try:
            while piece := await body.read(_PIECE):
                came += len(piece)
                self.got += piece[: max(0, size - (came - len(piece)))]
        finally:
            body.close()
        if came != size:
            raise _Short(f"{came:,} bytes came instead of {size:,}")
        self.reply = {**self.reply, "Body": _Whole(bytes(self.got)), "ContentLength": len(self.got)}


class _Whole:
    """A body that has come whole, read like one that is still to come."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    async def read(self, size: int | None = None) -> bytes:
        """The next bytes."""
        end = len(self._data) if size is None or size < 0 else self._at + size
        piece = self._data[self._at : end]
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Nothing is held open."""


def _explained(error: Exception, what: str) -> BaseException:
    """An error that will not pass, as the operating system would say it, with what to check."""
    if isinstance(error, StoreError):
        return StoreError(f"{what}: {error}")
    bucket = what.removeprefix("s3://").split("/", 1)[0]
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError, boto.TokenRetrievalError)):
        why = "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        return PermissionError(errno.EACCES, why, what)
    if isinstance(error, boto.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in ("PreconditionFailed", "412") and error.operation_name == "GetObject":
            return StoreError(f"{what}: {CHANGED}")
        if code == "NoSuchBucket":
            why = f"there is no bucket {bucket}: check its name, the region and AWS_ENDPOINT_URL"
            return FileNotFoundError(errno.ENOENT, why, what)
        if code in ("AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"):
            why = f"the store does not allow it ({code}): check the credentials and what they may do in bucket {bucket}"
            return PermissionError(errno.EACCES, why, what)
    found: BaseException = translate_boto_error(error)
    return found
