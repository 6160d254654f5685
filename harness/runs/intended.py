"""What a command that makes a leaderboard would run and what it would keep, decided for all cards before anything is run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context, cautions_of
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.runs.execute import Replacing
from harness.runs.prepared import Prepared, prepared, run_folder
from harness.runs.recorded import Recorded
from harness.runs.withdrawal import read_withdrawal
from harness.tracks import Track


@dataclass(frozen=True)
class Wishes:
    """``again``: names of systems whose recorded runs are to be made again, and replaced. ``strict``: see ``run_system``.

    ``option``: how the command takes these names, for its messages.
    """

    again: Collection[str] = ()
    strict: bool = False
    option: str = "--again"


@dataclass(frozen=True)
class Intended:
    """A card with what is to be done: ``replacing`` is null where the recorded run is kept. ``notes``: what to know."""

    card: LoadedCard
    replacing: Replacing | None
    notes: tuple[str, ...]
    is_withdrawn: bool = False


def intentions(
    track: Track, cards: Iterable[LoadedCard], runs: Path, context: Context, wishes: Wishes
) -> list[Intended]:
    """What to do for each card. Never replaces a recorded run that nobody named.

    Raises ``InvalidInput`` that names every recorded run that is another one than its card would make now, with what
    differs; ``WrongUsage`` for a name in ``wishes.again`` that no card has.
    """
    cards = list(cards)
    if strangers := sorted(set(wishes.again) - {card.card.name for card in cards}):
        raise WrongUsage(f"{wishes.option} {strangers[0]}: no card of that name is among those of this command")
    found: list[Intended] = []
    findings: list[Finding] = []
    for card in cards:
        name = card.card.name
        if withdrawn := read_withdrawal(run_folder(runs, track, name)):
            found.append(Intended(card, None, (f"withdrawn on {withdrawn.date}; its recorded run stays",), True))
            continue
        run = prepared(track, card, runs, context)
        recorded = run.recorded()
        if not recorded.is_anything:
            found.append(Intended(card, "nothing", _cautions(run)))
        elif name in wishes.again:
            found.append(Intended(card, "anything", (*_replaced(run, recorded, wishes), *_cautions(run))))
        elif another := recorded.why_another(wishes.strict):
            mend = f"`{wishes.option} {name}` runs it again and replaces what is recorded; a changed card can take a new name"
            findings += [Finding("error", name, reason) for reason in another[:-1]]
            findings.append(Finding("error", name, another[-1], mend=mend))
        else:
            found.append(Intended(card, None, _kept(run, recorded)))
    if findings:
        raise InvalidInput(
            f"recorded runs in {runs / track.name} are other runs than their cards would make now; nothing was run",
            findings,
        )
    return found


def _replaced(run: Prepared, recorded: Recorded, wishes: Wishes) -> tuple[str, ...]:
    reasons = recorded.why_another(wishes.strict) or ("the same run, made again",)
    return (f"{run.folder} is replaced: {'; '.join(reasons)}",)


def _cautions(run: Prepared) -> tuple[str, ...]:
    if run.made is None:
        return ()
    with run.made.adapter.guarded(f"system {run.name}"):
        return cautions_of(run.made.system, [part.lang for part in run.parts])


def _kept(run: Prepared, recorded: Recorded) -> tuple[str, ...]:
    notes = ["recorded run"]
    if run.trouble is not None:
        reason = run.trouble.message.partition("\n")[0]
        notes.append(f"not held against its adapter, which cannot be loaded here: {reason}")
    elif recorded.untold:
        notes.append(f"not here, and so not compared: {', '.join(recorded.untold)}")
    if recorded.edited:
        notes.append(
            f"the recorded card is brought up to date in {', '.join(recorded.edited)}; nothing is run for that"
        )
    return ("; ".join(notes),)
