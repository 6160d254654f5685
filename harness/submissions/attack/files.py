"""What an attack leaves in a folder: the chosen questions as a recipe of perturbations, a track that asks them, a manifest.

``RECIPE-worst-of-B.toml`` is a recipe of the kind "recorded", so that ``perturbed(...)`` makes a collection of it like any
other; ``questions.jsonl.gz`` holds its texts; ``track.toml`` asks the clean questions, the chosen ones and unselected draws, of
other systems, too; ``manifest.json`` says what was attacked and asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.errors import Finding, InvalidInput
from harness.files.limits import RECORD_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.files.two_values import in_words
from harness.files.writing import gzip_bytes, sha256_of_file, write_together
from harness.files.yaml_records import digest_of
from harness.submissions.attack.plan import Plan
from harness.submissions.attack.search import PartAttack, budgets
from harness.submissions.attack.track import TRACK, systems_after, titled, toml, track_text

MANIFEST, QUESTIONS = "manifest.json", "questions.jsonl.gz"


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


def read_manifest(file: Path) -> AttackManifest:
    """Raises ``InvalidInput`` where the file is no manifest of an attack."""
    try:
        content = dict(parse_json(read_bytes(file, RECORD_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{file} is no manifest of an attack") from error
    return checked(AttackManifest, content, str(file))


def recorded_attack(plan: Plan) -> AttackManifest | None:
    """What the folder holds already; None where it holds no attack.

    Raises ``InvalidInput`` where it holds another one, with what differs, files that are not those of its manifest, or, without
    a manifest, files in whose place an attack would write.
    """
    file = plan.folder / MANIFEST
    if not file.is_file():
        in_place = [name for name in (QUESTIONS, f"{plan.perturbation}.toml", TRACK) if (plan.folder / name).exists()]
        if in_place:
            raise InvalidInput(
                f"{plan.folder} has {', '.join(in_place)}, and no {MANIFEST} that says that an attack wrote it; name another "
                "folder by --out, or remove what is there"
            )
        return None
    try:
        found = read_manifest(file)
    except InvalidInput as error:
        raise InvalidInput(f"{error.message}; name another folder by --out", error.findings) from error
    if found.key != plan.key:
        findings = [
            Finding("error", key, in_words(found.attack.get(key), plan.attack.get(key)))
            for key in dict.fromkeys([*found.attack, *plan.attack])
            if found.attack.get(key) != plan.attack.get(key)
        ]
        raise InvalidInput(f"{plan.folder} holds another attack; name another folder by --out", findings)
    if findings := list(_faults(plan, found)):
        raise InvalidInput(f"{plan.folder} is not as an attack left it; remove the folder, and attack again", findings)
    return found


def _faults(plan: Plan, found: AttackManifest) -> Iterator[Finding]:
    """What is wrong with a folder's files, by its manifest, and with that by its own key."""
    if digest_of(found.attack) != found.key:
        yield Finding("error", MANIFEST, "its attack is not the one of its key")
    if (own := sorted(found.parts)) != (asked := sorted(part.name for part in plan.parts)):
        yield Finding("error", MANIFEST, f"parts: {in_words(own, asked)}")
    steps = [str(step) for step in budgets(plan.edits)]
    for name, part in found.parts.items():
        if list(part.worst) != steps:
            yield Finding("error", MANIFEST, f"part {name}, worst: {in_words(list(part.worst), steps)}")
    texts = plan.folder / QUESTIONS
    if not texts.is_file():
        yield Finding("error", QUESTIONS, "it is not there")
    elif sha256_of_file(texts) != found.questions_sha256:
        yield Finding("error", QUESTIONS, "it is not the file that the manifest describes")


def completed(plan: Plan, found: AttackManifest) -> tuple[str, ...]:
    """Write what follows from a whole attack and is not there, the recipe and the track, and declare further systems in this.

    Returns the names of the files that were written. Raises ``InvalidInput`` where they are there and are
    not those of the attack.
    """
    recipe, track = plan.folder / f"{plan.perturbation}.toml", plan.folder / TRACK
    wanted = _recipe(plan, found.questions_sha256)
    if recipe.is_file() and read_bytes(recipe, RECORD_BYTES) != wanted:
        raise InvalidInput(
            f"{recipe} is not what this attack writes; remove it, and give the command again: it is made anew, and nothing is "
            "asked again"
        )
    systems: tuple[str, ...] | None = plan.to
    if track.is_file():
        systems = systems_after(plan, read_bytes(track, RECORD_BYTES))
    lacking = [] if recipe.is_file() else [(recipe, wanted)]
    if systems is not None:
        lacking.append((track, track_text(plan, systems).encode()))
    write_together(lacking)
    return tuple(path.name for path, _ in lacking)


def written_attack(plan: Plan, parts: Sequence[PartAttack]) -> AttackManifest:
    """Write all files, the manifest last."""
    texts = gzip_bytes("".join(_rows(parts)).encode())
    digest = hashlib.sha256(texts).hexdigest()
    collections = plan.run.collections
    manifest = AttackManifest(
        schema_version=1,
        key=plan.key,
        attack=plan.attack,
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
    said = json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    write_together(
        [
            (plan.folder / QUESTIONS, texts),
            (plan.folder / f"{plan.perturbation}.toml", _recipe(plan, digest)),
            (plan.folder / TRACK, track_text(plan, plan.to).encode()),
            (plan.folder / MANIFEST, said.encode()),
        ]
    )
    return manifest


def _recipe(plan: Plan, sha256: str) -> bytes:
    table = {
        "schema_version": 1,
        "title": titled(plan.edits.recipe.title, f": the worst of {plan.edits.budget} for {plan.run.name}"),
        "side": "queries",
        "kind": "recorded",
        "texts": QUESTIONS,
        "sha256": sha256,
    }
    return "".join(toml(table)).encode()


def _rows(parts: Sequence[PartAttack]) -> Iterator[str]:
    for own in parts:
        for chosen in own.chosen:
            row = {"lang": chosen.lang, "query_id": chosen.query_id, "text": chosen.text, "chosen": chosen.seed}
            yield json.dumps(row, ensure_ascii=False) + "\n"
