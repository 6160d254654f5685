"""Write docs/scale.md from the figures of the other commands: parts whose figures are given anew, the others as they were.

python benchmarks/scale_page.py [--scale scale.json] [--full full.json] [--chain chain.json [mbert.json ...]]
    [--search search.json] [--approximate approximate.json] [--curve curve.json] [--speed speed.json]
    [--euros-per-hour 0.10] [--output docs/scale.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.files.writing import write_text

FULL = 18_200_000
TOLD = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "i8mm", "asimd")
"""Instructions by which products differ most in speed."""

Figures = dict[str, Any]

HEAD = f"""# Scale

Written by a command from what other commands measured. Each part says on which day and machine: seconds of different parts
may not be compared. Where the load average is above the number of cores, other work took part of them, and seconds say less
than ratios. Make parts again with

    export XDR_TEST_DATA=DIR    # the files of docs/data.md
    python benchmarks/scale.py --json scale.json
    python benchmarks/exact_search.py --json search.json
    python benchmarks/full_size.py --json full.json
    python benchmarks/chain.py --json chain.json
    python benchmarks/chain.py --layers 12 --hidden 768 --passages 910 --json mbert.json
    python benchmarks/approximate.py --json approximate.json
    python benchmarks/recall_curve.py --json curve.json
    python benchmarks/dense_speed.py --json speed.json
    python benchmarks/scale_page.py --scale scale.json --search search.json --full full.json \\
        --chain chain.json mbert.json --approximate approximate.json --curve curve.json --speed speed.json

Vectors of 18.2 million passages in 768 dimensions and half precision take {FULL * 768 * 2 / 1e9:.2f} GB. Generated queries
are fused block by block and never stored.
"""

STORE = """## Store and exact search

{measured}

{passages:,} synthetic vectors of 768 dimensions ({share}), {queries:,} questions, depth {depth}. Each stage is a process of
its own; memory is its VmHWM.

| stage | seconds | passages/s | peak memory, MB | disk, GB | load |
|:---|---:|---:|---:|---:|---:|
"""

SEARCH = """## Exact search beside faiss

{measured}

Synthetic vectors of 768 dimensions; both sides in one command, by turns. A search multiplies integers of 8 bits first where
these are faster than float32 here, which is measured once, and scores in float32 all that may be among the best by a bound
that holds for any vectors (`harness/dense/short_numbers.py`): rankings and scores are the same bytes. Where products of
integers are not exact, not faster, or leave too many pairs, float32 products choose as before. {libraries}.

| what | ours | beside | its time | ratio | load |
|:---|---:|:---|---:|---:|---:|
"""

FULL_SIZE = """## A leaderboard at full size

{measured}

`xdr leaderboard` on the real 2,110 questions of XOR-Retrieve and {passages:,} made-up passages of 100 words
({corpus:.1f} GB as TSV), from the file to the pages, with two systems that draw 500 passages for each question. What systems
compute is measured above and below; this is all the rest: indexing the passages ({index:.2f} GB), checking and scoring
runs, comparing systems, what the best and a random ranking would score, pages. The second time nothing has changed.

| | seconds | peak memory, MB | load |
|:---|---:|---:|---:|
| the first time | {first[seconds]:,.0f} | {first_peak:,.0f} | {first[load]:.1f} |
| again | {again[seconds]:,.0f} | {again_peak:,.0f} | {again[load]:.1f} |
"""

CHAIN = """## The whole chain

{measured}

Models from a configuration, with random weights, float32; real texts (see `benchmarks/encoding.py`).

| model | passages | stage | seconds | passages/s | peak memory, MB | load |
|:---|---:|:---|---:|---:|---:|---:|
"""

COST = """## What the whole collection would cost

{measured}

Extrapolated, not run: {full:,} passages at the rates above, at an assumed {euros:.2f} euros for an hour of such a machine
(`--euros-per-hour`).

| model | stage | hours | euros |
|:---|:---|---:|---:|
"""

APPROXIMATE = """## Approximate search

    [parameters.index]
    factory = "IVF4096,PQ64"
    nprobe = 64

in a card of `dense` or `xqg` searches by faiss's index of that factory string. It is trained on evenly spaced passages
(`training_passages`, 200,000), built and searched in shards of 256 blocks (1,048,576 passages), of which one at a time is in
memory. `nprobe`, `ef_search` and `k_factor` (candidates that an index ending in `RFlat` or `Refine(SQfp16)` scores again, for
each document wanted) are part of the card. The recall against exact search, at the track's depth and for at most
100 questions, is measured in every such run and stands in its manifest. Training and adding use one thread and fixed seeds:
the tests hold that the same vectors give the same index files, and that the number of threads of the search changes nothing.
Another faiss version or kind of processor may train other centroids.

{measured}

{passages:,} windows of 100 words over the paragraphs of TyDi QA and the {questions:,} questions of XOR-TyDi,
encoded by `mini-xdr` ({dimensions} dimensions), at depth {depth}; the store has {store:.1f} MB, and exact search takes
{exact:.2f} s. On so few passages an index saves little; what it loses is what to look at.

| index | recall | MB | built in, s | searched in, s |
|:---|---:|---:|---:|---:|
"""

CURVE = """## Recall against time

{measured}

{passages:,} made-up vectors of {dimensions} dimensions, clustered as `benchmarks/recall_curve.py` says, and {queries:,}
questions made in the same way, at depth {depth}; the store has {store:.0f} MB. Exact search takes {exact_seconds:.2f} s. Both
sides have the same factory string and all cores for the search. Ours is built by one core, for the same bytes each time, and
{opened}; faiss has its index in memory, built by all cores. Load {load:.1f}; {libraries}.

| index | recall | searched in, s | faiss's recall | faiss alone, s | MB | built in, s | by faiss, s |
|:---|---:|---:|---:|---:|---:|---:|---:|
"""

SPEED = """## Speed beside peers

{measured}

Both sides in one command on the same machine, by turns. A ratio of 2x says that ours takes half of the peer's time. In the
paper's collection 35 of 36 texts to encode are generated queries, which are as short as questions. How much ours are faster
depends on the processor: linear layers in float32 multiply with oneDNN, the peers with MKL and OpenBLAS, which on
some processors of AMD do not use all instructions.

| what | ours | peer | peer's time | ratio | load |
|:---|---:|:---|---:|---:|---:|
"""


def measured(on: Figures) -> str:
    sets = [name for name in TOLD if name in on["instruction_sets"]]
    return f"Measured on {on['date']}: {on['cpu']}{f' ({sets[0]})' if sets else ''}, {on['cores']} cores."


def store(scale: Figures) -> str:
    rows = {stage["stage"]: stage for stage in scale["stages"]}
    all_of_it = scale["passages"] == FULL
    text = STORE.format(
        measured=measured(scale["measured"]),
        share="all of the real collection" if all_of_it else f"{scale['passages'] / FULL:.2%} of its passages",
        **{name: scale[name] for name in ("passages", "queries", "depth")},
    )
    seconds_of = {"store": "appending_seconds", "reopen": "seconds", "search": "searching_seconds"}
    for name, stage in rows.items():
        seconds = stage[seconds_of[name]]
        disk = f"{stage['disk_bytes'] / 1e9:.2f}" if "disk_bytes" in stage else ""
        text += (
            f"| {name} | {seconds:,.1f} | {scale['passages'] / seconds:,.0f} | {stage['peak_bytes'] / 1e6:,.0f} "
            f"| {disk} | {stage['load']:.1f} |\n"
        )
    return text


def full_size(full: Figures) -> str:
    return FULL_SIZE.format(
        **full | {"measured": measured(full["measured"])},
        corpus=full["corpus_bytes"] / 1e9,
        index=full["index_bytes"] / 1e9,
        first_peak=full["first"]["peak_bytes"] / 1e6,
        again_peak=full["again"]["peak_bytes"] / 1e6,
    )


def _rates(chains: list[Figures]) -> list[tuple[Figures, str, str, float]]:
    """Figures of a chain, its model, a stage and the stage's seconds."""
    return [
        (
            chain,
            f"{chain['layers']} layers, {chain['hidden']} dimensions",
            stage.replace("generated queries", f"{chain['queries_each']} generated queries each"),
            seconds,
        )
        for chain in chains
        for stage, seconds in chain["seconds"].items()
    ]


_SEARCH = "questions and search"


def chain(chains: list[Figures]) -> str:
    text = CHAIN.format(measured=measured(chains[0]["measured"]))
    for figures, model, stage, seconds in _rates(chains):
        rate = "" if stage == _SEARCH else f"{figures['passages'] / seconds:,.1f}"
        text += (
            f"| {model} | {figures['passages']:,} | {stage} | {seconds:,.1f} | {rate} "
            f"| {figures['peak_bytes'] / 1e6:,.0f} | {figures['load']:.1f} |\n"
        )
    return text


def cost(chains: list[Figures], euros: float) -> str:
    text = COST.format(full=FULL, euros=euros, measured=measured(chains[0]["measured"]))
    for figures, model, stage, seconds in _rates(chains):
        if stage != _SEARCH:
            hours = FULL / (figures["passages"] / seconds) / 3600
            text += f"| {model} | {stage} | {hours:,.0f} | {hours * euros:,.0f} |\n"
    return text


def approximate(figures: Figures) -> str:
    text = APPROXIMATE.format(
        **figures | {"measured": measured(figures["measured"])},
        store=figures["vector_bytes"] / 1e6,
        exact=figures["exact_seconds"],
    )
    before = ""
    for index in figures["indexes"]:
        built = "the same" if index["factory"] == before else f"{index['build_seconds']:.1f}"
        before = index["factory"]
        text += (
            f"| {_named(index)} | {index['recall']:.1%} | {index['bytes'] / 1e6:.1f} "
            f"| {built} | {index['search_seconds']:.2f} |\n"
        )
    return text


def curve(figures: Figures) -> str:
    opened = "its shards are mapped from the disk"
    if figures.get("shards") != "mapped":
        opened = "its shards were read whole for each search (they are mapped now)"
    known = {"measured": measured(figures["measured"]), "libraries": _versions(figures["libraries"]), "opened": opened}
    text = CURVE.format(**figures | known, store=figures["vector_bytes"] / 1e6)
    before = ""
    for point in figures["points"]:
        same = point["factory"] == before
        before = point["factory"]
        built = ["the same" if same else f"{point[name]:.1f}" for name in ("build_seconds", "faiss_build_seconds")]
        text += (
            f"| {_named(point)} | {point['recall']:.1%} | {point['search_seconds']:.2f} | {point['faiss_recall']:.1%} "
            f"| {point['faiss_seconds']:.2f} | {point['bytes'] / 1e6:,.0f} | {built[0]} | {built[1]} |\n"
        )
    return text


def _named(index: Figures) -> str:
    settings = [f"{name} {index[name]}" for name in ("nprobe", "ef_search", "k_factor") if name in index]
    return ", ".join([f"`{index['factory']}`", *settings])


def search(figures: Figures) -> str:
    text = SEARCH.format(measured=measured(figures["measured"]), libraries=_versions(figures["libraries"]))
    return text + _rows(figures["rows"])


def speed(figures: Figures) -> str:
    text = SPEED.format(measured=measured(figures["measured"])) + _rows(figures["rows"])
    return text + f"\n{_versions(figures['libraries'])}.\n"


def _rows(rows: list[Figures]) -> str:
    return "".join(
        f"| {row['what']} | {row['ours_seconds']:.2f} s | {row['peer']} | {row['peer_seconds']:.2f} s "
        f"| {row['peer_seconds'] / row['ours_seconds']:.2f}x | {row['load']:.1f} |\n"
        for row in rows
    )


def _versions(libraries: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in libraries.items())


ORDER = [text.partition("\n")[0] for text in (STORE, SEARCH, FULL_SIZE, CHAIN, COST, APPROXIMATE, CURVE, SPEED)]
"""The headings of the parts."""


def written(parts: list[str], before: str = "") -> str:
    """The page of these parts, and of the others that the page had before."""
    kept = ["## " + part.strip("\n") + "\n" for part in before.split("\n## ")[1:]]
    by_heading = {part.partition("\n")[0]: part for part in (*kept, *parts)}
    return "\n".join([HEAD, *(by_heading[heading] for heading in ORDER if heading in by_heading)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    makers: dict[str, Callable[[Figures], str]] = {
        "scale": store,
        "search": search,
        "full": full_size,
        "approximate": approximate,
        "curve": curve,
        "speed": speed,
    }
    for name in makers:
        parser.add_argument(f"--{name}", type=Path, default=None)
    parser.add_argument("--chain", type=Path, nargs="+", default=[])
    parser.add_argument(
        "--euros-per-hour", type=float, default=0.10, help="an assumption, not a price that was looked up"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/scale.md"))
    arguments = parser.parse_args()
    given = {name: path for name in makers if (path := getattr(arguments, name)) is not None}
    parts = [makers[name](json.loads(path.read_text("utf-8"))) for name, path in given.items()]
    if chains := [json.loads(path.read_text("utf-8")) for path in arguments.chain]:
        parts += [chain(chains), cost(chains, arguments.euros_per_hour)]
    before = arguments.output.read_text("utf-8") if arguments.output.exists() else ""
    write_text(arguments.output, written(parts, before))


if __name__ == "__main__":
    main()
