"""Extractive readers: where in a passage an answer begins and ends, over windows of long passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.recipes.train.batches import GroupedBatches
from harness.recipes.train.kinds import ReaderModel
from harness.recipes.train.loop import Operating, StageJob
from harness.recipes.train.pairs import Pair
from harness.recipes.train.recipe import Recipe
from harness.recipes.train.sequences import opened, plain_trainer, save
from harness.recipes.train.stages import ReadStage

_READ_AT_ONCE = 256


class Window(NamedTuple):
    """Token ids of a question and of a part of its passage; places of the answer's first and last token, 0 and 0 for none."""

    features: Mapping[str, list[int]]
    start: int
    end: int


class ReaderNetwork:
    """A model for extractive question answering, and its tokenizer."""

    def __init__(self, model: ReaderModel, folder: Path, device: str) -> None:
        """Raises ``InvalidInput`` for a folder that holds no such model."""
        self._recipe = model
        self.trained, self._tokenizer = opened("AutoModelForQuestionAnswering", folder, device)

    def job(
        self, recipe: Recipe, stage: ReadStage, sources: Sequence[Sequence[Pair]], seed: int, operating: Operating
    ) -> StageJob:
        """Every window is a row."""
        import torch

        windows = [self.windows(pairs) for pairs in sources]
        flat = [window for own in windows for window in own]

        def collated(numbers: Sequence[int], epoch: int) -> Mapping[str, Any]:
            chosen = [flat[number] for number in numbers]
            batch = self._tokenizer.pad([dict(window.features) for window in chosen], return_tensors="pt")
            return {
                **batch,
                "start_positions": torch.tensor([window.start for window in chosen]),
                "end_positions": torch.tensor([window.end for window in chosen]),
            }

        groups = [[str(place) for place in range(len(own))] for own in windows]
        weights = [source.weight for source in stage.sources]
        return StageJob(
            stage=stage,
            seed=seed,
            precision=recipe.precision,
            model=self.trained,
            batches=GroupedBatches(groups, weights, stage.batch_size, seed, operating.share),
            collated=collated,
            candidates=lambda *_: 0,
            trainer=plain_trainer(self.trained),
        )

    def windows(self, pairs: Sequence[Pair]) -> list[Window]:
        """All windows of all pairs, in their order; an answer that is not whole in a window is not in it."""
        found = []
        for first in range(0, len(pairs), _READ_AT_ONCE):
            own = pairs[first : first + _READ_AT_ONCE]
            encoded = self._tokenizer(
                [pair.anchor.text for pair in own],
                [pair.positive.text for pair in own],
                truncation="only_second",
                max_length=self._recipe.max_length,
                stride=self._recipe.stride,
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
            )
            names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoded]
            for number, place in enumerate(encoded["overflow_to_sample_mapping"]):
                span = _span(encoded.sequence_ids(number), encoded["offset_mapping"][number], own[place].answer)
                found.append(Window({name: encoded[name][number] for name in names}, *span))
        return found

    def save(self, folder: Path) -> None:
        save(self.trained, self._tokenizer, folder)


def _span(
    sides: Sequence[int | None], offsets: Sequence[tuple[int, int]], answer: tuple[int, int] | None
) -> tuple[int, int]:
    """First and last token of the passage's that hold characters of the answer."""
    assert answer is not None
    begin, end = answer
    own = [place for place, side in enumerate(sides) if side == 1]
    if not own or offsets[own[0]][0] > begin or offsets[own[-1]][1] < end:
        return 0, 0
    held = [place for place in own if offsets[place][0] < end and offsets[place][1] > begin]
    return (held[0], held[-1]) if held else (0, 0)
