"""Nothing stale is ever used: tiny runs of real verbs, after which something is changed, deleted or cut short."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_data.pipeline import execution, finish, made_from
from llama_data.pipeline.adopt import adopt
from llama_data.pipeline.cli import app
from llama_data.pipeline.commands import mix as mix_verb
from llama_data.pipeline.commands import tokenize as tokenize_verb
from llama_data.pipeline.commands import train_tokenizer as tokenizer_verb
from llama_data.pipeline.commands.run import run_stages
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import InputError, LlamaDataError, RecipeError, RequestError, RunError
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.verify import verify_run
from llama_data.train_handoff.mix.plan import Mixture

WORDS = ["river", "ferry", "quiet", "lantern", "harbour", "marble", "orchard", "thunder", "whistle", "copper", "velvet"]


def text_of(number: int) -> str:
    chosen = [WORDS[(number * 7 + place * place) % len(WORDS)] + str((number * 31 + place) % 97) for place in range(60)]
    return " ".join(chosen) + ".\n"


def dump(folder: Path) -> Path:
    """Two sources, each of two files of JSON lines."""
    for source in ("news", "notes"):
        (folder / source).mkdir(parents=True)
        for file in range(2):
            rows = [{"text": text_of(1000 * file + row + len(source)), "id": f"{file}-{row}"} for row in range(30)]
            path = folder / source / f"{file}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


class Place:
    """A folder with dumps and a run, and the verbs on them."""

    def __init__(self, root: Path) -> None:
        self.root, self.dumps, self.run = root, root / "dumps", root / "run"

    def recipe(self, **changes: Any) -> Recipe:
        """The recipe, with other values under dotted keys."""
        step = {"bad_words": {"path": "words.txt"}}
        news = {"inputs": ["news/*.jsonl"], "steps": [step], "max_task_bytes": 4000}
        given = {
            "input": str(self.dumps),
            "output": str(self.run),
            "executor.workers": 1,
            "domains": {},
            "sources": {"news": news, "notes": {"inputs": ["notes/*.jsonl"]}},
            "tokenizer.vocab_size": 330,
            "tokens.seq_len": 32,
            "tokens.validation": 0.1,
            "mix": {"weights": {"news": 0.5, "notes": 0.5}, "max_epochs": 4, "rows_per_shard": 4096},
        }
        return load_recipe(str(self.base), {**given, **changes})

    @property
    def base(self) -> Path:
        path = self.root / "base.yaml"
        path.write_text("name: tiny\n")
        return path

    def documents(self, *stages: str, overwrite: bool = False, **changes: Any) -> None:
        run_stages(self.recipe(**changes), list(stages or ("news", "notes")), overwrite=overwrite)

    def tokenizer(self, *, overwrite: bool = False, **changes: Any) -> None:
        tokenizer_verb.train(self.recipe(**changes), overwrite=overwrite)

    def tokens(self, *domains: str, overwrite: bool = False, **changes: Any) -> None:
        tokenize_verb.tokenize_domains(self.recipe(**changes), list(domains or ("news", "notes")), overwrite=overwrite)

    def mix(self, name: str | None = None, *, overwrite: bool = False, **changes: Any) -> None:
        recipe = self.recipe(**changes)
        shards = mix_verb.shards_of(recipe)
        mix_verb.write(recipe, mix_verb.plan_recipe(recipe, shards), shards, name=name, overwrite=overwrite)

    def everything(self) -> None:
        self.documents()
        self.tokenizer()
        self.tokens()
        self.mix()

    def problems(self, full: bool = False) -> list[str]:
        return [finding.what for finding in verify_run(str(self.run), full=full) if not finding.ok]

    def sha256(self, folder: str) -> str:
        found = manifest.find(str(self.run / folder))
        assert found is not None
        return found.sha256


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    dump(root / "dumps")
    (root / "words.txt").write_text("unheard\n")
    with contextlib.chdir(root):
        Place(root).everything()
    return root


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of a finished run, elsewhere: everything is as it was, times too."""
    shutil.copytree(finished, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return Place(tmp_path / "here")


def same_size(path: Path, old: str, new: str) -> None:
    """Another content of the same size under the same name, a second later."""
    text = path.read_text()
    assert len(old) == len(new)
    assert old in text
    before = path.stat()
    path.write_text(text.replace(old, new, 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    assert path.stat().st_size == before.st_size


def refused(what: Callable[[], object], *sentences: str) -> str:
    with pytest.raises(RequestError) as caught:
        what()
    for sentence in sentences:
        assert sentence in str(caught.value)
    return str(caught.value)


def test_a_finished_run_is_sound_and_not_done_again_also_elsewhere(place: Place) -> None:
    place.everything()
    assert place.problems() == []
    assert place.problems(full=True) == []
    before = {path: path.stat().st_mtime_ns for path in place.run.rglob("*") if path.is_file()}
    place.everything()
    assert {path: path.stat().st_mtime_ns for path in place.run.rglob("*") if path.is_file()} == before


def test_the_same_made_elsewhere_has_the_same_manifests(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    shutil.copytree(place.dumps, other.dumps, copy_function=shutil.copyfile)  # at another time
    other.documents()
    other.tokenizer()
    for folder in ("documents/news", "documents/notes", "tokenizer"):
        assert other.sha256(folder) == place.sha256(folder), folder


def test_an_input_changed_under_its_name_and_size_is_refused(place: Place) -> None:
    place.documents(overwrite=True)
    same_size(place.dumps / "news" / "0.jsonl", "river", "rover")
    told = refused(place.documents, "news was made there", "input news/0.jsonl: changed at the same size: ")
    then = ("train-tokenizer", "tokenize news", "tokenize notes", "mix")
    then_anew = ", ".join(f"`llama-data {command} --output {place.run} --overwrite`" for command in then)
    assert f"`llama-data run news --overwrite` makes it anew, then {then_anew}; or give another --output" in told
    assert any("documents/news is stale: input" in what for what in place.problems())


def test_inputs_by_hash_may_be_touched_and_copied_but_not_changed(place: Place) -> None:
    place.documents(inputs_by="hash", overwrite=True)
    path = place.dumps / "news" / "0.jsonl"
    os.utime(path, ns=(1, 1))
    place.documents(inputs_by="hash")
    assert not any("0.jsonl" in what for what in place.problems())
    same_size(path, "river", "rover")
    refused(lambda: place.documents(inputs_by="hash"), "input news/0.jsonl: sha256 ")


def test_an_input_that_is_gone_or_new_is_named(place: Place) -> None:
    (place.dumps / "news" / "1.jsonl").rename(place.dumps / "news" / "2.jsonl")
    refused(place.documents, "input news/1.jsonl: gone", "input news/2.jsonl: new")


def test_inputs_that_were_cleared_away_do_not_make_a_run_stale(place: Place) -> None:
    place.documents(overwrite=True)
    shutil.rmtree(place.dumps)
    assert place.problems() == []
    place.tokens()


def test_a_list_or_model_changed_under_its_name_is_refused(place: Place) -> None:
    before = (place.root / "words.txt").stat()
    (place.root / "words.txt").write_text("unhears\n")
    os.utime("words.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    refused(place.documents, "file words.txt: sha256 ")
    assert any("documents/news is stale: made with words.txt" in what for what in place.problems())


def test_a_tokenizer_replaced_under_its_tokens_is_refused(place: Place) -> None:
    place.tokenizer(**{"tokenizer.vocab_size": 320}, overwrite=True)
    refused(place.tokens, "file tokenizer.model: sha256 ", "`llama-data tokenize news --overwrite`")
    assert any("tokens/news is stale: made with" in what for what in place.problems())


def test_the_commands_of_a_refusal_can_be_given_as_they_are_told(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    output = "a run"
    place.run.rename(output)
    recipe = place.recipe(seed=2, input=None, output=None)
    Path("new recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    given = ["run", "all", "-c", "new recipe.yaml", "--input", str(place.dumps), "--output", output, "--workers", "1"]
    with pytest.raises(RequestError) as refusal:
        app([*given, "--quiet"], standalone_mode=False)
    told = re.findall(r"`llama-data (.*?)`", str(refusal.value))
    assert shlex.split(told[0]) == ["run", "news", *given[2:], "--overwrite"]
    for command in (told[0], told[0].replace("run news", "run notes"), *told[1:]):
        assert app(shlex.split(command), standalone_mode=False) in (0, None), command
    assert [finding.what for finding in verify_run(output) if not finding.ok] == []
    capsys.readouterr()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rejected_sample": 0.5}, "rejected_sample 0.01 → 0.5"),
        ({"rejected_sample": None}, "rejected_sample 0.01 → null"),
        ({"seed": 2}, "seed 1 → 2"),
        ({"documents_per_file": 7}, "documents_per_file null → 7"),
        ({"sources": {"news": {"inputs": ["news/*.jsonl"], "license": "free"}}}, "license null → free"),
    ],
)
def test_a_changed_setting_is_named_with_both_values(place: Place, changes: dict[str, Any], told: str) -> None:
    place.documents("news")
    before = place.sha256("documents/news")
    recipe = (place.run / "recipe.yaml").read_bytes()
    refused(lambda: place.documents("news", **changes), told, "--overwrite")
    assert place.sha256("documents/news") == before
    assert (place.run / "recipe.yaml").read_bytes() == recipe


def test_documents_made_anew_make_tokens_tokenizer_and_mix_stale(place: Place) -> None:
    same_size(place.dumps / "news" / "0.jsonl", "river", "rover")
    place.documents("news", overwrite=True)
    refused(place.tokens, "documents/news was made anew: manifest ", "`llama-data tokenize news --overwrite`")
    refused(place.tokenizer, "documents/news was made anew", "`llama-data train-tokenizer --overwrite`")
    problems = place.problems()
    assert len([what for what in problems if "is stale: made from documents/news" in what]) == 2
    place.tokens("news", overwrite=True)
    told = refused(place.mix, "tokens/news was made anew", "`llama-data mix --overwrite`")
    assert "tokens/notes" not in told


def test_documents_made_anew_to_the_same_leave_what_follows_sound(place: Place) -> None:
    os.utime(place.dumps / "news" / "0.jsonl", ns=(1, 1))
    refused(lambda: place.documents("news"), "input news/0.jsonl: changed at the same size: ")
    place.documents("news", overwrite=True)
    place.tokenizer()
    place.tokens()
    place.mix()
    assert place.problems() == []


OUTPUTS = [
    ("documents/news/00000.jsonl.zst", "documents"),
    ("ledger/news/00000.parquet", "documents"),
    ("rejected/news/00000.jsonl.zst", "documents"),
    ("tokenizer/tokenizer.model", "tokenizer"),
    ("tokenizer/card.json", "tokenizer"),
    ("tokens/news/00000.parquet", "tokens"),
    ("tokens/news/validation/00000.parquet", "tokens"),
    ("mix/00000.parquet", "mix"),
    ("mix/mix.json", "mix"),
]


@pytest.mark.parametrize(("name", "verb"), OUTPUTS)
@pytest.mark.parametrize("shorter", [False, True])
def test_an_output_that_is_missing_or_cut_is_missed(place: Place, name: str, verb: str, shorter: bool) -> None:
    path = place.run / name
    if shorter:
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    expected = "bytes, expected" if shorter else "missing; expected"
    refused(getattr(place, verb), str(path), expected, "--overwrite")
    assert any(str(path) in what and expected in what for what in place.problems())
    nexts = {"documents": place.tokens, "tokenizer": place.tokens, "tokens": place.mix}
    if verb in nexts:
        refused(nexts[verb], str(path))


def test_the_verbs_read_manifests_and_not_what_else_lies_there(place: Place) -> None:
    before = place.sha256("documents/news")
    for folder, name in (("documents/news", "00009.jsonl.zst"), ("tokens/news", "00009.parquet")):
        source = next(path for path in (place.run / folder).iterdir() if path.name.startswith("00000"))
        shutil.copy(source, place.run / folder / name)
    surplus = [what for what in place.problems() if "surplus" in what]
    assert len(surplus) == 2
    place.tokens()
    place.mix()
    assert place.sha256("documents/news") == before


def all_but_the_last(place: Place, monkeypatch: pytest.MonkeyPatch) -> finish.Finish:
    """Make the documents of news anew, and end before the manifest is written; the step that would write it."""
    left = []
    original = execution.execute

    def ended(jobs: Any, *rest: Any) -> Any:
        original(jobs[:-1], *rest)
        left.append(jobs[-1].steps[-1])
        raise KeyboardInterrupt

    monkeypatch.setattr(execution, "execute", ended)
    with pytest.raises(KeyboardInterrupt):
        place.documents("news", overwrite=True)
    monkeypatch.setattr(execution, "execute", original)
    [step] = left
    return step


@pytest.mark.parametrize("when", [manifest.INPUTS, manifest.FILES, manifest.MANIFEST])
def test_a_run_that_ends_while_the_manifest_is_written_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    before = place.sha256("documents/news")
    last = all_but_the_last(place, monkeypatch)
    original = manifest.atomic_write

    def write(path: str) -> Any:
        if path.endswith(when):
            raise KeyboardInterrupt
        return original(path)

    monkeypatch.setattr(manifest, "atomic_write", write)
    with pytest.raises(KeyboardInterrupt):
        list(last.run())
    monkeypatch.setattr(manifest, "atomic_write", original)
    assert manifest.find(str(place.run / "documents" / "news")) is None
    refused(place.tokens, "documents/news: not finished", "`llama-data run news` again")
    assert any("documents/news: not finished" in what for what in place.problems())
    place.documents("news")
    assert place.sha256("documents/news") == before
    place.tokens()


def test_a_finish_that_ends_after_its_manifests_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    before = place.sha256("documents/news")
    last = all_but_the_last(place, monkeypatch)
    work = place.run / "work" / "news"
    work.mkdir(parents=True)
    list(last.run())  # its notes are gone, and nobody knows that it is complete
    list(last.run())
    place.documents("news")
    assert place.sha256("documents/news") == before
    assert not work.exists()


def test_documents_of_an_unfinished_run_are_not_tokenized(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    all_but_the_last(place, monkeypatch)
    assert (place.run / "documents" / "news" / "00000.jsonl.zst").exists()
    refused(lambda: place.tokens("news"), "documents/news: not finished: it has no manifest.json")
    refused(place.tokenizer, "documents/news: not finished")


def test_a_file_lost_from_an_unfinished_run_is_missed_when_it_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_but_the_last(place, monkeypatch)
    (place.run / "documents" / "news" / "00000.jsonl.zst").unlink()
    with pytest.raises(
        LlamaDataError,
        match=rf"00000.jsonl.zst: missing; .*`llama-data run news --output {re.escape(str(place.run))} --overwrite`",
    ):
        place.documents("news")


def test_a_note_lost_from_an_unfinished_run_is_missed_when_it_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_but_the_last(place, monkeypatch)
    (place.run / "logs" / "news" / "written" / "00001.json").unlink()
    with pytest.raises(LlamaDataError, match=r"1 of \d tasks have left no note of what they wrote, .* 00001; "):
        place.documents("news")


def test_a_step_that_failed_does_not_forbid_another_try_with_mended_settings(place: Place) -> None:
    with pytest.raises(RecipeError, match="9000 pieces cannot be made"):
        place.tokenizer(**{"tokenizer.vocab_size": 9000}, overwrite=True)
    place.tokenizer(**{"tokenizer.vocab_size": 340})
    assert json.loads((place.run / "tokenizer" / "card.json").read_text())["settings"]["vocab_size"] == 340


def test_a_stage_with_too_many_failures_is_not_finished_until_its_limit_is_higher(place: Place) -> None:
    with (place.dumps / "news" / "0.jsonl").open("a") as stream:
        stream.write("{broken\n" * 10)
    with pytest.raises(RunError, match="10 of 70 records failed"):
        place.documents("news", overwrite=True)
    refused(lambda: place.tokens("news"), "documents/news: not finished")
    place.documents("news", failure_limit=0.5)
    place.tokens("news", overwrite=True)


def test_an_unfinished_run_of_other_settings_is_not_thrown_away_unasked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_but_the_last(place, monkeypatch)
    refused(lambda: place.documents("news", seed=5), "news was begun there", "seed 1 → 5", "--overwrite")
    place.documents("news")


def test_a_job_does_not_start_before_the_one_before_it_is_complete(place: Place) -> None:
    logs = place.run / "logs" / "news" / "documents"
    (logs / "complete").unlink(missing_ok=True)
    barrier = finish.Barrier(run=str(place.run), after=("news/documents", str(logs), 3), before={})
    done = len(list((logs / "completions").iterdir()))
    with pytest.raises(RunError, match=rf"started before news/documents is complete \({done} of 3 tasks\)"):
        barrier.run("data", 0, 1)
    whole = finish.Barrier(run=str(place.run), after=("news/documents", str(logs), done), before={})
    assert whole.run("data", 0, 1) == "data"


def test_a_job_does_not_start_on_results_that_changed_since_it_was_planned(place: Place) -> None:
    sound = place.sha256("documents/news")
    assert finish.Barrier(run=str(place.run), after=None, before={"documents/news": sound}).run(None, 0, 1) is None
    with pytest.raises(RunError, match="documents/news: was made anew"):
        finish.Barrier(run=str(place.run), after=None, before={"documents/news": "0" * 64}).run(None, 0, 1)
    manifest.remove(str(place.run / "documents" / "news"))
    with pytest.raises(RunError, match="documents/news: is not finished any more"):
        finish.Barrier(run=str(place.run), after=None, before={"documents/news": sound}).run(None, 0, 1)


def test_every_job_of_a_group_begins_with_a_check(place: Place) -> None:
    recipe = place.recipe()
    shards = mix_verb.shards_of(recipe)
    assert [found.sha256 for found in shards.values()] == [place.sha256("tokens/news"), place.sha256("tokens/notes")]
    group = made_from.Group("g", "run g", (), (), str(place.run / "work" / "g"))
    last = finish.Finish(run=recipe.context(), group=group, notes=[])
    jobs = finish.with_ends([finish.Job("g/a", [], 2), finish.Job("g/b", [], 3)], last, {"tokens/news": "1"})
    barriers = [job.steps[0] for job in jobs]
    assert all(isinstance(step, finish.Barrier) and step.before == {"tokens/news": "1"} for step in barriers)
    afters = [step.after for step in barriers if isinstance(step, finish.Barrier)]
    assert [after and (after[0], after[2]) for after in afters] == [None, ("g/a", 2), ("g/b", 3)]


def test_a_manifest_that_was_changed_is_no_manifest(place: Place) -> None:
    path = place.run / "documents" / "news" / "manifest.json"
    path.write_text(path.read_text().replace('"documents": 60', '"documents": 61'))
    refused(place.tokens, "its hash is not that of its content")
    assert any("its hash is not that of its content" in what for what in place.problems())


def test_a_byte_that_was_changed_is_found_in_full(place: Place) -> None:
    path = place.run / "documents" / "news" / "00000.jsonl.zst"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert place.problems() == []
    assert any("a byte was changed" in what and str(path) in what for what in place.problems(full=True))


def test_mixes_live_beside_each_other(place: Place) -> None:
    first = {path.name: path.read_bytes() for path in (place.run / "mix").iterdir() if path.is_file()}
    place.mix("code.heavy", **{"mix.weights": {"news": 0.9, "notes": 0.1}, "mix.tokens": 3200})
    place.mix("other-seed", seed=7)
    assert {path.name: path.read_bytes() for path in (place.run / "mix").iterdir() if path.is_file()} == first
    place.mix()
    assert place.problems(full=True) == []
    rows = {json.loads(path.read_text())["rows"] for path in (place.run / "mix").rglob("mix.json")}
    assert 100 in rows
    place.mix(overwrite=True)
    assert (place.run / "mix" / "code.heavy" / "00000.parquet").exists()
    (place.run / "mix" / "code.heavy" / "00000.parquet").unlink()
    assert len(place.problems()) == 1
    for wrong in ("validation", "a/b", "", "..", "-x"):
        refused(lambda name=wrong: place.mix(name), "no name for a mix")


def test_the_recipe_of_a_run_has_a_history(place: Place) -> None:
    place.documents()
    before = (place.run / "recipe.yaml").read_text()
    count = len(list((place.run / "recipes").iterdir()))
    refused(lambda: place.documents("news", seed=9), "seed")
    assert (place.run / "recipe.yaml").read_text() == before
    place.mix("b", **{"mix.tokens": 3200})
    kept = sorted(path.name for path in (place.run / "recipes").iterdir())
    assert len(kept) == count + 1
    assert kept[-1].endswith("-mix-b.yaml")
    assert (place.run / "recipes" / kept[-1]).read_text() == (place.run / "recipe.yaml").read_text() != before
    assert (place.run / "recipes" / kept[-2]).read_text() == before


def test_a_stage_run_by_itself_leaves_the_others_in_the_recipe(place: Place) -> None:
    place.documents()
    notes = {"sources": {"notes": {"inputs": ["notes/*.jsonl"]}}}
    place.documents("notes", **notes)
    again = load_recipe(str(place.run / "recipe.yaml"))
    assert again.chosen() == ["notes", "news"]
    assert again.context("news").input == str(place.dumps)


def test_a_run_of_an_older_version_is_told_how_to_go_on(place: Place) -> None:
    manifest.remove(str(place.run / "documents" / "news"))
    (place.run / "logs" / "news" / "made-from.json").write_text('{"fingerprint": "ab", "settings": {}}')
    of_the_run = f"`llama-data run news --output {place.run} --overwrite` makes it anew"
    for verb, anew in (
        (place.documents, "`llama-data run news --overwrite` makes it anew"),
        (place.tokens, of_the_run),
        (place.tokenizer, of_the_run),
    ):
        refused(verb, "made by a version that wrote no manifest.json", "--adopt", anew)


def test_a_run_of_an_older_version_is_adopted_and_gone_on_with(place: Place) -> None:
    before = {folder: manifest.find(str(place.run / folder)) for folder in ("documents/news", "tokens/news", "mix")}
    for group in ("news", "notes", "tokenizer", "tokenize/news", "tokenize/notes", "mix"):
        (place.run / "logs" / group / "made-from.json").write_text('{"fingerprint": "ab", "settings": {}}')
    for path in list(place.run.rglob("manifest.json")):
        manifest.remove(str(path.parent))
    assert len(list(adopt(str(place.run)))) == 6
    for folder, made in before.items():
        now = manifest.find(str(place.run / folder))
        assert made is not None
        assert now is not None
        assert now.files == made.files, folder
        assert now.content["totals"] == made.content["totals"]
        assert now.content["account"] == made.content["account"]
    assert place.problems(full=True) == []
    place.mix("further", **{"mix.tokens": 3200})
    refused(place.documents, "llama-data adopted → 0.1.0", "--overwrite")


@pytest.mark.parametrize("held", [False, True])
def test_an_index_of_documents_that_is_lost_or_cut_short_is_noticed(place: Place, held: bool) -> None:
    where = place.run / "tokens" / "news" / "documents" / ("validation" if held else "")
    indexes = sorted(where.glob("*.parquet"))
    shards = [path.name for path in (place.run / "tokens" / "news").glob("*.parquet")]
    assert sorted(shards) == [path.name for path in indexes]
    indexes[0].unlink()
    assert any(f"{indexes[0]}: missing; expected " in what for what in place.problems())
    anew = f"`llama-data tokenize news --output {place.run} --overwrite`"
    refused(lambda: place.mix("further"), f"{indexes[0]}: missing", anew)
    place.tokens("news", overwrite=True)
    indexes[0].write_bytes(indexes[0].read_bytes()[:-1])
    assert any(f"{indexes[0]}: " in what and "bytes, expected" in what for what in place.problems())
    extra = where / "99999.parquet"
    extra.write_bytes(b"")
    assert any(f"{extra}: surplus" in what for what in place.problems())


def test_the_manifest_of_tokens_counts_the_documents_of_their_indexes(place: Place) -> None:
    found = manifest.find(str(place.run / "tokens" / "news"))
    made = manifest.find(str(place.run / "documents" / "news"))
    assert found is not None
    assert made is not None
    totals = found.content["totals"]
    assert totals["documents"] > totals["validation_documents"] > 0
    assert totals["documents"] + totals["validation_documents"] == made.content["totals"]["documents"]


@pytest.mark.parametrize("name", [None, "further"])
def test_a_mix_that_was_begun_and_is_not_finished_is_not_read(place: Place, name: str | None) -> None:
    if name is not None:
        place.mix(name, **{"mix.tokens": 3200})
    folder = place.run / "mix" / (name or "")
    assert len(Mixture(str(folder))) > 0
    manifest.remove(str(folder))
    again = "`llama-data mix`" if name is None else "`llama-data mix --name further`"
    with pytest.raises(InputError, match=f"not finished: it has no manifest.json; give {again} again"):
        Mixture(str(folder))
    shutil.copytree(folder, place.root / "copied" / "mix")
    assert len(Mixture(str(place.root / "copied" / "mix"))) > 0
    record = place.run / "logs" / ("mix" if name is None else "mix.further") / "made-from.json"
    record.write_text('{"fingerprint": "ab", "settings": {}}')  # an older version's
    assert len(Mixture(str(folder))) > 0
