"""Runs and a track in, per-query scores out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput
from harness.files.findings import told_together
from harness.files.writing import folder_lock
from harness.files.yaml_records import digest_of
from harness.measures import Judged, Measure, judged_shares, score_all
from harness.runs.commands import Commands
from harness.runs.gold_readings import gold_in_words, gold_values
from harness.runs.own_scores import disagreement, is_of_other_inputs, is_own, note_as_own
from harness.runs.readings import changed_answers, first_passages, read_record, readings_of
from harness.runs.run_folder import RunFolder
from harness.runs.score_file import SCHEMA_VERSION, ScoreFile, read_scores, write_scores
from harness.runs.trec import Expected, Ranked, Run, has_ties
from harness.tracks import Part, Track
from harness.tracks.units import units_of


def score_system(run: RunFolder) -> ScoreFile:
    """Score a run and write its score file, unless this machine made the file there, from that very run."""
    with _checked(run) as context:
        return _scored(run, context)


def _scored(run: RunFolder, context: Mapping[str, Any]) -> ScoreFile:
    if (own := _own_scores(run, context)) is not None:
        return own
    existing, key = run.scores_file, str(context["key"])
    scores = _score(run, context)
    is_old = not existing.exists() or is_of_other_inputs(existing, key)
    corrected = "" if is_old else disagreement(existing, scores)
    write_scores(existing, scores)
    note_as_own(existing, key)
    return replace(scores, corrected=corrected)


def _own_scores(run: RunFolder, context: Mapping[str, Any]) -> ScoreFile | None:
    """The scores beside the run, where this machine made them there, from that very run and what was read of it.

    Where recorded answers are other ones, nothing is at hand, and scoring tells all that is wrong with them.
    """
    if is_own(run.scores_file, str(context["key"])) and not changed_answers(run, reading_names(run.track)):
        with contextlib.suppress(InvalidInput):
            return read_scores(run.scores_file)
    return None


def scores_at_hand(run: RunFolder) -> ScoreFile:
    """The scores of a run, computed unless this machine wrote those beside it; writes nothing.

    Raises ``InvalidInput`` when the run is not the one that its manifest describes, or the scores beside it are not its.
    """
    with _checked(run) as context:
        if (own := _own_scores(run, context)) is not None:
            return own
        scores = _score(run, context)
        if run.scores_file.exists() and (reason := disagreement(run.scores_file, scores)):
            raise InvalidInput(
                f"{run.scores_file} does not hold the scores of the run beside it: {reason}; "
                f"`xdr score {run.track.name} {run.name}` makes it again"
            )
        return scores


def scores_of_run(run: RunFolder) -> ScoreFile:
    """Score a run whatever scores lie beside it, and write nothing."""
    with _checked(run) as context:
        return _score(run, context)


@contextlib.contextmanager
def _checked(run: RunFolder) -> Iterator[dict[str, Any]]:
    """What the run's scores depend on. Raises ``InvalidInput`` when it is not the run it should be.

    The folder is locked meanwhile: a process that records the run anew, or scores it too, waits.
    """
    if not run.path.is_dir():
        command = Commands(run.track, run.path.parent.parent).run(run.name)
        raise InvalidInput(f"there is no run in {run.path}; `{command}` makes one")
    with folder_lock(run.path):
        run.check_definition()
        run.check_files()
        yield scoring_context(run)


def scoring_context(run: RunFolder) -> dict[str, Any]:
    """Everything that the scores depend on, and a digest of it, from which reuse is decided."""
    track, manifest, parts, lacking = run.track, run.manifest, run.scored_parts, dict(run.lacking)
    rankings = {name: record.ranking for name, record in manifest.data.items()}
    context = {
        "schema_version": SCHEMA_VERSION,
        "system": manifest.tag,
        "track": {
            "name": track.name,
            "version": track.version,
            "depth": track.depth,
            "unit": track.unit,
            **({"exclude_own_document": True} if track.exclude_own_document else {}),
        },
        "measures": track.measure_versions(),
        "data": {part.name: part.collection.digests.as_dict() for part in parts},
        "rankings": rankings,
        "languages": {part.name: part.lang for part in parts},
        **({"lacking": lacking} if lacking else {}),
        **({"readings": readings} if (readings := _reading_digests(run)) else {}),
    }
    return {**context, "key": digest_of(context)}


def reading_names(track: Track) -> list[str]:
    """The readings that the track's measures score."""
    found = (track.measure(name).reading for name in track.measures)
    return [name for name in dict.fromkeys(found) if name is not None]


def _reading_digests(run: RunFolder) -> dict[str, dict[str, str]]:
    """Digests of the recorded answers that the scores depend on, by reading and part, as their records have them."""
    records = {name: read_record(run, name) for name in reading_names(run.track)}
    return {name: {part: own.answers for part, own in record.parts.items()} for name, record in records.items()}


def _score(folder: RunFolder, context: Mapping[str, Any]) -> ScoreFile:
    track, manifest = folder.track, folder.manifest
    values: dict[tuple[str, str], dict[str, float]] = {}
    found: dict[str, list[Finding]] = {}
    ties: dict[str, dict[str, Any]] = {}
    shares: dict[str, dict[str, float]] = {}
    gold: dict[str, dict[str, float]] = {}
    readings = readings_of(folder, names) if (names := reading_names(track)) else {}
    for part in folder.scored_parts:
        name, judged = part.name, judged_part(part)
        if name in readings:
            judged = replace(judged, readings=readings[name])
        run, findings = Run(manifest.tag, {}), [_no_run(part)]
        if name in manifest.data:
            run, findings = folder.read(name, expected_of(judged.collection, track))
        rankings = {query_id: ranked.doc_ids[: track.depth] for query_id, ranked in run.rankings.items()}
        measures = measures_of(track, judged)
        judged_at = judged_shares(measures) if judged.is_pooled else []
        scored = score_all([*measures, *judged_at], judged, rankings)
        values.update({(name, measure.name): scored[measure.name] for measure in measures})
        shares[name] = {share.name: _mean(scored[share.name].values()) for share in judged_at}
        found[name] = findings
        gold[name] = gold_values(measures, judged)
        if any(has_ties(ranked) for ranked in run.rankings.values()):
            ties[name] = tie_range(track.measure(track.primary), judged, run, track.depth)
    told = {
        "warnings": {part: [str(finding) for finding in findings] for part, findings in found.items()},
        "notes": [*told_together(found), *gold_in_words(track, gold)],
        "ties": ties,
        "judged": shares,
    }
    # As the file will have it: what is made of the scores has the same bytes whether they were just computed or read.
    whole = json.loads(json.dumps({**context, **told}, sort_keys=True))
    units = {key: unit for key, unit in units_of(track).items() if key[0] in context["languages"]}
    return ScoreFile(manifest.tag, values, units, dict(context["languages"]), whole)


def _no_run(part: Part) -> Finding:
    what, hint = "no run, though the card declares the language", "every question scores 0"
    return Finding("warning", f"part {part.name}", what, f"a run for {part.lang}", hint, "no run")


def judged_part(part: Part) -> Judged:
    return Judged(part.collection)


def expected_of(collection: Collection, track: Track) -> Expected:
    """What a run of one of the track's parts may contain."""
    query_ids = [query.query_id for query in collection.queries]
    return Expected(query_ids, collection.docs, track.depth, track.exclude_own_document)


def measures_of(track: Track, judged: Judged) -> list[Measure]:
    """The track's measures. Raises ``InvalidInput`` when the collection lacks what one of them needs."""
    measures = [track.measure(name) for name in track.measures]
    lacking = [measure.name for measure in measures if not measure.applies_to(judged)]
    if lacking:
        raise InvalidInput(f"{judged.collection.dataset_id} lacks the judgements or answers for {', '.join(lacking)}")
    return measures


def tie_range(measure: Measure, judged: Judged, run: Run, depth: int) -> dict[str, Any]:
    """The primary measure if all ties were broken in the worst and in the best way for the system."""
    fixed = measure.score(judged, {query_id: ranked.doc_ids[:depth] for query_id, ranked in run.rankings.items()})
    bounds: dict[str, float] = {}
    for name, sign, extreme in (("worst", 1, min), ("best", -1, max)):
        rankings = {}
        for query_id, ranked in run.rankings.items():
            # What cannot come into the cutoff is left where it is: a reader has not read it.
            reach = first_passages(ranked, measure.cutoff or len(ranked.doc_ids))
            keys = [sign * measure.helpfulness(judged, query_id, doc_id) for doc_id in reach]
            head = _rearranged(Ranked(tuple(reach), ranked.scores[: len(reach)]), keys)
            rankings[query_id] = (*head, *ranked.doc_ids[len(reach) :])[:depth]
        values = measure.score(judged, rankings)
        # Answers that span passages escape the rearrangement; the fixed order bounds it then.
        bounds[name] = _mean(extreme(value, values[query_id]) for query_id, value in fixed.items())
    return {"queries": sum(has_ties(ranked) for ranked in run.rankings.values()), **bounds}


def _rearranged(ranked: Ranked, keys: Sequence[float]) -> tuple[str, ...]:
    """The ranking with equal scores ordered by ascending key."""
    rows = zip(ranked.scores.tolist(), keys, ranked.doc_ids, strict=True)
    return tuple(doc for _, _, doc in sorted(rows, key=lambda row: (-row[0], row[1])))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else 0.0
