"""A small S3 on this machine that fails on purpose, and counts.

    python tests/faults/s3_server.py --slow-down 0.5 --reset 0.05 --truncate 0.05    # prints the lines for a shell

It knows what a run asks for: objects (with ranges, and conditions on them), multipart uploads, copies, listings; by
path, over HTTP, without looking at signatures. Everything is in memory. Whether a request fails follows from the seed,
from what it asks and from how often the same was asked before, so that a run meets the same faults again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from failing import Breaking, Failing


@dataclass
class Faults:
    """Shares (0..1) of the requests that fail: before they are served, after (the reply is lost), or in the body.

    ``short``: half of a body under a Content-Length that fits it. ``lost``: what was asked is done, the connection
    reset. ``only``: a pattern for ``METHOD /bucket/key?query``; ``most``: most faults of all.
    """

    slow_down: float = 0.0
    error: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    lost: float = 0.0
    truncate: float = 0.0
    short: float = 0.0
    seed: int = 0
    stall_seconds: float = 2.0
    only: str = ""
    most: int = 1 << 60

    KINDS = ("slow_down", "error", "reset", "stall", "lost", "truncate", "short")


@dataclass
class Upload:
    key: str
    parts: dict[int, bytes] = field(default_factory=dict)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Store(Failing):
    """The server; ``counts`` by operation and fault, ``sent`` in bytes by object."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port, Handler)
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.buckets: set[str] = set()
        self.closed: set[str] = set()
        self.stubborn: dict[str, str] = {}  # objects that are not removed with others the first time, and why
        self.uploads: dict[str, Upload] = {}
        self.faults = Faults()

    def clear(self) -> None:
        super().clear()
        self.sent: Counter[str] = Counter()
        self.payers: Counter[str | None] = Counter()  # requests by what they say of who pays

    def put(self, key: str, data: bytes) -> None:
        self.buckets.add(key.split("/")[0])
        self.objects[key] = (data, md5(data))

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(Breaking):
    server: Store
    fault = ""

    def serve(self) -> None:
        store = self.server
        parts = urlsplit(self.path)
        self.key = unquote(parts.path).strip("/")
        self.bucket = self.key.split("/")[0]
        self.query = {name: value[0] for name, value in parse_qs(parts.query, keep_blank_values=True).items()}
        self.data = self.body()
        store.payers[self.headers.get("x-amz-request-payer")] += 1
        asked = re.sub(r"uploadId=[^&]*", "uploadId", self.path)
        self.fault = store.draw(f"{self.command} {asked} {self.headers.get('Range', '')}".strip())
        if self.fault == "slow_down":
            return self.refuse(503, "SlowDown")
        if self.fault == "error":
            return self.refuse(500, "InternalError")
        if self.fault in ("reset", "stall"):
            if self.fault == "stall":
                time.sleep(store.faults.stall_seconds)
            return self.reset()
        with store.lock:
            name = self.operation()
            store.counts[name] += 1
            if self.bucket in store.closed:
                return self.refuse(403, "AccessDenied")
            if self.bucket not in store.buckets:
                return self.refuse(404, "NoSuchBucket")
            status, headers, data = getattr(self, name)()
        if self.fault == "lost":
            return self.reset()
        self.answer(status, data, headers)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def operation(self) -> str:
        if self.command == "POST":
            return "remove_many" if "delete" in self.query else "begin" if "uploads" in self.query else "complete"
        if self.command == "PUT":
            copied = "x-amz-copy-source" in self.headers
            return "part" if "uploadId" in self.query else "copy" if copied else "put"
        if self.command == "DELETE":
            return "abort" if "uploadId" in self.query else "remove"
        if "/" not in self.key:
            return "head_bucket" if self.command == "HEAD" else "list"
        return self.command.lower()

    def get(self) -> tuple[int, dict[str, str], bytes]:
        if self.key not in self.server.objects:
            return self.error(404, "NoSuchKey")
        data, etag = self.server.objects[self.key]
        headers = {"ETag": f'"{etag}"', "Last-Modified": formatdate(0, usegmt=True), "Accept-Ranges": "bytes"}
        if self.headers.get("If-Match", f'"{etag}"').strip('"') != etag:
            return self.error(412, "PreconditionFailed")
        status, size = 200, len(data)
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if found:
            first = int(found[1]) if found[1] else max(0, size - int(found[2]))
            last = min(size, int(found[2]) + 1) if found[1] and found[2] else size
            if first >= size:
                return self.error(416, "InvalidRange")
            status, data = 206, data[first:last]
            headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
        self.server.sent[self.key] += len(data) if self.command == "GET" else 0
        return status, headers, data

    head = get

    def put(self) -> tuple[int, dict[str, str], bytes]:
        if self.headers.get("If-None-Match") == "*" and self.key in self.server.objects:
            return self.error(412, "PreconditionFailed")
        self.server.objects[self.key] = (self.data, md5(self.data))
        return 200, {"ETag": f'"{md5(self.data)}"'}, b""

    def copy(self) -> tuple[int, dict[str, str], bytes]:
        found = self.server.objects.get(unquote(self.headers["x-amz-copy-source"]).strip("/"))
        if found is None:
            return self.error(404, "NoSuchKey")
        self.server.objects[self.key] = found
        return 200, {}, f'<CopyObjectResult><ETag>"{found[1]}"</ETag></CopyObjectResult>'.encode()

    def begin(self) -> tuple[int, dict[str, str], bytes]:
        name = f"upload-{len(self.server.uploads)}-{time.monotonic_ns()}"
        self.server.uploads[name] = Upload(self.key)
        key = escape(self.key.partition("/")[2])
        result = f"<Bucket>{self.bucket}</Bucket><Key>{key}</Key><UploadId>{name}</UploadId>"
        return 200, {}, f"<InitiateMultipartUploadResult>{result}</InitiateMultipartUploadResult>".encode()

    def part(self) -> tuple[int, dict[str, str], bytes]:
        if self.query["uploadId"] not in self.server.uploads:
            return self.error(404, "NoSuchUpload")
        self.server.uploads[self.query["uploadId"]].parts[int(self.query["partNumber"])] = self.data
        return 200, {"ETag": f'"{md5(self.data)}"'}, b""

    def complete(self) -> tuple[int, dict[str, str], bytes]:
        upload = self.server.uploads.pop(self.query["uploadId"], None)
        if upload is None:
            return self.error(404, "NoSuchUpload")
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", self.data)]
        parts = [upload.parts[number] for number in numbers]
        etag = f"{md5(b''.join(bytes.fromhex(md5(part)) for part in parts))}-{len(parts)}"
        self.server.objects[upload.key] = (b"".join(parts), etag)
        result = f'<Bucket>{self.bucket}</Bucket><Key>{escape(upload.key)}</Key><ETag>"{etag}"</ETag>'
        return 200, {}, f"<CompleteMultipartUploadResult>{result}</CompleteMultipartUploadResult>".encode()

    def abort(self) -> tuple[int, dict[str, str], bytes]:
        self.server.uploads.pop(self.query["uploadId"], None)
        return 204, {}, b""

    def remove(self) -> tuple[int, dict[str, str], bytes]:
        self.server.objects.pop(self.key, None)
        return 204, {}, b""

    def remove_many(self) -> tuple[int, dict[str, str], bytes]:
        refused = ""
        for name in re.findall(rb"<Key>(.*?)</Key>", self.data):
            key = f"{self.bucket}/{name.decode()}"
            if code := self.server.stubborn.pop(key, ""):
                refused += f"<Error><Key>{name.decode()}</Key><Code>{code}</Code></Error>"
            else:
                self.server.objects.pop(key, None)
        return 200, {}, f"<DeleteResult>{refused}</DeleteResult>".encode()

    def list(self) -> tuple[int, dict[str, str], bytes]:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        after, most = self.query.get("continuation-token", ""), int(self.query.get("max-keys", 1000))
        found: dict[str, str] = {}
        for full in sorted(self.server.objects):
            bucket, _, key = full.partition("/")
            if bucket != self.bucket or not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folder = prefix + rest.partition(delimiter)[0] + delimiter
                found[folder] = f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
                continue
            data, etag = self.server.objects[full]
            found[key] = (
                f'<Contents><Key>{escape(key)}</Key><ETag>"{etag}"</ETag><Size>{len(data)}</Size>'
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
            )
        names = [name for name in sorted(found) if name > after]
        page, more = names[:most], len(names) > most
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        result = f"<IsTruncated>{str(more).lower()}</IsTruncated><KeyCount>{len(page)}</KeyCount>{token}"
        listed = "".join(found[name] for name in page)
        return 200, {}, f"<ListBucketResult><Name>{self.bucket}</Name>{result}{listed}</ListBucketResult>".encode()

    def head_bucket(self) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, b""

    def error(self, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
        return status, {}, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()

    def refuse(self, status: int, code: str) -> None:
        self.answer(*self.error(status, code)[::2])

    def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        broken = self.fault in ("truncate", "short") and self.command == "GET" and status < 300
        half = data[: len(data) // 2] if broken else data
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(half if self.fault == "short" else data)))
        if broken and self.fault == "truncate":
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(half)

    def body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.close_connection = False
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        else:
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            data = b"".join(chunks)
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            return unframed(data)
        return data


def unframed(data: bytes) -> bytes:
    """The bytes inside the frames of ``aws-chunked``."""
    parts, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end].split(b";")[0], 16)
        if not size:
            return b"".join(parts)
        parts.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def environment(store: Store) -> dict[str, str]:
    """What points s3fs at the server."""
    return {
        "AWS_ACCESS_KEY_ID": "no-key",
        "AWS_SECRET_ACCESS_KEY": "no-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": store.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--buckets", default="raw,runs")
    for name, kind in (("seed", int), *((kind, float) for kind in Faults.KINDS)):
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=0)
    options = vars(parser.parse_args())
    store = Store(options.pop("port"))
    store.buckets.update(options.pop("buckets").split(","))
    store.faults = Faults(**options)
    for name, value in environment(store).items():
        print(f"export {name}={value}", flush=True)
    try:
        store.serve_forever()
    except KeyboardInterrupt:
        print(dict(store.counts), file=sys.stderr)


if __name__ == "__main__":
    main()
