"""Runs and a track in, per-query scores out: one Parquet file per system, tidy, with all that its numbers depend on."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.collections.view import Collection, load
from harness.errors import Finding, InvalidInput
from harness.files import atomic_write
from harness.manifest import Manifest, digest_of, read_manifest, run_file
from harness.measures import Judged, Measure, parse
from harness.runs import Expected, Ranked, Run, has_ties, read_bytes, read_run
from harness.tracks import Part, Track

SCHEMA_VERSION = 1
FILE_NAME = "scores.parquet"
COLUMNS = ("part", "lang", "query_id", "topic", "unit", "measure", "value")


@dataclass(frozen=True)
class ScoreFile:
    """Scores of one system: ``values[part, measure]`` is {query id: value}; ``context`` is what they depend on.

    ``units`` gives for every (part, query id) the topic and the unit that tests flip as one.
    """

    system: str
    values: Mapping[tuple[str, str], Mapping[str, float]]
    units: Mapping[tuple[str, str], tuple[str, str]]
    langs: Mapping[str, str]
    context: Mapping[str, Any]

    @property
    def parts(self) -> list[str]:
        return list(self.langs)

    def mean(self, part: str, measure: str) -> float | None:
        values = self.values.get((part, measure))
        return float(np.mean(list(values.values()))) if values else None


def score_system(track: Track, folder: Path) -> ScoreFile:
    """Score the run in ``folder`` and write its score file, unless the file there is that very thing already."""
    manifest = read_manifest(folder)
    context = scoring_context(track, folder, manifest)
    existing = folder / FILE_NAME
    if existing.is_file():
        try:
            scores = read_scores(existing)
            if scores.context["key"] == context["key"]:
                return scores
        except InvalidInput:
            pass
    scores = _score(track, folder, manifest, context)
    write_scores(existing, scores)
    return scores


def scoring_context(track: Track, folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Everything that the scores depend on, and a digest of it, from which reuse is decided."""
    rankings, data = {}, {}
    for name in manifest.data:
        part = track.part(name)
        rankings[name] = hashlib.sha256(read_bytes(run_file(folder, name))).hexdigest()
        data[name] = load(part.dataset_id).digests.as_dict()
    context = {
        "schema_version": SCHEMA_VERSION,
        "system": manifest.tag,
        "track": {"name": track.name, "version": track.version, "depth": track.depth, "unit": track.unit},
        "measures": {name: parse(name).version for name in track.measures},
        "data": data,
        "rankings": rankings,
        "languages": {name: track.part(name).lang for name in manifest.data},
    }
    return {**context, "key": digest_of(context)}


def check_recorded_data(track: Track, manifest: Manifest) -> None:
    """Raise ``InvalidInput`` when a run was made on other passages or questions than the track has today."""
    findings = []
    for name, record in manifest.data.items():
        if name not in {part.name for part in track.parts}:
            findings.append(
                Finding("error", f"part {name}", "not in the track", ", ".join(p.name for p in track.parts))
            )
            continue
        digests = load(track.part(name).dataset_id).digests
        for kind, recorded, today in (
            ("docs", record.docs, digests.docs),
            ("queries", record.queries, digests.queries),
        ):
            if recorded != today:
                findings.append(
                    Finding(
                        "error", f"part {name}", f"the run's {kind} digest is {recorded[:16]}...", f"{today[:16]}..."
                    )
                )
    if findings:
        raise InvalidInput(f"the run of {manifest.tag} is of other data; run it again with `xdr run`", findings)


def _score(track: Track, folder: Path, manifest: Manifest, context: Mapping[str, Any]) -> ScoreFile:
    check_recorded_data(track, manifest)
    values: dict[tuple[str, str], dict[str, float]] = {}
    units: dict[tuple[str, str], tuple[str, str]] = {}
    warnings: dict[str, list[str]] = {}
    ties: dict[str, dict[str, Any]] = {}
    for name in manifest.data:
        part = track.part(name)
        judged = judged_part(part)
        run, findings = read_run(run_file(folder, name), expected_of(judged.collection, track.depth))
        rankings = {query_id: ranked.doc_ids[: track.depth] for query_id, ranked in run.rankings.items()}
        for measure in measures_of(track, judged):
            values[name, measure.name] = measure.score(judged, rankings)
        units.update({(name, query_id): unit for query_id, unit in units_of(track, judged.collection).items()})
        warnings[name] = [str(finding) for finding in findings]
        if any(has_ties(ranked) for ranked in run.rankings.values()):
            ties[name] = tie_range(parse(track.primary), judged, run, track.depth)
    found = {**context, "warnings": warnings, "ties": ties}
    return ScoreFile(manifest.tag, values, units, dict(context["languages"]), found)


def judged_part(part: Part) -> Judged:
    return Judged(load(part.dataset_id))


def expected_of(collection: Collection, depth: int) -> Expected:
    return Expected([query.query_id for query in collection.queries], collection.docs, depth)


def measures_of(track: Track, judged: Judged) -> list[Measure]:
    """The track's measures. Raises ``InvalidInput`` when the collection lacks what one of them needs."""
    measures = [parse(name) for name in track.measures]
    lacking = [measure.name for measure in measures if not measure.applies_to(judged)]
    if lacking:
        raise InvalidInput(f"{judged.collection.dataset_id} lacks the judgements or answers for {', '.join(lacking)}")
    return measures


def units_of(track: Track, collection: Collection) -> dict[str, tuple[str, str]]:
    """Topic and unit of every query. The unit ``relevant passage`` is the query's relevant document."""
    units = {}
    for query in collection.queries:
        unit = query.topic
        if track.unit == "relevant passage":
            relevant = [doc for doc, grade in (collection.qrels or {}).get(query.query_id, {}).items() if grade > 0]
            if len(relevant) != 1:
                raise InvalidInput(
                    f"track {track.name} has the unit 'relevant passage', but query {query.query_id} has {len(relevant)}"
                )
            unit = relevant[0]
        units[query.query_id] = (query.topic, unit)
    return units


def tie_range(measure: Measure, judged: Judged, run: Run, depth: int) -> dict[str, Any]:
    """The primary measure if all ties were broken in the worst and in the best way for the system."""
    bounds = {}
    for name, sign in (("worst", 1), ("best", -1)):
        rankings = {
            query_id: _rearranged(ranked, good_passages(judged, query_id, measure), sign)[:depth]
            for query_id, ranked in run.rankings.items()
        }
        bounds[name] = float(np.mean(list(measure.score(judged, rankings).values())))
    return {"queries": sum(has_ties(ranked) for ranked in run.rankings.values()), **bounds}


def _rearranged(ranked: Ranked, good: frozenset[str], sign: int) -> tuple[str, ...]:
    rows = zip(ranked.scores.tolist(), ranked.doc_ids, strict=True)
    return tuple(doc for _, doc in sorted(rows, key=lambda row: (-row[0], sign * (row[1] in good))))


def good_passages(judged: Judged, query_id: str, measure: Measure) -> frozenset[str]:
    """Passages that help this query: relevant by the judgements, else holding an answer."""
    qrels = judged.collection.qrels
    if qrels is not None:
        return frozenset(doc for doc, grade in qrels.get(query_id, {}).items() if grade > 0)
    answers = (judged.collection.answers or {}).get(query_id, ())
    return frozenset(doc.doc_id for doc in judged.docs if any(answer in doc.text for answer in answers))


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
    table = table.replace_schema_metadata({"xdr": json.dumps(dict(scores.context), sort_keys=True, ensure_ascii=False)})
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd", write_statistics=False)


def read_scores(path: Path) -> ScoreFile:
    """Raises ``InvalidInput`` when the file is not a score file of this schema version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        context = json.loads(table.schema.metadata[b"xdr"])
        columns = [table.column(name).to_pylist() for name in COLUMNS]
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a score file; `xdr score` makes it again") from error
    if context.get("schema_version") != SCHEMA_VERSION:
        raise InvalidInput(f"{path} has schema version {context.get('schema_version')}, expected {SCHEMA_VERSION}")
    values: dict[tuple[str, str], dict[str, float]] = {}
    units: dict[tuple[str, str], tuple[str, str]] = {}
    langs: dict[str, str] = {}
    for part, lang, query_id, topic, unit, measure, value in zip(*columns, strict=True):
        values.setdefault((part, measure), {})[query_id] = value
        units[part, query_id] = (topic, unit)
        langs[part] = lang
    return ScoreFile(context["system"], values, units, langs, context)


@functools.cache
def bounds_of(part: Part, measure_name: str, depth: int, samples: int = 10) -> tuple[float, float]:
    """Ceiling and random-ranking score of a measure on a part.

    The ceiling is the score of a ranking that knows the judgements: for each query, the passages that help it first. The
    random score is the mean over ``samples`` random rankings of the collection (fixed seed).
    """
    judged, measure = judged_part(part), parse(measure_name)
    ids = np.array(judged.docs.ids, dtype=object)
    ideal = {query_id: _ideal(judged, query_id, measure)[:depth] for query_id in judged.query_ids}
    ceiling = _mean(measure.score(judged, ideal).values())
    generator = np.random.default_rng(20230723)
    draws = []
    for _ in range(samples):
        rankings = {
            query_id: tuple(generator.choice(ids, size=min(depth, len(ids)), replace=False))
            for query_id in judged.query_ids
        }
        draws.append(_mean(measure.score(judged, rankings).values()))
    return ceiling, float(np.mean(draws))


def _ideal(judged: Judged, query_id: str, measure: Measure) -> list[str]:
    """Relevant passages by falling grade, each first one that by itself makes a token-budget hit where that matters."""
    from harness.measures.token_recall import TokenRecall

    answers = (judged.collection.answers or {}).get(query_id, ())
    if isinstance(measure, TokenRecall):
        hits = [
            doc.doc_id
            for doc in judged.docs
            if any(answer in doc.text for answer in answers) and measure.is_hit_by(answers, doc.text)
        ]
        return hits[:1]
    grades = (judged.collection.qrels or {}).get(query_id, {})
    return [doc for doc, grade in sorted(grades.items(), key=lambda item: (-item[1], item[0])) if grade > 0]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else 0.0
