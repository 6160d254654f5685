"""The track of an attack: clean questions, chosen ones and draws that nobody selected, as a TOML file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.dataset_paths import map_paths
from harness.files.reading import decoded, parse_toml
from harness.files.toml_records import checked
from harness.files.two_values import in_words
from harness.submissions.attack.plan import Plan
from harness.tracks import Track
from harness.tracks.perturbed_parts import with_perturbed_parts

TRACK = "track.toml"
CONTROL_DRAWS = 3
_LONGEST_NAME, _LONGEST_TITLE = 64, 200


def track_name(plan: Plan) -> str:
    """Attacks that differ in anything have other names, and so other runs: the key of each is a part of its track's name."""
    end = f"-attacked-{plan.key[:8]}"
    return f"{plan.run.track.name[: _LONGEST_NAME - len(end)]}{end}"


def check_written_track(plan: Plan) -> None:
    """Raise ``WrongUsage`` or ``InvalidInput`` where the track that would be written is none."""
    own = f"-{plan.perturbation}-1"
    if long := [part.name + own for part in plan.parts if len(part.name + own) > _LONGEST_NAME]:
        raise WrongUsage(
            f"parts of the attack's track would have names of more than {_LONGEST_NAME} signs, such as {long[0]}: copy the "
            "recipe to a file with a shorter name, or give the parts shorter ones"
        )
    where = f"{plan.folder / TRACK}, which was to be written,"
    checked(Track, with_perturbed_parts(parse_toml(track_text(plan, plan.to)), where), where)


def systems_after(plan: Plan, found: bytes) -> tuple[str, ...] | None:
    """Which systems the track in ``found`` declares once those of ``plan.to`` are declared, too; None where it does already.

    None is ever taken away: who has seen results would make the family of tests smaller. Raises ``InvalidInput`` where it
    is not the attack's track but for its systems.
    """
    try:
        own = parse_toml(decoded(found))
    except ValueError as error:
        raise _changed(plan, [Finding("error", TRACK, f"no TOML: {error}")]) from error
    systems, expected = own.pop("systems", None), parse_toml(track_text(plan, ()))
    expected.pop("systems")
    findings = [
        Finding("error", key, in_words(own.get(key), expected.get(key)))
        for key in dict.fromkeys([*own, *expected])
        if own.get(key) != expected.get(key)
    ]
    if not isinstance(systems, list) or not all(isinstance(name, str) for name in systems):
        findings.append(Finding("error", "systems", f"{systems!r:.80}", "a list of names"))
    if findings:
        raise _changed(plan, findings)
    declared = tuple(systems or ())
    return None if set(plan.to) <= set(declared) else (*declared, *(name for name in plan.to if name not in declared))


def _changed(plan: Plan, findings: list[Finding]) -> InvalidInput:
    return InvalidInput(
        f"{plan.folder / TRACK} is not what this attack writes; remove it, and give the command again: it is made anew, and "
        "nothing is asked again",
        findings,
    )


def track_text(plan: Plan, systems: Sequence[str]) -> str:
    """What is asked is that of the attacked track's clean parts; the attacked system is always the first of its systems."""
    return "".join(_lines(plan, systems))


def _lines(plan: Plan, systems: Sequence[str]) -> Iterator[str]:
    run, edits, track, name = plan.run, plan.edits, plan.run.track, plan.perturbation
    is_file = edits.name.endswith(".toml")
    recipe = _from(plan.folder, edits.name) if is_file else edits.name
    control = recipe.removesuffix(".toml")  # as recipes_between names what was done to a part
    asked = [part.name for part in plan.parts]
    yield from toml(
        {
            "schema_version": 1,
            "name": track_name(plan),
            "version": 1,
            "title": titled(track.title, f": questions chosen against {run.name}"),
            "description": f"The questions of {track.name} as they are, {CONTROL_DRAWS} draws of {edits.stem}, and of "
            f"{edits.budget} other draws the one that {run.name} answers worst. Whether it costs other systems more than "
            "unselected draws, macro average, is one family; its systems are those of this file.",
            "macro": [part for part in track.macro_parts if part in asked],
            "measures": list(track.measures),
            "primary": track.primary,
            "depth": track.depth,
            "exclude_own_document": track.exclude_own_document,
            "baseline": run.name,
            "unit": track.unit,
            "purpose": "experiment",
            "systems": list(dict.fromkeys([run.name, *systems])),
        }
    )
    yield f"attacks = [{_inline({'perturbation': name, 'system': run.name, 'control': control})}]\n"
    yield f"perturbations = [\n    {_inline({'recipe': recipe, 'draws': CONTROL_DRAWS})},\n"
    yield f"    {_inline({'recipe': f'{name}.toml'})},\n]\n"
    for key in ("families", "tolerance"):
        if table := getattr(track, key).model_dump(mode="json", exclude_defaults=True):
            yield f"{key} = {_inline(table)}\n"
    for part in plan.parts:
        dataset = map_paths(part.dataset_id, lambda path: _from(plan.folder, path))
        yield "\n[[parts]]\n"
        yield from toml({"name": part.name, "dataset": dataset, "lang": part.lang})


def titled(title: str, end: str) -> str:
    """A title with its end, of a length that titles may have."""
    return f"{title[: _LONGEST_TITLE - len(end)]}{end}"


def toml(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key} = {_value(value)}\n" for key, value in table.items())


def _from(folder: Path, path: str) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _inline(table: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value)}" for key, value in table.items()) + " }"


def _value(value: Any) -> str:
    """Texts, numbers, truth values and lists of texts are written alike in JSON and TOML, but for the sign U+007F."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
