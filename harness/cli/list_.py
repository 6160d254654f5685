"""``xdr list``: what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import Json, print_json, say
from harness.errors import unknown_name

if TYPE_CHECKING:
    from harness.leaderboard.published import PublishedResult

_KINDS = ("tracks", "systems", "collections", "adapters", "measures", "published")


def list_(
    kind: Annotated[
        str, typer.Argument(help="tracks, systems, collections, adapters, measures, published; all if left out.")
    ] = "",
    as_json: Json = False,
) -> None:
    """List tracks, systems, collections, adapters and measures."""
    if kind and kind not in _KINDS:
        raise unknown_name("kind", kind, _KINDS)
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
