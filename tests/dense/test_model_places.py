"""Where models come from: a hub model whose card names no commit is resolved once, recorded, and asked to be written down."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_models

from harness.adapters.card import Card, LoadedCard
from harness.adapters.conformance import toy_request
from harness.adapters.contract import Context, Pin, inputs_of, missing_of
from harness.dense.model_places import model_folder, model_input, resolved_revision
from harness.errors import InvalidInput

MODEL, COMMIT = "organisation/model", "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A hub with one model, which moves on at every question; the questions that were asked of it."""
    asked: list[str] = []

    def model_info(self: Any, name: str, *, revision: str | None = None) -> Any:
        if revision is not None:
            return SimpleNamespace(sha=revision)
        asked.append(name)
        if name != MODEL:
            raise OSError("no such model")
        return SimpleNamespace(sha=COMMIT if len(asked) == 1 else "f" * 40)

    def snapshot(name: str, *, revision: str, allow_patterns: list[str], local_files_only: bool) -> str:
        assert not local_files_only
        asked.append(f"{name}@{revision}")
        return str(tiny_models.shared().sentence)

    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    return asked


def card(folder: Path, **parameters: str) -> LoadedCard:
    fields = {"schema_version": 1, "name": "one", "title": "One", "adapter": "dense", "parameters": parameters}
    return LoadedCard(Card.model_validate(fields), folder)


def test_a_commit_is_resolved_once_and_kept(hub: list[str], tmp_path: Path) -> None:
    assert resolved_revision(MODEL, tmp_path) == COMMIT
    assert resolved_revision(MODEL, tmp_path) == COMMIT, "though the hub has another one now"
    assert hub == [MODEL]
    assert json.loads((tmp_path / "home/models/revisions.json").read_text()) == {MODEL: COMMIT}


def test_nothing_is_asked_to_know_what_a_row_is(hub: list[str], tmp_path: Path) -> None:
    loaded = card(tmp_path, model=MODEL)
    assert inputs_of(loaded.system()) == {"model": Pin("")}
    assert hub == []
    resolved_revision(MODEL, tmp_path)
    assert inputs_of(loaded.system()) == {"model": Pin(COMMIT)}


def test_a_run_records_the_commit_and_asks_for_it_to_be_written_down(hub: list[str], tmp_path: Path) -> None:
    system, context = card(tmp_path, model=MODEL).system(), Context(cache=tmp_path / "cache", work=tmp_path / "work")
    assert len(list(system.search(toy_request(), context))) == len(toy_request().queries)
    assert hub == [MODEL, f"{MODEL}@{COMMIT}"]
    assert context.record.facts["revision"] == COMMIT
    (note,) = [note for note in context.record.facts["notes"] if "revision" in note]
    assert f'revision = "{COMMIT}": write that into the card' in note
    assert inputs_of(system) == {"model": Pin(COMMIT)}


def test_a_card_that_names_it_asks_nobody(hub: list[str], tmp_path: Path) -> None:
    loaded = card(tmp_path, model=MODEL, revision="a" * 40)
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    list(loaded.system().search(toy_request(), context))
    assert hub == [f"{MODEL}@{'a' * 40}"]
    assert "revision" not in context.record.facts
    assert not any("revision" in note for note in context.record.facts["notes"])


def test_without_the_hub_it_is_said_what_to_do(hub: list[str], tmp_path: Path) -> None:
    (missing,) = missing_of(card(tmp_path, model="organisation/other").system())
    assert "has no `revision`" in missing
    assert "write down the commit" in missing
    assert not (tmp_path / "home/models").exists()


@pytest.mark.parametrize("content", ["[", "[]", '{"organisation/model": 1}'])
def test_a_damaged_note_of_commits_is_no_trouble(hub: list[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "home/models").mkdir(parents=True)
    (tmp_path / "home/models/revisions.json").write_text(content)
    assert resolved_revision(MODEL, tmp_path) == COMMIT


@pytest.mark.parametrize("model", ["./here", "/there", "pinned:multilingual-e5-small-q4", "mine"])
def test_what_is_no_model_of_the_hub_has_no_commit(hub: list[str], tmp_path: Path, model: str) -> None:
    (tmp_path / "mine").mkdir()
    assert resolved_revision(model, tmp_path) is None
    assert hub == []


def test_a_hub_that_names_no_commit_is_told(hub: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda self, name: SimpleNamespace(sha=None))
    with pytest.raises(InvalidInput, match="names no commit"):
        resolved_revision(MODEL, tmp_path)


def test_a_path_that_is_not_there_is_an_input_by_its_path(tmp_path: Path) -> None:
    assert model_input("./none", None, tmp_path) == tmp_path / "./none"


def test_where_a_trained_model_is_not_here_its_recipe_is_named(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    with pytest.raises(InvalidInput, match="no model folder") as without:
        model_folder("../models/mine", None, tmp_path / "cards")
    assert "recipe" not in str(without.value)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/mine.toml").touch()
    with pytest.raises(
        InvalidInput, match=r"no model folder .*mine'; it is trained by .*recipes/mine\.toml.*`xdr train"
    ):
        model_folder("../models/mine", None, tmp_path / "cards")
