"""``xdr compare``: which differences are more than chance?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import Json, Runs, note, note_corrections, print_json, say
from harness.commands import DEFAULT_RUNS
from harness.errors import unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.compare.records import Comparison, Family

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
    as_json: Json = False,
) -> None:
    """Test every system of a track against its baseline and write runs/TRACK/comparison.json."""
    from harness.figures import probability
    from harness.pipeline import COMPARISON, compare_all, score_all, standing_scores
    from harness.tracks import load_track

    if test not in _TESTS:
        raise unknown_name("test", test, _TESTS)
    loaded = load_track(track)
    scores = score_all(loaded, runs)
    note_corrections(loaded.name, runs, scores)
    if test != "randomization":
        from harness.compare.other_tests import other_tests

        standing = standing_scores(loaded, runs, scores)
        for outcome in other_tests(loaded, standing, test):  # type: ignore[arg-type]
            say(f"{outcome.system:<28} {outcome.column:<8} p {probability(outcome.p):<9} {outcome.words}")
        return
    comparison = compare_all(loaded, runs, scores)
    if as_json:
        print_json(comparison.model_dump(mode="json"))
        return
    for line in _lines(comparison):
        say(line)
    for warning in comparison.warnings:
        note(f"warning: {warning}")
    note(f"written to {runs / loaded.name / COMPARISON}")


def _lines(comparison: Comparison) -> Iterator[str]:
    """How it was tested, and every planned test."""
    from harness.compare.records import MACRO
    from harness.figures import percent, probability

    yield f"{comparison.test}; unit: {comparison.unit}; B = {comparison.resamples:,}; baseline: {comparison.baseline}"
    smallest: dict[str, float] = {}
    for family in comparison.families:
        smallest[family.name] = family.smallest_adjusted_p
        words = (
            f"{family.size} tests, {family.correction.title()}, smallest adjusted p {family.smallest_adjusted_p:.2g}"
        )
        yield f"family {family.name!r}, {family.measure}: {words}" + _undecided(family)
    for tested in comparison.differences:
        if tested.p_adjusted is None:
            continue
        family_name = "macro" if tested.column == MACRO else "per language"
        drawn = "" if tested.p_error is None else f"± {tested.p_error:.5f}" if tested.resamples else "exact"
        own = probability(tested.p, 1 / (tested.resamples + 1) if tested.resamples else None)
        adjusted = probability(tested.p_adjusted, smallest[family_name]) + ("*" if tested.significant else "")
        effect = "" if tested.effect is None else f", effect {tested.effect:+.2f}"
        counts = f"{tested.wins} won, {tested.ties} tied, {tested.losses} lost{effect}"
        difference = percent(tested.difference, 2, signed=True)
        figures = f"{difference:>7}  p {own:<9} {drawn:<9}  adjusted {adjusted:<10}"
        yield f"{tested.system:<28} {tested.column:<8} {figures}  {counts}"


def _undecided(family: Family) -> str:
    return f"; {family.undecided} of them too near their level for the draws to decide" if family.undecided else ""
