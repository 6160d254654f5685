"""``xdr list``: what there is; and of one track, what it asks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from harness.cli.console import Json, note, print_json, say
from harness.cli.tables import say_table
from harness.errors import unknown_name
from harness.numbers import DASH

if TYPE_CHECKING:
    from harness.leaderboard.published import PublishedResult
    from harness.registry import Plugins

_Found: TypeAlias = "tuple[list[dict[str, Any]], Plugins | None]"


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[KIND|TRACK]",
            help="tracks, systems, collections, perturbations, adapters, measures, formats, generators, published, claims; "
            "default: all. Or a track.",
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """List tracks, systems, collections, adapters and measures; or what a track asks, and whether its questions are here."""
    if kind and kind not in _KINDS:
        _list_track(kind, as_json)
        return
    entries = {name: _entries(name) for name in ([kind] if kind else _KINDS)}
    if as_json:
        print_json(entries)
        return
    for name, rows in entries.items():
        say(f"{name}:")
        lines = list(_gathered(rows))
        width = max((len(line[0]) for line in lines), default=0)
        for title, about in lines:
            say(f"  {title:<{width}}  {about}".rstrip())


def _gathered(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Names and what they are about; names of one folder that are told nothing of in one line, ``xquad/``: ar, de, ..."""
    for folder, group in itertools.groupby(rows, lambda row: "" if row["about"] else _folder_of(row["name"])):
        if folder:
            yield f"{folder}/", " ".join(row["name"].partition("/")[2] for row in group)
        else:
            yield from ((row["name"], row["about"]) for row in group)


def _folder_of(name: str) -> str:
    folder, slash, _ = name.partition("/")
    return folder if slash else ""


def _published(result: PublishedResult) -> dict[str, Any]:
    average = "" if result.row.average is None else f"average {result.row.average}"
    cells = " ".join(f"{lang} {value}" for lang, value in result.row.values.items())
    about = f"{'; '.join(filter(None, (average, cells)))} ({result.row.status})"
    return {"name": result.label, "about": "; ".join(filter(None, (about, result.row.notes)))}


def _entries(kind: str) -> list[dict[str, Any]]:
    """What there is of a kind, this package's own first, then what other distributions bring, and which."""
    own, plugins = _KINDS[kind]()
    brought = {} if plugins is None else plugins.outside(entry["name"] for entry in own)
    others = [{"name": name, "about": f"from {origin}", "from": origin} for name, origin in brought.items()]
    kept = [entry for entry in own if entry["name"] not in brought]
    return [*kept, *others]


def _tracks() -> _Found:
    from harness.tracks import PLUGINS, load_track, own_track_names

    return [{"name": name, "about": load_track(name).title} for name in own_track_names()], PLUGINS


def _systems() -> _Found:
    from harness.adapters.card import card_names, load_card

    return [{"name": name, "about": load_card(name).card.title} for name in card_names()], None


def _collections() -> _Found:
    from harness.collections import plugins

    others = [
        {"name": "folder:PATH", "about": "docs.jsonl, queries.jsonl, and optionally qrels.txt, answers.jsonl"},
        {"name": "squad:PATH", "about": "a file in SQuAD's JSON, v1.1 or v2.0"},
        {"name": "...", "about": "and every dataset of ir_datasets"},
    ]
    brought = plugins.PLUGINS.outside(plugins.OWN)
    own = {dataset_id: "" for name in plugins.OWN for dataset_id in plugins.ids(name)}
    rows = [{"name": dataset_id, "about": ""} for dataset_id in sorted(own)]
    for name, origin in brought.items():
        # One that cannot be used, or has no ids to list, is told by its name.
        found = [dataset_id for dataset_id in plugins.ids(name) if dataset_id not in own] or [name]
        rows += [{"name": dataset_id, "about": f"from {origin}", "from": origin} for dataset_id in found]
    return rows + others, None


def _perturbations() -> _Found:
    from harness.collections.perturbed.recipe import load_recipe, recipe_names

    return [{"name": name, "about": load_recipe(name).title} for name in recipe_names()], None


def _adapters() -> _Found:
    from harness.adapters.loading import PLUGINS

    return [{"name": name, "about": ""} for name in PLUGINS.own()], PLUGINS


def _measures() -> _Found:
    from harness.measures.by_name import OWN, PLUGINS

    forms = {form: about for kind in OWN for form, about in kind.forms.items()}
    return [{"name": form, "about": about} for form, about in forms.items()], PLUGINS


def _formats() -> _Found:
    from harness.leaderboard.exports import BADGES, FORMATS, PLUGINS

    return [{"name": name, "about": "of a leaderboard"} for name in (*FORMATS, BADGES)], PLUGINS


def _generators() -> _Found:
    from harness.recipes.generate.load import PLUGINS, kinds

    return [{"name": name, "about": "kind of a recipe for `xdr generate`"} for name in kinds()], PLUGINS


def _claims() -> _Found:
    from harness.leaderboard.claims import STATUS_IN_WORDS, load_claims

    rows = [
        {
            "name": claim.id,
            "about": f"{claim.claim} ({STATUS_IN_WORDS[claim.status]})",
            **claim.model_dump(mode="json", by_alias=True, exclude={"id"}),
        }
        for claim in load_claims().claims
    ]
    return rows, None


def _published_results() -> _Found:
    from harness.leaderboard.published import load_published

    return [_published(result) for result in load_published()], None


_KINDS: dict[str, Callable[[], _Found]] = {
    "tracks": _tracks,
    "systems": _systems,
    "collections": _collections,
    "perturbations": _perturbations,
    "adapters": _adapters,
    "measures": _measures,
    "formats": _formats,
    "generators": _generators,
    "published": _published_results,
    "claims": _claims,
}


def _list_track(name: str, as_json: bool) -> None:
    from harness.collections.storage.pinned import nothing_fetched
    from harness.errors import InvalidInput
    from harness.tracks import load_track, track_names

    if name not in track_names() and not name.endswith(".toml"):
        raise unknown_name("kind or track", name, (*_KINDS, *track_names()))
    track = load_track(name)
    parts: list[dict[str, Any]] = []
    absent: dict[str, list[str]] = {}
    for part in track.parts:
        entry: dict[str, Any] = {"name": part.name, "lang": part.lang, "dataset": part.dataset, "queries": None}
        try:
            with nothing_fetched():
                entry["queries"] = len(part.collection.queries)
        except InvalidInput as error:
            absent.setdefault(str(error), []).append(part.name)
        parts.append({**entry, "in macro average": part.name in track.macro_parts})
    keys = ("name", "version", "title", "description", "primary", "measures", "depth", "unit", "baseline", "systems")
    if as_json:
        found = track.model_dump(mode="json")
        print_json({**{key: found[key] for key in keys}, "parts": parts, "absent": absent})
        return
    say(f"{track.name}, version {track.version}: {track.title}", " ".join(track.description.split()), "")
    rows = [[p["name"], p["lang"], p["dataset"], DASH if p["queries"] is None else f"{p['queries']:,}"] for p in parts]
    say_table(["part", "language", "dataset", "questions"], rows, names=3)
    say("", f"measures: {', '.join(track.measures)} (primary: {track.primary})")
    say(f"depth: {track.depth}; unit of tests: {track.unit}; baseline: {track.baseline}")
    say(f"systems: {', '.join(track.systems) or 'none'}")
    for reason, names in absent.items():
        note(f"not here: {', '.join(names)}: {reason}")
