"""A recorded run in, the same card run again in a clean place, and a graded verdict on how the two agree."""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness import progress
from harness.adapters.card import CARD_FILE, LoadedCard, card_names, load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import TOKEN_BUDGET, Context
from harness.dense.encoder import resolved_device
from harness.dense.model_places import model_folder
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.scratch import scratch_folder
from harness.files.yaml_records import without_absolute_paths
from harness.measures.readings import ENGLISH
from harness.recipes.reading.kept import KeptReader, remembered
from harness.runs.execute import run_system
from harness.runs.manifest import Manifest
from harness.runs.read import Reading, carry_over, read_run
from harness.runs.readings import read_record
from harness.runs.retraining import retraining_of
from harness.runs.rows import rows_first
from harness.runs.run_folder import RunFolder
from harness.runs.score import reading_names, score_system, scores_at_hand
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import Run
from harness.submissions.agreement import ranking_agreement, root_mean_square_error
from harness.submissions.changes import changes_between
from harness.submissions.reproductions import SCHEMA_VERSION, PartReproduction, Reproduction, Verdict
from harness.tracks import Track


@dataclass(frozen=True)
class RunAtHand:
    """One system's run of a track, which was looked through, and its scores."""

    run: RunFolder
    scores: ScoreFile

    @property
    def manifest(self) -> Manifest:
        return self.run.manifest

    def part(self, name: str) -> Run:
        """The part's run, without any ranking where the part was not run."""
        return self.run.read(name)[0] if name in self.manifest.data else Run(self.manifest.tag, {})


def reproduce(
    run: RunFolder, context: Context, *, card: Path | None = None, today: datetime.date | None = None
) -> Reproduction:
    """Run the card that is recorded again and compare; writes nothing that stays.

    The seed is the recorded one, and so is the size of batches where the card leaves it to the device; device and engine are
    the context's. Vectors, journals and runs go into a new
    folder below the context's cache, which is deleted at the end. Files that the card names are looked for as
    ``recorded_card`` says. Rows that it stands on are made again before it, see ``made_below``. Raises ``InvalidInput`` when
    the recorded files are invalid, are of other data than the track has, or came as finished run files, and
    ``WeightsNotKept`` where a model is to be trained first;
    ``WrongUsage`` when the card's own files cannot be found.
    """
    track, manifest = run.track, run.manifest
    if not manifest.is_made_here:
        raise InvalidInput(f"{run.path} was submitted as finished run files: there is nothing that could be run again")
    run.check_definition()
    if lacking := run.lacking:
        raise InvalidInput(
            f"{run.path} cannot be made again by version {track.version} of track {track.name}; give the file of the version "
            "that it was made for with --track",
            [Finding("error", f"part {name}", reason) for name, reason in lacking.items()],
        )
    loaded = recorded_card(run, card, context.consent)
    check_weights(run, loaded)
    with scratch_folder(context.cache, "reproduce-") as clean:
        own = replace(context, cache=clean / "cache", work=clean / "work")
        recorded = RunAtHand(run, scores_at_hand(run))
        runs = TrackRuns(track, clean / "again", keeps_lines=True)
        rows = made_below(run, runs, own)
        run_system(runs, loaded, as_recorded(own, manifest))
        again = runs.run(loaded.card.name)
        readings = read_as_before(run, again, context.device)
        graded = _graded(track, recorded, RunAtHand(again, score_system(again)), today)
        return graded.model_copy(update={"rows": rows, "readings": readings})


class WeightsNotKept(InvalidInput):
    """The row's weights are kept nowhere, and were not trained on this machine. ``how``: what makes them, in words."""

    def __init__(self, run: Path, how: str) -> None:
        super().__init__(f"{run} cannot be made again yet; {how}; then the same command again")
        self.how = how


def check_weights(run: RunFolder, loaded: LoadedCard) -> None:
    """Raises ``WeightsNotKept`` for a row that is to be retrained from its recipe first."""
    retraining = retraining_of(loaded.card, run.manifest.execution)
    if retraining is None:
        return
    try:
        model_folder(str(loaded.card.parameters["model"]), None, loaded.folder)
    except InvalidInput as error:
        recipe = loaded.folder / retraining.recipe
        # Where the recipe itself is not there, that is what is to be said.
        how = retraining.in_words(os.path.normpath(recipe)) if recipe.is_file() else error.message
        raise WeightsNotKept(run.path, how) from error


def read_as_before(run: RunFolder, again: RunFolder, device: str) -> dict[str, str]:
    """Give a run that was made again the answers that the track's measures score; in words, by reading, where they are from.

    A reader that was used on this machine, and lies where it lay, reads again; else the recorded answers are taken over. Raises
    ``InvalidInput`` where there is no reader and the run found passages that have no answer.
    """
    found = {}
    for name in reading_names(run.track):
        settings = remembered(name.removesuffix(f"-{ENGLISH}"), resolved_device(device))
        if settings is None:
            carry_over(run, again, name)
            found[name] = "the recorded answers, since its reader is not on this machine"
            continue
        record, reader = read_record(run, name), KeptReader(settings, os.cpu_count() or 1, keeps=False)
        asked = Reading(reader, record.top, str(record.english.get("name", "")))
        read = read_run(again, asked, progress.shown())
        same = [part for part, own in read.parts.items() if own.answers == record.parts[part].answers]
        found[name] = f"read again, the same answers in {len(same)} of {len(read.parts)} parts"
    return found


def made_below(run: RunFolder, runs: TrackRuns, context: Context) -> dict[str, str]:
    """Make the rows that a run stands on again, each from its own recorded card; returns how each came out, in words.

    They are looked for beside the run. One that came as finished run files is taken over as it is recorded. Raises
    ``InvalidInput`` where one is not there, or is not the run any more that is stood on, and as ``reproduce`` does.
    """
    found: dict[str, str] = {}
    below = _rows_below(run)
    for row in below:
        if not row.manifest.is_made_here:
            row.check_files()
            with runs.run(row.name).writing() as folder:
                for path in (row.manifest_file, *(row.run_file(part) for part in row.manifest.data)):
                    shutil.copyfile(path, folder / path.name)
            found[row.name] = "the recorded run, which was submitted as finished run files"
            continue
        loaded = recorded_card(row, None, context.consent)
        check_weights(row, loaded)
        run_system(runs, loaded, as_recorded(context, row.manifest))
        again = runs.run(row.name).manifest
        same = {part: record.ranking for part, record in row.manifest.data.items()} == {
            part: record.ranking for part, record in again.data.items()
        }
        found[row.name] = f"made again, {'the same' if same else 'other'} rankings"
    return found


def _rows_below(run: RunFolder) -> list[RunFolder]:
    """The recorded runs that a run stands on, each after those that it stands on itself."""
    known, findings = {run.name: run}, list[Finding]()
    rows: dict[str, tuple[str, ...]] = {}
    while new := [name for name in known if name not in rows]:
        for name in new:
            above = known[name]
            rows[name] = above.manifest.rows
            for row in (RunFolder(run.track, run.path.parent / below) for below in rows[name]):
                if fault := _not_stood_on(above, row):
                    findings.append(Finding("error", f"{name} stands on {row.name}", fault))
                else:
                    known.setdefault(row.name, row)
    if findings:
        raise InvalidInput(
            f"{run.path} cannot be made again: rows that it stands on are not beside it as they were", findings
        )
    return [known[name] for name in rows_first(rows) if name != run.name]


def _not_stood_on(above: RunFolder, row: RunFolder) -> str:
    """Why a row is not the one that a run stands on; empty where it is."""
    if not row.is_recorded:
        return f"{row.path} holds no run"
    other = [
        part
        for part, record in above.manifest.data.items()
        if row.name in record.rows
        and (part not in row.manifest.data or row.manifest.data[part].ranking != record.rows[row.name])
    ]
    return f"{row.path} holds another run now ({', '.join(other)})" if other else ""


def as_recorded(context: Context, manifest: Manifest) -> Context:
    """The context with the recorded seed and token budget, where there are such."""
    seed, budget = manifest.execution.seed, manifest.execution.facts.get(TOKEN_BUDGET)
    return replace(
        context,
        seed=context.seed if seed is None else seed,
        token_budget=budget if type(budget) is int and budget > 0 else None,
    )


def recorded_card(run: RunFolder, given: Path | None, consent: Consent) -> LoadedCard:
    """The card as it was recorded, with the folder that its relative paths start from.

    That is the folder of the card file that was given; else the run's own folder ``system``; else that of the card of
    this name that ships with the package; else the current folder. A manifest holds no absolute path, only the last name
    of one: where that is the only difference, the given card's own paths are used.
    """
    card = run.manifest.card
    own = run.own_files / CARD_FILE
    if given is None and own.is_file():
        given = own
    if given is not None:
        loaded = load_card(str(given) if given.suffix == ".toml" else str(given / CARD_FILE))
    elif card.name in card_names():
        loaded = load_card(card.name)
    else:
        loaded = LoadedCard(card, Path())
    if without_absolute_paths(loaded.card.model_dump(mode="json")) != card.model_dump(mode="json"):
        loaded = LoadedCard(card, loaded.folder)
    loaded.require(consent)
    try:
        loaded.adapter_class(consent)
    except WrongUsage as error:
        raise WrongUsage(
            f"{error}\nthe recorded card names its adapter relative to its own folder: "
            f"give that folder's card with --card PATH/card.toml"
        ) from error
    return loaded


def _graded(track: Track, recorded: RunAtHand, again: RunAtHand, today: datetime.date | None) -> Reproduction:
    if missing := recorded.manifest.data.keys() ^ again.manifest.data.keys():
        findings = [Finding("error", f"part {part}", "only one of the two runs has it") for part in sorted(missing)]
        raise InvalidInput(f"the card of {recorded.manifest.tag} now gives other parts than are recorded", findings)
    parts = {name: _part(track, recorded, again, name) for name in recorded.manifest.data}
    platform, execution = again.manifest.platform, again.manifest.execution
    return Reproduction(
        schema_version=SCHEMA_VERSION,
        track={"name": track.name, "version": track.version},
        system=recorded.manifest.tag,
        date=today or datetime.datetime.now(datetime.UTC).date(),
        verdict=_verdict(track, parts, recorded.scores, again.scores),
        rankings={name: record.ranking for name, record in recorded.manifest.data.items()},
        tolerance=track.tolerance,
        parts=parts,
        changes=changes_between(recorded.manifest, again.manifest),
        platform=platform,
        device=execution.device,
        isolation=execution.isolation,
        git=again.manifest.implementation.git,
    )


def _part(track: Track, recorded: RunAtHand, again: RunAtHand, name: str) -> PartReproduction:
    one, two = (run.scores.values for run in (recorded, again))
    return PartReproduction(
        rankings=ranking_agreement(recorded.part(name), again.part(name), track.depth),
        rmse={
            measure: root_mean_square_error(one.get((name, measure), {}), two.get((name, measure), {}))
            for measure in track.measures
        },
        mean_recorded=recorded.scores.mean(name, track.primary),
        mean_again=again.scores.mean(name, track.primary),
    )


def _verdict(track: Track, parts: Mapping[str, PartReproduction], recorded: ScoreFile, again: ScoreFile) -> Verdict:
    same_scores = recorded.values == again.values
    # What a reader answered the second time is no matter of rankings.
    if same_scores and all(part.rankings.identical == part.rankings.queries for part in parts.values()):
        return "identical"
    if same_scores:
        return "same scores"
    granted = track.tolerance
    within = all(
        part.rankings.rank_biased_overlap >= granted.rank_biased_overlap
        and part.rankings.kendall_tau >= granted.kendall_tau
        and part.rmse[track.primary] <= granted.rmse
        for part in parts.values()
    )
    return "equivalent" if within else "differs"
