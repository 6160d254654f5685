"""``xdr run``: let systems rank the passages of a track."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import (
    DEFAULT_RUNS,
    DEFAULT_WORKERS,
    AllowCode,
    Device,
    Engine,
    Memory,
    Runs,
    ShardSize,
    TrustRemoteCode,
    Workers,
    consent_for,
    context_of,
    note,
)


def run(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    systems: Annotated[list[str], typer.Argument(help="Cards: names, or paths of TOML files.")],
    runs: Runs = DEFAULT_RUNS,
    device: Device = "auto",
    workers: Workers = DEFAULT_WORKERS,
    memory: Memory = 4,
    shard_size: ShardSize = 1,
    engine: Engine = "local",
    allow_code: AllowCode = False,
    trust_remote_code: TrustRemoteCode = None,
) -> None:
    """Run systems on a track. What a killed run had finished is not done again; a run that is there is kept."""
    from harness.card import load_card
    from harness.run import run_system
    from harness.tracks import load_track

    loaded_track = load_track(track)
    cards = [load_card(name) for name in systems]
    consent = consent_for(cards, allow_code, trust_remote_code)
    for card in cards:
        outcome = run_system(loaded_track, card, runs, context_of(device, workers, memory, shard_size, consent, engine))
        if outcome.reused:
            note(f"{card.card.name}: {outcome.folder} is this very run already")
        else:
            resumed = f", {outcome.resumed} of them resumed" if outcome.resumed else ""
            note(f"{card.card.name}: {outcome.queries} queries{resumed} -> {outcome.folder}")
