"""``xdr data``: the files that collections are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import Json, note, print_findings, print_json, say
from harness.errors import InvalidInput, WrongUsage

app = typer.Typer(
    help="List, fetch, import, verify and export data; find overlaps with test questions.", no_args_is_help=True
)
Names = Annotated[list[str] | None, typer.Argument(help="Files or groups (xquad, xor-tydi, ...); all if left out.")]


@app.command("list")
def list_(names: Names = None, as_json: Json = False) -> None:
    """List the data files that are known, and whether they are in the cache."""
    from harness.collections.storage import pinned

    rows = [
        {"name": f.name, "state": pinned.state(f), "licence": f.licence, "size": f.size}
        for f in pinned.select(names or [])
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        size = f", {row['size']}" if row["size"] else ""
        say(f"{row['state']:<8}  {row['name']}  ({row['licence']}{size})")


@app.command()
def fetch(names: Names = None) -> None:
    """Download data files into the cache; their hashes are checked."""
    from harness.collections.storage import pinned

    if not names:
        raise WrongUsage(f"say what to fetch: {', '.join(sorted({f.group for f in pinned.pinned_files().values()}))}")
    troubles = []
    for file in pinned.select(names):
        if pinned.state(file) == "present":
            continue
        try:
            note(f"fetching {file.name}")
            pinned.fetch(file)
        except InvalidInput as error:
            troubles.append(str(error))
    if troubles:
        raise InvalidInput("\n".join(troubles))


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder with copies of the files, under any names.")],
) -> None:
    """Copy the known data files found below a folder into the cache, recognised by their hashes."""
    from harness.collections.storage.imports import import_folder
    from harness.dense.hub_cache import import_snapshots

    result = import_folder(folder)
    models = import_snapshots(folder)
    for name in (*result.copied, *models):
        say(name)
    note(f"{len(result.copied)} files and {len(models)} models of the hub imported, {result.others} files not known")
    print_findings(list(result.findings))
    if result.findings or not (result.copied or models):
        raise typer.Exit(1)


@app.command()
def pack(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    cards: Annotated[list[str] | None, typer.Argument(help="Cards; the track's own if left out.")] = None,
    *,
    folder: Annotated[Path, typer.Argument(help="Where to put what is to be carried.", metavar="DIR")],
) -> None:
    """Put all that a track and some cards need into one folder, for a machine without internet."""
    from harness.adapters.card import load_card
    from harness.numbers import size
    from harness.runs.pack import pack as packed
    from harness.tracks import load_track

    loaded = load_track(track)
    done = packed(loaded, [load_card(name) for name in cards or loaded.systems], folder)
    for name in done.files:
        say(name)
    note(
        f"{len(done.files)} files and models in {folder}, {size(done.size_bytes)}; there: xdr data import {folder.name}"
    )
    for name in done.below:
        note(f"{name} is packed as well: others stand on it, so name it there in the same command, or run it first")
    for place in done.beside:
        note(f"beside its card, to be carried with it: {place}")


@app.command()
def verify(names: Names = None) -> None:
    """Check the hashes of all data files in the cache."""
    from harness.collections.storage import pinned

    states = {file.name: pinned.state(file) for file in pinned.select(names or [])}
    damaged = [name for name, found in states.items() if found == "damaged"]
    for name in damaged:
        say(f"damaged: {name}")
    counts = {kind: list(states.values()).count(kind) for kind in ("present", "damaged", "absent")}
    note(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    if damaged:
        raise typer.Exit(1)


@app.command()
def export(
    dataset: Annotated[
        str, typer.Argument(help="A dataset id, such as xquad/ar; or a track, for a folder of each of its parts.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where to write docs.jsonl, queries.jsonl, qrels.txt, answers.jsonl.")],
) -> None:
    """Write a collection as a folder of plain files, for other tools and for checks without this one."""
    from harness.collections.export import export_collection
    from harness.tracks import load_track, track_names

    places = {folder: dataset}
    if dataset in track_names() or dataset.endswith(".toml"):
        places = {folder / part.name: part.dataset_id for part in load_track(dataset).parts}
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise WrongUsage(f"{folder} exists already, and is not an empty folder; choose another one")
    for place, name in places.items():
        for file, count in export_collection(name, place).items():
            note(f"{place / file}: {count} lines")


@app.command()
def overlap(
    train_file: Annotated[
        Path, typer.Argument(help="Questions: a text file, or JSON lines with `question` or `text`.")
    ],
    track: Annotated[str, typer.Argument(help="The track whose questions must not be trained on.")],
    as_json: Json = False,
) -> None:
    """List training questions that equal a track's questions or nearly do; exits 1 when there are any."""
    from harness.recipes.overlap import overlap_with_track

    found = overlap_with_track(train_file, track)
    if as_json:
        print_json([row._asdict() for row in found])
    else:
        for row in found:
            say(f"{train_file}:{row.line}: {row.similarity:.2f} {row.part}/{row.query_id}: {row.text}")
    note(f"{len({row.line for row in found})} training questions overlap with {track}")
    if found:
        raise typer.Exit(1)
