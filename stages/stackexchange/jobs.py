"""Stack Exchange in two jobs: rows to buckets by question, buckets to threads (LLaMA paper, section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import Any, Literal

from pydantic import Field

from llama_data.pipeline.core.block import Reader, Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, is_open
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, cut_split, join, share_tasks
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings, limit_of
from llama_data.stages.stackexchange.reader import Gather, Post, PostReader, Scatter
from llama_data.stages.stackexchange.rules import KeepAnswered, KeepChosenSites, Layout, WriteThread
from llama_data.stages.stackexchange.sites import is_posts
from llama_data.stages.steps.contract import Built, Pass, StepContext, chain

DOMAIN = "stackexchange"
COLUMNS = {"site": "string", "score": "int64", "answers": "int64", "posts": "int64"}

# bytes of Posts.xml in a byte of the stored file, rounded up from 4.3 (7z) and 3.7 (gz) on real dumps
_EXPANSION = {".7z": 5, ".gz": 4, ".xml": 1}


class Settings(DomainSettings):
    """Settings of the Stack Exchange stage.

    ``sites``: the sites to keep (None: all that are found); ``largest``: of these the so many with most posts (None:
    all). ``link_targets``: write the address of a link after its text. ``struck_out``: keep text that its author has
    struck out. ``bucket_bytes``: about how much of ``Posts.xml`` a joining task holds in memory. ``max_posts_bytes``
    and ``max_ratio``: an archive that unpacks to more, or to more than so many times its size, is refused (None:
    never).
    """

    inputs: tuple[str, ...] = ("**/*.7z", "**/Posts.xml", "**/Posts.xml.gz")
    sites: tuple[str, ...] | None = None
    largest: int | None = Field(default=28, ge=0)
    unanswered: Literal["keep", "drop"] = "keep"
    layout: Layout = "llama"
    link_targets: bool = False
    struck_out: bool = False
    bucket_bytes: int = Field(default=128 * 1024 * 1024, gt=0)
    max_posts_bytes: int | None = Field(default=1024**4, ge=0)
    max_ratio: int | None = Field(default=200, ge=0)

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What is a thread, of which site, and whether it is answered."""
        gathered = (Reason.not_a_question, Reason.orphan_answer, Reason.duplicate_post)
        found = [
            Check(step=Gather.name, says="puts questions and answers together", reasons=gathered, shows=("posts",)),
            Check(
                step=KeepChosenSites.name,
                says="keeps the chosen sites" if self.largest is None else f"keeps the {self.largest} largest sites",
                reasons=(Reason.site_not_chosen,),
                figure="site",
                setting="sites",
                one_of=self.sites,
            ),
        ]
        if self.unanswered == "drop":
            answered = Check(
                step=KeepAnswered.name,
                says="needs an answer",
                reasons=(Reason.unanswered,),
                figure="answers",
                setting="unanswered",
                least=1,
            )
            found.append(answered)
        return tuple(found)


def claims(head: Head) -> bool:
    """True for the head of a 7z archive, and of a table of posts."""
    return head.data.startswith(b"7z\xbc\xaf\x27\x1c") or b"<posts" in head.data[:4096]


def reader(settings: Settings, splits: Sequence[Split]) -> Reader:
    """What reads the posts of these dumps as a run does; a run puts them together to threads."""
    return PostReader(
        tasks=[splits],
        domain=DOMAIN,
        max_posts_bytes=limit_of(settings.max_posts_bytes),
        max_ratio=limit_of(settings.max_ratio),
    )


def raw(documents: Iterator[Document], row: dict[str, Any]) -> str | None:
    """The posts of a row of the ledger, as they were when they met: title, question and its answers, in HTML."""
    question: Post | None = None
    answers: list[Post] = []
    for doc in documents:
        if not is_open(doc):
            continue
        post = Post.of(doc)
        if post.metadata["source"] == row["source"]:
            question = post
        elif question is not None and post.fields.get("parent") == question.fields["id"]:
            answers.append(post)
        if question is not None and len(answers) >= (row.get("answers") or 0):
            break
    if question is None:
        return None
    answers.sort(key=lambda post: (-post.fields["score"], post.fields["id"]))
    title = [question.fields["title"]] if question.fields.get("title") else []
    return "\n\n".join([*title, question.text, *(post.text for post in answers)])


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The two jobs; of a post that stands in two dumps the first is taken.

    Raises:
        InputError: no dump is found, or one whose site is not known.
    """
    found = run.find(settings.inputs)
    files = [split for split in found if is_posts(split)]
    run.left_out.refuse(run.input, (split.name for split in found if not is_posts(split)))
    if not files:
        raise InputError(f"{run.input}: no dump with posts among {', '.join(settings.inputs)}")
    pieces = [piece for split in files for piece in _pieces(split, settings.max_task_bytes)]
    tasks = share_tasks(pieces, settings.max_task_bytes)
    buckets = max(1, ceil(sum(map(_posts_bytes, files)) / settings.bucket_bytes))
    folder = join(run.work(DOMAIN), "posts")
    reader = PostReader(
        tasks=tasks,
        domain=DOMAIN,
        max_posts_bytes=limit_of(settings.max_posts_bytes),
        max_ratio=limit_of(settings.max_ratio),
    )
    # The documents are not read from files but from buckets, in which questions have met their answers.
    context = StepContext(
        run=run,
        domain=DOMAIN,
        sizes=(settings.bucket_bytes,) * buckets,
        task_bytes=settings.max_task_bytes,
        work=run.work(DOMAIN),
    )
    posts = Pass("posts", [reader, Scatter(folder=folder, buckets=buckets)], len(tasks))
    threads = Built(passes=[posts], rules=list(_rules(settings, folder)))
    return chain(context, [Gather(folder=folder, domain=DOMAIN)], [threads], columns=COLUMNS)


def _rules(settings: Settings, folder: str) -> Iterable[Rule]:
    yield KeepChosenSites(folder=folder, sites=settings.sites, largest=settings.largest)
    if settings.unanswered == "drop":
        yield KeepAnswered()
    yield WriteThread(layout=settings.layout, link_targets=settings.link_targets, struck_out=settings.struck_out)


def _posts_bytes(split: Split) -> int:
    """About how many bytes of ``Posts.xml`` a file holds."""
    suffix = next(suffix for suffix in (*_EXPANSION, "") if split.name.lower().endswith(suffix))
    return split.size * _EXPANSION.get(suffix, 1)


def _pieces(split: Split, size: int) -> Iterator[Split]:
    """A plain ``Posts.xml`` in pieces of ``size`` bytes; a compressed file whole."""
    if not split.name.lower().endswith(".xml") or split.size <= size:
        yield split
        return
    yield from cut_split(split, size)
