"""Recipes of generation: one TOML file says with what, and how, texts are generated for passages."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import Field, model_validator

from harness.files.toml_records import Name, Record
from harness.recipes.generate.outputs import OutputRecipe
from harness.recipes.generate.prompts import Prompt, names_of
from harness.records import Doc
from harness.servers.access import Access


@dataclass(frozen=True)
class Operator:
    """What the operator of the command chooses. Nothing in it changes a text, except the device and what a server is.

    ``server``: the way to an OpenAI-compatible one; ``answers``: the file that keeps its answers until they are in finished
    blocks.
    """

    device: str = "cpu"
    workers: int = 1
    memory_bytes: int = 4 << 30
    server: Access | None = None
    answers: Path | None = None


class Written(NamedTuple):
    """Texts of a block: passage by passage, in each language of the recipe, in its order; and what was counted."""

    texts: tuple[tuple[tuple[str, ...], ...], ...]
    counts: Counter[str]


class Source(Protocol):
    """Picklable, a job of an engine (``harness.compute.engine``): its tasks are blocks of passages."""

    def provenance(self) -> Mapping[str, Any]:
        """What the texts depend on beside recipe and passages: digest of the model, device, versions of libraries."""
        ...

    @property
    def files(self) -> Mapping[str, Path]: ...

    def opened(self, files: Mapping[str, Path]) -> Callable[[Sequence[Doc]], Written]: ...


class Recipe(Record):
    """What every kind of source has; ``harness.recipes.generate.load`` lists the kinds, each with its own keys.

    ``seed``: with the passage's id, the language and the number of a text, all that its random draws depend on.
    """

    schema_version: Literal[1]
    kind: str
    name: Name
    title: str = Field(min_length=1, max_length=200)
    languages: tuple[str, ...] = Field(min_length=1)
    language_names: dict[str, str] = Field(default_factory=dict, description="English names that the harness lacks")
    per_language: int = Field(ge=1, le=1000, description="texts per passage and language")
    prompt: str = Field(min_length=1, max_length=100_000)
    seed: int = Field(default=42, ge=0, lt=2**32)
    outputs: OutputRecipe = OutputRecipe()

    @model_validator(mode="after")
    def _prompt_and_languages(self) -> Recipe:
        Prompt(self.prompt)
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("a language is a duplicate in `languages`")
        names_of(self.languages, self.language_names)
        return self

    @abstractmethod
    def source(self, folder: Path, operator: Operator) -> Source:
        """Where the texts come from; relative paths start from ``folder``. Raises as soon as something is missing."""
        raise NotImplementedError

    def names(self) -> dict[str, str]:
        """English names by language code."""
        return names_of(self.languages, self.language_names)
