"""Train and run the rows of the distillation: a teacher's pieces, vectors and scores in a static student, with controls.

python benchmarks/distillation.py --work DIR [--seeds 42 43 44] [--rows NAME ...] [--three NAME ...]
    [--tracks mini-dev mini xquad] --json distillation.json

Each recipe systems/recipes/mini-distilled*.toml is trained with each seed into DIR and run on the tracks; what lies there
already is not made again. The page is written from the figures: benchmarks/distillation_page.py.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from figures import give

import xdr_bench as xdr
from harness.adapters.card import load_card
from harness.files.package import package_root
from harness.tracks import load_track

UNTRAINED = "mini-distilled-pieces"
TEACHER = "me5-small-q4"
RESAMPLES = 100_000
CARD = """schema_version = 1
name = "{name}"
title = "{name}"
adapter = "dense"
may_have_seen = {seen}

[parameters]
model = "{model}"
similarity = "cosine"
query_max_length = 64
passage_max_length = 256
"""


def recipes() -> list[Path]:
    return sorted((package_root() / "systems/recipes").glob("mini-distilled*.toml"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument(
        "--rows", nargs="+", default=[path.stem for path in recipes()], help="names of recipes; default: all"
    )
    parser.add_argument(
        "--three", nargs="+", default=[], help="names of recipes that have the first three seeds alone: they take long"
    )
    parser.add_argument("--tracks", nargs="+", default=["mini-dev", "mini", "xquad"])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    chosen = [recipe for recipe in recipes() if recipe.stem in {UNTRAINED, *asked.rows}]
    cards = {
        recipe.stem: [
            made(recipe, seed, asked.work)
            for seed in seeds_of(recipe, asked.seeds[:3] if recipe.stem in asked.three else asked.seeds)
        ]
        for recipe in chosen
    }
    rows = [record for card in cards.values() for record in card]
    for track in asked.tracks:
        _xdr("run", track, *map(str, rows), "--runs", str(asked.work / "runs"))
        _xdr("run", track, TEACHER, "--runs", str(asked.work / "runs"))
    give(figures(cards, asked.work, asked.tracks), asked.json)


def seeds_of(recipe: Path, seeds: Sequence[int]) -> Sequence[int]:
    """Without stages nothing is drawn: one is all."""
    return seeds if "[[stages]]" in recipe.read_text("utf-8") else seeds[:1]


def made(recipe: Path, seed: int, work: Path) -> Path:
    """The card of the recipe's model with this seed, trained if need be."""
    name = f"{recipe.stem}-{seed}"
    folder, own = work / "models" / name, work / "recipes" / f"{name}.toml"
    card = work / "cards" / f"{name}.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    card.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(re.sub(r"(?m)^seed = \d+$", f"seed = {seed}", recipe.read_text("utf-8")), "utf-8")
    if not (folder / "training.json").is_file():
        _xdr("train", str(own), "--output", str(folder))
    # What the teacher may have seen, its student may know.
    seen = json.dumps(list(load_card(TEACHER).card.may_have_seen), ensure_ascii=False)
    card.write_text(CARD.format(name=name, model=f"../models/{name}", seen=seen), "utf-8")
    return card


def _xdr(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "harness", *arguments], check=True)


def figures(cards: dict[str, list[Path]], work: Path, tracks: Sequence[str]) -> dict[str, Any]:
    """Scores by track, recipe and part, means over seeds for each question, and their tests against the untrained table."""
    found: dict[str, Any] = {"recipes": [path.stem for path in recipes()]}
    found["trained"] = {name: [_trained(work, card) for card in own] for name, own in cards.items()}
    found["tracks"] = {track: _of_track(track, cards, work) for track in tracks}
    return found


def _trained(work: Path, card: Path) -> dict[str, Any]:
    record = json.loads((work / "models" / card.stem / "training.json").read_text("utf-8"))
    size = sum(path.stat().st_size for path in (work / "models" / card.stem).rglob("*") if path.name != "training.json")
    kept = ("name", "objective", "steps", "tokens", "seconds", "mean_loss", "peak_memory_bytes")
    stages = [{key: stage[key] for key in kept} for stage in record["stages"]]
    return {"seed": record["seed"], "seconds": record["seconds"], "bytes": size, "stages": stages}


def _of_track(name: str, cards: dict[str, list[Path]], work: Path) -> dict[str, Any]:
    track = load_track(name)
    measure = str(track.primary)
    asked = {part.name: part.dataset for part in track.parts}
    macro = list(track.macro or asked)
    seeds = {row: [_scores(work, name, asked, card.stem, measure) for card in own] for row, own in cards.items()}
    means = {row: _mean_of(own, measure) for row, own in seeds.items()}
    result: dict[str, Any] = {"measure": measure, "macro": macro, "rows": {}}
    for row, parts in means.items():
        by_seed = [np.mean([own[part][measure] for part in macro]) for own in seeds[row]]
        entry: dict[str, Any] = {
            "macro": float(np.mean(by_seed)),
            "by_seed": [float(value) for value in by_seed],
            "parts": {part: scores[measure] for part, scores in parts.items()},
        }
        if row != UNTRAINED:
            entry["against_untrained"] = _compared(parts, means[UNTRAINED], macro, measure)
        result["rows"][row] = entry
    teacher = _scores(work, name, asked, TEACHER, measure)
    result["teacher"] = {part: scores[measure] for part, scores in teacher.items()}
    return result


def _scores(work: Path, track: str, asked: dict[str, str], system: str, measure: str) -> dict[str, xdr.Scores]:
    folder = work / "runs" / track / load_card_name(system, work)
    return {part: xdr.score(folder / f"{part}.trec.gz", dataset, [measure]) for part, dataset in asked.items()}


def load_card_name(system: str, work: Path) -> str:
    beside = work / "cards" / f"{system}.toml"
    return load_card(str(beside) if beside.is_file() else system).card.name


def _mean_of(seeds: Sequence[dict[str, xdr.Scores]], measure: str) -> dict[str, xdr.Scores]:
    """Per question the mean over the seeds: a recipe is what is compared, not one of its trainings."""
    first = seeds[0]
    return {
        part: replace(
            scores,
            per_query={
                measure: {
                    query: float(np.mean([own[part].per_query[measure][query] for own in seeds]))
                    for query in scores.per_query[measure]
                }
            },
        )
        for part, scores in first.items()
    }


def _compared(
    one: dict[str, xdr.Scores], other: dict[str, xdr.Scores], macro: Sequence[str], measure: str
) -> dict[str, Any]:
    difference = xdr.compare(
        {part: one[part] for part in macro},
        {part: other[part] for part in macro},
        measure,
        unit="relevant passage",
        resamples=RESAMPLES,
    )
    better = sum(found.difference > 0 for found in difference.by_part.values())
    return {
        "difference": difference.difference,
        "interval": difference.interval,
        "p": difference.p,
        "better": better,
        "detectable": difference.detectable(),
    }


if __name__ == "__main__":
    main()
