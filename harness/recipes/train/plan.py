"""What a training would take, measured on a few steps of every stage; nothing is kept of them."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from harness.numbers import amount, duration
from harness.progress import Advance, Progress
from harness.recipes.train.batches import GroupedBatches, bucketed
from harness.recipes.train.columns import teacher_texts
from harness.recipes.train.loop import Ledger, Operating, run_stage, steps_of
from harness.recipes.train.networks import Prepared, prepared
from harness.recipes.train.outputs import check_libraries, check_output
from harness.recipes.train.pair_teachers import count_read
from harness.recipes.train.pairs import Pair
from harness.recipes.train.reading import Read
from harness.recipes.train.recipe import LoadedRecipe, load_recipe
from harness.recipes.train.runner import Operator, device_of
from harness.recipes.train.stages import AlignStage, DistilStage, MaskedStage, ReadStage, StageRecipe
from harness.recipes.train.staging import job_of

MEASURED = 4
"""Steps of each stage. What comes before the first, such as the states of frozen layers, is not in the times."""
TAUGHT = AlignStage | DistilStage


class StagePlan(NamedTuple):
    """``tokens`` and ``seconds`` of all steps, by those measured; ``read``: texts that its teacher would read."""

    name: str
    objective: str
    pairs: int
    steps: int
    tokens: int
    seconds: float
    peak: int | None
    device_peak: int | None
    read: int


@dataclass(frozen=True)
class Plan:
    device: str
    dropped: int
    stages: tuple[StagePlan, ...]

    def in_words(self) -> Iterator[str]:
        """A line for each stage, and one for all."""
        for stage in self.stages:
            memory = [f"{amount(stage.peak, 'bytes')} of memory"] if stage.peak else []
            memory += [f"{amount(stage.device_peak, 'bytes')} of the device"] if stage.device_peak else []
            read = [f"its teacher reads {stage.read:,} texts before"] if stage.read else []
            parts = [f"{stage.pairs:,} pairs", f"{stage.steps:,} steps", f"{stage.tokens:,} tokens"]
            parts += [f"about {duration(stage.seconds)}", *memory, *read]
            yield f"{stage.name} ({stage.objective}): {', '.join(parts)}"
        total = sum(stage.seconds for stage in self.stages)
        yield f"all stages: about {duration(total)} on {self.device}; {self.dropped} rows dropped as evaluation questions"


def planned(recipe_path: Path, output: Path | None, progress: Progress, operator: Operator) -> Plan:
    """Measure a few steps of each stage, on rows of its first batches. Raises as ``train`` does; nothing is written."""
    loaded = load_recipe(recipe_path)
    if output is not None:
        check_output(output)
    check_libraries()
    device = device_of(loaded, operator)
    data = Read(loaded, progress)
    with tempfile.TemporaryDirectory(prefix="xdr-train-") as name:
        found = prepared(loaded, data.tokenizer_texts, Path(name) / "start", device, progress)
        work = Operating(device, Path(name), progress, float("inf"), steps=MEASURED)
        stages = [_planned(loaded, number, data, found, work) for number in range(len(loaded.recipe.stages))]
    return Plan(device, len(data.dropped), tuple(stages))


def _planned(loaded: LoadedRecipe, number: int, data: Read, found: Prepared, operating: Operating) -> StagePlan:
    stage = loaded.recipe.stages[number]
    sources = data.of_stage(stage)
    pace = _Pace(operating.progress)
    here = replace(operating, work=operating.work / str(number), progress=pace)
    job, _ = job_of(loaded, number, _sample(stage, sources), found, here)
    ledger = run_stage(job, here)
    steps = _steps(loaded, number, sources, found, here)
    return StagePlan(
        stage.name,
        stage.objective,
        sum(map(len, sources)),
        steps,
        round(ledger.tokens * steps / ledger.steps),
        pace.seconds_of_a_step(ledger) * steps,
        ledger.peak,
        ledger.device_peak,
        _read_by_teacher(stage, [pair for pairs in sources for pair in pairs]) if isinstance(stage, TAUGHT) else 0,
    )


def _read_by_teacher(stage: TAUGHT, pairs: Sequence[Pair]) -> int:
    if isinstance(stage, DistilStage) and stage.teacher.reads_pairs:
        return count_read(pairs)
    return sum(map(len, teacher_texts(stage, pairs).values()))


class _Pace:
    """Progress that notes when each step ended: the first one waits for all that is made once."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._ends: list[float] = []

    @contextlib.contextmanager
    def task(self, description: str, total: int | None, unit: str = "", done: int = 0) -> Iterator[Advance]:
        if unit != "steps":
            with self._shown.task(description, total, unit, done) as advance:
                yield advance
            return
        yield lambda steps=1: self._ends.append(time.perf_counter())

    def seconds_of_a_step(self, ledger: Ledger) -> float:
        if len(self._ends) < 2:
            return ledger.seconds / max(1, ledger.steps)
        return (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)


def _sample(stage: StageRecipe, sources: Sequence[Sequence[Pair]]) -> list[list[Pair]]:
    """Of each source as many pairs as its share of a few batches, from all of its length."""
    wanted, all_pairs = MEASURED * stage.batch_size, sum(map(len, sources))
    step = max(1, all_pairs // wanted)
    return [list(pairs[::step]) for pairs in sources]


def _steps(
    loaded: LoadedRecipe, number: int, sources: Sequence[Sequence[Pair]], found: Prepared, operating: Operating
) -> int:
    stage = loaded.recipe.stages[number]
    if stage.steps is not None:
        return stage.steps
    if isinstance(stage, MaskedStage | ReadStage):
        # Their rows are texts and windows, which the work itself counts.
        return steps_of(job_of(loaded, number, sources, found, operating)[0])
    buckets = bucketed(sources, [source.weight for source in stage.sources], stage.batches)
    seed = loaded.recipe.seed + number
    return len(GroupedBatches(buckets.groups(), buckets.weights, stage.batch_size, seed)) * (stage.epochs or 1)
