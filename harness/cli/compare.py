"""``xdr compare``: which differences are more than chance?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from harness.cli.console import DEFAULT_RUNS, Json, Runs, note


def compare(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    runs: Runs = DEFAULT_RUNS,
    as_json: Json = False,
) -> None:
    """Test every system of a track against its baseline and write runs/TRACK/comparison.json."""
    from harness.pipeline import COMPARISON, compare_all, score_all
    from harness.tracks import load_track

    loaded = load_track(track)
    comparison = compare_all(loaded, runs, score_all(loaded, runs))
    if as_json:
        print(json.dumps(comparison.model_dump(mode="json"), indent=1, ensure_ascii=False))
        return
    print(f"{comparison.test}; unit: {comparison.unit}; B = {comparison.resamples:,}; baseline: {comparison.baseline}")
    for family in comparison.families:
        smallest = f"smallest adjusted p {family.smallest_adjusted_p:.2g}"
        print(f"family {family.name!r}, {family.measure}: {family.size} tests, {family.correction.title()}, {smallest}")
    for test in comparison.differences:
        if test.p_adjusted is not None:
            mark = "*" if test.significant else " "
            figures = f"{100 * test.difference:+7.2f}  p {test.p:.5f}  adjusted {test.p_adjusted:.5f} {mark}"
            print(f"{test.system:<28} {test.column:<8} {figures}  {test.wins}/{test.ties}/{test.losses}")
    note(f"written to {runs / loaded.name / COMPARISON}")
