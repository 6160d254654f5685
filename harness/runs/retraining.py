"""Rows whose weights are kept nowhere: their model is trained again by its recipe, and the run says how long that took."""

from __future__ import annotations

from pydantic import ValidationError

from harness.adapters.card import Card, card_names, load_card
from harness.dense.trained_models import SCHEME, STATUS, recipe_of
from harness.files.toml_records import Record, Text, Title
from harness.numbers import duration
from harness.runs.provenance import Amount, Execution


class Training(Record):
    """As the training record beside the model said. ``digest``: of the recipe as it was then."""

    recipe: Title
    digest: Title
    seconds: Amount
    device: Title


class Retraining(Record):
    """``recipe``: its file, relative to the card; ``shipped``: its path from the root of the repository, of a card that stands
    there. ``training``: null where the run does not say, or says what it cannot.
    """

    recipe: Text
    shipped: Text = ""
    training: Training | None = None

    @property
    def command(self) -> str:
        return f"xdr train {self.shipped or self.recipe}"

    @property
    def where(self) -> str:
        """The folder in which the command finds the recipe, in words: a run does not say where its card lay."""
        return "in the root of the repository" if self.shipped else "in the folder of its card"

    @property
    def took(self) -> str:
        """How long, in words."""
        if self.training is None:
            return "how long that takes it says with --dry-run"
        return f"{duration(self.training.seconds)} on {self.training.device} by the training record"

    def in_words(self, recipe: str = "") -> str:
        """``recipe``: its path where it is known better than by the card."""
        command = f"`xdr train {recipe}`" if recipe else f"`{self.command}` {self.where}"
        return f"{STATUS}: {command}, {self.took}"


def retraining_of(card: Card, execution: Execution) -> Retraining | None:
    """None for a row whose model is a file of the package, of the hub, or of a folder."""
    model = card.parameters.get("model")
    if not isinstance(model, str) or not model.startswith(SCHEME):
        return None
    try:
        training = Training.model_validate(execution.facts.get("training"))
    except ValidationError:
        training = None
    return Retraining(recipe=model.removeprefix(SCHEME), shipped=_shipped(card, model), training=training)


def _shipped(card: Card, model: str) -> str:
    """Empty where the card is none of the shipped ones, or names another recipe than that one does."""
    if card.name not in card_names():
        return ""
    loaded = load_card(card.name)
    recipe = recipe_of(model, loaded.folder) if loaded.card.parameters.get("model") == model else None
    root = loaded.folder.parent.parent
    return recipe.relative_to(root).as_posix() if recipe is not None and recipe.is_relative_to(root) else ""
