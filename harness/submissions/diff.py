"""Two runs of one track in, all that differs out: manifests, rankings, scores by language and by query."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.estimates import difference_interval, table_of
from harness.compare.pair_report import own_p
from harness.compare.records import MACRO
from harness.errors import Finding, InvalidInput
from harness.files.toml_records import Record
from harness.runs.run_folder import RunFolder
from harness.runs.score import scores_at_hand
from harness.submissions.agreement import RankingAgreement, ranking_agreement, root_mean_square_error
from harness.submissions.changes import Change, changes_between
from harness.submissions.reproduce import RunAtHand
from harness.tracks import Track


class QueryDifference(Record):
    """One query's value of one measure in either run."""

    part: str
    measure: str
    query_id: str
    one: float
    two: float


class MeanDifference(Record):
    """A part's mean, or the macro average, of one measure in either run, and the RMSE of the per-query values.

    ``interval`` (95%) and ``p`` are of the second less the first, of this pair alone (``harness.compare.pair_report``); null
    where there is no error to judge by.
    """

    part: str
    measure: str
    one: float
    two: float
    rmse: float
    interval: tuple[float, float] | None = None
    p: float | None = None


class RunDifference(Record):
    """``rankings`` by part, and ``counts`` of its questions; ``queries`` holds the values that differ, largest first."""

    one: str
    two: str
    parts_of_one_alone: tuple[str, ...]
    parts_of_two_alone: tuple[str, ...]
    manifest: tuple[Change, ...]
    rankings: dict[str, RankingAgreement]
    counts: dict[str, int]
    means: tuple[MeanDifference, ...]
    queries: tuple[QueryDifference, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the two runs rank alike, whatever their manifests say."""
        same = all(found.identical == found.queries for found in self.rankings.values())
        return same and not self.queries and not self.parts_of_one_alone and not self.parts_of_two_alone


def diff_runs(one: RunFolder, two: RunFolder) -> RunDifference:
    """Compare two runs of one track, cut at its depth. Raises ``InvalidInput`` when a run is invalid or of other data.

    Parts that only one of them has are named, and not compared.
    """
    track = one.track
    first, second = RunAtHand(one, scores_at_hand(one)), RunAtHand(two, scores_at_hand(two))
    _check_comparable(first, second)
    shared = [part for part in first.scores.parts if part in second.scores.parts]
    return RunDifference(
        one=str(one.path),
        two=str(two.path),
        parts_of_one_alone=tuple(part for part in first.scores.parts if part not in shared),
        parts_of_two_alone=tuple(part for part in second.scores.parts if part not in shared),
        manifest=changes_between(first.manifest, second.manifest),
        rankings={part: ranking_agreement(first.part(part), second.part(part), track.depth) for part in shared},
        counts={part: first.manifest.data[part].query_count for part in shared if part in first.manifest.data},
        means=_means(track, first, second, shared),
        queries=_queries(first, second, shared),
    )


def _check_comparable(one: RunAtHand, two: RunAtHand) -> None:
    """Raise ``InvalidInput`` that names every field in which the two are not of the same track and data."""
    first, second = one.manifest.track, two.manifest.track
    findings = [
        Finding("error", f"track.{name}", f"{getattr(first, name)} and {getattr(second, name)}", "the same in both")
        for name in ("name", "version", "depth")
        if getattr(first, name) != getattr(second, name)
    ]
    if findings:
        raise InvalidInput("only two runs of one track, in one version, can be compared", findings)


def _means(track: Track, one: RunAtHand, two: RunAtHand, parts: list[str]) -> tuple[MeanDifference, ...]:
    found = []
    for measure in track.measures:
        for column in (MACRO, *parts):
            differences, _ = table_of(track, two.scores, one.scores, column, measure)
            if differences is None:
                continue
            names = track.macro_parts if column == MACRO else (column,)
            values = [_values(side, names, measure) for side in (one, two)]
            interval = difference_interval(track, two.scores, one.scores, column, measure)
            found.append(
                MeanDifference(
                    part=column,
                    measure=measure,
                    one=_mean(one, names, measure),
                    two=_mean(two, names, measure),
                    rmse=root_mean_square_error(*values),
                    interval=(interval.lower, interval.upper) if interval else None,
                    p=own_p(track, differences)[0],
                )
            )
    return tuple(found)


def _mean(run: RunAtHand, parts: Sequence[str], measure: str) -> float:
    mean = run.scores.macro(parts, measure)
    assert mean is not None  # there are differences
    return mean


def _values(run: RunAtHand, parts: Sequence[str], measure: str) -> dict[str, float]:
    return {f"{part}/{query}": value for part in parts for query, value in run.scores.values[part, measure].items()}


def _queries(one: RunAtHand, two: RunAtHand, parts: list[str]) -> tuple[QueryDifference, ...]:
    found = [
        QueryDifference(
            part=part, measure=measure, query_id=query_id, one=value, two=two.scores.values[part, measure][query_id]
        )
        for (part, measure), values in one.scores.values.items()
        if part in parts
        for query_id, value in values.items()
        if value != two.scores.values[part, measure][query_id]
    ]
    return tuple(sorted(found, key=lambda q: (-abs(q.two - q.one), q.measure, q.part, q.query_id)))
