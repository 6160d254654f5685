"""``xdr cache``: what is kept on this machine, and away with what is not used any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import Json, note, print_findings, print_json
from harness.cli.tables import say_table
from harness.errors import Finding, InvalidInput, WrongUsage, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.files.cache import Entry

_DAY = 86_400


def cache(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="Kinds (graphs, vectors, ...), entry by entry; all if left out.")
    ] = None,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help="Remove what would be shown; kinds have to be named. Not while a run, or what else holds a lock in the cache, "
            "is at work. What only reads the cache holds none: let nothing else use it meanwhile.",
        ),
    ] = False,
    unused: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=36_500,
            help="Only what nobody has read or changed for so many days, of which file systems note the last to a day at best.",
            metavar="DAYS",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what the cache ($XDR_HOME) holds, by kind, and what it costs to be without it; remove what you name."""
    import time

    from harness.files.cache import KINDS, check_readings_are_noted, entries_of, others

    for name in kinds or ():
        if name not in KINDS:
            raise unknown_name("kind of cache", name, list(KINDS))
    if remove and not kinds:
        raise WrongUsage("say of which kinds: `xdr cache` shows them, and what it costs to be without them")
    for name in (kinds or KINDS) if unused is not None else ():
        check_readings_are_noted(name)
    before = time.time() - (unused or 0) * _DAY

    def asked_for(entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if unused is None or entry.used <= before]

    found = {name: asked_for(entries_of(name)) for name in dict.fromkeys(kinds or KINDS)}
    unknown = [] if kinds else asked_for(others())
    if remove:
        _remove(found, as_json)
    elif as_json:
        print_json(_data(found, unknown))
    elif kinds:
        _show_entries(found)
    else:
        _show_kinds({name: own for name, own in found.items() if own}, unknown)


def _show_kinds(found: Mapping[str, Sequence[Entry]], others: Sequence[Entry]) -> None:
    from harness.files.cache import KINDS
    from harness.files.writing import cache_home
    from harness.numbers import size

    rows = [
        [name, KINDS[name], f"{len(own):,}", size(_bytes(own)), _day(max(entry.used for entry in own))]
        for name, own in sorted(found.items(), key=lambda kind: -_bytes(kind[1]))
    ]
    rows += [
        [entry.path.name, "not known here; left alone", "", size(entry.size), _day(entry.used)] for entry in others
    ]
    if rows:
        say_table(["kind", "what it is, and without it", "entries", "size", "last used"], rows, names=2)
    whole = _bytes([*(entry for own in found.values() for entry in own), *others])
    note(f"{cache_home()}: {size(whole)}; `xdr cache KIND` shows the entries of a kind, with --remove they go")


def _show_entries(found: Mapping[str, Sequence[Entry]]) -> None:
    from harness.numbers import size

    rows = [[name, entry.path.name, size(entry.size), _day(entry.used)] for name, own in found.items() for entry in own]
    if rows:
        say_table(["kind", "entry", "size", "last used"], rows, names=2)
    note(f"{len(rows):,} entries, {size(_bytes([entry for own in found.values() for entry in own]))}")


def _remove(found: Mapping[str, Sequence[Entry]], as_json: bool) -> None:
    """Exit status 1 where somebody is at work, or something cannot be removed: the rest of it is gone then."""
    from harness.files.cache import check_nobody_at_work, remove
    from harness.numbers import size

    check_nobody_at_work()
    gone: dict[str, list[Entry]] = {name: [] for name in found}
    left = []
    for name, own in found.items():
        for entry in own:
            try:
                remove(entry)
            except InvalidInput as error:
                left.append(Finding("error", f"{name}/{entry.path.name}", error.message))
            else:
                gone[name].append(entry)
    if as_json:
        print_json(_data(gone, ()))
    removed = [entry for own in gone.values() for entry in own]
    note(f"{len(removed):,} removed, {size(_bytes(removed))}")
    print_findings(left)
    if left:
        raise typer.Exit(1)


def _data(found: Mapping[str, Sequence[Entry]], unknown: Sequence[Entry]) -> list[dict[str, Any]]:
    by_kind: list[tuple[str | None, Sequence[Entry]]] = [*found.items(), (None, unknown)]
    return [
        {"kind": name, "entry": entry.path.name, "size": entry.size, "used": _day(entry.used)}
        for name, own in by_kind
        for entry in own
    ]


def _bytes(entries: Sequence[Entry]) -> int:
    return sum(entry.size for entry in entries)


def _day(seconds: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()
