"""Recipes of perturbations: one TOML file each, those in ``recipes/`` by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, PrivateAttr, model_validator

from harness.errors import unknown_name
from harness.files.migrations import migrated
from harness.files.toml_records import Record, Reference, Text, Title, checked, read_toml
from harness.files.yaml_records import digest_of
from harness.languages import LanguageTag

QueryKind = Literal[
    "typo-swap", "typo-delete", "typo-insert", "typo-substitute", "typo-keyboard", "word-drop", "word-swap", "case",
    "diacritics",
    "punctuation", "white-space", "homoglyphs", "zero-width", "romanised", "reorder", "stop-words", "code-switch", "recorded",
]  # fmt: skip
PassageKind = Literal["distractor", "shuffled-sentences", "no-title", "twin", "answer-removed"]
_HOME = Path(__file__).parent / "recipes"
TYPOS = ("typo-swap", "typo-delete", "typo-insert", "typo-substitute", "typo-keyboard")
_OPTIONS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys((*TYPOS, "word-swap", "reorder", "twin"), frozenset({"edits"})),
    "word-drop": frozenset({"share"}),
    "case": frozenset({"form"}),
    "white-space": frozenset({"form", "edits"}),
    "code-switch": frozenset({"share", "language"}),
    "recorded": frozenset({"texts", "sha256"}),
}
"""Keys that mean something for a kind only."""
_LATER = ("language", "texts", "sha256")
"""Keys that recipes did not always have: where they are idle the digest, of which all draws depend, is as it was."""
_NOT_DRAWN = frozenset({
    "diacritics", "punctuation", "homoglyphs", "zero-width", "romanised", "stop-words", "no-title", "answer-removed",
    "recorded",
})  # fmt: skip
_NEEDED: Mapping[str, tuple[str, ...]] = {"code-switch": ("language",), "recorded": ("texts", "sha256")}
_FORMS: Mapping[str, tuple[str, ...]] = {"case": ("lower", "upper"), "white-space": ("doubled", "lost")}


class Recipe(Record):
    """See docs/perturbed.md for the keys. What ``digest`` covers identifies the texts; title and description do not."""

    schema_version: Literal[1]
    title: Title
    description: Text = ""
    side: Literal["queries", "passages"]
    kind: QueryKind | PassageKind
    edits: int = Field(default=1, ge=1, le=20, description="words, or pairs of words, that are edited")
    share: float = Field(
        default=0.2, gt=0, lt=1, description="of the words that are left out or switched, at least one"
    )
    form: Literal["lower", "upper", "doubled", "lost"] | None = Field(default=None, description="which of several")
    language: LanguageTag | None = Field(default=None, description="of the translations that words are taken from")
    texts: Reference | None = Field(default=None, description="file of recorded questions, relative to the recipe")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="of that file")
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _means_something(self) -> Recipe:
        side = "queries" if self.kind in get_args(QueryKind) else "passages"
        if self.side != side:
            raise ValueError(f'kind "{self.kind}" changes {side}: expected side = "{side}"')
        idle = (self.model_fields_set & {*_LATER, "edits", "share", "form"}) - _OPTIONS.get(self.kind, frozenset())
        if idle:
            raise ValueError(f'{", ".join(sorted(idle))}: kind "{self.kind}" has no such key')
        if lacking := [key for key in _NEEDED.get(self.kind, ()) if getattr(self, key) is None]:
            raise ValueError(f'{", ".join(lacking)}: kind "{self.kind}" needs it')
        if (forms := _FORMS.get(self.kind)) and self.form not in forms:
            raise ValueError(f'kind "{self.kind}" has a form: expected one of {", ".join(forms)}')
        if self.form == "doubled" and "edits" in self.model_fields_set:
            raise ValueError('edits: form "doubled" changes every blank')
        return self

    @property
    def digest(self) -> str:
        """Of what the recipe does to a text, so that a new title makes no new texts."""
        idle = {key for key in _LATER if getattr(self, key) is None}
        # Where the recorded texts lie is as little a part of it as where a recipe does.
        does: dict[str, Any] = self.model_dump(exclude={"schema_version", "title", "description", "texts", *idle})
        return digest_of(does)

    @property
    def texts_file(self) -> Path:
        """Where the recorded questions of the kind "recorded" lie."""
        return self._folder / (self.texts or "")

    @property
    def is_drawn(self) -> bool:
        """Whether another seed makes other texts."""
        return self.kind not in _NOT_DRAWN and self.form not in ("doubled", "lower", "upper")


def recipe_names() -> list[str]:
    return sorted(path.stem for path in _HOME.glob("*.toml"))


def recipe_file(name: str) -> Path:
    """Where a recipe lies that is given by its name, or by its path. Raises ``WrongUsage`` for an unknown name."""
    if name.endswith(".toml"):
        return Path(name)
    if name not in recipe_names():
        raise unknown_name("perturbation", name, recipe_names(), "or the path of a recipe in TOML")
    return _HOME / f"{name}.toml"


def load_recipe(name: str) -> Recipe:
    """Raises ``InvalidInput`` with all that is wrong with the file, ``WrongUsage`` where there is none."""
    path = recipe_file(name)
    recipe = checked(Recipe, migrated("perturbation", read_toml(path), str(path)), str(path))
    recipe._folder = path.parent
    return recipe
