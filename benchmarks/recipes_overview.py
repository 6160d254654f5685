"""The table of all recipes on docs/recipes.md: what each took, what it scored before and after, its control, and the test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from training_rounds.pages import HEADLINES
from training_rounds.tables import detectable, interval, p_of, table, verdict

import xdr_bench as xdr
from harness.files.package import package_root
from harness.numbers import duration, percent
from harness.runs.manifest import read_manifest
from harness.tracks import load_track

Figures = dict[str, Any]
Rows = Mapping[str, Sequence[str]]
"""The cells of each row, by its first one."""
HEADER = (
    "recipe",
    "took",
    "MB",
    "measure",
    "before",
    "after",
    "control",
    "after less control (95%)",
    "p",
    "could find",
)
UNTRAINED = "mini-distilled-pieces"
SHOWN = "mini"
"""The track on which committed models are shown, and distilled ones where they were run on it."""
RECORDED = "recipes"
"""The track of models that are trained again, not kept; its baseline is what the training began with."""
RESAMPLES = 100_000
OVERVIEW = """## All recipes

*Took* and *MB* are of one training, by its record: time with all that comes before the first step, and the most memory that
the process had. *Before* is what the training began with, where that can be scored. *Could find*: the smallest true
difference, in points, that the test would find in four of five such experiments. Studies of mining, self-training, batches and
alignment have their own page with all rows and controls, [mining-recipes.md](mining-recipes.md); the paper's recipes stand in
[paper-training.md](paper-training.md), readers in [read.md](read.md). Trainings that are killed and go on end with the same
bytes: `tests/recipes/test_train_killed.py`.

"""


def overview(distilled: Figures, studies: Mapping[str, Figures], records: Sequence[Path]) -> str:
    """``records``: training records of further recipes. A committed recipe that nothing is known of was not run."""
    rows = {**_of_models(), **_of_records(records), **_of_distillation(distilled), **_of_studies(studies)}
    names = sorted(path.stem for path in (package_root() / "systems/recipes").glob("*.toml"))
    absent = [(f"`{name}`", "not run", *[""] * (len(HEADER) - 2)) for name in names if f"`{name}`" not in rows]
    return OVERVIEW + table(HEADER, [*((name, *cells) for name, cells in rows.items()), *absent]) + _failed(studies)


def _cost(seconds: float, peak: float | None) -> tuple[str, str]:
    return duration(seconds), f"{peak / 1e6:,.0f}" if peak else ""


def _of_models() -> Rows:
    """Committed models that have a recipe, by their records and recorded runs."""
    track = load_track(SHOWN)
    measure = str(track.primary)
    found: dict[str, Sequence[str]] = {}
    for path in sorted((package_root() / "systems/models").glob("*/training.json")):
        name, record = path.parent.name, json.loads(path.read_text("utf-8"))
        runs = package_root() / "runs" / SHOWN / name
        scores = [xdr.score(runs / f"{part.name}.trec.gz", part.dataset, [measure])[measure] for part in track.parts]
        peak = max((stage.get("peak_memory_bytes") or 0 for stage in record["stages"]), default=0)
        what = (f"{SHOWN}, {measure}", "", percent(float(np.mean(scores))))
        found[f"`{name}`"] = (*_cost(record["seconds"], peak), *what, *[""] * 4)
    return found


def _of_records(records: Sequence[Path]) -> Rows:
    found: dict[str, Sequence[str]] = {}
    for path in records:
        record = json.loads(path.read_text("utf-8"))
        name = record["recipe"]["name"]
        peak = max((stage.get("peak_memory_bytes") or 0 for stage in record["stages"]), default=0)
        seconds = record["seconds"]
        found[f"`{name}`"] = (*_cost(seconds, peak), *(_recorded(name, seconds) or [""] * (len(HEADER) - 3)))
    return found


def _recorded(name: str, seconds: float) -> Sequence[str]:
    """Of the recorded run of that name in the track of recipes, beside its baseline, which is the same model untrained.

    Raises ``ValueError`` where the training, which took so many seconds, is another one than that of the run.
    """
    track = load_track(RECORDED)
    if name not in track.systems:
        return ()
    measure = str(track.primary)
    training: Any = read_manifest(package_root() / "runs" / RECORDED / name).execution.facts["training"]
    if round(seconds, 1) != training["seconds"]:
        told = f"{seconds:.1f} s, that of the recorded run {training['seconds']} s"
        raise ValueError(f"{name}: the record's training took {told}")

    def scores(system: str) -> dict[str, xdr.Scores]:
        runs = package_root() / "runs" / RECORDED / system
        return {part.name: xdr.score(runs / f"{part.name}.trec.gz", part.dataset, [measure]) for part in track.parts}

    trained, untrained = scores(name), scores(track.baseline)
    tested = xdr.compare(trained, untrained, measure, unit=track.unit, resamples=RESAMPLES)
    before, after = (percent(float(np.mean([one[measure] for one in own.values()]))) for own in (untrained, trained))
    return (
        *(f"{RECORDED}, {measure}", before, after, f"{before} (`{track.baseline}`)"),
        *(percent(tested.difference, signed=True), "exploratory", percent(tested.detectable())),
    )


def _of_distillation(figures: Figures) -> Rows:
    """Held against the untrained table of pieces, with which all of them begin."""
    tracks = figures["tracks"]
    track = SHOWN if SHOWN in tracks else next(iter(tracks), None)
    found: dict[str, Sequence[str]] = {}
    for name, runs in figures["trained"].items():
        peak = max((stage["peak_memory_bytes"] or 0 for stage in runs[0]["stages"]), default=0)
        cost = _cost(runs[0]["seconds"], peak)
        if track is None or name not in tracks[track]["rows"]:
            found[f"`{name}`"] = (*cost, *[""] * (len(HEADER) - 3))
            continue
        rows, what = tracks[track]["rows"], f"{track}, {tracks[track]['measure']}"
        untrained, own = percent(rows[UNTRAINED]["macro"]), rows[name]
        if (tested := own.get("against_untrained")) is None:
            found[f"`{name}`"] = (*cost, what, "", percent(own["macro"]), *[""] * 4)
            continue
        difference, p = f"{percent(tested['difference'], signed=True)} ({interval(tested)})", p_of(tested)
        if len(own["by_seed"]) < FEWEST_SEEDS:
            difference, p = percent(tested["difference"], signed=True), "exploratory"
        found[f"`{name}`"] = (
            *cost,
            what,
            untrained,
            percent(own["macro"]),
            untrained,
            difference,
            p,
            detectable(tested),
        )
    return found


FEWEST_SEEDS = 3
"""With fewer there are no tests and no intervals."""


def _of_studies(studies: Mapping[str, Figures]) -> Rows:
    found: dict[str, Sequence[str]] = {}
    for study, name, other, figures, tested in _headlines(studies):
        rows, measure, made = figures["rows"], figures["measures"][0], figures["rows"][name]["training"]
        macro = [percent(rows[row]["scores"][measure]["macro"]) for row in ("start", name, other)]
        difference = f"{percent(tested['difference'], signed=True)} ({interval(tested)})"
        cost = _cost(made["seconds"], made["peak_memory"])
        found[f"{study}: {figures['titles'][name]}"] = (
            *(*cost, measure, *macro[:2], f"{macro[2]} ({figures['titles'][other]})", difference, p_of(tested)),
            detectable(tested),
        )
    return found


def _headlines(studies: Mapping[str, Figures]) -> Iterator[tuple[str, str, str, Figures, Figures]]:
    for study, name, other in HEADLINES:
        figures = studies.get(study)
        if figures is not None and figures["rows"].keys() >= {name, other}:
            [tested] = [one for one in figures["differences"] if (one["row"], one["other"]) == (name, other)]
            yield study, name, other, figures, tested


def _failed(studies: Mapping[str, Figures]) -> str:
    """What was expected to be a gain, and was not shown to be one."""
    lines = [
        f"- {study}: *{figures['titles'][name]}* against *{figures['titles'][other]}*: {verdict(tested)}, "
        f"{percent(tested['difference'], signed=True)} ({interval(tested)})"
        + (f"; {detectable(tested)} could be found" if detectable(tested) else "")
        for study, name, other, figures, tested in _headlines(studies)
        if verdict(tested) != "gain"
    ]
    return "\n### What did not work\n\n" + "\n".join(lines) + "\n" if lines else ""
