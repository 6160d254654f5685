"""Cards: one TOML file is one row of a leaderboard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from harness.adapters.bibtex import harmless_entry
from harness.adapters.consent import NOTHING, Consent
from harness.adapters.contract import System
from harness.adapters.loading import COMMAND, Adapter, is_executable, load_adapter
from harness.adapters.requirements import check_installed, parsed
from harness.errors import WrongUsage, unknown_name
from harness.files.dataset_paths import clean_id
from harness.files.migrations import migrated
from harness.files.toml_records import Line, Name, Record, Reference, Text, Title, checked, read_toml
from harness.languages import LanguageTag

CARD_FILE = "card.toml"
RESERVED_ENDINGS = (".json", ".csv", ".md")
RESERVED_NAMES = ("reproductions", "snapshots", "system")


class Card(Record):
    """Who and what a row is. ``languages`` are those the system claims to serve; the others are dashes, not zeros."""

    schema_version: Literal[1]
    name: Name
    title: Title
    adapter: Reference
    parameters: dict[str, Any] = Field(default_factory=dict)
    languages: Literal["all"] | tuple[LanguageTag, ...] = "all"
    kind: Literal["lexical", "zero-shot", "cross-lingual", "control", "other"] = "other"
    description: Text = ""
    authors: tuple[Line, ...] = ()
    paper: Line = ""
    licence: Line = ""
    training_data: tuple[Line, ...] = ()
    may_have_seen: tuple[Line, ...] = Field(
        default=(),
        description="collections of which the system's training may have held questions, passages or answers, each with the "
        "reason and its source: `collection: source`; a collection is the beginning of a data set's id",
    )
    weights: int | None = Field(default=None, strict=True, ge=1, description="how many trained numbers the model has")
    dimensions: int | None = Field(default=None, strict=True, ge=1, description="of the vector of a passage")
    requires: tuple[str, ...] = Field(default=(), description="PEP 508: what must be installed beside this package")
    bibtex: str = Field(default="", max_length=10_000, description="one entry: the work that the row is of")

    @field_validator("name")
    @classmethod
    def _no_file_of_the_track(cls, name: str) -> str:
        if name.endswith(RESERVED_ENDINGS):
            raise ValueError(f"a name cannot end in {', '.join(RESERVED_ENDINGS)}: a track's own files do")
        if name in RESERVED_NAMES:
            raise ValueError(f"a name cannot be {', '.join(RESERVED_NAMES)}: folders of tracks and runs are")
        return name

    @field_validator("bibtex")
    @classmethod
    def _one_entry(cls, text: str) -> str:
        return harmless_entry(text).text if text.strip() else ""

    @field_validator("may_have_seen")
    @classmethod
    def _with_sources(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            collection, colon, source = entry.partition(": ")
            if not (colon and source.strip() and collection and not re.search(r"\s", collection)):
                raise ValueError(f"{entry!r:.80} is not of the form `collection: source`")
        return entries

    @field_validator("requires")
    @classmethod
    def _requirements(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parsed(text)
        return texts

    def serves(self, lang: str) -> bool:
        return self.languages == "all" or lang in self.languages

    def may_have_seen_of(self, dataset: str) -> tuple[str, ...]:
        """The entries of ``may_have_seen`` that speak of a data set, by its id; none where nothing is known of it."""
        return speaking_of(dataset, self.may_have_seen)


def speaking_of(dataset: str, entries: Iterable[str]) -> tuple[str, ...]:
    """The entries, `collection: source`, that speak of a data set: `xquad` of `xquad/ar`, not of `xquad-oracle/ar`.

    Who has seen the clean texts has seen them, whatever was changed since.
    """
    dataset = clean_id(dataset)
    named = {entry: entry.partition(": ")[0] for entry in entries}
    return tuple(entry for entry, name in named.items() if dataset == name or dataset.startswith(f"{name}/"))


class LoadedCard:
    """A card with the folder that its relative paths start from, and its file where it was read from one."""

    def __init__(self, card: Card, folder: Path, path: Path | None = None) -> None:
        self.card, self.folder, self.path = card, folder, path

    def own_code(self) -> str | None:
        """What of the card itself would be run, in words; None where its adapter is an installed one."""
        adapter = self.card.adapter
        if ":" in adapter and (self.folder / adapter.rpartition(":")[0]).is_file():
            return f"the Python adapter {adapter}, run in this process with all your rights"
        if self.runs_a_program():
            return f"the program {' '.join(map(str, self.parameters().get('command', ())))!r}"
        return None

    def runs_a_program(self) -> bool:
        return self.card.adapter == COMMAND or is_executable(self.card.adapter, self.folder)

    def require(self, consent: Consent) -> None:
        """Raises ``WrongUsage`` when the card would run code of its own and the operator did not consent to that."""
        if (code := self.own_code()) is not None:
            consent.require_code(f"card {self.card.name}", code)

    def adapter(self, consent: Consent = NOTHING) -> Adapter:
        """The adapter, one of the card's own files read anew each time; raises as ``require`` and ``load_adapter`` do."""
        self.require(consent)
        check_installed(self.card.requires, f"card {self.card.name}")
        return load_adapter(self.card.adapter, self.folder)

    def adapter_class(self, consent: Consent = NOTHING) -> type[Any]:
        return self.adapter(consent).kind

    def parameters(self) -> Mapping[str, Any]:
        """The card's parameters, and, where the adapter is an executable, the command that runs it."""
        if is_executable(self.card.adapter, self.folder):
            return {"command": [self.card.adapter], **self.card.parameters}
        return self.card.parameters

    def system(self, consent: Consent = NOTHING) -> System:
        """Make the adapter. Raises ``InvalidInput`` when the parameters are not what it expects, and as ``require``."""
        return self.made_by(self.adapter(consent))

    def made_by(self, adapter: Adapter) -> System:
        """The system of this card's parameters. Raises ``InvalidInput`` when they are not what the adapter expects."""
        model = getattr(adapter.kind, "Parameters", None)
        parameters: Any = dict(self.parameters())
        if model is not None:
            where = f"card {self.card.name}, [parameters]"
            with adapter.guarded(where):
                parameters = checked(model, parameters, where, {"folder": self.folder})
        with adapter.guarded(f"system {self.card.name}"):
            return adapter.kind(parameters)  # type: ignore[no-any-return]


def _resolved(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return path if path.is_absolute() else Path(folder) / path


CardPath = Annotated[Path, AfterValidator(_resolved)]
"""A path in a card's parameters; a relative one starts from the card's own folder."""


def card_names() -> list[str]:
    folder = resources.files("systems").joinpath("cards")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_card(name: str) -> LoadedCard:
    """A card by the name it ships under, by its path, or by the folder that it lies in as card.toml.

    Raises ``WrongUsage`` or ``InvalidInput``.
    """
    if name.endswith(".toml"):
        path = Path(name)
    elif name in card_names():
        path = Path(str(resources.files("systems").joinpath("cards", f"{name}.toml")))
    else:
        path = Path(name) / CARD_FILE
        if not path.is_file():
            raise _no_card(name)
    return LoadedCard(checked(Card, migrated("card", read_toml(path), str(path)), str(path)), path.parent, path)


def _no_card(name: str) -> WrongUsage:
    """What is expected instead of a path that is there, but no card."""
    path = Path(name)
    expected = f"a system is a shipped card's name, the path of a card (TOML), or a folder with a {CARD_FILE} in it"
    if (path / "manifest.yaml").is_file():
        own = path / "system" / CARD_FILE
        hint = f"; its card is {own}" if own.is_file() else ""
        return WrongUsage(f"{name} is a recorded run, and {expected}{hint}")
    if path.is_dir():
        return WrongUsage(f"folder {name} has no {CARD_FILE}; {expected}. `xdr new NAME` writes one")
    if path.is_file():
        beside = path.with_name(CARD_FILE)
        hint = (
            f"the card beside it: {beside}"
            if beside.is_file()
            else "a card's `adapter` names its program or Python file"
        )
        return WrongUsage(f"{name} is a file, but not a card; {expected}; {hint}")
    return unknown_name(
        "system", name, card_names(), "xdr list systems; or the path of a card's TOML file, or of its folder"
    )
