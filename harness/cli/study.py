"""``xdr study``: what do generated texts of one kind give that those of another do not?"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import Runs, note, say
from harness.cli.operator_options import Operator, with_operator_options
from harness.cli.tables import say_table
from harness.runs.commands import DEFAULT_RUNS

if TYPE_CHECKING:
    from harness.submissions.study.records import StudyResult


# A study writes no stores of vectors, and its encoders, all of the adapter dense, ask no server.
_UNUSED = (
    "shard_size",
    "server",
    "api_key_variable",
    "timeout",
    "requests_per_minute",
    "price_per_million_tokens",
)


@functools.partial(with_operator_options, without=_UNUSED)
def study(
    track: Annotated[str, typer.Argument(help="A track with [study] in its file: a name or a TOML file.")],
    runs: Runs = DEFAULT_RUNS,
    encoder: Annotated[
        list[str] | None, typer.Option(help="Only this of the declared encoders; again for another.")
    ] = None,
    *,
    operator: Operator,
) -> None:
    """Fuse every declared kind of texts at every weight, choose by cross-fitting, test what the track has declared."""
    from harness.runs.track_runs import TrackRuns
    from harness.submissions.study.continued import check_continues, continued
    from harness.submissions.study.records import read_study, write_study
    from harness.submissions.study.runner import run_study
    from harness.tracks import load_track

    loaded = load_track(track, operator.consent())
    path = TrackRuns(loaded, runs).study_file
    recorded = read_study(path)
    if recorded is not None:
        check_continues(recorded, loaded, path)
    result = run_study(loaded, operator.context(operator.consent()), encoder or ())
    if recorded is not None:
        result = continued(recorded, result, loaded, path)
    write_study(path, result)
    _say_rows(result)
    for line in _tests(result):
        say(line)
    note(f"written to {path}")


def _say_rows(result: StudyResult) -> None:
    from harness.compare.records import MACRO
    from harness.numbers import percent

    weights = [f"{weight:g}" for weight in result.declared.weights]
    rows = []
    for row in result.rows:
        used = ", ".join(f"{weight:g}" for weight in dict.fromkeys(row.weights))
        curve = [percent(point.macro) for point in row.curve] or [""] * len(weights)
        rows.append([row.encoder, row.kind, percent(row.values[result.primary][MACRO]), used, *curve])
    say_table(["encoder", "texts", result.primary, "chosen", *weights], rows)


def _tests(result: StudyResult) -> Iterator[str]:
    from harness.numbers import percent, probability

    for found in result.results:
        for test in found.tests:
            limits = (test.interval.lower, test.interval.upper) if test.interval else (None, None)
            between = " to ".join(percent(limit, signed=True) for limit in limits)
            mark = "*" if test.significant else ""
            where = f"{found.name}, {found.encoder}, {test.column}"
            p = probability(test.p_adjusted if test.p_adjusted is not None else test.p)
            yield f"{where:<48} {percent(test.difference, signed=True):>6} ({between})  adjusted p {p}{mark}"
