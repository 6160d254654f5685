"""A card, and an adapter or finished run files in; a complete row of the runs of record out, or nothing at all."""

from __future__ import annotations

import contextlib
import inspect
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import quantities
from harness.card import Card, LoadedCard, card_names, load_card
from harness.collections.view import load
from harness.config import checked, read_toml
from harness.consent import Consent
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files import exclusive, folder_lock, sha256_of_file, sha256_of_tree
from harness.manifest import (
    RUN_FILES,
    SCHEMA_VERSION,
    Manifest,
    PartRecord,
    read_manifest,
    run_file,
    without_absolute_paths,
    write_manifest,
)
from harness.migrations import migrated
from harness.records import Ranking
from harness.reproduce import OWN_FILES
from harness.reproductions import FOLDER as REPRODUCTIONS
from harness.run import part_record, run_folder, run_system
from harness.runs import Run, write_run
from harness.score import ScoreFile, score_system
from harness.sources import source_digests
from harness.submitted_files import read_submitted
from harness.system import Context, inputs_of
from harness.tracks import Track

MAX_OWN_BYTES = 2_000_000
"""Larger files of a system are not copied beside its runs: they belong where the card can name them."""

_STAGING = ".staging"

_UNKNOWN_PLATFORM: Mapping[str, Any] = {
    "hardware": {"cpu": {"model": "unknown"}},
    "operating system": {},
    "software": {"python": "unknown", "libraries": {"torch": "unknown"}},
}
"""Of finished run files: what a page prints of every run's platform."""


@dataclass(frozen=True)
class Submission:
    """Where the row lies; whether it was there already, byte for byte the same ranking; its scores; what to know."""

    folder: Path
    unchanged: bool
    scores: ScoreFile
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """Where a submission goes, and whether a different row of that name may be replaced."""

    track: Track
    runs: Path
    replace: bool = False


def submit_system(target: Target, card: str, context: Context) -> Submission:
    """Run a card's adapter on the track and take the run in, with the card and its small files beside it.

    Raises ``WrongUsage`` when a different row of that name exists and may not be replaced.
    """
    loaded = load_card(card)

    def made(folder: Path) -> list[str]:
        run_system(target.track, loaded, folder.parent.parent, context)
        return [] if card in card_names() else _copy_own_files(loaded, Path(card), folder / OWN_FILES, context.consent)

    return _taken_in(target, loaded.card, made)


def submit_files(target: Target, card: Path, files: Sequence[Path], query_map: Path | None = None) -> Submission:
    """Validate finished run files and take them in. The card's ``adapter`` may be left out: nothing is run.

    Raises ``InvalidInput`` with all problems of the card and of the files; ``WrongUsage`` as ``submit_system`` does.
    """
    found, troubles = _card_of_files(card)
    runs: dict[str, Run] = {}
    warnings: list[str] = []
    try:
        runs, findings = read_submitted(target.track, files, query_map, found)
        warnings = [str(finding) for finding in findings]
    except InvalidInput as error:
        troubles += error.findings
    if troubles or found is None:
        raise InvalidInput(f"{card} cannot be submitted with these files", troubles)
    if not runs:
        raise InvalidInput(f"the files hold no ranking of any query of track {target.track.name}")
    digests = {path.name: sha256_of_file(path) for path in files if path.is_file()}

    def made(folder: Path) -> list[str]:
        _write_files(target.track, found, runs, digests, folder)
        return warnings

    return _taken_in(target, found, made)


def _card_of_files(path: Path) -> tuple[Card | None, list[Finding]]:
    content = migrated("card", read_toml(path), str(path))
    try:
        return checked(Card, {"adapter": "none", **content}, str(path)), []
    except InvalidInput as error:
        return None, list(error.findings)


def _write_files(track: Track, card: Card, runs: Mapping[str, Run], digests: Mapping[str, str], folder: Path) -> None:
    """Write canonical run files (queries in the part's order, the card's name as tag, cut at the depth) and a manifest."""
    data: dict[str, PartRecord] = {}
    for name, run in runs.items():
        part = track.part(name)
        collection = load(part.dataset_id)
        rankings = (
            Ranking(query.query_id, ranked.doc_ids[: track.depth], ranked.scores[: track.depth])
            for query in collection.queries
            if (ranked := run.rankings.get(query.query_id)) is not None
        )
        data[name] = part_record(part, collection, write_run(run_file(folder, name), rankings, card.name))
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        tag=card.name,
        track={"name": track.name, "version": track.version, "depth": track.depth},
        method={"card": without_absolute_paths(card.model_dump(mode="json", exclude_defaults=True))},
        data=data,
        implementation={"git": {}, "source": {}, "inputs": dict(digests)},
        platform=dict(_UNKNOWN_PLATFORM),
        execution={"device": "unknown", "isolation": RUN_FILES, "provenance": RUN_FILES, "stages": []},
        reuse={},
    )
    write_manifest(folder, manifest)


def _taken_in(target: Target, card: Card, made: Callable[[Path], list[str]]) -> Submission:
    """Let ``made`` write the row into a staging folder, score it there, and move it into place as a whole."""
    folder = run_folder(target.runs, target.track, card.name)
    staging = target.runs / _STAGING / f"{target.track.name}+{card.name}"
    with exclusive(staging / "lock"), _emptied(staging, folder):
        if not target.replace:
            _check_card(folder, card)
        staged = staging / target.track.name / card.name
        warnings = made(staged)
        scores = score_system(target.track, staged)
        if not target.replace and folder.exists():
            _check_rankings(folder, read_manifest(staged))
            if _own_files(folder) == _own_files(staged):
                return Submission(folder, True, scores, tuple(warnings))
        _move(staged, folder, staging / "old")
    return Submission(folder, False, scores, tuple(warnings))


@contextlib.contextmanager
def _emptied(staging: Path, folder: Path) -> Iterator[None]:
    """Clear away what a killed submission left; a row that it had moved aside comes back first."""

    def clear() -> None:
        for path in staging.iterdir():
            if path.is_dir():
                shutil.rmtree(path)

    if (staging / "old").is_dir() and not folder.exists():
        (staging / "old").rename(folder)
    clear()
    try:
        yield
    finally:
        clear()
        (staging / "lock").unlink(missing_ok=True)
        for path in (staging, staging.parent):
            with contextlib.suppress(OSError):  # another submission may be at work beside
                path.rmdir()


def _move(staged: Path, folder: Path, aside: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if folder.exists():
            stack.enter_context(folder_lock(folder))  # whoever scores the old row has ended then
            if (folder / REPRODUCTIONS).is_dir():
                shutil.copytree(folder / REPRODUCTIONS, staged / REPRODUCTIONS)
            folder.rename(aside)
        staged.rename(folder)


def _check_card(folder: Path, card: Card) -> None:
    """Before any work: a row of that name must be of this very card."""
    if not folder.exists():
        return
    dumped = without_absolute_paths(card.model_dump(mode="json", exclude_defaults=True))
    try:
        recorded = read_manifest(folder).card
    except InvalidInput:
        recorded = {}
    keys = sorted(key for key in recorded.keys() | dumped.keys() if recorded.get(key) != dumped.get(key))
    if keys:
        _refuse(folder, f"its card differs in {', '.join(keys)}")


def _check_rankings(folder: Path, new: Manifest) -> None:
    recorded = read_manifest(folder)
    parts = sorted(
        part for part in recorded.data.keys() | new.data.keys() if recorded.data.get(part) != new.data.get(part)
    )
    if parts:
        _refuse(folder, f"its runs differ on {', '.join(parts)}")


def _own_files(folder: Path) -> str:
    own = folder / OWN_FILES
    return sha256_of_tree(own) if own.is_dir() else ""


def _refuse(folder: Path, reason: str) -> None:
    raise WrongUsage(f"{folder} exists and is another row: {reason}; change the name in the card, or use --replace")


def _copy_own_files(loaded: LoadedCard, card: Path, target: Path, consent: Consent) -> list[str]:
    """Copy the card and what lies beside it that the run depends on; returns what was not copied, and why."""
    files = {Path("card.toml"): card}
    for path in (*_sources(loaded, consent), *_inputs(loaded, consent)):
        files[path.relative_to(loaded.folder.resolve())] = path
    left_out = []
    for name, path in sorted(files.items()):
        size = path.stat().st_size
        if size > MAX_OWN_BYTES:
            left_out.append(f"{name} ({quantities.size(size)}) is not copied: publish it, and let the card name it")
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / name)
    return left_out


def _sources(loaded: LoadedCard, consent: Consent) -> Iterator[Path]:
    folder, start = loaded.folder.resolve(), Path(inspect.getfile(loaded.adapter_class(consent))).resolve()
    if start.is_relative_to(folder):
        for name in source_digests(start):
            for base in start.parents:
                if base.is_relative_to(folder) and (base / name).is_file():
                    yield base / name
                    break


def _inputs(loaded: LoadedCard, consent: Consent) -> Iterator[Path]:
    folder = loaded.folder.resolve()
    for path in inputs_of(loaded.system(consent)).values():
        files = sorted(path.resolve().rglob("*")) if path.is_dir() else [path.resolve()]
        yield from (file for file in files if file.is_file() and file.is_relative_to(folder))
