"""``xdr generate`` as a whole: files that xqg reads, resumed after kill -9, refused where something else lies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tiny_generators
import tiny_models
from small_track import Terminal, bytes_in, write_track

from harness.compute.jobs import LocalEngine
from harness.errors import InvalidInput, WrongUsage
from harness.recipes.generate import runner
from harness.recipes.generate.load import load_recipe, recipe_names
from harness.recipes.generate.manifest import read_manifest
from harness.recipes.generate.outputs import Output, OutputRecipe, cleaned
from harness.recipes.generate.texts import read_generated

RECIPE = """schema_version = 1
kind = "seq2seq"
name = "tiny"
title = "Tiny"
languages = ["fi", "ru"]
per_language = 2
prompt = "Generate a {language} question for this passage: {title} {passage}"
max_prompt_tokens = 80
[model]
name = "%s"
[decoding]
method = "sample"
top_k = 10
max_output_tokens = 6
"""
CARD = """schema_version = 1
name = "fused"
title = "Fused"
adapter = "xqg"
[parameters]
model = "%s"
generated = "%s"
per_language = 2
fusion = { alpha = 0.1 }
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "BLOCK_PASSAGES", 3)
    docs = [{"doc_id": doc.doc_id, "title": doc.title, "text": doc.text} for doc in tiny_generators.DOCS]
    (tmp_path / "many").mkdir()
    (tmp_path / "many/docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    (tmp_path / "recipe.toml").write_text(RECIPE % tiny_generators.mt5())
    return tmp_path


@pytest.fixture
def xdr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


@pytest.mark.parametrize("out", ["texts.jsonl", "texts"])
def test_what_is_generated_feeds_a_run_of_xqg(home: Path, xdr: Terminal, out: str) -> None:
    ended = xdr("generate", "folder:data", "recipe.toml", "--out", out)
    assert (ended.status, ended.out) == (0, f"{out}\n")
    (home / "card.toml").write_text(CARD % (tiny_models.shared().static, out))
    assert xdr("run", "track.toml", "card.toml").status == 0
    assert "generated text" in (home / "runs/rivers/fused/manifest.yaml").read_text()
    assert xdr("generate", "folder:data", "recipe.toml", "--out", out).err.startswith(f"{out} holds these very texts")
    assert not (home / f"{out}.partial").exists()


def test_both_forms_hold_the_same_texts_whatever_the_size_of_shards(home: Path, xdr: Terminal) -> None:
    xdr("generate", "folder:many", "recipe.toml", "--out", "one.jsonl")
    xdr("generate", "folder:many", "recipe.toml", "--out", "shards", "--shard-size", "0.0001")
    lines = [json.loads(line) for line in (home / "one.jsonl").read_text().splitlines()]
    published = [json.loads(line) for line in (home / "shards/shard-00000.jsonl").read_text().splitlines()]
    flat = [
        (row["docid"], lang, text)
        for row in published
        for lang, own in row["generated_queries"].items()
        for text in own
    ]
    assert [(row["doc_id"], row["lang"], row["text"]) for row in lines] == flat
    assert len(flat) == 11 * 4
    manifest = read_manifest(home / "one.manifest.yaml")
    assert {row["source"] for row in lines} == {f"tiny@{manifest.key[:16]}"}
    assert manifest.counts["texts in fi"] == 22
    assert str(home) not in (home / "one.manifest.yaml").read_text()
    assert len(read_generated(home / "one.jsonl")) == 44


PROGRAM = """
import sys, time
from pathlib import Path
from harness.recipes.generate import runner
from harness.recipes.generate.recipe import Operator
from harness.recipes.generate.load import load_recipe
from harness.recipes.generate.text_shards import TextShards
from harness.adapters.contract import SilentProgress
runner.BLOCK_PASSAGES = 3
append = TextShards.append
def slow(self, *arguments):
    append(self, *arguments)
    time.sleep(0.5)
TextShards.append = slow
job = runner.job_of("folder:many", load_recipe("recipe.toml"), Path(sys.argv[1]))
runner.generate(job, Operator(), 1, SilentProgress())
"""


def test_a_killed_command_goes_on_and_gives_the_bytes_of_an_undisturbed_one(home: Path, xdr: Terminal) -> None:
    xdr("generate", "folder:many", "recipe.toml", "--out", "whole")
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, "texts"])
    journal = home / "texts.partial/blocks.journal"
    while not journal.is_file() or journal.read_bytes().count(b"\n") < 2:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with journal.open("ab") as file:
        file.write(b"00000000 [half a li")
    with sorted(journal.parent.glob("shard-*.jsonl"))[-1].open("ab") as file:
        file.write(b'{"docid": "half a li')
    ended = xdr("generate", "folder:many", "recipe.toml", "--out", "texts")
    assert "6 of them resumed" in ended.err or "9 of them resumed" in ended.err
    found, whole = (
        b"".join(data for name, data in sorted(bytes_in(home / out).items()) if name.startswith("shard"))
        for out in ("texts", "whole")
    )
    assert found == whole
    assert {name for name in bytes_in(home / "texts") if not name.startswith("shard")} == {"manifest.yaml"}


def test_damaged_text_of_a_killed_command_is_made_again(home: Path, xdr: Terminal) -> None:
    xdr("generate", "folder:many", "recipe.toml", "--out", "whole.jsonl")

    class Ended(Exception):
        pass

    class ThreeTasks(LocalEngine):
        def results(self, job: Any, tasks: Any) -> Any:
            compute = job.opened(job.files)
            for number, task in enumerate(tasks):
                if number == 3:
                    raise Ended
                yield compute(task)

    job = runner.job_of("folder:many", load_recipe("recipe.toml"), Path("texts.jsonl"))
    with pytest.raises(Ended):
        runner.generate(job, runner.Operator(), 1 << 20, runner_progress(), ThreeTasks())
    shard = home / "texts.jsonl.partial/shard-00000.jsonl"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert "3 of them resumed" in xdr("generate", "folder:many", "recipe.toml", "--out", "texts.jsonl").err
    assert (home / "texts.jsonl").read_bytes() == (home / "whole.jsonl").read_bytes()


def runner_progress() -> Any:
    from harness.adapters.contract import SilentProgress

    return SilentProgress()


def test_unfinished_work_of_another_recipe_is_kept(home: Path, xdr: Terminal) -> None:
    xdr("generate", "folder:data", "recipe.toml", "--out", "other.jsonl")
    description = read_manifest(home / "other.manifest.yaml").description
    description["recipe"]["seed"] = 1
    (home / "texts.jsonl.partial").mkdir()
    (home / "texts.jsonl.partial/begun.json").write_text(json.dumps(description))
    ended = xdr("generate", "folder:data", "recipe.toml", "--out", "texts.jsonl")
    assert ended.status == 2
    assert "recipe.seed was 1, is 42" in ended.err
    (home / "texts.jsonl.partial/begun.json").write_text("{")
    ended = xdr("generate", "folder:data", "recipe.toml", "--out", "texts.jsonl")
    assert (ended.status, "begun.json is damaged" in ended.err) == (1, True)


def test_an_output_of_something_else_is_not_replaced(home: Path, xdr: Terminal) -> None:
    xdr("generate", "folder:data", "recipe.toml", "--out", "texts.jsonl")
    before = (home / "texts.jsonl").read_bytes()
    (home / "recipe.toml").write_text((home / "recipe.toml").read_text().replace("top_k = 10", "top_k = 3"))
    ended = xdr("generate", "folder:data", "recipe.toml", "--out", "texts.jsonl")
    assert ended.status == 2
    assert "recipe.decoding.top_k was 10, is 3" in ended.err
    assert (home / "texts.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [(('"fi"', '"xx"'), "no English name is known of the language 'xx'"), (("{passage}", "{text}"), "{text} in the prompt"),
     (("{language}", "Finnish"), "the prompt has no {language}"), (('"seq2seq"', '"seq"'), "causal, seq2seq, server"),
     (("top_k", "topk"), "did you mean 'top_k'?"), (('"sample"', '"greedy"'), "top_k without effect"),
     (('"sample"\ntop_k = 10', '"greedy"'), "greedy decoding gives one text"), (('"fi", "ru"', '"fi", "fi"'), "is a duplicate"),
     (('name = "/', 'name = "organisation/'), "full commit of 40 hexadecimal digits")],
    ids=["language", "field", "no-language", "kind", "key", "method", "greedy", "twice", "revision"],
)  # fmt: skip
def test_a_faulty_recipe_is_one_clear_report(home: Path, xdr: Terminal, change: tuple[str, str], words: str) -> None:
    (home / "recipe.toml").write_text((home / "recipe.toml").read_text().replace(*change))
    ended = xdr("generate", "folder:data", "recipe.toml", "--out", "texts.jsonl")
    assert ended.status == 1
    assert words in ended.err
    assert not list(home.glob("texts*"))


def test_too_many_texts_for_one_file_and_no_passages_are_said_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_recipe("recipe.toml")
    assert runner.job_of("folder:many", loaded, Path("x.jsonl")).texts == 44
    monkeypatch.setattr(runner, "TEXT_BYTES", 44 * 256 - 1)
    with pytest.raises(WrongUsage, match="give a folder, --out x"):
        runner.job_of("folder:many", loaded, Path("x.jsonl"))
    (home / "none").mkdir()
    (home / "none/docs.jsonl").write_text("")
    with pytest.raises(InvalidInput, match="has no passages"):
        runner.job_of("folder:none", loaded, Path("x"))


def test_every_shipped_recipe_is_in_order_and_the_papers_is_the_papers() -> None:
    assert {load_recipe(name).recipe.kind for name in recipe_names()} == {"causal", "seq2seq", "server"}
    paper = load_recipe("xqg-mt5-base").recipe.model_dump()
    assert paper["decoding"] | {"beams": 0, "top_p": 1.0} == {
        "method": "sample", "top_k": 10, "max_output_tokens": 31, "temperature": 1.0, "beams": 0, "top_p": 1.0,
    }  # fmt: skip
    assert (paper["per_language"], len(paper["languages"]), paper["max_prompt_tokens"]) == (5, 7, 256)


def test_changes_to_outputs_are_those_of_the_recipe_and_counted() -> None:
    outputs = [Output(" a\u2028b \n", False), Output("a b", True), Output("\n", False)]
    texts, counts = cleaned(outputs, OutputRecipe())
    assert texts == ("a b", "a b", "")
    seen = {"line breaks removed": 1, "white space removed around": 2, "duplicates": 1, "empty": 1}
    assert {name: counts[name] for name in seen} == seen
    texts, counts = cleaned(outputs, OutputRecipe(line_breaks="first", empty="drop", duplicates="drop"))
    assert texts == ("a", "a b")
    assert counts["dropped"] == 1
