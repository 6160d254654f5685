"""Training by recipe: checked recipes, dropped evaluation questions, grouped batches, and a tiny training end to end."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness.collections
from harness.collections.romanize import normalizer, romanized
from harness.collections.storage import pinned
from harness.collections.text_similarity import similar_to
from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role
from harness.errors import InvalidInput, WrongUsage
from harness.progress import SilentProgress
from harness.recipes.train import overlap, train
from harness.recipes.train.batches import GroupedBatches
from harness.recipes.train.data import files_of, read_pairs
from harness.recipes.train.overlap import Questions
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.recipe import load_recipe
from harness.recipes.train.sources import LANGUAGES, SourceRecipe

RECIPE = """
schema_version = 1
name = "tiny"
title = "A tiny encoder"
seed = 7

[tokenizer]
vocabulary = 120
style = "sounds"
sources = [{ kind = "questions-parallel", languages = ["fi"] }]

[model]
dimensions = 8

[[stages]]
name = "questions"
epochs = 3
batch_size = 16
learning_rate = 0.1
token_dropout = 0.1
sources = [{ kind = "questions-parallel", languages = ["fi"], weight = 2 }]
"""
CITIES = (
    "Helsinki",
    "Turku",
    "Oulu",
    "Vaasa",
    "Kuopio",
    "Lahti",
    "Kotka",
    "Pori",
    "Rauma",
    "Espoo",
    "Vantaa",
    "Tampere",
)
FINNISH = [f"Missä maassa sijaitsee {city} ja milloin {city} perustettiin?" for city in CITIES]
ENGLISH = [f"In which country is {city} and when was {city} founded?" for city in CITIES]
FI_FILE = "xor-tydi/questions-parallel/fi-en/fi.txt"
EN_FILE = "xor-tydi/questions-parallel/fi-en/en.txt"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one small parallel file, pinned without a hash; one of its questions is an evaluation question."""
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    files = {name: pinned.PinnedFile(name, "CC0") for name in (FI_FILE, EN_FILE)}
    monkeypatch.setattr(pinned, "pinned_files", lambda: files)
    home = tmp_path / "home" / "data"
    for name, lines in ((FI_FILE, FINNISH), (EN_FILE, ENGLISH)):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("\n".join(lines) + "\n", "utf-8")
    questions = Questions([f"  {FINNISH[0].upper()} ", "In which country is Turku, and when was Turku founded"])
    monkeypatch.setattr(overlap, "evaluation_questions", lambda *_: questions)
    return home


def recipe_file(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_misspelt_key_is_found_and_the_right_one_named(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, RECIPE.replace("learning_rate", "learning_rat").replace("dimensions", "dimension"))
    with pytest.raises(InvalidInput) as error:
        load_recipe(path)
    assert "did you mean 'learning_rate'?" in str(error.value)
    assert "did you mean 'dimensions'?" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "questions-parallel"', 'kind = "xquad"', "questions-parallel"),
        ("epochs = 3", "epochs = 0", "greater than or equal to 1"),
        ("[model]", "[[stages]]\nname = 'questions'\nepochs = 1\nlearning_rate = 1\n"
         "sources = [{ kind = 'ntrex' }]\n[model]", "same name"),
    ],
)  # fmt: skip
def test_faulty_recipes_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InvalidInput) as error:
        load_recipe(recipe_file(tmp_path, RECIPE.replace(old, new)))
    assert said in str(error.value)


def test_the_committed_recipes_are_in_order_and_share_everything_but_the_last_stage() -> None:
    folder = Path(__file__).parents[2] / "systems" / "recipes"
    zero_shot, xdr = (load_recipe(folder / f"mini-{name}.toml").recipe for name in ("zero-shot", "xdr"))
    assert (zero_shot.tokenizer, zero_shot.model, zero_shot.seed) == (xdr.tokenizer, xdr.model, xdr.seed)
    assert zero_shot.stages[:-1] == xdr.stages[:-1]
    kinds = {source.kind for stage in zero_shot.stages for source in stage.sources}
    assert kinds == {"ntrex", "tatoeba", "tydi-questions", "tydi-sentences"}
    read = [file for stage in xdr.stages for source in stage.sources for file in files_of(source)]
    assert not [file for file in read if "dev" in file or file.startswith(("xquad", "paws-x"))]


def test_unknown_languages_and_missing_recipes_are_named(tmp_path: Path) -> None:
    used = 'kind = "questions-parallel", languages = ["fi"]'
    for kind in sorted(set(LANGUAGES) - {"tydi-answers"}):
        for stranger in ("xx", "finnish", "en" if not kind.startswith("tydi") else "fi"):
            faulty = RECIPE.replace(used, f'kind = "{kind}", languages = ["{stranger}"]')
            with pytest.raises(InvalidInput, match=f"source {kind}: no language {stranger}; known: "):
                load_recipe(recipe_file(tmp_path, faulty))
    with pytest.raises(WrongUsage, match="no file"):
        train(tmp_path / "absent.toml", tmp_path / "out", SilentProgress())


def test_files_of_different_lengths_are_refused(data: Path) -> None:
    (data / EN_FILE).write_text("one line\n", "utf-8")
    with pytest.raises(InvalidInput, match="not aligned"):
        read_pairs(SourceRecipe(kind="questions-parallel", languages=("fi",)), 1, Path())


def pair(anchor: str, positive: str, lang: str = "ko", compared: bool = True) -> Pair:
    return Pair(Side(anchor, lang), Side(positive, "en", compared), "file", anchor)


def test_rows_that_are_evaluation_questions_on_either_compared_side_are_dropped() -> None:
    questions = Questions(["세종대왕은 언제 태어났는가?", "When was the great king Sejong of Joseon born?"])
    equal = pair("세종대왕은  언제 태어났는가", "unrelated words here")
    similar = pair("다른 질문", "When was the great king Sejong of Joseon born")
    passage = pair("또 다른 질문", "When was the great king Sejong of Joseon born?", compared=False)
    free = pair("한글은 누가 만들었는가?", "Who made the Korean alphabet?")
    elsewhere = pair("When was the great king Sejong of Joseon born??", "labelled with a wrong language", lang="fi")
    good, dropped = overlap.kept([equal, similar, passage, free, elsewhere], questions)
    assert good == [passage, free]
    assert dropped == [equal, similar, elsewhere]


def test_evaluation_questions_are_made_ready_once_for_all_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(overlap, "similar_to", lambda others: made.append(similar_to(others)) or made[-1])
    questions = Questions([ENGLISH[0], ENGLISH[0]])
    for text, expected in ((ENGLISH[0], 0), (ENGLISH[2], 1), (ENGLISH[0].upper(), 0)):
        good, _ = overlap.kept([pair(text, "words")], questions)
        assert len(good) == expected
    assert len(made) == 1


def test_evaluation_questions_leave_out_training_splits_and_name_what_is_absent(
    monkeypatch: pytest.MonkeyPatch, xdr_home: Path
) -> None:
    absent = "mr-tydi-v1.1/sw/dev"
    monkeypatch.setattr(harness.collections, "dataset_ids", lambda: ["xdr-mini/te/dev", "xor-tydi/train/te", absent])
    questions = overlap.evaluation_questions()
    assert questions.collections == ["xdr-mini/te/dev"]
    assert questions.absent == [absent]
    assert questions.texts == [query.text for query in harness.collections.load("xdr-mini/te/dev").queries]


MINI = ["xdr-mini/te", "xdr-mini/te/dev", "xdr-mini/fi/dev"]


def test_rows_are_dropped_for_the_declared_collections_and_counted_for_the_others(
    monkeypatch: pytest.MonkeyPatch, xdr_home: Path
) -> None:
    asked = {one: [query.text for query in harness.collections.load(one).queries] for one in MINI}
    monkeypatch.setattr(harness.collections, "dataset_ids", lambda: [*MINI, "mr-tydi-v1.1/sw/dev"])
    questions = overlap.evaluation_questions((), ["xdr-mini/te"])
    assert questions.collections == MINI[:2]
    assert questions.texts == [*asked[MINI[0]], *asked[MINI[1]]]
    assert questions.others == {MINI[2]: asked[MINI[2]]}
    assert questions.absent == ["mr-tydi-v1.1/sw/dev"]
    rows = [pair(asked[MINI[0]][0], "a"), *(pair(text, text) for text in asked[MINI[2]][:3]), pair("vapaa?", "free")]
    good, dropped = overlap.kept(rows, questions)
    assert (good, dropped) == (rows[1:], rows[:1])
    assert overlap.asked_by_others(good, questions) == {MINI[2]: 3}
    assert overlap.asked_by_others(good[-1:], questions) == {}
    assert overlap.asked_by_others(rows, overlap.evaluation_questions()) == {}
    for declared in ({"transductive": ["xdr-min"]}, {"compared_with": ["xdr-min"]}):
        [key] = declared
        with pytest.raises(InvalidInput, match=f"{key}: no collection xdr-min; known: mr-tydi-v1.1, xdr-mini"):
            overlap.evaluation_questions(**declared)
    with pytest.raises(InvalidInput):
        overlap.evaluation_questions((), ["xdr-mini/te", "mr-tydi-v1.1"])


def test_a_recipe_that_says_what_it_is_compared_with_comes_out_the_same_whatever_else_is_here(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    known = Questions([FINNISH[0]])
    added = {"new/fi": [FINNISH[1], ENGLISH[2], "Kuka?"], "old/fi": ["Mikä?"]}
    recipe = RECIPE.replace("seed = 7", 'seed = 7\ncompared_with = ["xdr-mini"]')
    assert recipe != RECIPE
    files = []
    for others in ({}, added):
        own = replace(known, others=others)
        monkeypatch.setattr(overlap, "evaluation_questions", lambda *args, own=own: [asked.append(args), own][1])
        record = train(recipe_file(tmp_path, recipe), tmp_path / str(len(files)), SilentProgress())
        assert [row.dropped for row in record.rows] == [1]
        assert record.overlap.not_dropped == ({"new/fi": 2} if others else {})
        files.append(record.model_files)
    assert asked == [((), ("xdr-mini",))] * 2
    assert files[0] == files[1]
    both = recipe.replace("seed = 7", 'seed = 7\ntransductive = ["xdr-mini"]')
    with pytest.raises(InvalidInput, match="leave one out"):
        load_recipe(recipe_file(tmp_path, both))


def test_pairs_of_one_group_never_share_a_batch() -> None:
    groups = [str(i % 7) for i in range(60)]
    batches = GroupedBatches([groups, ["a", "b", "c"]], [1, 2], batch_size=5, seed=1)
    first, second = list(batches), list(batches)
    assert len(first) == len(second) == len(batches)
    assert first != second
    rows = [*groups, "a", "b", "c"]
    for batch in first:
        assert len({rows[i] for i in batch}) == len(batch)
        assert len({i < 60 for i in batch}) == 1
    assert [list(b) for b in GroupedBatches([groups, ["a", "b", "c"]], [1, 2], 5, 1)] == first
    assert sorted(i for batch in first for i in batch if i >= 60) == [60, 60, 61, 61, 62, 62]


def test_names_in_many_scripts_become_alike() -> None:
    sounds = normalizer("sounds")
    spellings = ["Broncos", "Бронкос", "ब्रोंकोस", "బ్రోంకోస్", "Brónkos"]
    assert {sounds.normalize_str(name) for name in spellings} == {"bronkos"}
    assert [romanized(c) for c in "ж각シ٣龙"] == ["zh", "gag", "shi", "3", "龙"]
    assert normalizer("plain").normalize_str("Бронкос") == "бронкос"


def test_a_training_is_recorded_loads_again_and_repeats_byte_for_byte(data: Path, tmp_path: Path) -> None:
    record = train(recipe_file(tmp_path), tmp_path / "one", SilentProgress())
    counted = [row.model_dump() for row in record.rows]
    assert counted == [{"file": FI_FILE, "lang": "fi", "used": len(CITIES) - 2, "dropped": 2}]
    assert record.files == {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in (FI_FILE, EN_FILE)}
    for name, digest in record.model_files.items():
        assert hashlib.sha256((tmp_path / "one" / name).read_bytes()).hexdigest() == digest
    written = (tmp_path / "one" / "training.json").read_text("utf-8")
    assert json.loads(written)["schema_version"] == 2
    assert str(tmp_path) not in written

    encoder = Encoder(EncoderSettings(tmp_path / "one", "model", "dot", "float32", "cpu"))
    vectors = encoder.encode([FINNISH[3], ENGLISH[3]], Role("document", max_length=64))
    assert vectors.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)

    (tmp_path / "one" / "README.md").write_text("kept", "utf-8")
    again = train(recipe_file(tmp_path), tmp_path / "one", SilentProgress())
    assert again.model_files == record.model_files
    assert (tmp_path / "one" / "README.md").read_text("utf-8") == "kept"


def test_a_folder_with_other_things_is_not_written_into(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("", "utf-8")
    with pytest.raises(WrongUsage, match="not empty"):
        train(recipe_file(tmp_path), tmp_path / "out", SilentProgress())


def test_too_small_a_vocabulary_is_explained(data: Path, tmp_path: Path) -> None:
    characters = [f"{chr(0x4E00 + 2 * i)}{chr(0x4E01 + 2 * i)}\n" for i in range(len(CITIES) * 8)]
    (data / FI_FILE).write_text("".join(characters), "utf-8")
    (data / EN_FILE).write_text("".join(f"{word}\n" for word in ENGLISH * 8), "utf-8")
    with pytest.raises(InvalidInput, match="their characters alone are 196 pieces; give more than that"):
        train(recipe_file(tmp_path), tmp_path / "out", SilentProgress())


def test_a_stage_whose_rows_were_all_dropped_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap, "evaluation_questions", lambda *_: Questions(FINNISH[:-1]))
    with pytest.raises(InvalidInput, match="no pairs"):
        train(recipe_file(tmp_path), tmp_path / "out", SilentProgress())
