"""Where and how a run was made, as manifests and records of reproductions say it: records for every field that is ours, and one
place, ``facts``, for the plain values that an adapter notes on its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from harness.adapters.contract import SERVED
from harness.files.reading import parse_json
from harness.files.toml_records import Record

Text = Annotated[str, StringConstraints(max_length=4000)]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
"""Seconds: what a page can print, and a sum can hold."""
Count = Annotated[int, Field(ge=0, lt=1 << 60)]

_FACTS = 50
"""The most facts of its own that a run records; the rest of a manifest must fit beside them."""


class Spaced(Record):
    """A record whose keys are words with blanks, as ir_metadata has them: ``kernel_settings`` is ``kernel settings``."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", " "), populate_by_name=True)


class Git(Record):
    """The commit of the checkout, and whether it differed outside runs/ and reports/; empty where there was none."""

    commit: Text = ""
    dirty: bool | None = None


class Processor(Spaced):
    model: Text = "unknown"
    architecture: Text = ""
    instruction_sets: Text = ""
    number_of_cores: Count | None = None


class Hardware(Spaced):
    cpu: Processor = Processor()


class OperatingSystem(Spaced):
    kernel: Text = ""
    release: Text = ""


class Software(Spaced):
    """``kernel_settings``: environment variables that steer which instructions libraries use."""

    python: Text = "unknown"
    libraries: dict[Text, Text] = Field(default_factory=dict)
    kernel_settings: dict[Text, Text] = Field(default_factory=dict)


class Platform(Spaced):
    hardware: Hardware = Hardware()
    operating_system: OperatingSystem = OperatingSystem()
    software: Software = Software()

    def in_words(self, device: str) -> str:
        """The device or processor, the operating system, Python and PyTorch: what a reader of a table wants to know."""
        cpu, torch = self.hardware.cpu, self.software.libraries.get("torch")
        words = [cpu.model if device == "cpu" else device, f"{self.operating_system.kernel} {cpu.architecture}".strip()]
        words += [f"Python {self.software.python}", *([f"PyTorch {torch}"] if torch else [])]
        return ", ".join(word for word in words if word)


class Stage(Record):
    """One stage of a run: seconds, bytes of what it wrote or holds, and whatever else it noted."""

    name: Text
    seconds: Amount
    bytes: Count | None = None
    facts: dict[Text, JsonValue] = Field(default_factory=dict)


class Execution(Spaced):
    """``seed``: null where nothing was run here. ``provenance``: where the run came from, if not from here.

    ``prompts``: the text that was put before queries and passages. ``truncated``: how much was cut off at the maximum lengths.
    ``segmentation``: by language, what cut texts into words. ``kernel``: of linear layers. ``remote_code``: the model whose own
    code ran, with its revision. ``requires``: of what the card requires, the installed versions. ``notes``: what whoever reads
    the row should know. ``facts``: all that the adapter noted beside these.
    """

    seed: int | None = None
    device: Text
    engine: Text = ""
    workers: Count | None = None
    isolation: Text
    provenance: Text = ""
    kernel: Text = ""
    remote_code: Text = ""
    prompts: dict[Text, Text] = Field(default_factory=dict)
    truncated: dict[Text, JsonValue] = Field(default_factory=dict)
    segmentation: dict[Text, Text] = Field(default_factory=dict)
    requires: dict[Text, Text] = Field(default_factory=dict)
    notes: tuple[Text, ...] = ()
    facts: dict[Text, JsonValue] = Field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    peak_memory_bytes: Count | None = None

    def settings(self) -> list[tuple[str, str]]:
        """All but times, memory and isolation in words, by name; what holds values of its own as ``name: value``."""
        shown = self.model_dump(
            by_alias=True, exclude={"stages", "peak_memory_bytes", "isolation", "notes", "facts"}, exclude_defaults=True
        )
        return sorted((name, _in_words(value)) for name, value in {**self.facts, **shown}.items())

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return math.fsum(stage.seconds for stage in self.stages)

    @property
    def is_of_one_machine(self) -> bool:
        """Whether the machine of the command did all the work, and no cluster or server for a model."""
        return self.engine in ("", "local") and SERVED not in self.facts

    @property
    def is_of_processors(self) -> bool:
        """Whether the processors of the machine of the command did all the work, whose joules are what the run took then."""
        return self.is_of_one_machine and self.device == "cpu"


KNOWN_FACTS = frozenset({
    "device", "engine", "isolation", "kernel", "notes", "prompts", "remote code", "requires", "segmentation", "truncated",
})  # fmt: skip
"""What an adapter can note that has a field of its own; see ``Record.facts`` in ``harness.adapters.contract``."""


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_in_words(item)}" for key, item in value.items())
    return ", ".join(map(_in_words, value)) if isinstance(value, list) else str(value)


def execution_of(
    facts: Mapping[str, Any],
    stages: Sequence[Mapping[str, Any]],
    seed: int,
    workers: int,
    peak_memory_bytes: int | None,
) -> Execution:
    """What a run noted, as its manifest has it. A fact that does not fit its field is kept among its own."""
    known: dict[str, Any] = {"device": "cpu", "isolation": "none", "engine": "local"}
    own: dict[str, JsonValue] = {}
    for name, value in facts.items():
        fact = plain_value(value)
        if name in KNOWN_FACTS and _fits(name, fact):
            known[name] = fact
        elif len(own) < _FACTS:
            own[str(name)[:200]] = fact
    execution = Execution.model_validate(
        {
            **known,
            "seed": seed,
            "workers": workers,
            "facts": own,
            "stages": [stage_of(stage) for stage in stages],
            "peak memory bytes": peak_memory_bytes,
        }
    )
    return execution if execution.is_of_processors else _without_joules(execution)


def _without_joules(execution: Execution) -> Execution:
    stages = [
        stage.model_copy(update={"facts": {name: fact for name, fact in stage.facts.items() if name != "joules"}})
        for stage in execution.stages
    ]
    return execution.model_copy(update={"stages": tuple(stages)})


def stage_of(entry: Mapping[str, Any]) -> Stage:
    """A stage from its entry, whatever a foreign adapter added to it."""
    known: dict[str, Any] = {"name": str(entry.get("name", ""))[:200], "seconds": 0.0}
    own: dict[str, JsonValue] = {}
    for name, value in entry.items():
        figure = plain_value(value)
        if name in ("seconds", "bytes") and _is_part_of_stage(name, figure):
            known[name] = figure
        elif name != "name" and len(own) < _FACTS:
            own[str(name)[:200]] = figure
    return Stage(**known, facts=own)


def _fits(name: str, value: JsonValue) -> bool:
    base: dict[str, Any] = {"device": "cpu", "isolation": "none"}
    try:
        Execution.model_validate({**base, name: value})
    except ValidationError:
        return False
    return True


def _is_part_of_stage(name: str, value: JsonValue) -> bool:
    try:
        Stage.model_validate({"name": "", "seconds": 0.0, name: value})
    except ValidationError:
        return False
    return True


def plain_value(value: Any) -> JsonValue:
    """A value as a manifest can hold it: plain, bounded, without half characters; else its text, cut."""
    try:
        text = json.dumps(value, default=str, allow_nan=False, skipkeys=True)
        if len(text) > 4000:
            return f"{text[:200]}... ({len(text):,} characters)"
        return parse_json(text)  # type: ignore[no-any-return]
    except (ValueError, TypeError, RecursionError):
        return str(value)[:200].encode("utf-8", "replace").decode()
