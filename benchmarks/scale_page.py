"""Write docs/scale.md from the figures of the other commands.

python benchmarks/scale_page.py --scale scale.json --full full.json --chain chain.json [mbert.json ...]
    --approximate approximate.json --speed speed.json [--euros-per-hour 0.10] [--output docs/scale.md]
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from harness.files.writing import write_text

FULL = 18_200_000
Figures = dict[str, Any]

HEAD = """# Scale

Written by a command, on {date}, from what other commands measured on this machine: {cpu}, {cores} cores. Where the load
average is above the number of cores, other work took part of them, and seconds say less than ratios. Make it again with

    export XDR_TEST_DATA=DIR    # the files of docs/data.md
    python benchmarks/scale.py --json scale.json
    python benchmarks/full_size.py --json full.json
    python benchmarks/chain.py --json chain.json
    python benchmarks/chain.py --layers 12 --hidden 768 --passages 910 --json mbert.json
    python benchmarks/approximate.py --json approximate.json
    python benchmarks/dense_speed.py --json speed.json
    python benchmarks/scale_page.py --scale scale.json --full full.json --chain chain.json mbert.json \\
        --approximate approximate.json --speed speed.json

Vectors of 18.2 million passages in 768 dimensions and half precision take {full_bytes:.2f} GB. Generated queries are
fused block by block and never stored.

## Store and exact search

{passages:,} synthetic vectors of 768 dimensions ({share}), {queries:,} questions, depth {depth}. Each stage is a process of
its own; memory is its VmHWM.

| stage | seconds | passages/s | peak memory, MB | disk, GB | load |
|:---|---:|---:|---:|---:|---:|
"""

FULL_SIZE = """
## A leaderboard at full size

`xdr leaderboard` on the real 2,110 questions of XOR-Retrieve and {passages:,} made-up passages of 100 words
({corpus:.1f} GB as TSV), from the file to the pages, with two systems that draw 500 passages for each question. What systems
compute is measured above and below; this is all the rest: indexing the passages ({index:.2f} GB), checking and scoring
runs, comparing systems, what the best and a random ranking would score, pages. The second time nothing has changed.

| | seconds | peak memory, MB | load |
|:---|---:|---:|---:|
| the first time | {first[seconds]:,.0f} | {first_peak:,.0f} | {first[load]:.1f} |
| again | {again[seconds]:,.0f} | {again_peak:,.0f} | {again[load]:.1f} |
"""

CHAIN = """
## The whole chain

Models from a configuration, with random weights, {cores} cores, float32; real texts (see `benchmarks/encoding.py`).

| model | passages | stage | seconds | passages/s | peak memory, MB | load |
|:---|---:|:---|---:|---:|---:|---:|
"""

COST = """
## What the whole collection would cost

Extrapolated, not run: {full:,} passages at the rates above, at an assumed {euros:.2f} euros for an hour of such a machine
(`--euros-per-hour`).

| model | stage | hours | euros |
|:---|:---|---:|---:|
"""

APPROXIMATE = """
## Approximate search

    [parameters.index]
    factory = "IVF4096,PQ64"
    nprobe = 64

in a card of `dense` or `xqg` searches by faiss's index of that factory string. It is trained on evenly spaced passages
(`training_passages`, 200,000), built and searched in shards of 256 blocks (1,048,576 passages), of which one at a time is in
memory. `nprobe` and `ef_search` are part of the card. The recall against exact search, at the track's depth and for at most
100 questions, is measured in every such run and stands in its manifest. Training and adding use one thread and fixed seeds:
the tests hold that the same vectors give the same index files, and that the number of threads of the search changes nothing.
Another faiss version or kind of processor may train other centroids.

Measured on {passages:,} windows of 100 words over the paragraphs of TyDi QA and the {questions:,} questions of XOR-TyDi,
encoded by `mini-xdr` ({dimensions} dimensions), at depth {depth}; the store has {store:.1f} MB, and exact search takes
{exact:.2f} s. On so few passages an index saves little; what it loses is what to look at.

| index | recall | MB | built in, s | searched in, s |
|:---|---:|---:|---:|---:|
"""

SPEED = """
## Speed beside peers

Both sides in one command on the same machine, by turns. A ratio of 2x says that ours takes half of the peer's time. In the
paper's collection 35 of 36 texts to encode are generated queries, which are as short as questions. How much ours are faster
depends on the processor: search and linear layers in float32 multiply with oneDNN, the peers with MKL and OpenBLAS, which on
some processors of AMD do not use all instructions.

| what | ours | peer | peer's time | ratio | load |
|:---|---:|:---|---:|---:|---:|
"""


def written(
    scale: Figures, full: Figures, chains: list[Figures], approximate: Figures, speed: Figures, euros: float
) -> str:
    rows = {stage["stage"]: stage for stage in scale["stages"]}
    share = (
        "all of the real collection" if scale["passages"] == FULL else f"{scale['passages'] / FULL:.2%} of its passages"
    )
    text = HEAD.format(
        date=datetime.datetime.now(datetime.UTC).date(),
        cpu=scale["machine"]["cpu"],
        cores=scale["machine"]["cores"],
        full_bytes=FULL * 768 * 2 / 1e9,
        share=share,
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
    text += FULL_SIZE.format(
        **full,
        corpus=full["corpus_bytes"] / 1e9,
        index=full["index_bytes"] / 1e9,
        first_peak=full["first"]["peak_bytes"] / 1e6,
        again_peak=full["again"]["peak_bytes"] / 1e6,
    )
    text += CHAIN.format(cores=scale["machine"]["cores"])
    cost = COST.format(full=FULL, euros=euros)
    for chain in chains:
        model = f"{chain['layers']} layers, {chain['hidden']} dimensions"
        for stage, seconds in chain["seconds"].items():
            rate = "" if stage == "questions and search" else f"{chain['passages'] / seconds:,.1f}"
            shown = stage.replace("generated queries", f"{chain['queries_each']} generated queries each")
            text += (
                f"| {model} | {chain['passages']:,} | {shown} | {seconds:,.1f} | {rate} "
                f"| {chain['peak_bytes'] / 1e6:,.0f} | {chain['load']:.1f} |\n"
            )
            if stage != "questions and search":
                hours = FULL / (chain["passages"] / seconds) / 3600
                cost += f"| {model} | {shown} | {hours:,.0f} | {hours * euros:,.0f} |\n"
    text += cost + APPROXIMATE.format(
        **approximate, store=approximate["vector_bytes"] / 1e6, exact=approximate["exact_seconds"]
    )
    before = ""
    for index in approximate["indexes"]:
        settings = ", ".join(f"{name} {index[name]}" for name in ("nprobe", "ef_search") if name in index)
        built = "the same" if index["factory"] == before else f"{index['build_seconds']:.1f}"
        before = index["factory"]
        text += (
            f"| `{index['factory']}`{settings and ', '}{settings} | {index['recall']:.1%} | {index['bytes'] / 1e6:.1f} "
            f"| {built} | {index['search_seconds']:.2f} |\n"
        )
    text += SPEED
    for row in speed["rows"]:
        ratio = row["peer_seconds"] / row["ours_seconds"]
        text += (
            f"| {row['what']} | {row['ours_seconds']:.2f} s | {row['peer']} | {row['peer_seconds']:.2f} s "
            f"| {ratio:.2f}x | {row['load']:.1f} |\n"
        )
    return text + f"\n{', '.join(f'{name} {version}' for name, version in speed['libraries'].items())}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=Path, required=True)
    parser.add_argument("--full", type=Path, required=True)
    parser.add_argument("--approximate", type=Path, required=True)
    parser.add_argument("--chain", type=Path, nargs="+", required=True)
    parser.add_argument("--speed", type=Path, required=True)
    parser.add_argument(
        "--euros-per-hour", type=float, default=0.10, help="an assumption, not a price that was looked up"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/scale.md"))
    arguments = parser.parse_args()
    paths = (arguments.scale, arguments.full, arguments.approximate, arguments.speed, *arguments.chain)
    scale, full, approximate, speed, *chains = (json.loads(path.read_text("utf-8")) for path in paths)
    write_text(arguments.output, written(scale, full, chains, approximate, speed, arguments.euros_per_hour))


if __name__ == "__main__":
    main()
