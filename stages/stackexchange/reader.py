"""From ``Posts.xml`` to threads: rows to posts, posts to buckets, and each bucket to one document a question.

What counts as an input record: a question with the answers that belong to it, and every other post on its own (an
answer whose question is not in the dump, a tag wiki, a damaged row). The ledger's column ``posts`` says how many
rows of ``Posts.xml`` a record stands for, so its sum is the number of rows that were read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llama_data.pipeline.core.block import Reader, Step
from llama_data.pipeline.core.document import Document, fail, make_document, reject, verdict
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.ledger import count_lines
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.stackexchange.archive import open_posts
from llama_data.stages.stackexchange.buckets import BucketWriter, bucket_of, read_bucket
from llama_data.stages.stackexchange.posts import parse_row, post_of, scan_rows
from llama_data.stages.stackexchange.sites import language_of, site_of

LICENSE = "CC BY-SA"


class Post(Document):
    """A row of ``Posts.xml``; its text is the body. ``fields``: the others (``posts.post_of``)."""

    __slots__ = ("fields",)
    fields: dict[str, Any]


class Thread(Document):
    """A question with its answers. ``heading``: the question's title; ``bodies``: HTML, the question's first."""

    __slots__ = ("bodies", "heading")
    heading: str
    bodies: list[str]


class PostReader(Reader):
    """Reads the rows of dump files; each document is one post, its text the body as it stands (HTML)."""

    def __init__(self, *, tasks: Sequence[Sequence[Split]], domain: str, max_posts_bytes: int, max_ratio: int) -> None:
        super().__init__(tasks=tasks, domain=domain)
        self.max_posts_bytes = max_posts_bytes
        self.max_ratio = max_ratio

    def read(self, split: Split) -> Iterator[Document]:
        """Yield a document for every row that begins in the split; damage to the file ends it with a failed one."""
        site, rows = site_of(split), 0
        try:
            with open_posts(split, max_bytes=self.max_posts_bytes, max_ratio=self.max_ratio) as stream:
                for row in scan_rows(stream, split.start, split.end):
                    rows += 1
                    try:
                        post = post_of(parse_row(row))
                    except RecordError as error:
                        yield self._failed(split, site, row.offset, error)
                        continue
                    source = f"{split.name}#{row.offset}"
                    id = f"{self.domain}/{site}/{post['id']}"
                    body = post.pop("body")
                    doc = make_document(Post, domain=self.domain, id=id, text=body, source=source, site=site)
                    doc.fields, doc.notes = post, {"posts": 1}
                    yield doc
        except RecordError as error:
            broken = RecordError(error.reason, f"after {rows} posts: {error.detail}")
            yield self._failed(split, site, "unpack", broken, posts=0)
        else:
            if rows == 0 and split.start == 0:
                empty = RecordError(Reason.wrong_format, "the file holds no post")
                yield self._failed(split, site, 0, empty, posts=0)

    def _failed(self, split: Split, site: str, key: int | str, error: RecordError, posts: int = 1) -> Document:
        doc = self.failed(split, key=key, reason=error.reason, detail=error.detail)
        doc.metadata["site"], doc.notes["posts"] = site, posts
        return doc


class Scatter(Step):
    """Ends the first job: writes every post to the bucket of its question."""

    name = "scatter"

    def __init__(self, *, folder: str, buckets: int) -> None:
        super().__init__()
        self.folder = folder
        self.buckets = buckets

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's file of buckets. Yields nothing."""
        with BucketWriter(self.folder, rank, self.buckets) as writer:
            for doc in data:
                site = doc.metadata["site"]
                writer.count(site, doc.metadata["source"].rpartition("#")[0], doc.notes["posts"])
                found = verdict(doc)
                record: dict[str, Any] = {"site": site, "source": doc.metadata["source"]}
                if found is not None:
                    record |= {"kind": "failed", "reason": str(found.reason), "detail": found.detail, "id": 0}
                    record["posts"] = doc.notes["posts"]
                else:
                    record |= {**Post.of(doc).fields, "body": doc.text}
                number = record.get("parent", record["id"])
                writer.add(bucket_of(site, number, self.buckets), record)
        yield from ()


class Gather(Step):
    """Begins the second job: a task reads one bucket and yields its records, threads put together.

    Holds the posts of one bucket at a time. Documents come ordered by site and number of the question.
    """

    name = "gather"

    def __init__(self, *, folder: str, domain: str) -> None:
        super().__init__()
        self.folder = folder
        self.domain = domain

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yield the records of bucket ``rank``, their text as it was read (HTML)."""
        questions: dict[tuple[str, int], dict[str, Any]] = {}
        answers: dict[tuple[str, int], list[dict[str, Any]]] = {}
        loose: list[tuple[dict[str, Any], Reason]] = []
        seen: dict[tuple[str, int], str] = {}
        for post in read_bucket(self.folder, rank):
            key = (post["site"], post["id"])
            if post["kind"] == "failed":
                loose.append((post, Reason[post["reason"]]))
            elif key in seen:
                loose.append(({**post, "first": seen[key]}, Reason.duplicate_post))
            else:
                seen[key] = post["source"]
                if post["kind"] == "question":
                    questions[key] = post
                elif post["kind"] == "answer":
                    answers.setdefault((post["site"], post["parent"]), []).append(post)
                else:
                    loose.append((post, Reason.not_a_question))
        for key in answers.keys() - questions.keys():
            loose.extend((post, Reason.orphan_answer) for post in answers[key])
        for key in sorted(questions):
            yield _measured(self._thread(questions[key], answers.get(key, [])))
        for post, reason in sorted(loose, key=lambda item: (item[0]["site"], item[0]["id"], item[0]["source"])):
            doc = _measured(self._loose(post, reason))
            if self.travels(doc):
                yield doc

    def _thread(self, question: dict[str, Any], answers: list[dict[str, Any]]) -> Thread:
        """A question and its answers, by integer score, highest first, ties by number (LLaMA paper, section 2.1)."""
        site, number = question["site"], question["id"]
        answers = sorted(answers, key=lambda answer: (-answer["score"], answer["id"]))
        posts = [question, *answers]
        doc = make_document(
            Thread,
            domain=self.domain,
            id=f"{self.domain}/{site}/{number}",
            text="\n\n".join([question["title"], *(post["body"] for post in posts)]),
            source=question["source"],
            url=f"https://{site}/questions/{number}",
            title=question["title"],
            site=site,
            language=language_of(site),
            license=question.get("license", LICENSE),
            date=question.get("date"),
            tags=question["tags"],
            score=question["score"],
            answer_count=len(answers),
            answer_ids=[answer["id"] for answer in answers],
            answer_scores=[answer["score"] for answer in answers],
            authors=[post.get("owner") for post in posts],
        )
        doc.notes = {"answers": len(answers), "posts": len(posts)}
        doc.heading, doc.bodies = question["title"], [post["body"] for post in posts]
        return doc

    def _loose(self, post: dict[str, Any], reason: Reason) -> Document:
        """A post that belongs to no thread, with the reason why it is not kept."""
        site = post["site"]
        repeated = f"@{post['source']}" if reason is Reason.duplicate_post else ""
        key = post["source"] if post["kind"] == "failed" else f"{site}/{post['id']}{repeated}"
        doc = make_document(
            Document,
            domain=self.domain,
            id=f"{self.domain}/{key}",
            text=post.get("body", ""),
            source=post["source"],
            site=site,
            score=post.get("score"),
        )
        doc.notes = {"answers": 0, "posts": post.get("posts", 1)}
        if post["kind"] == "failed":
            fail(doc, reason, "read", post["detail"])
        else:
            first = f"the post with this number is the one at {post['first']}" if "first" in post else ""
            reject(doc, reason, self.name, first)
        return doc


def _measured(doc: Document) -> Document:
    doc.chars_in, doc.lines_in = len(doc.text), count_lines(doc.text)
    return doc
