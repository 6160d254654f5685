"""``xdr compare``: which differences are more than chance?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import AllowCode, Json, Runs, note, note_corrections, print_json, say
from harness.cli.tables import say_table
from harness.errors import WrongUsage, unknown_name
from harness.runs.commands import DEFAULT_RUNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harness.compare.pair_report import PairLine
    from harness.compare.records import Comparison, Difference, Drop, DropDifference, Family, FamilyName, Transfer
    from harness.runs.track_runs import TrackRuns

_TESTS = ("randomization", "t", "wilcoxon", "mcnemar")


def compare(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    runs: Runs = DEFAULT_RUNS,
    test: Annotated[
        str,
        typer.Option(
            help="randomization, or t, wilcoxon, mcnemar: these are printed, uncorrected, nothing is written."
        ),
    ] = "randomization",
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Two systems, to be shown by every test that holds them.", metavar="SYSTEM SYSTEM"),
    ] = None,
    as_json: Json = False,
    allow_code: AllowCode = False,
) -> None:
    """Test every system of a track against its baseline and write runs/TRACK/comparison.json."""
    from harness.adapters.consent import Consent
    from harness.compare.pair_report import pair_report
    from harness.compare.records import dumped
    from harness.leaderboard.pipeline import compare_all, score_all, standing_scores
    from harness.leaderboard.seen import one_sided
    from harness.numbers import probability
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import load_track

    if test not in _TESTS:
        raise unknown_name("test", test, _TESTS)
    if pair and test != "randomization":
        raise WrongUsage(f"--pair shows the declared tests; it takes no --test {test}")
    recorded = TrackRuns(load_track(track, Consent(allow_code)), runs)
    loaded, scores = recorded.track, score_all(recorded)
    note_corrections(recorded.folder, scores)
    if test != "randomization":
        from harness.compare.other_tests import other_tests

        standing = standing_scores(recorded, scores)
        for outcome in other_tests(loaded, standing, test):  # type: ignore[arg-type]
            say(f"{outcome.system:<28} {outcome.column:<8} p {probability(outcome.p):<9} {outcome.words}")
        return
    comparison = compare_all(recorded, scores)
    if pair:
        _show_pair(pair_report(loaded, standing_scores(recorded, scores), comparison, pair), pair, as_json)
        _note_what_was_seen(recorded, pair)
        return
    if as_json:
        print_json(dumped(comparison))
        return
    manifests = {run.name: run.manifest for run in recorded.recorded()}
    sided = {name: one_sided(loaded, manifests, name, comparison.baseline) for name in comparison.systems}
    for line in _lines(comparison, sided):
        say(line)
    for name, columns in sided.items():
        if columns:
            told = ", ".join(sorted(columns))
            note(
                f"no verdict on {told} for {name}: the training of it, or of the baseline, alone may have held this data"
            )
    for warning in comparison.warnings:
        note(f"warning: {warning}")
    note(f"written to {recorded.comparison_file}")


def _show_pair(lines: Iterable[PairLine], pair: tuple[str, str], as_json: bool) -> None:
    from harness.numbers import interval, percent, probability

    found = list(lines)
    if as_json:
        print_json([asdict(line) for line in found])
        return
    say(f"{pair[0]} less {pair[1]}; p of this pair alone, as planned against the baseline, and of all pairs together")
    rows = []
    for line in found:
        own = probability(line.own_p, line.own_floor)
        planned = probability(line.planned_p, line.planned_floor)
        together = probability(line.all_pairs_p, line.all_pairs_floor)
        rows.append(
            [line.column, percent(line.difference, signed=True), interval(line.interval), own, planned, together]
        )
    say_table(["", "difference", "95%", "p alone", "p planned", "p of all pairs"], rows)
    note(
        "a pair picked after looking at the table is not planned: believe the p of all pairs; intervals are of one pair"
    )


def _note_what_was_seen(runs: TrackRuns, pair: tuple[str, str]) -> None:
    """Say so where the training of one of the two alone may have held the track's data."""
    from harness.leaderboard.seen import seen_by, seen_columns

    manifests = {run.name: run.manifest for run in runs.recorded()}
    first, second = (seen_columns(runs.track, seen_by(name, manifests)) for name in pair)
    for name, columns in ((pair[0], first - second), (pair[1], second - first)):
        if columns:
            told = ", ".join(sorted(columns))
            note(
                f"no verdict on {told}: the training of {name} may have held this data, that of the other not (its card)"
            )


def _lines(comparison: Comparison, sided: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """How it was tested, and every planned test. ``sided``: the columns of each system on which there is no verdict."""
    from harness.compare.records import MACRO, planned_family
    from harness.numbers import percent, probability

    yield f"{comparison.test}; unit: {comparison.unit}; B = {comparison.resamples:,}; baseline: {comparison.baseline}"
    for family in comparison.families:
        words = (
            f"{family.size} tests, {family.correction.title()}, smallest adjusted p {family.smallest_adjusted_p:.2g}"
        )
        yield f"family {family.name!r}, {family.measure}: {words}" + _undecided(family)
    for tested in comparison.differences:
        if tested.p_adjusted is None:
            continue
        drawn = "" if tested.p_error is None else f"± {tested.p_error:.5f}" if tested.resamples else "exact"
        own = probability(tested.p, 1 / (tested.resamples + 1) if tested.resamples else None)
        adjusted = _adjusted(comparison, planned_family(tested.column), tested)
        adjusted = adjusted.removesuffix("*" if tested.column in sided[tested.system] else "")
        effect = "" if tested.effect is None else f", effect {tested.effect:+.2f}"
        counts = f"{tested.wins} won, {tested.ties} tied, {tested.losses} lost{effect}"
        difference = percent(tested.difference, 2, signed=True)
        figures = f"{difference:>7}  p {own:<9} {drawn:<9}  adjusted {adjusted:<10}"
        yield f"{tested.system:<28} {tested.column:<8} {figures}  {counts}"
    yield from _lines_of_drops(comparison, {name for name, columns in sided.items() if MACRO in columns})
    yield from _lines_of_transfers(comparison)


def _lines_of_drops(comparison: Comparison, sided: Collection[str]) -> Iterator[str]:
    """Every planned test of drops, with the absolute values that it must not be read without."""
    from harness.numbers import interval, percent

    for drop in comparison.drops:
        if drop.p_adjusted is None:
            continue
        adjusted = _adjusted(comparison, "drops", drop)
        kept = f", {percent(drop.retention)}% of hits kept" if drop.retention is not None else ""
        yield (
            f"{drop.system:<28} {drop.perturbation}: {percent(drop.clean)} to {percent(drop.perturbed)}, drop "
            f"{percent(drop.drop, 2, signed=True)} {interval(drop.interval, 2)}  adjusted {adjusted:<10} could find "
            f"{percent(drop.detectable, 2)}{kept}"
        )
    for found in comparison.drop_differences:
        fewer = comparison.fewer_to_lose(found)
        adjusted = _adjusted(comparison, "differences of drops", found)
        adjusted = adjusted.removesuffix("*" if fewer or found.system in sided else "")
        less = f"; it has fewer to lose (clean {percent(fewer[0])} against {percent(fewer[1])})" if fewer else ""
        both = (
            f"; on the {found.conditioned_topics:,} questions that both hit cleanly (conditioned) "
            f"{percent(found.conditioned, 2, signed=True)} {interval(found.conditioned_interval, 2)}"
            if found.conditioned is not None
            else ""
        )
        yield (
            f"{found.system:<28} {found.perturbation}: drop less that of {found.against} "
            f"{percent(found.difference, 2, signed=True)} {interval(found.interval, 2)}  adjusted {adjusted}{less}{both}"
        )


def _lines_of_transfers(comparison: Comparison) -> Iterator[str]:
    """What questions chosen against one system cost all, beside the unselected ones; tested for the others alone."""
    from harness.compare.records import MACRO
    from harness.numbers import interval, percent

    for found in comparison.transfers:
        if found.column != MACRO:
            continue
        values = f"{percent(found.unselected)} unselected, {percent(found.found)} chosen against {found.attacked}"
        loss = f"loss {percent(found.loss, 2, signed=True)} {interval(found.interval, 2)}"
        if found.p_adjusted is None:
            tested = "the attacked system itself: not tested"
        else:
            adjusted = _adjusted(comparison, "transfers", found)
            tested = f"adjusted {adjusted:<10} could find {percent(found.detectable, 2)}"
        yield f"{found.system:<28} {found.perturbation}: clean {percent(found.clean)}, {values}, {loss}  {tested}"


def _adjusted(comparison: Comparison, family: FamilyName, test: Difference | Drop | DropDifference | Transfer) -> str:
    from harness.numbers import probability

    return probability(test.p_adjusted, comparison.smallest_p(family)) + "*" * bool(test.significant)


def _undecided(family: Family) -> str:
    return f"; {family.undecided} of them too near their level for the draws to decide" if family.undecided else ""
