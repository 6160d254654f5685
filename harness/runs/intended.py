"""What a command that makes a leaderboard would run and what it would keep, decided for all cards before anything is run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context, cautions_of
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.runs.execute import Replacing
from harness.runs.prepared import Prepared, prepared
from harness.runs.recorded import Recorded
from harness.runs.rows import recorded_rows, rows_first
from harness.runs.track_runs import TrackRuns


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
    """A card with what is to be done: ``replacing`` is null where the recorded run is kept. ``notes``: what to know.

    ``run`` is None where the run is withdrawn, and its system need not be made.
    """

    card: LoadedCard
    run: Prepared | None
    replacing: Replacing | None
    notes: tuple[str, ...]

    @property
    def is_withdrawn(self) -> bool:
        return self.run is None


def intentions(
    runs: TrackRuns,
    cards: Iterable[LoadedCard],
    context: Context,
    wishes: Wishes,
    ready: Mapping[str, Prepared] | None = None,
) -> list[Intended]:
    """What to do for each card; ``ready`` are those that were prepared before, by name. Never replaces a run unasked.

    In the order of the cards, but what others stand on comes before them.

    Raises ``InvalidInput`` that names every recorded run that is another one than its card would make now, with what
    differs, or every row that a system stands on and that is neither recorded nor to be made; ``WrongUsage`` for a name in
    ``wishes.again`` that no card has.
    """
    cards = list(cards)
    names = [card.card.name for card in cards]
    if strangers := sorted(set(wishes.again) - set(names)):
        raise WrongUsage(f"{wishes.option} {strangers[0]}: no card of that name is among those of this command")
    found: list[Intended] = []
    findings: list[Finding] = []
    blocked: list[Finding] = []
    made: set[str] = set()
    standing = {
        card.card.name: (ready or {}).get(card.card.name) or prepared(runs, card, context)
        for card in cards
        if runs.run(card.card.name).withdrawal is None
    }
    for card in _in_order(runs, cards, standing):
        name = card.card.name
        if withdrawn := runs.run(name).withdrawal:
            found.append(Intended(card, None, None, (f"withdrawn on {withdrawn.date}; its recorded run stays",)))
            continue
        run = standing[name]
        recorded = run.recorded()
        if not recorded.is_anything or name in wishes.again:
            blocked += _blocked(run, made)
            made.add(name)
            replaced = _replaced(run, recorded, wishes) if recorded.is_anything else ()
            replacing: Replacing = "anything" if recorded.is_anything else "nothing"
            found.append(Intended(card, run, replacing, (*replaced, *_cautions(run))))
        elif another := recorded.why_another(wishes.strict):
            hint = f"`{wishes.option} {name}` runs it again and replaces what is recorded; a changed card can take a new name"
            findings += [Finding("error", name, reason) for reason in another[:-1]]
            findings.append(Finding("error", name, another[-1], hint=hint))
        else:
            found.append(Intended(card, run, None, (*_kept(run, recorded), *_below(run, made))))
    if blocked:
        raise InvalidInput("systems stand on rows whose runs cannot be read; nothing was run", blocked)
    if findings:
        raise InvalidInput(
            f"recorded runs in {runs.folder} are other runs than their cards would make now; nothing was run",
            findings,
        )
    return found


def _in_order(runs: TrackRuns, cards: list[LoadedCard], standing: Mapping[str, Prepared]) -> list[LoadedCard]:
    """What others stand on before them. Raises ``InvalidInput`` for rows that stand on each other in a circle."""
    below = {name: tuple(row.name for row in run.rows) for name, run in standing.items()}
    order = rows_first(below | {name: rows for name, rows in recorded_rows(runs).items() if name not in below})
    places = {name: place for place, name in enumerate(order)}
    return sorted(cards, key=lambda card: places.get(card.card.name, 0))


def _blocked(run: Prepared, made: Collection[str]) -> list[Finding]:
    """What keeps a system from standing on the rows that it names, where ``made`` are made before it."""
    try:
        run.check_rows(frozenset(made))
    except InvalidInput as error:
        return [replace(finding, where=f"{run.name}: {finding.where}") for finding in error.findings]
    return []


def _below(run: Prepared, made: Collection[str]) -> Iterator[str]:
    """What to know of a run that is kept, for the rows that it stands on."""
    for row in run.rows:
        if row.name in made:
            yield (
                f"it stands on {row.name}, which is run before it; where the rankings of {row.name} come out otherwise than "
                f"those that it was made of, it must be run again, too"
            )
        elif row.is_recorded and row.withdrawal is not None:
            yield f"it stands on {row.name}, which was withdrawn on {row.withdrawal.date}"


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
