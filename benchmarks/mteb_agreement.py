"""Agreement with mteb on local data: its saved rankings scored by us, our run beside its own, and why any rank differs.

python benchmarks/mteb_agreement.py [--track xquad] [--parts ar de hi] [--card me5-small-q4]
    [--json agreement.json] [--output docs/agreement.md]

Needs the extra ``bench``, the collection's files and the card's model in the cache. Nothing is fetched. ``--figures FILE``
writes the page again from what ``--json`` wrote.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

# Before numpy is loaded: what runs beside each other here is batches, one thread in each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from mteb_agreement_page import page
from mteb_parts import Encoded, Sides, Vectors, compared_part
from mteb_side import BATCH, MEASURES, evaluated, saved_rankings

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.contract import TOKEN_BUDGET, Context
from harness.compute.platform import cpu_model, library_versions
from harness.dense.model_places import model_folder
from harness.dense.remembered import blocks_remembered
from harness.errors import InvalidInput, WrongUsage, XdrError
from harness.files.writing import write_text
from harness.records import Doc
from harness.runs.execute import run_system
from harness.runs.score import score_system
from harness.runs.track_runs import TrackRuns
from harness.tracks import Track, load_track
from systems.dense import Dense

LIBRARIES = ("xdr-bench", "mteb", "sentence-transformers", "transformers", "torch", "numpy", "pytrec-eval-terrier")
LEFT_TO_THE_MODEL = (
    "pooling",
    "similarity",
    "query_prompt",
    "passage_prompt",
    "query_max_length",
    "passage_max_length",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--track", default="xquad")
    parser.add_argument("--parts", nargs="+", default=["ar", "de", "hi"])
    parser.add_argument("--card", default="me5-small-q4", help="a card of the adapter dense")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--figures", type=Path, help="measure nothing: take the figures from there")
    parser.add_argument("--output", type=Path, default=Path("docs/agreement.md"))
    arguments = parser.parse_args()
    try:
        figures = figures_of(arguments)
    except XdrError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        write_text(arguments.json, json.dumps(figures, indent=1) + "\n")
    write_text(arguments.output, page(figures))
    for fault in figures["faults"]:
        print(f"does not agree: {fault}", file=sys.stderr)
    return 1 if figures["faults"] else 0


def figures_of(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.figures:
        found: dict[str, Any] = json.loads(arguments.figures.read_text("utf-8"))
        return found
    if importlib.util.find_spec("mteb") is None:
        raise WrongUsage('mteb is not installed: pip install --constraint constraints.txt --editable ".[bench]"')
    track, loaded = chosen(load_track(arguments.track), arguments.parts), load_card(arguments.card)
    with tempfile.TemporaryDirectory() as place:
        return measured(track, loaded, Path(place))


def chosen(track: Track, parts: list[str]) -> Track:
    """The track with these parts alone, and the measures that both sides have."""
    known = [part.name for part in track.parts]
    if strangers := [name for name in parts if name not in known]:
        raise WrongUsage(f"track {track.name} has no part {', '.join(strangers)}; its parts are {', '.join(known)}")
    kept = tuple(part for part in track.parts if part.name in parts)
    measures = tuple(dict.fromkeys((track.primary, *MEASURES)))
    return track.model_copy(update={"parts": kept, "macro": (), "measures": measures})


def measured(track: Track, loaded: LoadedCard, place: Path) -> dict[str, Any]:
    """Run both sides, mteb first, each with as many threads as there are cores, and compare them part by part."""
    system = loaded.system()
    if not isinstance(system, Dense):
        raise WrongUsage(f"{loaded.card.name} is no card of the adapter dense, which mteb could run as well")
    own = [name for name in LEFT_TO_THE_MODEL if loaded.card.parameters.get(name) not in {None, "model"}]
    if own:
        raise WrongUsage(f"{loaded.card.name} says {', '.join(own)}; here both sides do what the model's own files say")
    if faults := list(system.missing()):
        raise InvalidInput("; ".join(faults))
    parameters = system._parameters
    model = model_folder(parameters.model, parameters.revision, loaded.folder)
    titles = parameters.title == "prepend"
    text_of = Doc.default_text if titles else attrgetter("text")
    cores = os.cpu_count() or 1
    for part in track.parts:
        _ = part.collection.docs, part.collection.queries, part.collection.qrels  # read before anything is timed
    loads = [os.getloadavg()[0]]
    theirs = evaluated(track, model, titles, place / "mteb", cores)
    loads.append(os.getloadavg()[0])
    context = Context(cache=place / "cache", work=place / "work", workers=cores)
    with blocks_remembered():
        start, used = time.perf_counter(), time.process_time()
        runs = TrackRuns(track, place / "runs", keeps_lines=True)
        run_system(runs, loaded, context)
        run = runs.run(loaded.card.name)
        scores = score_system(run)
        seconds, processor_seconds = time.perf_counter() - start, time.process_time() - used
        loads.append(os.getloadavg()[0])
        vectors = our_vectors(system, track, text_of, context)
    with blocks_remembered():
        by_pytorch = with_parameters(loaded, kernel="torch").system()
        plain = our_vectors(by_pytorch, track, text_of, context)
        stripped = our_vectors(by_pytorch, track, lambda doc: text_of(doc).strip(), context)
    saved = saved_rankings(theirs.predictions)
    found = {
        part.name: compared_part(
            part.collection,
            track,
            Sides(
                run.read(part.name)[0],
                {measure: scores.values[part.name, measure] for measure in track.measures},
                saved[part.name],
                theirs.reported[part.name],
                Encoded(vectors[part.name], plain[part.name], stripped[part.name], theirs.vectors[part.name]),
                parameters.store_dtype,
            ),
        )
        for part in track.parts
    }
    return {
        "track": track.name,
        "tolerance": track.tolerance.model_dump(),
        "primary": track.primary,
        "depth": track.depth,
        "card": loaded.card.name,
        "title": loaded.card.title,
        "titles": titles,
        "batch": BATCH,
        "token_budget": run.manifest.execution.facts[TOKEN_BUDGET],
        "store_dtype": parameters.store_dtype,
        "parts": found,
        "faults": [f"{name}: {fault}" for name, part in found.items() for fault in part["faults"]],
        "seconds": {"ours": seconds, "mteb": theirs.seconds},
        "processor_seconds": {"ours": processor_seconds, "mteb": theirs.processor_seconds},
        "loads": loads,
        "machine": {"cpu": cpu_model(), "cores": cores},
        "libraries": library_versions(LIBRARIES),
    }


def our_vectors(system: Any, track: Track, text_of: Callable[[Doc], str], context: Context) -> dict[str, Vectors]:
    """By part; passages once for all parts, and all questions together, as in the run."""
    found = {}
    passages: dict[str, Any] = {}
    questions = system.encode(
        "queries", [query.text for part in track.parts for query in part.collection.queries], context
    )
    start = 0
    for part in track.parts:
        docs = part.collection.docs
        if docs.digest not in passages:
            passages[docs.digest] = system.encode("passages", [text_of(doc) for doc in docs], context)
        end = start + len(part.collection.queries)
        found[part.name] = questions[start:end], passages[docs.digest]
        start = end
    return found


def with_parameters(loaded: LoadedCard, **parameters: object) -> LoadedCard:
    every = {**loaded.card.parameters, **parameters}
    return LoadedCard(loaded.card.model_copy(update={"parameters": every}), loaded.folder)


if __name__ == "__main__":
    sys.exit(main())
