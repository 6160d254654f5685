"""``xdr list``: what there is; and of one track, what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import Json, note, print_json, say
from harness.cli.tables import say_table
from harness.errors import unknown_name
from harness.numbers import DASH

if TYPE_CHECKING:
    from harness.leaderboard.published import PublishedResult

_KINDS = ("tracks", "systems", "collections", "adapters", "measures", "published")


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[KIND|TRACK]",
            help="tracks, systems, collections, adapters, measures, published; all if left out. Or a track.",
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
        width = max((len(row["name"]) for row in rows), default=0)
        for row in rows:
            say(f"  {row['name']:<{width}}  {row['about']}".rstrip())


def _published(result: PublishedResult) -> dict[str, Any]:
    average = "" if result.row.average is None else f"average {result.row.average}; "
    cells = " ".join(f"{lang} {value}" for lang, value in result.row.values.items())
    return {"name": result.label, "about": f"{average}{cells} ({result.row.status})"}


def _entries(kind: str) -> list[dict[str, Any]]:
    if kind == "tracks":
        from harness.tracks import load_track, track_names

        return [{"name": name, "about": load_track(name).title} for name in track_names()]
    if kind == "systems":
        from harness.adapters.card import card_names, load_card

        return [{"name": name, "about": load_card(name).card.title} for name in card_names()]
    if kind == "collections":
        from harness.collections import dataset_ids

        others = [
            {"name": "folder:PATH", "about": "docs.jsonl, queries.jsonl, and optionally qrels.txt, answers.jsonl"},
            {"name": "squad:PATH", "about": "a file in SQuAD's JSON, v1.1 or v2.0"},
            {"name": "...", "about": "and every dataset of ir_datasets"},
        ]
        return [{"name": name, "about": ""} for name in dataset_ids()] + others
    if kind == "adapters":
        from harness.adapters.loading import adapter_names

        return [{"name": name, "about": ""} for name in adapter_names()]
    if kind == "published":
        from harness.leaderboard.published import load_published

        return [_published(result) for result in load_published()]
    return [
        {"name": "R@<n>t, R@<n>kt", "about": "recall in the first n (thousand) tokens: R@2kt, R@5kt, R@500t"},
        {"name": "AnswerRecall@<k>", "about": "an answer in the first k passages, as DPR counts it"},
        {"name": "RR@10, nDCG@10, Success@1, R@100, AP, ...", "about": "everything that ir-measures knows"},
    ]


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
