"""Parts that are perturbed forms of other parts of their track: which they are, and many of them from a few lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from harness.errors import Finding
from harness.files.dataset_paths import recipes_between
from harness.files.toml_records import Name, Record, Reference, Title, checked

if TYPE_CHECKING:
    from harness.tracks import Part

_MOST_DRAWS = 100


def _alone(recipe: str) -> str:
    if not _RECIPE.fullmatch(recipe):
        raise ValueError(
            "expected a recipe's name, or the path of its TOML file, without commas, brackets and arguments; seeds are drawn: "
            "draws = N"
        )
    return recipe


# What can stand in ``perturbed(RECIPE,seed=N):``.
_RECIPE = re.compile(r"[^,()]+")
_Recipe = Annotated[Reference, AfterValidator(_alone)]


class Perturbations(Record):
    """A recipe by which every part of a track is perturbed, with the seeds 1 to ``draws``."""

    recipe: _Recipe
    draws: int = Field(default=1, ge=1, le=_MOST_DRAWS)


class Attack(Record):
    """A perturbation whose questions were chosen against a system, beside unselected draws of the same edits.

    It is never tested against the clean text, since it is the worst of several; what is tested is whether other systems lose
    more by it than by the unselected draws.
    """

    perturbation: Title
    system: Name
    control: Title = Field(description="the perturbation whose draws nobody selected")


class _Entries(Record):
    perturbations: tuple[Perturbations, ...]


def with_perturbed_parts(data: dict[str, Any], where: str) -> dict[str, Any]:
    """A track's table with a part for each part, recipe of ``perturbations`` and seed; those keys are then gone.

    A part ``ar`` and the recipe ``typo-swap`` make ``ar-typo-swap-1``, ... Raises ``InvalidInput`` for a bad entry; parts that
    are none are left for the check of the track's own form to report.
    """
    if "perturbations" not in data:
        return data
    wanted = checked(_Entries, {"perturbations": data["perturbations"]}, where).perturbations
    rest = {key: value for key, value in data.items() if key != "perturbations"}
    parts = data.get("parts")
    if not isinstance(parts, list):
        return rest
    clean = [part for part in parts if isinstance(part, dict) and "dataset" in part and "of" not in part]
    made = [_made(part, entry.recipe, seed) for entry in wanted for part in clean for seed in range(1, entry.draws + 1)]
    return {**rest, "parts": [*parts, *made]}


def _made(part: Mapping[str, Any], recipe: str, seed: int) -> dict[str, Any]:
    name = f"{part.get('name')}-{PurePosixPath(recipe).name.removesuffix('.toml')}-{seed}"
    return {
        "name": name,
        "dataset": f"perturbed({recipe},seed={seed}):{part['dataset']}",
        "lang": part.get("lang"),
        "of": part.get("name"),
    }


def perturbation_of(part: Part, clean: Part) -> str:
    """What was done to the clean part: the part's own word for it, or the recipes in its dataset's id; "" where neither says.

    Parts of one clean part and one perturbation are draws of it, however they differ in seeds.
    """
    return part.perturbation or "+".join(recipes_between(part.dataset, clean.dataset))


def faults_of(parts: Sequence[Part], macro: Sequence[str]) -> Iterator[str]:
    """What is wrong with the key ``of`` in a track's parts."""
    by_name = {part.name: part for part in parts}
    for part in parts:
        if not part.clean:
            if part.perturbation:
                yield f"part {part.name} has a perturbation, but not the part that it is a form of: of = ..."
            continue
        clean = by_name.get(part.clean)
        if clean is None or clean.clean:
            yield f"part {part.name}: of = {part.clean!r} is no clean part of the track"
            continue
        if part.lang != clean.lang:
            yield f"part {part.name} is in {part.lang}, and the part that it is a form of in {clean.lang}"
        if not perturbation_of(part, clean):
            yield (
                f"part {part.name}: its dataset is not perturbed(NAME,seed=N):{clean.dataset}; what was done to that has to be "
                'said: perturbation = "..."'
            )
        if part.name in macro:
            yield f"macro names {part.name}, a perturbed form of {part.clean}, which never enters an average with clean parts"
    yield from _unequal_draws(parts, by_name)


def _unequal_draws(parts: Sequence[Part], by_name: Mapping[str, Part]) -> Iterator[str]:
    """A test takes one version of a question in all languages for the clean one, so all have as many."""
    counts: dict[str, Counter[str]] = {}
    for part in parts:
        if part.clean in by_name:
            counts.setdefault(perturbation_of(part, by_name[part.clean]), Counter())[part.clean] += 1
    for perturbation, draws in counts.items():
        if len(set(draws.values())) > 1:
            told = ", ".join(f"{clean} {count}" for clean, count in sorted(draws.items()))
            yield f"parts have different numbers of draws of {perturbation}: {told}"


def faults_of_attacks(attacks: Sequence[Attack], draws_by_part: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """What is wrong with a track's attacks; ``draws_by_part``: of each part of the average, the draws of its perturbations."""
    for attack in attacks:
        for name in (attack.perturbation, attack.control):
            if without := [part for part, draws in draws_by_part.items() if name not in draws]:
                yield f"attacks name the perturbation {name!r}, which part {without[0]} does not have"
        if attack.perturbation == attack.control:
            yield f"the attack {attack.perturbation!r} is its own control"
        if any(draws.get(attack.perturbation, 1) > 1 for draws in draws_by_part.values()):
            yield f"the attack {attack.perturbation!r} has several draws; give each a perturbation of its own"
    if twins := [name for name, times in Counter(own.perturbation for own in attacks).items() if times > 1]:
        yield f"attacks name the perturbation {twins[0]!r} twice"


def unequal_questions(part: Part, clean: Part) -> Finding | None:
    """Drops are differences of one question's scores, so both parts must ask the same questions, by their ids."""
    own, theirs = ({query.query_id for query in found.collection.queries} for found in (part, clean))
    if own == theirs:
        return None
    what = f"{len(own ^ theirs)} questions are asked of it or of part {clean.name} alone"
    return Finding("error", f"part {part.name}", what, f"the question ids of part {clean.name}, of which it is a form")
