"""Rows whose weights are kept nowhere: trained into the cache, run from there, and made again when they are gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import tiny_models
from boards import manifest_of, means
from score_files import scores_of
from small_track import Ended, Terminal, write_track
from tiny_training import CONTRASTIVE, STATIC, compare_with_embedded_questions, recipe

from harness.adapters.card import Card, LoadedCard, card_names, load_card
from harness.adapters.contract import Pin, inputs_of, missing_of
from harness.dense.model_places import resolved_revision
from harness.dense.trained_models import trained_folder, trained_home
from harness.errors import InvalidInput
from harness.files.writing import folder_lock
from harness.progress import SilentProgress
from harness.recipes.train import Operator, delta, train_into_cache
from harness.runs.manifest import Manifest, read_manifest
from harness.runs.provenance import Execution
from harness.runs.retraining import retraining_of
from harness.submissions.changes import changes_between

CARD = """schema_version = 1
name = "trained"
title = "Trained"
adapter = "dense"

[parameters]
model = "recipe:recipes/student.toml"
similarity = "cosine"
"""
DELTA = '[model]\nkind = "transformer"\nstart = "start"\npooling = "cls"\ntrained_layers = 1\nsaved = "delta"\n'


@pytest.fixture
def xdr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    """In a folder with a small track, a card, and the recipe that it names."""
    write_track(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "trained.toml").write_text(CARD)
    tiny_models.bert(tmp_path / "recipes/start")
    monkeypatch.chdir(tmp_path)
    compare_with_embedded_questions(monkeypatch, tmp_path / "home")
    return Terminal(monkeypatch, capsys)


def fine(ended: Ended) -> Ended:
    assert ended.status == 0, ended.err
    return ended


@pytest.mark.parametrize(("model", "kept"), [(STATIC, ["model"]), (DELTA, ["delta", "model"])])
def test_a_row_whose_weights_are_gone_says_how_they_are_made_again(
    xdr: Terminal, tmp_path: Path, model: str, kept: list[str]
) -> None:
    path = recipe(tmp_path / "recipes", model, CONTRASTIVE, name="student", steps=2)
    row, reproduce = tmp_path / "runs/rivers/trained", ("reproduce", "runs/rivers/trained", "--track", "track.toml")
    refused = xdr("run", "track.toml", "trained.toml")
    assert refused.status == 1
    assert "retrain from recipe: the weights of student are not kept" in refused.err
    assert "`xdr train recipes/student.toml`" in refused.err
    fine(xdr("train", "recipes/student.toml"))
    home = trained_home(path)
    assert sorted(found.name for found in home.iterdir()) == kept
    assert "is in the cache already" in fine(xdr("train", "recipes/student.toml")).err
    fine(xdr("run", "track.toml", "bm25", "trained.toml"))

    seconds = json.loads((home / "model/training.json").read_text())["seconds"]
    manifest = read_manifest(row)
    found = retraining_of(manifest.card, manifest.execution)
    assert found is not None
    assert found.training is not None
    assert (found.training.recipe, found.training.seconds, found.training.device) == ("student", seconds, "cpu")
    assert str(tmp_path) not in (row / "manifest.yaml").read_text()
    told = "retrain from recipe: `xdr train recipes/student.toml`, "
    validated = fine(xdr("validate", "runs/rivers/trained", "--track", "track.toml")).err
    assert f"`xdr train recipes/student.toml` in the folder of its card, {found.took}" in validated
    fine(xdr("leaderboard", "track.toml"))
    [page] = (tmp_path / "reports").rglob("systems/trained.html")
    text = page.read_text("utf-8")
    assert f"<code>xdr train recipes/student.toml</code> in the folder of its card, {found.took}" in text
    table = (page.parent.parent / "index.html").read_text("utf-8")
    assert table.count('<span class="badge">retrain from recipe</span>') == 1

    assert "trained on rivers: identical" in fine(xdr(*reproduce)).out
    shutil.rmtree(home / "model")
    for gone in ([home / "delta"], []) if "delta" in kept else ([],):
        ended = xdr(*reproduce)
        assert ended.status == 1
        assert "runs/rivers/trained cannot be made again yet; " in ended.err
        assert f"{told}{found.took}; then the same command again" in ended.err
        of_all = xdr("reproduce", "runs/rivers", "--all", "--track", "track.toml")
        assert of_all.status == 1
        assert f"trained  {told}{found.took}" in of_all.out
        assert "bm25     identical" in of_all.out
        # What is recorded stands, and is told to be the row of its card.
        assert "recorded run" in fine(xdr("run", "track.toml", "trained.toml")).err
        trained = fine(xdr("train", "recipes/student.toml")).err
        assert ("trained in" in trained) == (not any(folder.exists() for folder in gone))
        assert "trained on rivers: identical" in fine(xdr(*reproduce)).out
        # The record of the training says other seconds; it is the same model all the same.
        assert "model files" not in xdr(*reproduce).out
        shutil.rmtree(home)


def test_a_difference_that_was_trained_elsewhere_is_taken(xdr: Terminal, tmp_path: Path) -> None:
    path = recipe(tmp_path / "recipes", DELTA, CONTRASTIVE, name="student", steps=2)
    fine(xdr("train", "recipes/student.toml", "--output", "elsewhere"))
    fine(xdr("train", "recipes/student.toml", "--delta", "elsewhere"))
    home = trained_home(path)
    assert (home / "delta/delta.safetensors").read_bytes() == (tmp_path / "elsewhere/delta.safetensors").read_bytes()
    assert (home / "model/model.safetensors").is_file()
    # Wherever the recipe lies, and however it is laid out.
    moved = tmp_path / "student.toml"
    moved.write_text(f"# moved\n{path.read_text()}")
    assert trained_home(moved) == home
    moved.write_text(path.read_text().replace("seed = 7", "seed = 8"))
    assert trained_home(moved) != home


def card(folder: Path, **parameters: str) -> LoadedCard:
    fields = {"schema_version": 1, "name": "one", "title": "One", "adapter": "dense", "parameters": parameters}
    return LoadedCard(Card.model_validate(fields), folder)


def test_what_identifies_it_is_known_where_it_is_here(xdr: Terminal, tmp_path: Path) -> None:
    path = recipe(tmp_path / "recipes", STATIC, CONTRASTIVE, name="student", steps=2)
    loaded = card(tmp_path, model="recipe:recipes/student.toml")
    assert inputs_of(loaded.system()) == {"model": Pin("")}
    assert resolved_revision("recipe:recipes/student.toml", tmp_path) is None
    [told] = missing_of(loaded.system())
    assert "retrain from recipe" in told
    fine(xdr("train", "recipes/student.toml"))
    known = inputs_of(loaded.system())["model"]
    assert isinstance(known, Pin)
    assert known.digest
    assert known.place == trained_folder(path)
    record = trained_folder(path) / "training.json"
    record.write_text(record.read_text().replace('"seconds": ', '"seconds": 1'))
    assert inputs_of(loaded.system()) == {"model": known}


@pytest.mark.parametrize("model", [STATIC, DELTA])
def test_what_lies_in_the_cache_is_the_recipe_s_or_is_made_anew(xdr: Terminal, tmp_path: Path, model: str) -> None:
    path = recipe(tmp_path / "recipes", model, CONTRASTIVE, name="student", steps=2)
    loaded = card(tmp_path, model="recipe:recipes/student.toml")
    fine(xdr("train", "recipes/student.toml"))
    folder = trained_folder(path)
    known, weights = inputs_of(loaded.system()), (folder / "model.safetensors").read_bytes()
    record = (folder / "training.json").read_text("utf-8")

    def other_recipe() -> None:
        (folder / "training.json").write_text(record.replace('"seed": 7', '"seed": 8'), "utf-8")

    def other_rows() -> None:
        rows = tmp_path / "recipes/rows.jsonl"
        rows.write_text("".join(rows.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")

    spoils: list[tuple[Callable[[], object], str]] = [
        (lambda: (folder / "model.safetensors").write_bytes(weights[:-1]), "is damaged"),
        (lambda: (folder / "modeling.py").write_text("own code"), "is damaged"),
        ((folder / "model.safetensors").unlink, "is damaged"),
        (other_recipe, "is of another recipe"),
        (other_rows, "was made with another 'rows.jsonl'"),
    ]
    # What a delta makes again, it makes whatever was the matter.
    for spoil, said in spoils if model == STATIC else spoils[::4]:
        spoil()
        assert inputs_of(loaded.system()) == {"model": Pin("")}
        [told] = missing_of(loaded.system())
        assert said in told
        assert f"`xdr train {path}` makes it anew" in told
        is_new = "trained in" in fine(xdr("train", "recipes/student.toml")).err
        assert is_new == (model == STATIC or spoil is other_rows), "what a delta makes is made of the delta again"
        assert (inputs_of(loaded.system()) == known) == (spoil is not other_rows)
        if is_new:
            # The same recipe and rows make the same bytes; the record may tell the same seconds, too.
            assert ((folder / "model.safetensors").read_bytes() == weights) == (spoil is not other_rows)


def test_a_model_comes_to_its_place_whole_or_not_at_all(
    xdr: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(tmp_path / "recipes", DELTA, CONTRASTIVE, name="student", steps=2)
    fine(xdr("train", "recipes/student.toml"))
    folder = trained_folder(path)
    weights = (folder / "model.safetensors").read_bytes()

    def killed(folder: Path, output: Path) -> list[str]:
        (output / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    shutil.rmtree(folder)
    with monkeypatch.context() as patched:
        patched.setattr(delta, "move_files", killed)
        with pytest.raises(KeyboardInterrupt):
            train_into_cache(path, SilentProgress(), Operator())
    assert not folder.exists()
    with folder_lock(trained_home(path)), pytest.raises(InvalidInput, match="another process is at work on student"):
        train_into_cache(path, SilentProgress(), Operator())
    assert train_into_cache(path, SilentProgress(), Operator()) == (folder, None)
    assert (folder / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("recipe:/tmp/student.toml", "names no recipe: after `recipe:` stands its path, relative to the card"),
        ("recipe:", "names no recipe"),
    ],
)
def test_a_recipe_that_nobody_else_has_is_refused(tmp_path: Path, model: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        card(tmp_path, model=model).system()
    assert said in str(refused.value)
    with pytest.raises(InvalidInput) as refused:
        card(tmp_path, model="recipe:student.toml", revision="f" * 40).system()
    assert "trained by a recipe and has no revision" in str(refused.value)
    [told] = missing_of(card(tmp_path, model="recipe:student.toml").system())
    assert "student.toml" in told


@pytest.mark.parametrize("fact", [None, 3, {}, {"recipe": "a", "digest": "b", "seconds": -1, "device": "cpu"}])
def test_a_manifest_that_says_nothing_of_the_training_still_has_the_command(fact: object) -> None:
    facts = {} if fact is None else {"training": fact}
    execution = Execution.model_validate({"device": "cpu", "isolation": "none", "facts": facts})
    found = retraining_of(card(Path(), model="recipe:../recipes/a.toml").card, execution)
    assert found is not None
    assert found.in_words() == (
        "retrain from recipe: `xdr train ../recipes/a.toml` in the folder of its card, "
        "how long that takes it says with --dry-run"
    )
    assert retraining_of(card(Path(), model="../models/a").card, execution) is None


def test_the_command_of_a_shipped_card_works_in_the_root_of_the_repository() -> None:
    execution = Execution(device="cpu", isolation="none")
    root = Path(str(resources.files("systems"))).parent
    shipped = [
        load_card(name).card
        for name in card_names()
        if str(load_card(name).card.parameters.get("model", "")).startswith("recipe:")
    ]
    assert shipped
    for one in shipped:
        found = retraining_of(one, execution)
        assert found is not None
        assert found.command == f"xdr train systems/recipes/{Path(found.recipe).name}"
        assert (root / found.command.removeprefix("xdr train ")).is_file()
        assert "in the root of the repository" in found.in_words()
        # Another card may bear the name of a shipped one.
        other = one.model_copy(update={"parameters": {"model": "recipe:../own/a.toml"}})
        again = retraining_of(other, execution)
        assert again is not None
        assert again.command == "xdr train ../own/a.toml"


def test_a_training_that_took_another_time_is_no_change(tmp_path: Path) -> None:
    recorded = manifest_of(scores_of("one", means(fi=0.5)))

    def trained(**fields: object) -> Manifest:
        training = {"recipe": "a", "digest": "b", "seconds": 3.0, "device": "cpu", **fields}
        execution = recorded.execution.model_copy(update={"facts": {"training": training}})
        return recorded.model_copy(update={"execution": execution})

    assert changes_between(trained(), trained(seconds=4.0)) == ()
    for field in ({"digest": "c"}, {"device": "cuda"}):
        assert [one.field for one in changes_between(trained(), trained(**field))] == ["training"]
