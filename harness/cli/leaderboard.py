"""``xdr leaderboard``: run what is missing, score, compare, render, and say where to look."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import (
    DEFAULT_REPORTS,
    DEFAULT_RUNS,
    DEFAULT_WORKERS,
    Device,
    Memory,
    Reports,
    Runs,
    ShardSize,
    Workers,
    context_of,
    note,
)


def leaderboard(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")] = "mini",
    systems: Annotated[list[str] | None, typer.Argument(help="More cards to run beside the track's own.")] = None,
    runs: Runs = DEFAULT_RUNS,
    reports: Reports = DEFAULT_REPORTS,
    device: Device = "auto",
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = 4,
    shard_size: ShardSize = 1,
    ablations: Annotated[bool, typer.Option("--ablations", help="Measure the track's ablations, too.")] = False,
) -> None:
    """Make a track's leaderboard: run what is missing, score, compare, render the pages."""
    from harness.card import load_card
    from harness.pipeline import build_leaderboard, compare_all, score_all
    from harness.preflight import check_inputs
    from harness.run import run_system
    from harness.site import render
    from harness.tracks import load_track

    loaded = load_track(track)
    cards = [load_card(name) for name in (*loaded.systems, *(systems or ()))]
    # Made first, since it also says where progress is shown.
    context_of(device, workers, memory, shard_size)
    check_inputs(loaded, cards)
    for card in cards:
        outcome = run_system(loaded, card, runs, context_of(device, workers, memory, shard_size), strict=False)
        note(f"{card.card.name}: {'recorded run' if outcome.reused else f'{outcome.queries} queries run'}")
    if ablations:
        from harness.ablations import measure_ablations

        measure_ablations(loaded, runs, context_of(device, workers, memory, shard_size))
    scores = score_all(loaded, runs)
    note(f"scored {len(scores)} systems")
    board = build_leaderboard(loaded, runs, scores, compare_all(loaded, runs, scores))
    page = render(loaded, board, scores, runs, reports)
    best = board.rows[0]
    note(f"best macro {loaded.primary}: {best.title}")
    print(page)
