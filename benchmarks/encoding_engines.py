"""Encoding on a CPU by this product's kernels and by what else there is: PyTorch, ONNX Runtime and OpenVINO as they come.

pip install openvino nncf    # beside the extra fast; without them those sides are left out
python benchmarks/encoding_engines.py [--model FOLDER] [--passages 24] [--questions 96] [--rounds 2] [--threads 2]
    [--sides SIDE ...] [--out FOLDER]

The whole path is timed, from texts to normalised vectors: tokens, batches, transformer, pooling. --model: a folder of
sentence-transformers; without it mBERT-base's architecture with random weights, as in benchmarks/encoding.py. Texts are XQuAD's
English paragraphs and Arabic questions where XDR_TEST_DATA names a folder with its files, else those of benchmarks/encoding.py.

Each side is a process of its own, which encodes when it is its turn; the shortest round counts. Where memory is short the side
that was idle for longest is ended, and loaded again at its next turn. Beside seconds stand those of the processors, which other
work on the machine lengthens less: with --threads 1 they are all of a side's work, else threads that wait for one another are
counted too. Then peak memory, and the share of the machine's peak: operations of linear layers and attention without padding,
over those of one matrix product by oneDNN of the model's inner sizes, measured after each round. Vectors in float32 must be
those of SentenceTransformer. With --out, what is done stays done: the same command goes on where it was ended.

Peers have batches of 32 texts, sorted by tokens (SentenceTransformer: by characters), and all threads for each product. Int8 of
ONNX Runtime is its ``quantize_dynamic`` of all products with weights, one scale for a batch; of OpenVINO NNCF's quantisation
for transformers, with scales that are fixed by 64 of the passages themselves.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
from encoding import make_model, texts_of
from engine_sides import OURS, SIDES, TEXTS, TORCH, WITHOUT_GRAPHS, Place, prepare, serve, slug

from harness.compute.platform import cpu_model, git_state, library_versions
from harness.files.package import package_root
from harness.files.writing import sha256_of_tree
from harness.files.yaml_records import digest_of

EXACT = 1e-3
LIBRARIES = ("torch", "sentence-transformers", "transformers", "onnx", "onnxruntime", "openvino", "nncf", "numpy")
NEEDS = {"OpenVINO": ("openvino",), "OpenVINO, int8": ("openvino", "nncf")}


@dataclass(frozen=True)
class Turn:
    """``seconds``: by kind of texts, of the clock and of the processors. ``load``: of the machine when it began."""

    side: str
    round: int
    seconds: Mapping[str, Sequence[float]]
    peak_bytes: int
    load: float


@dataclass(frozen=True)
class Line:
    """Of the shortest round; processor seconds of the cheapest. ``cosine``: mean, to the vectors of SentenceTransformer."""

    kind: str
    side: str
    texts: int
    tokens: int
    seconds: float
    processor_seconds: float
    peak_bytes: int
    share_of_peak: float
    cosine: float


class Failed(Exception):
    """A side that ended without vectors; says how, and what it printed last."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--passages", type=int, default=24)
    parser.add_argument("--questions", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    every = texts()
    counts = {"passages": options.passages, "questions": options.questions}
    chosen = {kind: random.Random(0).sample(own, min(counts[kind], len(own))) for kind, own in every.items()}
    with tempfile.TemporaryDirectory() as name:
        out: Path = options.out or Path(name)
        model = options.model or made_up(out / "mbert", [text for own in every.values() for text in own])
        return told(Benchmark(model, chosen, out, options.threads, options.sides), options.rounds)


def texts() -> dict[str, list[str]]:
    folder = Path(os.environ.get("XDR_TEST_DATA", "")) / "xquad"
    if not folder.is_dir():
        return {kind: texts_of(kind) for kind in ("passages", "questions")}

    def paragraphs(lang: str) -> list[Any]:
        articles = json.loads((folder / f"xquad.{lang}.json").read_text("utf-8"))["data"]
        return [paragraph for article in articles for paragraph in article["paragraphs"]]

    return {
        "passages": [paragraph["context"] for paragraph in paragraphs("en")],
        "questions": [own["question"] for paragraph in paragraphs("ar") for own in paragraph["qas"]],
    }


def made_up(folder: Path, texts: list[str]) -> Path:
    """mBERT-base's architecture, made once."""
    return folder if (folder / "tokenizer.json").is_file() else make_model(folder, texts, 12, 768)


def told(benchmark: Benchmark, rounds: int) -> int:
    """Print what was found; 1 where a side failed or gave other vectors."""
    try:
        faults = benchmark.measured(rounds)
    finally:
        benchmark.close()
    lines, far = benchmark.lines()
    print(table(lines))
    loads = [turn.load for turn in benchmark.turns]
    load = f"load {min(loads, default=0.0):.1f} to {max(loads, default=0.0):.1f}"
    print(f"\n{cpu_model()}, {os.cpu_count()} cores, threads: {benchmark.threads}, {load}, rounds: {rounds}")
    print(library_versions(LIBRARIES))
    for fault in [*faults, *far]:
        print(fault, file=sys.stderr)
    return 1 if faults or far else 0


class Benchmark:
    """``out``: where turns, vectors and graphs of this model, these texts and these versions are kept."""

    def __init__(
        self, model: Path, chosen: dict[str, list[str]], out: Path, threads: int, sides: Sequence[str]
    ) -> None:
        self._chosen, self._operations, self.threads = chosen, Operations(model, threads), threads
        made_of = [sha256_of_tree(model), chosen, library_versions(LIBRARIES), git_state(package_root()), threads]
        self._out = out / digest_of(made_of)[:16]
        self._out.mkdir(parents=True, exist_ok=True)
        (self._out / TEXTS).write_text(json.dumps(chosen), "utf-8")
        self._processes = Processes(Place(model, self._out, threads))
        self._sides = [side for side in sides if all(map(find_spec, NEEDS.get(side, ())))]

    @property
    def turns(self) -> list[Turn]:
        return [Turn(**json.loads(line)) for line in self._lines("turns.jsonl")]

    def _lines(self, name: str) -> list[str]:
        path = self._out / name
        return path.read_text("utf-8").splitlines() if path.is_file() else []

    def measured(self, rounds: int) -> list[str]:
        """Let every side have its turns, less those that it has had; a side that failed has no other."""
        failed: dict[str, str] = {}
        for number in range(rounds):
            had = {turn.side for turn in self.turns if turn.round == number}
            for side in self._sides:
                if side in had or side in failed:
                    continue
                try:
                    self._add("turns.jsonl", vars(self._turn(side, number)))
                except Failed as failure:
                    failed[side] = str(failure)
            if len(self._lines("peaks.jsonl")) <= number:
                self._add("peaks.jsonl", self._operations.peak())
        return list(failed.values())

    def close(self) -> None:
        self._processes.close()

    def _add(self, name: str, value: Any) -> None:
        with (self._out / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")

    def _turn(self, side: str, number: int) -> Turn:
        load, began = os.getloadavg()[0], time.perf_counter()
        seconds, peak_bytes = self._processes.turn(side)
        said = ", ".join(f"{kind} {taken:.2f} s" for kind, (taken, _) in seconds.items())
        whole = time.perf_counter() - began
        print(f"round {number + 1}, {side}: {said}; {whole:.0f} s with loading", file=sys.stderr, flush=True)
        return Turn(side, number, seconds, peak_bytes, load)

    def lines(self) -> tuple[list[Line], list[str]]:
        """By kind and side; and which sides in float32 have other vectors than SentenceTransformer."""
        turns, peaks = self.turns, [float(line) for line in self._lines("peaks.jsonl")]
        lines, far = [], []
        for kind, own in self._chosen.items():
            tokens = self._operations.tokens(own)
            for side in (side for side in SIDES if any(turn.side == side for turn in turns)):
                taken = [turn.seconds[kind] for turn in turns if turn.side == side]
                seconds, vectors = min(clock for clock, _ in taken), self._vectors(side, kind)
                # Without the library's own there is nothing to hold them against.
                expected = self._vectors(TORCH, kind) if any(turn.side == TORCH for turn in turns) else vectors
                distance = float(np.abs(vectors - expected).max())
                if "int8" not in side and not distance <= EXACT:
                    far.append(f"{side}: vectors of {kind} differ from those of SentenceTransformer by {distance:.2g}")
                lines.append(
                    Line(
                        kind,
                        side,
                        len(own),
                        sum(tokens),
                        seconds,
                        min(of_processors for _, of_processors in taken),
                        max(turn.peak_bytes for turn in turns if turn.side == side),
                        self._operations.of(tokens) / seconds / max(peaks),
                        float((vectors * expected).sum(axis=1).mean()),
                    )
                )
        return lines, far

    def _vectors(self, side: str, kind: str) -> Any:
        return np.load(self._out / f"{slug(side)}-{kind}.npy", allow_pickle=False)


class Processes:
    """One for each side, begun when it is first asked, ended when memory is short or at the end."""

    def __init__(self, at: Place) -> None:
        self._at = at
        # Weights, a graph with weights of its own, activations of a large batch, and the libraries.
        self._need = 4 * sum(path.stat().st_size for path in at.model.glob("*.safetensors")) + (1 << 30)
        self._running: dict[str, tuple[SpawnProcess, Connection]] = {}

    def turn(self, side: str) -> tuple[dict[str, list[float]], int]:
        """What ``serve`` answers. Raises ``Failed``."""
        own = self._running.pop(side) if side in self._running else self._begun(side)
        self._running[side] = own  # the last is the one that was idle for least
        with contextlib.suppress(BrokenPipeError):  # one that died meanwhile says how when its answer is awaited
            own[1].send("encode")
        found: tuple[dict[str, list[float]], int] = self._answer(side)
        return found

    def _begun(self, side: str) -> tuple[SpawnProcess, Connection]:
        while self._running and free_memory() < self._need:
            self._end(next(iter(self._running)))
        context = multiprocessing.get_context("spawn")
        if side not in WITHOUT_GRAPHS:
            before = context.Process(target=prepare, args=(side, self._at), daemon=True)
            before.start()
            before.join()
            if before.exitcode:
                raise self._failed(side, before)
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(side, self._at, theirs), daemon=True)
        process.start()
        theirs.close()
        self._running[side] = process, ours
        self._answer(side)
        return process, ours

    def _answer(self, side: str) -> Any:
        process, connection = self._running[side]
        try:
            return connection.recv()
        except (EOFError, ConnectionError):
            process.join(10)
            del self._running[side]
            raise self._failed(side, process) from None

    def _failed(self, side: str, process: SpawnProcess) -> Failed:
        log = (self._at.out / f"{slug(side)}.log").read_text("utf-8", "replace")
        return Failed(how_it_ended(side, process.exitcode, log))

    def _end(self, side: str) -> None:
        process, connection = self._running.pop(side)
        connection.close()
        process.join(30)

    def close(self) -> None:
        for side in list(self._running):
            self._end(side)


def free_memory() -> int:
    """Bytes that can be had without swapping; no bound where the system does not say."""
    path = Path("/proc/meminfo")
    lines = path.read_text("ascii").splitlines() if path.is_file() else []
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else sys.maxsize


def how_it_ended(side: str, status: int | None, printed: str) -> str:
    """A process that the system killed, for memory mostly, prints nothing: then its signal is all there is to say."""
    how = f"status {status}"
    if status is not None and status < 0:
        name = signal.Signals(-status).name
        how = f"signal {name}" + (", as the system does where memory runs out" if name == "SIGKILL" else "")
    last = "\n  ".join(printed.strip().splitlines()[-12:]) or "(it printed nothing)"
    return f"{side} ended with {how} instead of vectors:\n  {last}"


class Operations:
    """What a model computes for texts, and how much of that the machine can do at most."""

    def __init__(self, folder: Path, threads: int) -> None:
        from transformers import AutoConfig, AutoTokenizer

        self._threads = threads
        config = AutoConfig.from_pretrained(folder)
        self._hidden, self._inner, self._layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._longest = min(config.max_position_embeddings, self._tokenizer.model_max_length)

    def tokens(self, own: list[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer(own, truncation=True, max_length=self._longest)["input_ids"]]

    def of(self, tokens: list[int]) -> float:
        """Multiplications and additions of linear layers and of attention."""
        weights = self._layers * (4 * self._hidden**2 + 2 * self._hidden * self._inner)
        attention = 4 * self._layers * self._hidden
        return float(sum(2 * weights * count + attention * count**2 for count in tokens))

    def peak(self) -> float:
        """Operations a second of the inner layer's product for 1,024 tokens in float32 with all threads, the best of eight."""
        import torch

        from harness.compute.linear import linear

        torch.set_num_threads(self._threads)
        values, weight = torch.rand(1024, self._hidden), torch.rand(self._inner, self._hidden)
        best = float("inf")
        with torch.inference_mode():
            for _ in range(8):
                began = time.perf_counter()
                linear(values, weight, None)
                best = min(best, time.perf_counter() - began)
        return float(2 * 1024 * self._hidden * self._inner) / best


def table(found: Sequence[Line]) -> str:
    lines = [
        "| texts | side | s | texts/s | processor s | peak MB | share of peak | cosine to float32 |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        what = f"{one.texts:,} {one.kind} of {one.tokens / one.texts:.0f} tokens"
        figures = f"{one.seconds:.2f} | {one.texts / one.seconds:.1f} | {one.processor_seconds:.2f}"
        memory = f"{one.peak_bytes / 1e6:,.0f}"
        lines.append(f"| {what} | {one.side} | {figures} | {memory} | {one.share_of_peak:.0%} | {one.cosine:.4f} |")
    lines.append("")
    for kind in dict.fromkeys(one.kind for one in found):
        for suffix in ("", ", int8"):
            own = [one for one in found if one.kind == kind and ("int8" in one.side) == bool(suffix)]
            ours, theirs = ([one for one in own if (one.side in OURS) == is_ours] for is_ours in (True, False))
            if not ours or not theirs:
                continue
            best, peer = (min(side, key=lambda one: one.seconds) for side in (ours, theirs))
            cheapest = min(one.processor_seconds for one in theirs)
            lines.append(
                f"{kind}{suffix or ', float32'}: {best.side} beside the fastest, {peer.side}: "
                f"{peer.seconds / best.seconds:.2f}x; in processor seconds {cheapest / best.processor_seconds:.2f}x"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
