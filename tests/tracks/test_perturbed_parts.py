"""Parts that are perturbed forms of others: from a few lines of a track's file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InvalidInput, WrongUsage
from harness.tracks import Track, load_track
from harness.tracks.check import check_track

HEAD = """
schema_version = 1
name = "mine"
version = 1
title = "Mine"
description = "Clean and not."
measures = ["Success@1"]
primary = "Success@1"
depth = 10
baseline = "bm25"
"""
FI = '\n[[parts]]\nname = "fi"\ndataset = "xdr-mini/fi"\nlang = "fi"\n'
BN = '\n[[parts]]\nname = "bn"\ndataset = "xdr-mini/bn"\nlang = "bn"\n'


def track(folder: Path, text: str) -> Track:
    path = folder / "mine.toml"
    path.write_text(HEAD + text)
    return load_track(str(path))


def part(name: str, dataset: str, of: str, lang: str = "fi", more: str = "") -> str:
    return f'\n[[parts]]\nname = "{name}"\ndataset = "{dataset}"\nlang = "{lang}"\nof = "{of}"\n{more}'


def test_a_recipe_makes_a_part_of_each_part_and_seed(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('schema_version = 1\ntitle = "T"\nside = "queries"\nkind = "word-drop"\n')
    entries = '[{ recipe = "typo-swap", draws = 2 }, { recipe = "own.toml" }]'
    found = track(tmp_path, f"perturbations = {entries}\n{FI}{BN}")
    assert [(p.name, p.dataset, p.clean) for p in found.parts[2:]] == [
        ("fi-typo-swap-1", "perturbed(typo-swap,seed=1):xdr-mini/fi", "fi"),
        ("fi-typo-swap-2", "perturbed(typo-swap,seed=2):xdr-mini/fi", "fi"),
        ("bn-typo-swap-1", "perturbed(typo-swap,seed=1):xdr-mini/bn", "bn"),
        ("bn-typo-swap-2", "perturbed(typo-swap,seed=2):xdr-mini/bn", "bn"),
        ("fi-own-1", "perturbed(own.toml,seed=1):xdr-mini/fi", "fi"),
        ("bn-own-1", "perturbed(own.toml,seed=1):xdr-mini/bn", "bn"),
    ]
    assert found.macro_parts == ("fi", "bn")
    assert [p.name for p in found.clean_parts] == ["fi", "bn"]
    assert {name: len(draws) for name, draws in found.draws_of("bn").items()} == {"typo-swap": 2, "own": 1}
    assert found.parts[-1].dataset_id == f"perturbed({tmp_path.resolve()}/own.toml,seed=1):xdr-mini/bn"
    assert check_track(found, [p for p in found.parts if "typo" in p.name])


def test_seeds_of_one_recipe_are_draws_and_another_recipe_is_another_perturbation(tmp_path: Path) -> None:
    text = FI + "".join(
        part(name, dataset, "fi")
        for name, dataset in (
            ("a", "perturbed(typo-swap,seed=1):xdr-mini/fi"),
            ("b", "perturbed(typo-swap,seed=9):xdr-mini/fi"),
            ("c", "perturbed(twin,seed=1):perturbed(no-title,seed=1):xdr-mini/fi"),
        )
    )
    draws = track(tmp_path, text).draws_of("fi")
    assert {name: [p.name for p in parts] for name, parts in draws.items()} == {
        "typo-swap": ["a", "b"],
        "twin+no-title": ["c"],
    }


def test_another_dataset_says_what_was_done(tmp_path: Path) -> None:
    hard = part("hard", "xdr-mini/fi/dev", "fi")
    with pytest.raises(InvalidInput, match="what was done to that has to be said"):
        track(tmp_path, FI + hard)
    found = track(tmp_path, FI + hard + 'perturbation = "adversaries"\n')
    assert list(found.draws_of("fi")) == ["adversaries"]
    with pytest.raises(InvalidInput, match=r"part hard: .* questions are asked of it or of part fi alone"):
        check_track(found)


def test_what_a_part_is_of_is_a_part_of_what_runs_depend_on(tmp_path: Path) -> None:
    one = part("typo", "perturbed(typo-swap,seed=1):xdr-mini/fi", "fi")
    of_another = track(tmp_path, FI + one + 'perturbation = "typo"\n').definition()
    assert track(tmp_path, FI + one).definition() != of_another


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (part("typo", "perturbed(typo-swap,seed=1):xdr-mini/fi", "sv"), "of = 'sv' is no clean part of the track"),
        (part("typo", "perturbed(typo-swap,seed=1):xdr-mini/bn", "fi"), "is not perturbed(NAME,seed=N):xdr-mini/fi"),
        (part("typo", "perturbed(typo-swap,seed=1):xdr-mini/fi", "fi", "bn"), "typo is in bn, and the part that"),
        (part("typo", "perturbed(typo-swap,seed=1):xdr-mini/fi", "typo"), "of = 'typo' is no clean part"),
        (FI.replace('"fi"\nd', '"x"\nd') + 'perturbation = "typos"\n', "part x has a perturbation, but not the part"),
    ],
)
def test_a_part_of_nothing_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        track(tmp_path, FI + text)
    assert words in str(refusal.value)


def test_languages_have_as_many_draws_as_one_another(tmp_path: Path) -> None:
    more = part("more", "perturbed(typo-swap,seed=2):xdr-mini/fi", "fi")
    with pytest.raises(InvalidInput, match="different numbers of draws of typo-swap: bn 1, fi 2"):
        track(tmp_path, f'perturbations = [{{ recipe = "typo-swap" }}]\n{FI}{BN}{more}')


def test_a_perturbed_part_is_in_no_macro_average(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="macro names typo, a perturbed form of fi, which never enters"):
        track(tmp_path, f'macro = ["fi", "typo"]\n{FI}' + part("typo", "perturbed(typo-swap,seed=1):xdr-mini/fi", "fi"))


@pytest.mark.parametrize(
    "entry", ['{ recipe = "typo-swap", draws = 0 }', "{ draws = 2 }", '{ recipe = "typo-swap", seeds = 3 }', "3"]
)
def test_a_bad_entry_of_perturbations_is_refused(tmp_path: Path, entry: str) -> None:
    with pytest.raises(InvalidInput, match="perturbations"):
        track(tmp_path, f"perturbations = [{entry}]\n{FI}")


@pytest.mark.parametrize("recipe", ["typo-swap,seed=3", "perturbed(typo-swap)", "typo-swap)"])
def test_a_recipe_with_arguments_is_the_recipes_fault_not_that_of_a_part(tmp_path: Path, recipe: str) -> None:
    with pytest.raises(InvalidInput, match="draws = N") as refusal:
        track(tmp_path, f'perturbations = [{{ recipe = "{recipe}" }}]\n{FI}')
    assert [finding.where.rpartition(": ")[2] for finding in refusal.value.findings] == ["perturbations.0.recipe"]


@pytest.mark.parametrize("parts", ["5", '"fi"', "{ name = 3 }"])
def test_parts_that_are_no_list_are_reported_as_they_were_written(tmp_path: Path, parts: str) -> None:
    said = []
    for perturbations in ("", 'perturbations = [{ recipe = "typo-swap" }]\n'):
        with pytest.raises(InvalidInput) as refusal:
            track(tmp_path, f"parts = {parts}\n{perturbations}")
        said.append(str(refusal.value))
    assert said[0] == said[1]
    assert ": parts: " in said[0]


def test_two_entries_of_one_recipe_make_twins_that_are_named(tmp_path: Path) -> None:
    entries = '[{ recipe = "typo-swap" }, { recipe = "no-title" }, { recipe = "typo-swap", draws = 2 }]'
    with pytest.raises(InvalidInput, match=r"two parts have the same name: fi-typo-swap-1$"):
        track(tmp_path, f"perturbations = {entries}\n{FI}")


def test_an_unknown_recipe_is_named_before_anything_runs(tmp_path: Path) -> None:
    found = track(tmp_path, f'perturbations = [{{ recipe = "typo-swop" }}]\n{FI}')
    with pytest.raises(WrongUsage, match="typo-swop"):
        check_track(found)
