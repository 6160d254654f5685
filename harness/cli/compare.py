"""``xdr compare``: which differences are more than chance?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from harness.cli.console import DEFAULT_RUNS, Json, Runs, note, note_corrections
from harness.errors import unknown_name

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
    from harness.figures import percent
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
            p = "–" if outcome.p is None else f"{outcome.p:.5f}"
            print(f"{outcome.system:<28} {outcome.column:<8} p {p}  {outcome.words}")
        return
    comparison = compare_all(loaded, runs, scores)
    if as_json:
        print(json.dumps(comparison.model_dump(mode="json"), indent=1, ensure_ascii=False))
        return
    print(f"{comparison.test}; unit: {comparison.unit}; B = {comparison.resamples:,}; baseline: {comparison.baseline}")
    for family in comparison.families:
        smallest = f"smallest adjusted p {family.smallest_adjusted_p:.2g}"
        print(f"family {family.name!r}, {family.measure}: {family.size} tests, {family.correction.title()}, {smallest}")
    for tested in comparison.differences:
        if tested.p_adjusted is not None:
            mark = "*" if tested.significant else " "
            difference = percent(tested.difference, 2, signed=True)
            figures = f"{difference:>7}  p {tested.p:.5f}  adjusted {tested.p_adjusted:.5f} {mark}"
            effect = "" if tested.effect is None else f"  d_z {tested.effect:+.2f}"
            counts = f"{tested.wins}/{tested.ties}/{tested.losses}"
            print(f"{tested.system:<28} {tested.column:<8} {figures}  {counts}{effect}")
    note(f"written to {runs / loaded.name / COMPARISON}")
