"""What changes a run's bytes, and by how much: threads, memory, shards, file order, number formats. Prints Markdown tables.

    python benchmarks/determinism.py [--only threads|vectors|transformer|instructions]

The transformer is BERT in small, of a configuration and random weights: it knows nothing, and is here for its arithmetic.
Processors that know fewer instructions are this one, told by the libraries' own settings to use no more than those.
Other library versions are measured by ``xdr reproduce runs/mini --all`` where they are installed.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.contract import Context
from harness.collections.export import export_collection
from harness.runs.execute import run_system
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.track_runs import TrackRuns
from harness.submissions.agreement import ranking_agreement, root_mean_square_error
from harness.submissions.reproduce import RunAtHand
from harness.tracks import Track, load_track

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
import tiny_models

TRACK = load_track("mini")
CARDS = ("bm25", "mini-xdr-xqg")
STORED = ("mini-zero-shot", "mini-xdr", "mini-xdr-xqg")
TABLES = ("threads", "vectors", "transformer", "instructions")
FEWER_INSTRUCTIONS = {
    "AVX2 and no more": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "FAISS_SIMD_LEVEL": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "SSE4 and no more": {
        "ATEN_CPU_CAPABILITY": "default",
        "FAISS_SIMD_LEVEL": "NONE",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
}
"""Environment variables of PyTorch, faiss, MKL, oneDNN and NumPy's OpenBLAS."""
ALL = "all"
ALL_AND_FEWER: Mapping[str, Mapping[str, str]] = {ALL: {}, **FEWER_INSTRUCTIONS}
DIMENSIONS, LAYERS = 128, 4


def made(track: Track, loaded: LoadedCard, place: Path, **options: Any) -> RunAtHand:
    context = replace(Context(cache=place / "cache", work=place / "work"), **options)
    runs = TrackRuns(track, place / "runs", keeps_lines=True)
    run_system(runs, loaded, context)
    run = runs.run(loaded.card.name)
    return RunAtHand(run, score_system(run))


def shuffled_track(place: Path, seed: int) -> Track:
    """The same track over folders whose lines of passages and questions stand in a random order."""
    parts = []
    for part in TRACK.parts:
        folder = place / f"data-{part.name}"
        export_collection(part.dataset, folder)
        for name in ("docs.jsonl", "queries.jsonl"):
            lines = (folder / name).read_text("utf-8").splitlines(keepends=True)
            random.Random(seed).shuffle(lines)
            (folder / name).write_text("".join(lines), "utf-8")
        parts.append(part.model_copy(update={"dataset": f"folder:{folder}"}))
    return TRACK.model_copy(update={"parts": tuple(parts)})


def variations(place: Path) -> Iterator[tuple[str, Track, dict[str, int], int]]:
    """Name, track, options and PyTorch threads of every change that must not change a byte."""
    for workers in (2, 4):
        yield f"{workers} workers", TRACK, {"workers": workers}, 1
    for threads in (2, 4):
        yield f"{threads} threads", TRACK, {}, threads
    yield "memory 100 MiB", TRACK, {"memory_bytes": 100 << 20}, 1
    yield "shards of 16 KiB", TRACK, {"shard_bytes": 16 << 10}, 1
    yield "shuffled files", shuffled_track(place, 1), {}, 1


def same_rankings(one: RunAtHand, two: RunAtHand) -> str:
    """Whether every part ranks alike; files whose questions are shuffled have their lines in another order."""
    if {n: r.ranking for n, r in one.manifest.data.items()} == {n: r.ranking for n, r in two.manifest.data.items()}:
        return "same bytes"
    pairs = [(one.part(name).rankings, two.part(name).rankings) for name in one.manifest.data]
    same = all(
        a.keys() == b.keys() and all(a[q].doc_ids == b[q].doc_ids and (a[q].scores == b[q].scores).all() for q in a)
        for a, b in pairs
    )
    return "same lines" if same else "DIFFERS"


def threads_and_places(place: Path) -> None:
    """What must not change a byte."""
    base = {card: made(TRACK, load_card(card), place / f"base-{card}") for card in CARDS}
    print(f"| against 1 worker, 1 thread, 4 GiB, shards of 1 GiB | {' | '.join(CARDS)} |")
    print("|---|" + "---|" * len(CARDS))
    for number, (title, track, options, threads) in enumerate(variations(place)):
        torch.set_num_threads(threads)
        outcomes = [
            same_rankings(base[card], made(track, load_card(card), place / f"{number}-{card}", **options))
            for card in CARDS
        ]
        print(f"| {title} | {' | '.join(outcomes)} |", flush=True)
    torch.set_num_threads(1)


def stored_vectors(place: Path) -> None:
    head("vectors stored in float32, not float16")
    for card in STORED:
        loaded = load_card(card)
        one, two = (
            made(TRACK, loaded, place / card),
            made(TRACK, changed(loaded, store_dtype="float32"), place / f"wide-{card}"),
        )
        print(f"| {card} | {agreement(one, two)} |", flush=True)


def transformer(place: Path) -> None:
    """The number format in which a transformer computes; its vectors are stored in float32, so that nothing else rounds."""
    loaded = random_transformer(place)
    base = made(TRACK, loaded, place / "float32")
    head(f"a transformer of {LAYERS} layers, {DIMENSIONS} dimensions, random weights, against float32")
    for name, changes, threads in (
        ("2 threads", {}, 2),
        ("token_budget 16,384, not 1,024", {"token_budget": 16_384}, 1),
        ("dtype bfloat16", {"dtype": "bfloat16"}, 1),
        ("dtype float16", {"dtype": "float16"}, 1),
    ):
        torch.set_num_threads(threads)
        again = made(TRACK, changed(loaded, **changes), place / name.replace(" ", "-"))
        print(f"| {name} | {agreement(base, again)} |", flush=True)
    torch.set_num_threads(1)
    print(f"\nIn float32 the {TRACK.depth} passages of a question span {spread(base):.2g} in score (median).")


def random_transformer(place: Path) -> LoadedCard:
    model = tiny_models.bert(place / "model", dimensions=DIMENSIONS, layers=LAYERS)
    (place / "card.toml").write_text(
        f'schema_version = 1\nname = "bert"\ntitle = "BERT of random weights"\nadapter = "dense"\n[parameters]\n'
        f'model = "{model}"\npooling = "mean"\nsimilarity = "cosine"\nstore_dtype = "float32"\n'
    )
    return load_card(str(place / "card.toml"))


def instructions(place: Path) -> None:
    """The same runs by processes whose libraries use fewer instructions, as on another processor."""
    cards = [*STORED, str(random_transformer(place).folder / "card.toml")]
    runs = {name: in_a_process(cards, place / name.split()[0], setting) for name, setting in ALL_AND_FEWER.items()}
    head("against all instructions of this processor")
    for name in FEWER_INSTRUCTIONS:
        for one, two in zip(runs[ALL], runs[name], strict=True):
            print(f"| {name}: {one.run.name} | {agreement(one, two)} |", flush=True)


def in_a_process(cards: Sequence[str], place: Path, setting: Mapping[str, str]) -> list[RunAtHand]:
    command = [sys.executable, __file__, "--runs", str(place), *cards]
    said = subprocess.run(command, env={**os.environ, **setting}, capture_output=True, text=True, check=True).stdout
    folders = [Path(line) for line in said.splitlines()]
    runs = [RunFolder(TRACK, folder) for folder in folders]
    return [RunAtHand(run, score_system(run)) for run in runs]


def spread(run: RunAtHand) -> float:
    """How far the last passage's score is from the first one's: the median over all questions of all parts."""
    rankings = [ranked for name in run.manifest.data for ranked in run.part(name).rankings.values()]
    return float(np.median([ranked.scores[0] - ranked.scores[-1] for ranked in rankings]))


def head(title: str) -> None:
    columns = (
        "same rankings",
        "lowest RBO",
        "lowest tau",
        "largest change of a score",
        f"highest RMSE {TRACK.primary}",
    )
    print(f"\n| {title} | {' | '.join(columns)} | macro {TRACK.primary} |")
    print("|---" * (len(columns) + 2) + "|")


def changed(loaded: LoadedCard, **parameters: object) -> LoadedCard:
    every = {**loaded.card.parameters, **parameters}
    return LoadedCard(loaded.card.model_copy(update={"parameters": every}), loaded.folder)


def agreement(one: RunAtHand, two: RunAtHand) -> str:
    names = list(one.manifest.data)
    parts = [ranking_agreement(one.part(name), two.part(name), TRACK.depth) for name in names]
    errors = [
        root_mean_square_error(one.scores.values[name, TRACK.primary], two.scores.values[name, TRACK.primary])
        for name in names
    ]
    same, total = sum(part.identical for part in parts), sum(part.queries for part in parts)
    tau, overlap = min(part.kendall_tau for part in parts), min(part.rank_biased_overlap for part in parts)
    before, after = (run.scores.macro(TRACK.macro_parts, TRACK.primary) or 0 for run in (one, two))
    moved = max(largest_change(one, two, name) for name in names)
    figures = (f"{same}/{total}", f"{overlap:.4f}", f"{tau:.4f}", f"{moved:.2g}", f"{max(errors):.4f}")
    return f"{' | '.join(figures)} | {100 * before:.2f} -> {100 * after:.2f}"


def largest_change(one: RunAtHand, two: RunAtHand, part: str) -> float:
    """Of the score of a passage that both runs rank for a question."""
    changes = [0.0]
    again = two.part(part).rankings
    for query_id, ranked in one.part(part).rankings.items():
        other = dict(zip(again[query_id].doc_ids, again[query_id].scores, strict=True))
        changes += [
            abs(float(np.float64(score) - other[doc_id]))
            for doc_id, score in zip(ranked.doc_ids, ranked.scores, strict=True)
            if doc_id in other
        ]
    return max(changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    parser.add_argument(
        "--runs", nargs="+", metavar=("FOLDER", "CARD"), help="only run the cards there, and print the folders"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.runs:
        place, *cards = arguments.runs
        for card in cards:
            print(made(TRACK, load_card(card), Path(place)).run.path)
        return
    for table, measure in zip(TABLES, (threads_and_places, stored_vectors, transformer, instructions), strict=True):
        if arguments.only in (None, table):
            with tempfile.TemporaryDirectory() as place:
                measure(Path(place))


if __name__ == "__main__":
    main()
