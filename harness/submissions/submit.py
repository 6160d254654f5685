"""A card, and an adapter or finished run files in; a complete row of the runs of record out, or nothing at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import numbers
from harness.adapters.card import CARD_FILE, Card, LoadedCard, card_names, load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import Context, inputs_of
from harness.adapters.own_modules import OURS
from harness.adapters.source_files import own_source_files
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.migrations import migrated
from harness.files.toml_records import checked, read_toml
from harness.files.writing import sha256_of_file, sha256_of_tree
from harness.records import Ranking
from harness.runs.commands import OWN_FILES
from harness.runs.execute import part_record, run_system, track_record
from harness.runs.manifest import (
    RUN_FILES,
    SCHEMA_VERSION,
    Implementation,
    Manifest,
    Method,
    PartRecord,
    write_manifest,
)
from harness.runs.prepared import prepared, recorded_card
from harness.runs.provenance import Execution, Platform
from harness.runs.run_folder import REPRODUCTIONS, RunFolder
from harness.runs.score import score_system
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import Run, write_run
from harness.runs.withdrawal import FILE_NAME as WITHDRAWN
from harness.submissions.staging import put_in_place, staged_row
from harness.submissions.submitted_files import read_submitted
from harness.tracks import Track

IDENTIFYING = ("adapter", "parameters", "languages")
"""Keys of a card that decide what is run; all others are prose."""

MAX_OWN_BYTES = 2_000_000
"""Larger files of a system are not copied beside its runs: they belong where the card can name them."""


@dataclass(frozen=True)
class Submission:
    """Where the row lies; whether it was there already, byte for byte the same ranking; its scores; what to know.

    ``edited``: keys of the recorded card whose prose was brought up to date, without a run.
    """

    folder: Path
    unchanged: bool
    scores: ScoreFile
    warnings: tuple[str, ...]
    edited: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """Where a submission goes, and whether a different row of that name may be replaced."""

    runs: TrackRuns
    replace: bool = False

    @property
    def track(self) -> Track:
        return self.runs.track


def submit_system(target: Target, card: str, context: Context) -> Submission:
    """Run a card's adapter on the track and take the run in, with the card and its small files beside it.

    Where the row is recorded and only the card's prose has changed since, the recorded card is brought up to date and
    nothing is run.

    Raises ``WrongUsage`` when a different row of that name exists and may not be replaced, ``InvalidInput`` when its adapter
    imports files that cannot be submitted with the card.
    """
    loaded = load_card(card)
    _check_sources(loaded, _static_sources(loaded, context.consent))
    if not target.replace and (edited := _edited(target, loaded, context)):
        return edited

    def made(row: RunFolder) -> list[str]:
        staging = TrackRuns(target.track, row.path.parent.parent, rows_in=target.runs)
        notes = run_system(staging, loaded, context).notes
        return [*notes, *([] if card in card_names() else _copy_own_files(loaded, row, context.consent))]

    return _taken_in(target, loaded.card, made)


def _edited(target: Target, loaded: LoadedCard, context: Context) -> Submission | None:
    """The recorded row with today's prose, where that is all that differs."""
    run = prepared(target.runs, loaded, context)
    recorded = run.recorded()
    if recorded.manifest is None or not recorded.edited or recorded.why_another(strict=False):
        return None
    own = run.at.own_files / CARD_FILE
    if loaded.path is not None and loaded.card.name not in card_names() and not own.is_file():
        return None  # the row lacks its system, and is completed as any new one
    run.check_not_withdrawn()
    with staged_row(run.at) as staged:
        shutil.copytree(run.folder, staged.row, ignore=shutil.ignore_patterns(REPRODUCTIONS, WITHDRAWN))
        write_manifest(staged.row, recorded.manifest.model_copy(update={"method": Method(card=run.today.card)}))
        if loaded.path is not None and own.is_file():
            shutil.copy(loaded.path, staged.row / OWN_FILES / CARD_FILE)
        scores = score_system(RunFolder(target.track, staged.row))
        put_in_place(staged)
        run.at.forget()
    return Submission(run.folder, False, scores, (), recorded.edited)


def submit_files(target: Target, card: Path, files: Sequence[Path], query_map: Path | None = None) -> Submission:
    """Validate finished run files and take them in. The card's ``adapter`` may be left out: nothing is run.

    Raises ``InvalidInput`` with all problems of the card and of the files; ``WrongUsage`` as ``submit_system`` does.
    """
    found, troubles = _card_of_files(card / CARD_FILE if card.is_dir() else card)
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
    return submit_runs(target, found, runs, digests, warnings)


def submit_runs(
    target: Target,
    card: Card,
    runs: Mapping[str, Run],
    digests: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> Submission:
    """Take in runs that were checked, by part. ``digests``: of the files that they came as; ``warnings``: to be handed on.

    Raises ``WrongUsage`` as ``submit_system`` does.
    """

    def made(row: RunFolder) -> list[str]:
        _write_files(card, runs, digests or {}, row)
        return list(warnings)

    return _taken_in(target, card, made)


def _card_of_files(path: Path) -> tuple[Card | None, list[Finding]]:
    content = migrated("card", read_toml(path), str(path))
    try:
        return checked(Card, {"adapter": "none", **content}, str(path)), []
    except InvalidInput as error:
        return None, list(error.findings)


def _write_files(card: Card, runs: Mapping[str, Run], digests: Mapping[str, str], row: RunFolder) -> None:
    """Write canonical run files (queries in the part's order, the card's name as tag, cut at the depth) and a manifest."""
    track = row.track
    data: dict[str, PartRecord] = {}
    for name, run in runs.items():
        part = track.part(name)
        collection = part.collection
        rankings = (
            Ranking(query.query_id, ranked.doc_ids[: track.depth], ranked.scores[: track.depth])
            for query in collection.queries
            if (ranked := run.rankings.get(query.query_id)) is not None
        )
        data[name] = part_record(part, collection, write_run(row.run_file(name), rankings, card.name))
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        tag=card.name,
        track=track_record(track),
        method=Method(card=recorded_card(card)),
        data=data,
        implementation=Implementation(inputs=dict(digests)),
        platform=Platform(),
        execution=Execution(device="unknown", isolation=RUN_FILES, provenance=RUN_FILES),
    )
    write_manifest(row.path, manifest)


def _taken_in(target: Target, card: Card, made: Callable[[RunFolder], list[str]]) -> Submission:
    """Let ``made`` write the row into a staging folder, score it there, and move it into place as a whole."""
    present = target.runs.run(card.name)
    with staged_row(present) as staged:
        row = RunFolder(target.track, staged.row)
        if not target.replace:
            _check_card(present, card)
        warnings = made(row)
        scores = score_system(row)
        if not target.replace and present.path.exists():
            _check_rankings(present, row.manifest)
            if _own_files(present) == _own_files(row) and present.manifest.card == row.manifest.card:
                return Submission(present.path, True, scores, tuple(warnings))
        put_in_place(staged)
        present.forget()
    return Submission(present.path, False, scores, (*warnings, *_still_withdrawn(present)))


def _still_withdrawn(row: RunFolder) -> Iterator[str]:
    if withdrawal := row.withdrawal:
        yield (
            f"the row stays withdrawn ({withdrawal.date}: {withdrawal.reason}); if this run fixes that, "
            f"remove {row.withdrawal_file} and say so where you publish it"
        )


def _check_card(row: RunFolder, card: Card) -> None:
    """Before any work: a row of that name must be of this very card."""
    if not row.path.exists():
        return
    now, folder = recorded_card(card), row.path
    try:
        recorded = row.manifest.card
    except InvalidInput:
        _refuse(folder, "its manifest is invalid")
        return
    if keys := [name for name in IDENTIFYING if getattr(recorded, name) != getattr(now, name)]:
        _refuse(folder, f"its card differs in {', '.join(keys)}")


def _check_rankings(row: RunFolder, new: Manifest) -> None:
    recorded = row.manifest
    parts = sorted(
        part for part in recorded.data.keys() | new.data.keys() if recorded.data.get(part) != new.data.get(part)
    )
    if parts:
        _refuse(row.path, f"its runs differ on {', '.join(parts)}")


def _own_files(row: RunFolder) -> str:
    return sha256_of_tree(row.own_files) if row.own_files.is_dir() else ""


def _refuse(folder: Path, reason: str) -> None:
    raise WrongUsage(f"{folder} exists and is another row: {reason}; change the name in the card, or use --replace")


def _copy_own_files(loaded: LoadedCard, row: RunFolder, consent: Consent) -> list[str]:
    """Copy the card and what lies around it that the run depends on; returns what was not copied, and why.

    Raises ``InvalidInput`` where a source file of the adapter cannot stand at the same place below the card's copy.
    """
    folder, card = _absolute(loaded.folder), loaded.path or loaded.folder / CARD_FILE
    files = {Path(CARD_FILE): _absolute(card)}
    left_out = []
    for path in _inputs(loaded, consent):
        if not path.is_relative_to(folder):
            continue
        size = path.stat().st_size
        name = path.relative_to(folder)
        if size > MAX_OWN_BYTES:
            left_out.append(f"{name} ({numbers.size(size)}) is not copied: publish it, and let the card name it")
        elif files.setdefault(name, path) != path:
            raise InvalidInput(f"{card} would be copied as {name}, and the run depends on another {name} beside it")
    sources = _own_sources(row)
    _check_sources(loaded, sources)
    files |= {Path(name): folder / name for name in sources}
    for name, path in sorted(files.items()):
        target = row.own_files / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return left_out


def _own_sources(row: RunFolder) -> list[str]:
    """Names of the adapter's own files that the run was made by; ``..`` in them leads out of the card's folder."""
    sources = row.manifest.implementation.source
    return [name for name in sources if name.partition("/")[0] not in OURS]


def _static_sources(loaded: LoadedCard, consent: Consent) -> list[str]:
    """What can be known of them before the run."""
    modules = loaded.adapter(consent).modules
    return [modules.name_of(path) for path in own_source_files(modules)] if modules is not None else []


def _check_sources(loaded: LoadedCard, names: Iterable[str]) -> None:
    """Raise ``InvalidInput`` where a source file of the adapter could not be submitted with the card."""
    findings = []
    for name in names:
        if name.startswith("../"):
            hint = f"move it below {loaded.folder}, so that it is submitted with the card"
            findings.append(Finding("error", name, "a source file outside the card's folder", "", hint))
        elif (size := (loaded.folder / name).stat().st_size) > MAX_OWN_BYTES:
            findings.append(
                Finding("error", name, numbers.size(size), f"source files up to {numbers.size(MAX_OWN_BYTES)}")
            )
    if findings:
        raise InvalidInput(f"card {loaded.card.name} cannot be submitted: nobody could run it", findings)


def _inputs(loaded: LoadedCard, consent: Consent) -> Iterator[Path]:
    inputs = inputs_of(loaded.system(consent)).values()
    for path in (place for place in inputs if isinstance(place, Path)):
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (_absolute(file) for file in files if file.is_file())


def _absolute(path: Path) -> Path:
    """Links are not followed: what is copied is the file that they lead to, under the name that the card knows."""
    return Path(os.path.abspath(path))  # noqa: PTH100
