"""A recorded comparison made again: its systems are run anew in a clean place, scored, and tested as the track declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.adapters.card import LoadedCard, card_names, load_card
from harness.adapters.contract import Context
from harness.compare.records import Comparison
from harness.errors import Finding, InvalidInput
from harness.files.scratch import scratch_folder
from harness.leaderboard.pipeline import comparison_of, score_all
from harness.runs.execute import run_prepared
from harness.runs.intended import Wishes, intentions
from harness.runs.prepared import prepared
from harness.runs.track_runs import TrackRuns
from harness.submissions.reproduce import check_weights, recorded_card
from harness.tracks import Track


def comparison_again(path: Path, recorded: Comparison, track: Track, context: Context) -> Comparison:
    """The comparison in ``path`` made again; writes nothing that stays.

    Systems are run from their recorded cards where runs lie beside the comparison, else from those of their names that
    ship with the package. Raises ``InvalidInput`` where there is neither, where the track is of another version now, or where
    a system cannot be made here.
    """
    if recorded.track["version"] != track.version:
        raise InvalidInput(
            f"{path} is of version {recorded.track['version']} of track {track.name}, which is at {track.version} now; give "
            "the file of that version with --track"
        )
    with scratch_folder(context.cache, "reproduce-") as clean:
        own = replace(context, cache=clean / "cache", work=clean / "work")
        cards = list(_cards(TrackRuns(track, path.resolve().parent.parent), recorded, own))
        runs = TrackRuns(track, clean / "again")
        intended = intentions(runs, cards, own, Wishes())
        with context.progress.task("run again", len(intended), "systems") as advance:
            while intended:
                one = intended.pop(0)
                run_prepared(one.run or prepared(runs, one.card, own), own)
                del one
                advance(1)
        return comparison_of(runs, score_all(runs, recorded.systems))


def _cards(runs: TrackRuns, recorded: Comparison, context: Context) -> Iterator[LoadedCard]:
    lacking = []
    for name in recorded.systems:
        run = runs.run(name)
        if run.is_recorded and run.manifest.is_made_here:
            loaded = recorded_card(run, None, context.consent)
            check_weights(run, loaded)
            yield loaded
        elif name in card_names() and not run.is_recorded:
            yield load_card(name)
        else:
            what = "it came as finished run files" if run.is_recorded else "no run and no card of this name"
            lacking.append(Finding("error", name, what))
    if lacking:
        raise InvalidInput(f"{runs.comparison_file} cannot be made again", lacking)
