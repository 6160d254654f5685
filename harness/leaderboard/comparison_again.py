"""A recorded comparison made again: its systems are run anew in a clean place, scored, and tested as the track declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.adapters.card import LoadedCard, card_names, load_card
from harness.adapters.contract import Context
from harness.compare.records import Comparison
from harness.errors import Finding, InvalidInput
from harness.files.scratch import scratch_folder
from harness.files.two_values import in_words
from harness.leaderboard.pipeline import comparison_of, score_all
from harness.runs.execute import run_system
from harness.runs.intended import Wishes, intentions
from harness.runs.run_folder import RunFolder
from harness.runs.track_runs import TrackRuns
from harness.submissions.reproduce import as_recorded, check_weights, recorded_card
from harness.tracks import Track


def comparison_again(path: Path, recorded: Comparison, track: Track, context: Context) -> Comparison:
    """The comparison in ``path`` made again; writes nothing that stays.

    Systems are run from their recorded cards, with the recorded seeds and token budgets, where their runs lie beside the
    comparison, and so are the rows that these stand on; else from the cards of their names that ship with the package. Raises
    ``InvalidInput`` where there is neither, where the track is of another version now, where the comparison is not of the
    systems that it names, or where a system cannot be made here.
    """
    if (version := recorded.track.get("version")) != track.version:
        raise InvalidInput(
            f"{path} is of version {version} of track {track.name}, which is at {track.version} now; give the file of that "
            "version with --track"
        )
    if sorted(recorded.systems) != sorted(recorded.scores) or not recorded.systems:
        raise InvalidInput(
            f"{path} is not of the systems that it names: {in_words(sorted(recorded.systems), sorted(recorded.scores))}"
        )
    beside = _beside(path, recorded, track)
    cards = list(_cards(path, recorded, beside, context))
    with scratch_folder(context.cache, "reproduce-") as clean:
        own = replace(context, cache=clean / "cache", work=clean / "work")
        runs = TrackRuns(track, clean / "again")
        intended = intentions(runs, cards, own, Wishes())
        names = [one.card.card.name for one in intended]
        loaded = {card.card.name: card for card in cards}
        del intended
        with context.progress.task("run again", len(names), "systems") as advance:
            for name in names:
                as_it_was = as_recorded(own, beside[name].manifest) if name in beside else own
                run_system(runs, loaded[name], as_it_was)
                advance(1)
        return comparison_of(runs, score_all(runs, recorded.systems))


def _beside(path: Path, recorded: Comparison, track: Track) -> dict[str, RunFolder]:
    """The recorded runs beside a comparison, of its systems and of the rows that these stand on, by name."""
    found: dict[str, RunFolder] = {}
    waiting = list(recorded.systems)
    while waiting:
        name = waiting.pop()
        run = RunFolder(track, path.resolve().parent / name)
        if name not in found and run.is_recorded:
            found[name] = run
            waiting += run.manifest.rows
    return found


def _cards(path: Path, recorded: Comparison, beside: Mapping[str, RunFolder], context: Context) -> Iterator[LoadedCard]:
    lacking = []
    for name in dict.fromkeys([*recorded.systems, *beside]):
        run = beside.get(name)
        if run is not None and run.manifest.is_made_here:
            loaded = recorded_card(run, None, context.consent)
            check_weights(run, loaded)
            yield loaded
        elif run is None and name in card_names():
            yield load_card(name)
        else:
            what = "it came as finished run files" if run is not None else "no run beside it and no card of this name"
            lacking.append(Finding("error", name, what))
    if lacking:
        raise InvalidInput(f"{path} cannot be made again", lacking)
