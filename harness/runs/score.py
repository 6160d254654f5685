"""Runs and a track in, per-query scores out: one Parquet file per system, tidy, with all that its numbers depend on."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from harness.collections.view import Collection, load
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.findings import told_together
from harness.files.limits import RESULT_BYTES, SCORE_ROWS
from harness.files.migrations import CURRENT, migrated
from harness.files.reading import check_regular, parse_json
from harness.files.writing import atomic_write, folder_lock
from harness.files.yaml_records import digest_of
from harness.measures import Judged, Measure, judged_shares, parse, score_all
from harness.measures.answer_recall import AnswerRecall
from harness.measures.token_recall import TokenRecall, tokens_to_answer
from harness.runs.commands import Commands
from harness.runs.definition import check_definition, lacking_parts
from harness.runs.manifest import Manifest, read_manifest, run_file
from harness.runs.own_scores import disagreement, is_of_other_inputs, is_own, note_as_own
from harness.runs.recorded import check_recorded_files
from harness.runs.trec import Expected, Ranked, Run, has_ties, read_run
from harness.tracks import Part, Track
from harness.tracks.units import units_of

SCHEMA_VERSION = CURRENT["scores"]
FILE_NAME = "scores.parquet"
COLUMNS = ("part", "lang", "query_id", "topic", "unit", "measure", "value")


@dataclass(frozen=True)
class ScoreFile:
    """Scores of one system: ``values[part, measure]`` is {query id: value}; ``context`` is what they depend on.

    ``units`` gives for every (part, query id) the topic and the unit that tests flip as one. ``corrected`` says what was
    wrong with the file that lay beside the run, where there was one with other numbers.
    """

    system: str
    values: Mapping[tuple[str, str], Mapping[str, float]]
    units: Mapping[tuple[str, str], tuple[str, str]]
    langs: Mapping[str, str]
    context: Mapping[str, Any]
    corrected: str = ""

    @property
    def parts(self) -> list[str]:
        return list(self.langs)

    @property
    def judged(self) -> Mapping[str, Mapping[str, float]]:
        """By part, the means of Judged@k for the cutoffs of the measures from qrels."""
        return dict(self.context.get("judged", {}))

    @property
    def notes(self) -> list[str]:
        """What was found in the runs, those of one kind told together; part by part in files of earlier versions."""
        if "notes" in self.context:
            return list(self.context["notes"])
        return [f"{part}: {text}" for part, texts in self.context["warnings"].items() for text in texts]

    @property
    def lacking(self) -> Mapping[str, str]:
        """By part that the run was never asked, since the track got it, or changed it, later: why."""
        return dict(self.context.get("lacking", {}))

    def mean(self, part: str, measure: str) -> float | None:
        values = self.values.get((part, measure))
        return float(np.mean(list(values.values()))) if values else None

    def macro(self, parts: Sequence[str], measure: str) -> float | None:
        """Mean over the parts; a dash, not an average over what happened to be there, when one of them is missing."""
        means = [self.mean(part, measure) for part in parts]
        complete = [value for value in means if value is not None]
        return math.fsum(complete) / len(complete) if complete and len(complete) == len(means) else None


def score_system(track: Track, folder: Path) -> ScoreFile:
    """Score the run in ``folder`` and write its score file, unless this machine made the file there, from that very run."""
    with _checked_run(track, folder) as (manifest, context):
        return _scored(track, folder, manifest, context)


def _scored(track: Track, folder: Path, manifest: Manifest, context: Mapping[str, Any]) -> ScoreFile:
    existing, key = folder / FILE_NAME, str(context["key"])
    if is_own(existing, key):
        with contextlib.suppress(InvalidInput):
            return read_scores(existing)
    scores = _score(track, folder, manifest, context)
    is_old = not existing.exists() or is_of_other_inputs(existing, key)
    corrected = "" if is_old else disagreement(existing, scores)
    write_scores(existing, scores)
    note_as_own(existing, key)
    return replace(scores, corrected=corrected)


def scores_of_run(track: Track, folder: Path) -> ScoreFile:
    """Score the run in ``folder`` whatever scores lie there, and write nothing."""
    with _checked_run(track, folder) as (manifest, context):
        return _score(track, folder, manifest, context)


@contextlib.contextmanager
def _checked_run(track: Track, folder: Path) -> Iterator[tuple[Manifest, dict[str, Any]]]:
    """The run's manifest and what its scores depend on. Raises ``InvalidInput`` when it is not the run it should be.

    The folder is locked meanwhile: a process that records the run anew, or scores it too, waits.
    """
    if not folder.is_dir():
        raise InvalidInput(
            f"there is no run in {folder}; `{Commands(track, folder.parent.parent).run(folder.name)}` makes one"
        )
    with folder_lock(folder):
        manifest = read_manifest(folder)
        check_definition(track, manifest)
        check_recorded_files(folder, manifest)
        yield manifest, scoring_context(track, folder, manifest)


def scoring_context(track: Track, folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Everything that the scores depend on, and a digest of it, from which reuse is decided."""
    parts, lacking = scored_parts(track, manifest), lacking_parts(track, manifest)
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
        "measures": {name: parse(name).version for name in track.measures},
        "data": {part.name: load(part.dataset_id).digests.as_dict() for part in parts},
        "rankings": rankings,
        "languages": {part.name: part.lang for part in parts},
        **({"lacking": lacking} if lacking else {}),
    }
    return {**context, "key": digest_of(context)}


def scored_parts(track: Track, manifest: Manifest) -> list[Part]:
    """The parts that were run, and those that the card declares but that have no run: they count 0.

    A part that came later, or that has changed since the run was made, is not scored: for this run it is a dash.
    """
    lacking = lacking_parts(track, manifest)
    serves = manifest.card.serves
    return [p for p in track.parts if p.name not in lacking and (p.name in manifest.data or serves(p.lang))]


def _score(track: Track, folder: Path, manifest: Manifest, context: Mapping[str, Any]) -> ScoreFile:
    values: dict[tuple[str, str], dict[str, float]] = {}
    found: dict[str, list[Finding]] = {}
    ties: dict[str, dict[str, Any]] = {}
    shares: dict[str, dict[str, float]] = {}
    for part in scored_parts(track, manifest):
        name, judged = part.name, judged_part(part)
        run, findings = Run(manifest.tag, {}), [_no_run(part)]
        if name in manifest.data:
            run, findings = read_run(run_file(folder, name), expected_of(judged.collection, track))
        rankings = {query_id: ranked.doc_ids[: track.depth] for query_id, ranked in run.rankings.items()}
        measures = measures_of(track, judged)
        judged_at = judged_shares(measures) if judged.is_pooled else []
        scored = score_all([*measures, *judged_at], judged, rankings)
        values.update({(name, measure.name): scored[measure.name] for measure in measures})
        shares[name] = {share.name: _mean(scored[share.name].values()) for share in judged_at}
        found[name] = findings
        if any(has_ties(ranked) for ranked in run.rankings.values()):
            ties[name] = tie_range(parse(track.primary), judged, run, track.depth)
    told = {
        "warnings": {part: [str(finding) for finding in findings] for part, findings in found.items()},
        "notes": told_together(found),
        "ties": ties,
        "judged": shares,
    }
    # As the file will have it: what is made of the scores has the same bytes whether they were just computed or read.
    whole = json.loads(json.dumps({**context, **told}, sort_keys=True))
    units = {key: unit for key, unit in units_of(track).items() if key[0] in context["languages"]}
    return ScoreFile(manifest.tag, values, units, dict(context["languages"]), whole)


def _no_run(part: Part) -> Finding:
    what, mend = "no run, though the card declares the language", "every question scores 0"
    return Finding("warning", f"part {part.name}", what, f"a run for {part.lang}", mend, "no run")


def judged_part(part: Part) -> Judged:
    return Judged(load(part.dataset_id))


def expected_of(collection: Collection, track: Track) -> Expected:
    """What a run of one of the track's parts may contain."""
    query_ids = [query.query_id for query in collection.queries]
    return Expected(query_ids, collection.docs, track.depth, track.exclude_own_document)


def measures_of(track: Track, judged: Judged) -> list[Measure]:
    """The track's measures. Raises ``InvalidInput`` when the collection lacks what one of them needs."""
    measures = [parse(name) for name in track.measures]
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
            keys = [sign * helpfulness(judged, measure, query_id, doc_id) for doc_id in ranked.doc_ids]
            rankings[query_id] = _rearranged(ranked, keys)[:depth]
        values = measure.score(judged, rankings)
        # Answers that span passages escape the rearrangement; the fixed order bounds it then.
        bounds[name] = _mean(extreme(value, values[query_id]) for query_id, value in fixed.items())
    return {"queries": sum(has_ties(ranked) for ranked in run.rankings.values()), **bounds}


def _rearranged(ranked: Ranked, keys: Sequence[float]) -> tuple[str, ...]:
    """The ranking with equal scores ordered by ascending key."""
    rows = zip(ranked.scores.tolist(), keys, ranked.doc_ids, strict=True)
    return tuple(doc for _, _, doc in sorted(rows, key=lambda row: (-row[0], row[1])))


def helpfulness(judged: Judged, measure: Measure, query_id: str, doc_id: str) -> float:
    """Orders passages by what they do for a query's score: by grade, or by how early in them an answer stands."""
    if isinstance(measure, TokenRecall):
        return -tokens_to_answer((judged.collection.answers or {}).get(query_id, ()), judged.docs.get(doc_id).text)
    if isinstance(measure, AnswerRecall):
        return measure.is_hit_by((judged.collection.answers or {}).get(query_id, ()), judged.docs.get(doc_id).text)
    return (judged.collection.qrels or {}).get(query_id, {}).get(doc_id, 0)


def write_scores(path: Path, scores: ScoreFile) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        (part, scores.langs[part], query_id, *scores.units[part, query_id], measure, value)
        for (part, measure), values in scores.values.items()
        for query_id, value in values.items()
    ]
    text = pa.dictionary(pa.int32(), pa.string())
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [pa.array(column, pa.string()).cast(text) for column in columns[:-1]]
    table = pa.table([*arrays, pa.array(columns[-1], pa.float64())], names=list(COLUMNS))
    context = {**scores.context, "rows": digest_of(rows)}
    table = table.replace_schema_metadata({"xdr": json.dumps(context, sort_keys=True, ensure_ascii=False)})
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd", write_statistics=False)


def read_scores(path: Path) -> ScoreFile:
    """Raises ``InvalidInput`` when the file is not a score file of this schema version."""
    import pyarrow as pa

    try:
        check_regular(path)
        columns, context = _read_columns(path)
        recorded_rows = context.pop("rows")
    except (WrongUsage, OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a score file; score the run again") from error
    context = {"judged": {}, **migrated("scores", context, str(path))}
    missing = [name for name, kind in _CONTEXT.items() if not isinstance(context.get(name), kind)]
    if missing:
        raise InvalidInput(f"{path} is not a score file (it lacks {', '.join(missing)}); score the run again")
    if digest_of(list(zip(*columns, strict=True))) != recorded_rows:
        raise InvalidInput(f"{path} is not as it was written; score the run again")
    values: dict[tuple[str, str], dict[str, float]] = {}
    units: dict[tuple[str, str], tuple[str, str]] = {}
    langs: dict[str, str] = {}
    for part, lang, query_id, topic, unit, measure, value in zip(*columns, strict=True):
        values.setdefault((part, measure), {})[query_id] = value
        units[part, query_id] = (topic, unit)
        langs[part] = lang
    # A part without any scored question has no rows.
    return ScoreFile(context["system"], values, units, {**langs, **context["languages"]}, context)


_CONTEXT = {
    "schema_version": int,
    "key": str,
    "system": str,
    "track": dict,
    "measures": dict,
    "data": dict,
    "languages": dict,
    "warnings": dict,
    "ties": dict,
    "judged": dict,
}


def _read_columns(path: Path) -> tuple[list[list[Any]], dict[str, Any]]:
    """The columns and the context of a Parquet file, after a look at how large it says it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        size = max(path.stat().st_size, sum(group.total_byte_size for group in groups))
        # Memory is taken for as many rows as a group says that it has.
        rows = [group.num_rows for group in groups]
        if size > RESULT_BYTES or min(rows, default=0) < 0 or not sum(rows) == file.metadata.num_rows <= SCORE_ROWS:
            raise ValueError("larger than any score file")
        if tuple(file.schema_arrow.names) != COLUMNS:
            raise ValueError("other columns")
        table = file.read()
    texts, values = table.select(COLUMNS[:-1]).columns, table.column(COLUMNS[-1])
    columns = [column.cast(pa.string()).to_pylist() for column in texts]
    # A damaged file may hold anything that its types allow, nulls and halves of characters among them.
    if not pa.types.is_float64(values.type) or not np.isfinite(values.to_numpy()).all() or None in chain(*columns):
        raise ValueError("a value that no score file has")
    return [*columns, values.to_pylist()], dict(parse_json(table.schema.metadata[b"xdr"]))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else 0.0
