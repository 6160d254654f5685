"""TOML files into frozen, checked records: all problems of one file in one report, misspelt keys with suggestions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from harness.errors import REPORTED, Finding, InvalidInput, reported
from harness.files.limits import RECORD_BYTES
from harness.files.reading import decoded, parse_toml, read_bytes
from harness.visible import is_blank, steers, visible


class Record(BaseModel):
    """Base of all records that are read from a file: immutable, and no key is silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


# What Windows takes for a device, with any ending: a checkout of a repository that holds one fails there.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def _portable(name: str) -> str:
    if _DEVICES.fullmatch(name) or name.endswith("."):
        raise ValueError(
            "Windows has no folder of that name (con, nul, com1, ..., a dot at the end): choose another one"
        )
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._+-]{0,63}$"), AfterValidator(_portable)]
"""A system's name: its folder, the tag of its runs, a part of addresses."""

PartName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$"), AfterValidator(_portable)]
"""A part's or a track's name: the beginning of a run file's name, or a folder."""

Reference = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""The name of a dataset or an adapter, which may be a path: one line, no control characters."""


def _plain(text: str) -> str:
    if found := steers(text.replace("\n", " ").replace("\t", " ")):
        raise ValueError(
            f"it holds {visible(found)}, a control character or one that turns the direction of all that follows"
        )
    return text


def _one_line(text: str) -> str:
    if "\n" in text or "\t" in text:
        raise ValueError("it is to be on one line, without tabs")
    return _plain(text)


def _seen(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing of it can be seen: give it letters, digits or signs")
    return text


Text = Annotated[str, AfterValidator(_plain)]
"""What people write, on any number of lines: no control characters, and none that turn the direction of what follows."""

# Stripping comes first: pydantic strips nothing after a function, and a lone blank would be a reason.
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
    AfterValidator(_plain),
    AfterValidator(_seen),
]
"""As ``Text``, of which something can be seen, without blanks around it."""

Line = Annotated[str, AfterValidator(_one_line)]
"""As ``Text``, on one line."""

Title = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line), AfterValidator(_seen)
]
"""As ``Line``, of which something can be seen."""

RecordType = TypeVar("RecordType", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    data = read_bytes(path, RECORD_BYTES)
    try:
        return parse_toml(decoded(data))
    except ValueError as error:
        raise InvalidInput(f"{path} is not a TOML file: {error}") from error


def checked(
    model: type[RecordType], data: Mapping[str, Any], where: str, context: Mapping[str, Any] | None = None
) -> RecordType:
    """Validate ``data``. Raises ``InvalidInput`` with one finding per fault; ``where`` names the source of the data."""
    try:
        return model.model_validate(dict(data), context=dict(context or {}))
    except ValidationError as error:
        problems = error.errors(include_url=False)
        kept = [problem for problem in problems if not _is_echo(problem, problems)]
        # Suggestions take time; nobody reads those of the ten thousandth misspelt key.
        findings = [_finding(model, problem, where) for problem in kept[: REPORTED + 1]]
        findings += [findings[-1]] * (len(kept) - len(findings))
        raise InvalidInput(f"{where} is invalid", reported(findings, where)) from None


def _is_echo(problem: Any, problems: Sequence[Any]) -> bool:
    """Whether a sequence only seems too short because items of it are faulty, which is reported by itself."""
    place = problem["loc"]
    return problem["type"] == "too_short" and any(p["loc"][: len(place)] == place != p["loc"] for p in problems)


def _finding(model: type[BaseModel], problem: Any, where: str) -> Finding:
    steps, record = _place_in(model, problem["loc"])
    place = ".".join(map(str, steps)) or "top level"
    if problem["type"] == "extra_forbidden":
        known = sorted(record.model_fields) if record else []
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
        return Finding("error", f"{where}: {place}", "unknown key", "", hint)
    if problem["type"] == "missing":
        return Finding("error", f"{where}: {place}", "missing", "", "add this key")
    if problem["type"].startswith("union_tag"):
        return _tag_finding(problem, f"{where}: {place}")
    message = problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    # What a record's own check says names the keys at fault; the beginning of the whole table tells nobody anything.
    is_whole_table = problem["type"] == "value_error" and isinstance(problem["input"], Mapping)
    shown = f"{problem['input']!r:.80}: " if problem["loc"] and not is_whole_table else ""
    return Finding("error", f"{where}: {place}", shown + message)


def _tag_finding(problem: Any, where: str) -> Finding:
    """Of a table whose own kind says which keys it has, where that kind is missing or unknown."""
    context = problem.get("ctx", {})
    key = str(context.get("discriminator", "")).strip("'")
    if problem["type"] == "union_tag_not_found":
        return Finding("error", f"{where}.{key}", "missing", "", "add this key")
    known = [tag.strip("' ") for tag in str(context.get("expected_tags", "")).split(",")]
    close = difflib.get_close_matches(str(context.get("tag")), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else ""
    return Finding("error", f"{where}.{key}", f"{context.get('tag')!r:.80}", f"one of {', '.join(known)}", hint)


def _place_in(model: type[BaseModel], path: tuple[Any, ...]) -> tuple[list[Any], type[BaseModel] | None]:
    """The steps to a place that the file's author knows, and the record that its last step is a key of.

    Follows nested records, lists and tables of them; what pydantic adds to tell the kinds of a table apart is left out.
    """
    steps: list[Any] = []
    options: list[type[BaseModel]] = [model]
    in_table = False
    for number, step in enumerate(path):
        tagged = [record for record in options if _is_tag_of(step, record)] if len(options) > 1 else []
        if tagged:
            options = tagged
            continue
        steps.append(step)
        if number == len(path) - 1:
            break
        if isinstance(step, int) or in_table:
            in_table = False
            continue
        field = next((o.model_fields[step] for o in options if step in o.model_fields), None)
        in_table = field is not None and get_origin(field.annotation) in (dict, Mapping)
        options = _records_in(field.annotation) if field else []
    return steps, options[0] if options else None


def _is_tag_of(step: Any, record: type[BaseModel]) -> bool:
    return any(
        get_origin(field.annotation) is Literal and step in get_args(field.annotation)
        for field in record.model_fields.values()
    )


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    """The records that a value of this type is, holds, or may be."""
    if _is_record(annotation):
        return [annotation]
    return [record for part in get_args(annotation) for record in _records_in(part)]


def _is_record(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)
