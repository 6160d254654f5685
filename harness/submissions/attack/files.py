"""What an attack leaves in a folder: the chosen questions as a recipe of perturbations, a track that asks them, a manifest.

``RECIPE-worst-of-B.toml`` is a recipe of the kind "recorded", so that ``perturbed(...)`` makes a collection of it like any
other; ``questions.jsonl.gz`` holds its texts; ``track.toml`` asks the clean questions, the chosen ones and unselected draws, of
other systems, too; ``manifest.json`` says what was attacked and asked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.dataset_paths import map_paths
from harness.files.limits import RECORD_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.files.two_values import in_words
from harness.files.writing import gzip_bytes, sha256_of_file, write_together
from harness.files.yaml_records import digest_of
from harness.runs.prepared import Prepared
from harness.submissions.attack.search import Edits, PartAttack
from harness.tracks import Track

MANIFEST, TRACK, QUESTIONS = "manifest.json", "track.toml", "questions.jsonl.gz"
CONTROL_DRAWS = 3


class AttackedPart(Record):
    """See ``search.PartAttack``; ``queries``: digest of the clean questions."""

    dataset: str
    lang: str
    queries: str
    questions: int
    unchanged: int
    asked: int
    clean: float
    unselected: float
    worst: dict[str, float]


class AttackManifest(Record):
    """``attack``: all that the chosen questions depend on, ``key`` its digest; ``asked``: questions put to the system."""

    schema_version: Literal[1]
    key: str
    attack: dict[str, Any]
    questions_sha256: str
    asked: int
    parts: dict[str, AttackedPart]


@dataclass(frozen=True)
class Place:
    """Where an attack is written, and the systems that its track declares for transfer."""

    folder: Path
    to: tuple[str, ...]

    @property
    def manifest(self) -> Path:
        return self.folder / MANIFEST

    @property
    def track(self) -> Path:
        return self.folder / TRACK


def description(run: Prepared, edits: Edits) -> dict[str, Any]:
    """All that the chosen questions depend on."""
    identity = run.today.identity
    parts = {
        part.name: [part.lang, run.collections[part.name].digests.docs, run.collections[part.name].digests.queries]
        for part in run.parts
        if not part.clean
    }
    system = identity.model_dump(mode="json", include={"adapter", "versions", "parameters", "inputs", "files", "seed"})
    return {
        "track": {"name": run.track.name, "version": run.track.version, "depth": run.track.depth},
        "system": {"name": run.name, **system},
        "recipe": {"name": edits.stem, "digest": edits.recipe.digest},
        "budget": edits.budget,
        "seeds": [edits.seeds[0], edits.seeds[-1]],
        "objective": "score of the first judged passage less that of the best other one",
        "parts": parts,
    }


def recorded_attack(place: Place, attack: Mapping[str, Any]) -> AttackManifest | None:
    """What the folder holds already; None where it holds no attack.

    Raises ``InvalidInput`` where it holds another one, with what differs, or files that are not those of its manifest.
    """
    if not place.manifest.is_file():
        return None
    try:
        content = dict(parse_json(read_bytes(place.manifest, RECORD_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{place.manifest} is no manifest of an attack; name another folder by --out") from error
    found = checked(AttackManifest, content, str(place.manifest))
    if found.key != digest_of(attack):
        findings = [
            Finding("error", key, in_words(found.attack.get(key), attack.get(key)))
            for key in dict.fromkeys([*found.attack, *attack])
            if found.attack.get(key) != attack.get(key)
        ]
        raise InvalidInput(f"{place.folder} holds another attack; name another folder by --out", findings)
    questions = place.folder / QUESTIONS
    if not questions.is_file() or sha256_of_file(questions) != found.questions_sha256:
        raise InvalidInput(
            f"{questions} is not the file that {MANIFEST} describes; remove the folder, and attack again"
        )
    return found


def written_attack(
    place: Place, run: Prepared, edits: Edits, parts: Sequence[PartAttack], attack: Mapping[str, Any]
) -> AttackManifest:
    """Write all files, the manifest last. Raises ``InvalidInput`` where two parts ask other questions under one id."""
    texts = gzip_bytes("".join(_rows(parts)).encode())
    digest = hashlib.sha256(texts).hexdigest()
    collections = run.collections
    manifest = AttackManifest(
        schema_version=1,
        key=digest_of(attack),
        attack=dict(attack),
        questions_sha256=digest,
        asked=sum(own.asked for own in parts),
        parts={
            own.part.name: AttackedPart(
                dataset=own.part.dataset,
                lang=own.part.lang,
                queries=collections[own.part.name].digests.queries,
                questions=len(own.chosen) + own.unchanged,
                unchanged=own.unchanged,
                asked=own.asked,
                clean=own.clean,
                unselected=own.unselected,
                worst={str(step): value for step, value in own.worst.items()},
            )
            for own in parts
        },
    )
    name = perturbation_name(edits)
    title = f"{edits.recipe.title}: the worst of {edits.budget} for {run.name}"
    recipe = {
        "schema_version": 1,
        "title": title,
        "side": "queries",
        "kind": "recorded",
        "texts": QUESTIONS,
        "sha256": digest,
    }
    write_together(
        [
            (place.folder / QUESTIONS, texts),
            (place.folder / f"{name}.toml", "".join(_toml(recipe)).encode()),
            (place.track, "".join(_track(place, run, edits)).encode()),
            (
                place.manifest,
                (json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode(),
            ),
        ]
    )
    return manifest


def perturbation_name(edits: Edits) -> str:
    """
    >>> from harness.collections.perturbed.recipe import load_recipe
    >>> perturbation_name(Edits("typo-swap", load_recipe("typo-swap"), 10, 1))
    'typo-swap-worst-of-10'
    """
    return f"{edits.stem}-worst-of-{edits.budget}"


def check_track(track: Track) -> None:
    """Raise ``WrongUsage`` where a track cannot be written anew: its measures are code that lies beside it."""
    if track.brings_code:
        raise WrongUsage(
            f"track {track.name} brings measures of its own, which the track of an attack would not find; attack a track "
            "without them"
        )


def _rows(parts: Sequence[PartAttack]) -> Iterator[str]:
    known: dict[tuple[str, str], str] = {}
    for own in parts:
        for chosen in own.chosen:
            key = (chosen.lang, chosen.query_id)
            if known.setdefault(key, chosen.text) != chosen.text:
                raise InvalidInput(
                    f"part {own.part.name} asks another question than an earlier part under one id, {chosen.query_id}, in "
                    f"{chosen.lang}; attack a track with one of them"
                )
            row = {"lang": chosen.lang, "query_id": chosen.query_id, "text": chosen.text, "chosen": chosen.seed}
            yield json.dumps(row, ensure_ascii=False) + "\n"


def _track(place: Place, run: Prepared, edits: Edits) -> Iterator[str]:
    """The track in TOML: what is asked is that of the attacked one's clean parts, with what was found and its control."""
    track, name = run.track, perturbation_name(edits)
    control = edits.stem
    recipe = _from(place.folder, edits.name) if edits.name.endswith(".toml") else edits.name
    yield from _toml(
        {
            "schema_version": 1,
            "name": f"{track.name}-attacked",
            "version": 1,
            "title": f"{track.title}: questions chosen against {run.name}",
            "description": f"The questions of {track.name} as they are, {CONTROL_DRAWS} draws of {control}, and of "
            f"{edits.budget} other draws the one that {run.name} answers worst. Whether it costs other systems more than "
            "unselected draws, macro average, is one family; the systems of this file were declared with it.",
            "measures": list(track.measures),
            "primary": track.primary,
            "depth": track.depth,
            "exclude_own_document": track.exclude_own_document,
            "baseline": run.name,
            "unit": track.unit,
            "purpose": "experiment",
            "systems": [run.name, *(system for system in place.to if system != run.name)],
        }
    )
    yield f"attacks = [{_inline({'perturbation': name, 'system': run.name, 'control': control})}]\n"
    yield f"perturbations = [\n    {_inline({'recipe': recipe, 'draws': CONTROL_DRAWS})},\n"
    yield f"    {_inline({'recipe': f'{name}.toml'})},\n]\n"
    families = track.families.model_dump(mode="json", exclude_defaults=True)
    if families:
        yield f"families = {_inline(families)}\n"
    for part in run.parts:
        if not part.clean:
            dataset = map_paths(part.dataset_id, lambda path: _from(place.folder, path))
            yield "\n[[parts]]\n"
            yield from _toml({"name": part.name, "dataset": dataset, "lang": part.lang})


def _from(folder: Path, path: str) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _toml(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key} = {_value(value)}\n" for key, value in table.items())


def _inline(table: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {_value(value)}" for key, value in table.items()) + " }"


def _value(value: Any) -> str:
    """Texts, numbers, truth values and lists of texts are written alike in JSON and TOML, but for the sign U+007F."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
