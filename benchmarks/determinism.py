"""What changes a run's bytes, and by how much: threads, memory, shards, file order, number formats. Prints Markdown tables.

    python benchmarks/determinism.py

Other library versions are measured by ``xdr reproduce runs/mini --all`` where they are installed.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from harness.agreement import ranking_agreement, root_mean_square_error
from harness.card import LoadedCard, load_card
from harness.collections.export import export_collection
from harness.manifest import read_manifest
from harness.reproduce import RunAtHand
from harness.run import run_system
from harness.score import score_system
from harness.system import Context
from harness.tracks import Track, load_track

TRACK = load_track("mini")
CARDS = ("bm25", "mini-xdr-xqg")
STORED = ("mini-zero-shot", "mini-xdr", "mini-xdr-xqg")


def made(track: Track, loaded: LoadedCard, place: Path, **options: int) -> RunAtHand:
    context = replace(Context(cache=place / "cache", work=place / "work"), **options)
    folder = run_system(track, loaded, place / "runs", context).folder
    return RunAtHand(folder, read_manifest(folder), score_system(track, folder))


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


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
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
        title = "vectors stored in float32, not float16"
        print(f"\n| {title} | same rankings | lowest RBO | lowest tau | highest RMSE {TRACK.primary} | macro |")
        print("|---|---|---|---|---|---|")
        for card in STORED:
            loaded = load_card(card)
            one = base.get(card) or made(TRACK, loaded, place / f"base-{card}")
            parameters = {**loaded.card.parameters, "store_dtype": "float32"}
            wide = LoadedCard(loaded.card.model_copy(update={"parameters": parameters}), loaded.folder)
            print(f"| {card} | {agreement(one, made(TRACK, wide, place / f'wide-{card}'))} |", flush=True)


def agreement(one: RunAtHand, two: RunAtHand) -> str:
    parts = [ranking_agreement(one.part(name), two.part(name), TRACK.depth) for name in one.manifest.data]
    errors = [
        root_mean_square_error(one.scores.values[name, TRACK.primary], two.scores.values[name, TRACK.primary])
        for name in one.manifest.data
    ]
    same, total = sum(part.identical for part in parts), sum(part.queries for part in parts)
    tau, overlap = min(part.kendall_tau for part in parts), min(part.rank_biased_overlap for part in parts)
    before, after = (run.scores.macro(TRACK.macro_parts, TRACK.primary) or 0 for run in (one, two))
    return f"{same}/{total} | {overlap:.4f} | {tau:.4f} | {max(errors):.4f} | {100 * before:.2f} -> {100 * after:.2f}"


if __name__ == "__main__":
    main()
