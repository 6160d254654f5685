"""The model that a card names: where it lies, what identifies it, and whether code of its own may run."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import PrivateAttr, ValidationInfo, model_validator

from harness.adapters.consent import PinnedModel
from harness.adapters.contract import Context, Pin
from harness.dense.model_files import code_needed, model_name
from harness.dense.model_places import local_folder, model_folder, model_input, resolved_revision
from harness.dense.pinned_models import conversion_of
from harness.dense.trained_models import recipe_of, training_of
from harness.errors import InvalidInput
from harness.files.toml_records import Record
from harness.files.writing import sha256_of_tree


class ModelParameters(Record):
    """``model``: a folder relative to the card, a hub id with the full commit in ``revision``, "pinned:NAME" or "recipe:PATH".

    A hub id without ``revision`` is resolved when it is first run, recorded, and asked to be written down.
    """

    model: str
    revision: str | None = None

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _place_of_the_model(self, info: ValidationInfo) -> Self:
        folder = (info.context or {}).get("folder", Path())
        try:
            pinned, recipe = conversion_of(self.model), recipe_of(self.model, folder)
        except InvalidInput as error:
            raise ValueError(str(error)) from error
        if (pinned or recipe) and self.revision is not None:
            made = "pinned by its hash" if pinned else "trained by a recipe"
            raise ValueError(f"{self.model} is {made} and has no revision")
        self._folder = folder
        return self

    @property
    def folder(self) -> Path:
        """The card's, from which relative paths start."""
        return self._folder


class CardModel:
    """What adapters that load a model do alike with it."""

    def __init__(self, parameters: ModelParameters) -> None:
        self._parameters = parameters

    @functools.cached_property
    def path(self) -> Path:
        """The model's folder. Raises ``InvalidInput`` where there is none, and the hub cannot be reached."""
        return model_folder(self._parameters.model, self.revision, self._parameters.folder)

    @functools.cached_property
    def revision(self) -> str | None:
        """The card's, or for a model of the hub without one, that which the hub tells. Raises ``InvalidInput`` as above."""
        return self._parameters.revision or resolved_revision(self._parameters.model, self._parameters.folder)

    @property
    def name(self) -> str:
        return model_name(self.path)

    def inputs(self) -> Mapping[str, Path | Pin]:
        return {"model": model_input(self._parameters.model, self._parameters.revision, self._parameters.folder)}

    def missing(self) -> Iterator[str]:
        try:
            _ = self.path
        except InvalidInput as error:
            yield str(error)

    def may_run_its_code(self, context: Context) -> bool:
        """Whether the model has code of its own that the operator trusts. Raises ``WrongUsage`` where they do not."""
        needed = code_needed(self.path)
        if needed is None:
            return False
        name, revision = self._parameters.model, self.revision
        if local_folder(name, self._parameters.folder) is not None or revision is None:
            revision = sha256_of_tree(self.path)
        model = PinnedModel(name, revision)
        context.consent.require_model_code(model, needed)
        context.record.facts["remote code"] = str(model)
        return True

    def note_origin(self, context: Context) -> None:
        """Of a model of a recipe, how it was trained. Of one of the hub whose card names no revision: the one that was run,
        and that it is to be written down.
        """
        if (recipe := recipe_of(self._parameters.model, self._parameters.folder)) is not None:
            context.record.facts["training"] = training_of(recipe)
        if self.revision and not self._parameters.revision:
            context.record.facts["revision"] = self.revision
            context.record.note(
                f'the card names no revision of {self._parameters.model}; this run is of revision = "{self.revision}": write '
                "that into the card"
            )
