"""From downloaded files to a leaderboard's pages, beside mteb from the same files to its results: one model, one process each.

python benchmarks/end_to_end.py [--parts ar de hi] [--card me5-small-q4] [--kernels torch onnx] [--rounds 2] [--out FOLDER]

Needs the extras ``bench`` and ``fast``, XQuAD's files and the card's model in the cache; nothing is fetched. Ours is what a
user types, ``xdr leaderboard TRACK CARD``, with a cache that holds downloaded files and models alone, for the card as it is and
for each kernel; it ends with runs, scores, tests and pages. mteb encodes, searches and scores the same questions and passages
with as many threads, and writes its means. What is timed is a whole process, its imports included. Passages are searched
without their titles or with them, as the card says.

Sides take turns, another one begins each round, since the first one reads libraries and models that nobody has read before; the
shortest of the rounds counts. With --out, what is done stays done, of the same track, card, versions, source and machine. It
fails where both sides do not find the same: their means of R@10 may differ by 0.5 points, since batches, and so last digits,
are not the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters.card import LoadedCard, load_card
from harness.compute.platform import cpu_model, git_state, library_versions
from harness.dense.model_places import model_folder
from harness.errors import XdrError
from harness.files.package import package_root
from harness.files.writing import cache_home, write_text
from harness.files.yaml_records import digest_of
from harness.runs.manifest import read_manifest
from harness.runs.score_file import read_scores
from harness.tracks import Track, load_track

MTEB = "mteb"
SAME = 0.005
MEASURE = "R@10"
LIBRARIES = ("xdr-bench", "mteb", "sentence-transformers", "torch", "onnxruntime", "numpy")
ENCODING = ("encode passages", "encode queries")
"""Stages of a run; what mteb takes for the same is timed around its model."""


@dataclass(frozen=True)
class Turn:
    """Of a whole process: seconds of the clock and of the processors, peak memory; ``encoding``: seconds of that.

    ``means``: of ``MEASURE``, by part. ``load``: of the machine when it began.
    """

    side: str
    round: int
    seconds: float
    processor_seconds: float
    peak_bytes: int
    encoding: float
    means: Mapping[str, float]
    load: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=["ar", "de", "hi"])
    parser.add_argument("--card", default="me5-small-q4", help="a card of the adapter dense")
    parser.add_argument("--kernels", nargs="*", default=["torch", "onnx"], help="beside the card as it is")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            out = options.out or Path(name)
            sides = Sides(load_track("xquad"), options.parts, load_card(options.card), options.kernels, out)
            turns = [sides.turn(side, number) for number in range(options.rounds) for side in sides.in_round(number)]
    except (XdrError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    print(table(turns))
    loads = [turn.load for turn in turns]
    print(
        f"\n{', '.join(options.parts)}; {cpu_model()}, {os.cpu_count()} cores, load {min(loads):.1f} to {max(loads):.1f}"
    )
    print(library_versions(LIBRARIES))
    for fault in (faults := differing(turns)):
        print(fault, file=sys.stderr)
    return 1 if faults else 0


class Sides:
    """``commands``: of each side, but for where it writes. ``out``: files of the track and of the cards, and what was found."""

    def __init__(
        self, track: Track, parts: Sequence[str], loaded: LoadedCard, kernels: Sequence[str], out: Path
    ) -> None:
        self._name = loaded.card.name
        text = track_of(track, parts, self._name)
        machine = [cpu_model(), os.cpu_count(), library_versions(LIBRARIES), git_state(package_root())]
        self._out = out.absolute() / digest_of([text, *machine, loaded.card.model_dump(mode="json")])[:16]
        self._kept = self._out / "turns.jsonl"
        self._out.mkdir(parents=True, exist_ok=True)
        parameters = loaded.card.parameters
        model = model_folder(str(parameters["model"]), parameters.get("revision"), loaded.folder)
        own = self._out / "track.toml"
        own.write_text(text, "utf-8")
        xdr = [sys.executable, "-m", "harness", "leaderboard", str(own)]
        titles = parameters.get("title", "prepend")
        script = str(Path(__file__).with_name("mteb_whole.py"))
        self.commands = {
            MTEB: [sys.executable, script, str(own), str(model), titles],
            **{
                f"xdr leaderboard, {kernel or 'the card as it is'}": [*xdr, str(self._card(loaded, kernel))]
                for kernel in ("", *kernels)
            },
        }

    def in_round(self, number: int) -> list[str]:
        """The sides, of which another one begins each round."""
        sides = list(self.commands)
        first = number % len(sides)
        return sides[first:] + sides[:first]

    def _turns(self) -> list[Turn]:
        """What is kept, less a last line that a kill has cut off."""
        text = self._kept.read_text("utf-8") if self._kept.is_file() else ""
        return [Turn(**json.loads(line)) for line in text[: text.rfind("\n") + 1].splitlines()]

    def _card(self, loaded: LoadedCard, kernel: str) -> Path:
        """The card with a kernel, and with its model named as it can be from any folder."""
        parameters = dict(loaded.card.parameters) | ({"kernel": kernel} if kernel else {})
        if (loaded.folder / str(parameters["model"])).is_dir():
            parameters["model"] = str((loaded.folder / str(parameters["model"])).absolute())
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in parameters.items())
        path = self._out / f"card-{kernel or 'shipped'}.toml"
        path.write_text(
            f'schema_version = 1\nname = "{self._name}"\ntitle = {json.dumps(loaded.card.title)}\nadapter = "dense"\n'
            f"[parameters]\n{lines}",
            "utf-8",
        )
        return path

    def turn(self, side: str, number: int) -> Turn:
        """The side's turn of that round, or what is kept of it. Raises ``CalledProcessError``, and shows what was printed."""
        for kept in self._turns():
            if (kept.side, kept.round) == (side, number):
                return kept
        with tempfile.TemporaryDirectory(dir=self._out) as name:
            found = self._timed(side, number, Path(name))
        write_text(self._kept, "".join(json.dumps(vars(own)) + "\n" for own in [*self._turns(), found]))
        print(f"round {number + 1}, {side}: {found.seconds:.1f} s", file=sys.stderr, flush=True)
        return found

    def _timed(self, side: str, number: int, place: Path) -> Turn:
        home, log = place / "home", place / "log"
        home.mkdir()
        for folder in ("data", "models"):
            (home / folder).symlink_to(cache_home() / folder)
        where = (
            [str(place / "mteb.json")]
            if side == MTEB
            else ["--runs", str(place / "runs"), "--reports", str(place / "pages")]
        )
        load, began = os.getloadavg()[0], time.perf_counter()
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*self.commands[side], *where],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "XDR_HOME": str(home)},
            )
            _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            print(log.read_text("utf-8", "replace")[-4000:], file=sys.stderr)
            raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), side)
        encoding, means = _of_mteb(place) if side == MTEB else self._of_ours(place)
        return Turn(side, number, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, encoding, means, load)

    def _of_ours(self, place: Path) -> tuple[float, Mapping[str, float]]:
        (folder,) = (path.parent for path in place.glob(f"runs/*/{self._name}/manifest.yaml"))
        if not any(place.glob("pages/*/index.html")):
            raise XdrError("there are no pages")
        stages, scores = read_manifest(folder).execution.stages, read_scores(folder / "scores.parquet")
        means = {part: scores.mean(part, MEASURE) or 0.0 for part, measure in scores.values if measure == MEASURE}
        return sum(stage.seconds for stage in stages if stage.name in ENCODING), means


def _of_mteb(place: Path) -> tuple[float, Mapping[str, float]]:
    found: dict[str, Any] = json.loads((place / "mteb.json").read_text("utf-8"))
    return found["encoding"], found["means"]


def track_of(track: Track, parts: Sequence[str], card: str) -> str:
    """A track file with these parts and no system but the card, its own baseline; the track's measures and one of mteb's."""
    known = {part.name: part for part in track.parts}
    if strangers := [name for name in parts if name not in known]:
        raise XdrError(f"track {track.name} has no part {', '.join(strangers)}; its parts are {', '.join(known)}")
    told = {
        "schema_version": 1,
        "name": f"{track.name}-end-to-end",
        "version": 1,
        "title": track.title,
        "description": track.description,
        "measures": list(dict.fromkeys([*track.measures, MEASURE])),
        "primary": track.primary,
        "depth": track.depth,
        "baseline": card,
        "unit": track.unit,
        "systems": [],
    }
    tables = [
        f'[[parts]]\nname = "{name}"\ndataset = "{known[name].dataset}"\nlang = "{known[name].lang}"' for name in parts
    ]
    return "\n".join([*(f"{key} = {json.dumps(value)}" for key, value in told.items()), *tables]) + "\n"


def differing(turns: Sequence[Turn]) -> list[str]:
    (expected, *_) = (turn.means for turn in turns if turn.side == MTEB)
    return [
        f"{turn.side}, {part}: {MEASURE} is {turn.means[part]:.4f}, that of mteb {mean:.4f}"
        for turn in turns
        for part, mean in expected.items()
        if not abs(turn.means[part] - mean) <= SAME
    ]


def table(turns: Sequence[Turn]) -> str:
    """By side its shortest round; ratios are to mteb's."""
    best: dict[str, Turn] = {}
    for turn in turns:
        best[turn.side] = min(turn, best.get(turn.side, turn), key=lambda one: one.seconds)
    peer = best[MTEB]
    lines = [
        "| what | s | of it encoding | processor s | peak MB | faster than mteb | in processor s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for turn in best.values():
        share = f"{turn.encoding / turn.seconds:.0%}"
        figures = f"{turn.seconds:.1f} | {share} | {turn.processor_seconds:.1f} | {turn.peak_bytes / 1e6:,.0f}"
        ratios = f"{peer.seconds / turn.seconds:.2f}x | {peer.processor_seconds / turn.processor_seconds:.2f}x"
        lines.append(f"| {turn.side} | {figures} | {ratios} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
