"""Models whose training was told what a collection's passages are about: which collections they are for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harness.errors import InvalidInput
from harness.recipes.train.overlap import is_of
from harness.recipes.train.recipe import Recipe
from harness.recipes.train.seen import names_in, overlap_told


def transductive_of(model: Path) -> tuple[str, ...]:
    """The collections that a model's training record declares; none where there is no record of ours beside the weights."""
    return names_in(overlap_told(model), "transductive")


def check_transductive(what: str, model: Path, dataset_ids: list[str]) -> None:
    """Raises ``InvalidInput`` where a model is used on other datasets than those that its training declared."""
    declared = transductive_of(model)
    strangers = [one for one in dataset_ids if not is_of(one, declared)]
    if declared and strangers:
        raise InvalidInput(
            f"{what}: the model {model.name} was trained transductively (its training.json: {', '.join(declared)}), on "
            f"questions about the same passages, and is for tracks over these only, not for {strangers[0]}"
            + (f" and {len(strangers) - 1} more" if len(strangers) > 1 else "")
        )


def check_inherited(what: str, of: Collection[str], recipe: Recipe) -> None:
    """Raises ``InvalidInput`` where a recipe builds on a transductive model and does not say that it is one itself."""
    if hidden := sorted(set(of) - set(recipe.transductive)):
        raise InvalidInput(
            f"{what} was trained transductively: what learns from it says transductive = {hidden} as well"
        )
