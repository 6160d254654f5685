"""Cards: one TOML file is one row of a leaderboard. And the three ways to load the adapter that a card names."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from harness.bibtex import one_entry
from harness.config import Name, Record, Reference, checked, read_toml
from harness.consent import NOTHING, Consent
from harness.errors import InvalidInput, WrongUsage, unknown_name
from harness.migrations import migrated
from harness.system import System

ENTRY_POINTS = "xdr.systems"
COMMAND = "command"
RESERVED_ENDINGS = (".json", ".csv", ".md")
RESERVED_NAMES = ("snapshots",)


class Card(Record):
    """Who and what a row is. ``languages`` are those the system claims to serve; the others are dashes, not zeros."""

    schema_version: Literal[1]
    name: Name
    title: str = Field(min_length=1, max_length=200)
    adapter: Reference
    parameters: dict[str, Any] = Field(default_factory=dict)
    languages: Literal["all"] | tuple[str, ...] = "all"
    kind: Literal["lexical", "zero-shot", "cross-lingual", "control", "other"] = "other"
    description: str = ""
    authors: tuple[str, ...] = ()
    paper: str = ""
    licence: str = ""
    training_data: tuple[str, ...] = ()
    bibtex: str = Field(default="", max_length=10_000, description="one entry: the work that the row is of")

    @field_validator("name")
    @classmethod
    def _no_file_of_the_track(cls, name: str) -> str:
        if name.endswith(RESERVED_ENDINGS):
            raise ValueError(f"a name cannot end in {', '.join(RESERVED_ENDINGS)}: a track's own files do")
        if name in RESERVED_NAMES:
            raise ValueError(f"a name cannot be {', '.join(RESERVED_NAMES)}: a track's own folder is")
        return name

    @field_validator("bibtex")
    @classmethod
    def _one_entry(cls, text: str) -> str:
        return one_entry(text).text if text.strip() else ""

    def serves(self, lang: str) -> bool:
        return self.languages == "all" or lang in self.languages


class LoadedCard:
    """A card with the folder that its relative paths start from."""

    def __init__(self, card: Card, folder: Path) -> None:
        self.card, self.folder = card, folder

    def own_code(self) -> str | None:
        """What of the card itself would be run, in words; None where its adapter is an installed one."""
        adapter = self.card.adapter
        if ":" in adapter and (self.folder / adapter.rpartition(":")[0]).is_file():
            return f"the Python adapter {adapter}, run in this process with all your rights"
        if self.runs_a_program():
            return f"the program {' '.join(map(str, self.parameters().get('command', ())))!r}"
        return None

    def runs_a_program(self) -> bool:
        return self.card.adapter == COMMAND or _is_executable(self.card.adapter, self.folder)

    def require(self, consent: Consent) -> None:
        """Raises ``WrongUsage`` when the card would run code of its own and the operator did not consent to that."""
        if (code := self.own_code()) is not None:
            consent.require_code(self.card.name, code)

    def adapter_class(self, consent: Consent = NOTHING) -> type[Any]:
        self.require(consent)
        return _adapter_class(self.card.adapter, self.folder)

    def parameters(self) -> Mapping[str, Any]:
        """The card's parameters, and, where the adapter is an executable, the command that runs it."""
        if _is_executable(self.card.adapter, self.folder):
            return {"command": [self.card.adapter], **self.card.parameters}
        return self.card.parameters

    def system(self, consent: Consent = NOTHING) -> System:
        """Make the adapter. Raises ``InvalidInput`` when the parameters are not what it expects, and as ``require``."""
        adapter = self.adapter_class(consent)
        model = getattr(adapter, "Parameters", None)
        where = f"card {self.card.name}, [parameters]"
        if model is not None:
            return adapter(checked(model, self.parameters(), where, {"folder": self.folder}))  # type: ignore[no-any-return]
        return adapter(dict(self.parameters()))  # type: ignore[no-any-return]


def _resolved(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return path if path.is_absolute() else Path(folder) / path


CardPath = Annotated[Path, AfterValidator(_resolved)]
"""A path in a card's parameters; a relative one starts from the card's own folder."""


def card_names() -> list[str]:
    folder = resources.files("systems").joinpath("cards")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_card(name: str) -> LoadedCard:
    """A card by the name it ships under, or by its path. Raises ``WrongUsage`` or ``InvalidInput``."""
    if name.endswith(".toml"):
        path = Path(name)
    elif name in card_names():
        path = Path(str(resources.files("systems").joinpath("cards", f"{name}.toml")))
    else:
        raise unknown_name("system", name, card_names(), "or the path of a card's TOML file")
    return LoadedCard(checked(Card, migrated("card", read_toml(path), str(path)), str(path)), path.parent)


def adapter_names() -> list[str]:
    return sorted(entry.name for entry in metadata.entry_points(group=ENTRY_POINTS))


def _is_executable(adapter: str, folder: Path) -> bool:
    path = folder / adapter
    return ("/" in adapter or path.is_file()) and ":" not in adapter and os.access(path, os.X_OK) and path.is_file()


def _adapter_class(adapter: str, folder: Path) -> type[Any]:
    if ":" in adapter:
        return _class_in_file(adapter, folder)
    if _is_executable(adapter, folder):
        adapter = COMMAND
    elif "/" in adapter:
        raise WrongUsage(
            f"adapter {adapter!r} is not an executable file in {folder} (chmod +x?), nor of the form path/file.py:Class"
        )
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        if entry.name == adapter:
            return entry.load()  # type: ignore[no-any-return]
    raise unknown_name("adapter", adapter, adapter_names(), "or path/file.py:Class, or an executable like ./search.sh")


def _class_in_file(adapter: str, folder: Path) -> type[Any]:
    file, _, name = adapter.rpartition(":")
    path = folder / file
    if not path.is_file():
        raise WrongUsage(f"adapter {adapter!r}: no file {path}")
    unique = "xdr_adapter_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise WrongUsage(f"adapter {adapter!r}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Where inspect looks for the file of a class, and pydantic for the names in its annotations.
    sys.modules[unique] = module
    # An adapter may be in several files: those beside it can be imported.
    if str(path.parent.resolve()) not in sys.path:
        sys.path.append(str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InvalidInput(
            f"adapter {adapter!r}: {path} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        classes = [n for n, value in vars(module).items() if inspect.isclass(value) and value.__module__ == unique]
        raise unknown_name(f"class in {path}", name, classes)
    return found
