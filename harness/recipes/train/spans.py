"""Extractive readers: where in a passage an answer begins and ends, over windows of long passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.recipes.train.batches import GroupedBatches
from harness.recipes.train.frozen import FloatRows, Size, padded, split, stored
from harness.recipes.train.kinds import ReaderModel
from harness.recipes.train.loop import Operating, StageJob
from harness.recipes.train.pairs import Pair
from harness.recipes.train.recipe import Recipe
from harness.recipes.train.sequences import opened, plain_trainer, save
from harness.recipes.train.stages import ReadStage

_READ_AT_ONCE = 256
_STATES_AT_ONCE = 16


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
        self.trained, self._tokenizer = opened("AutoModelForQuestionAnswering", folder, device, ("qa_outputs",))
        self._parts: tuple[Any, Any] | None = None
        if model.trained_layers is not None:
            self._parts = split(self.trained.base_model, model.trained_layers)
            self.trained.requires_grad_(False)
            self._parts[1].requires_grad_(True)
            self.trained.qa_outputs.requires_grad_(True)

    def job(
        self, recipe: Recipe, stage: ReadStage, sources: Sequence[Sequence[Pair]], seed: int, operating: Operating
    ) -> StageJob:
        """Every window is a row."""
        import torch

        windows = [self.windows(pairs) for pairs in sources]
        flat = [window for own in windows for window in own]
        # Not before the training itself: who only counts its steps needs none.
        states = cache(lambda: self._states(flat, operating))

        def inputs(numbers: Sequence[int]) -> Mapping[str, Any]:
            if self._parts is not None:
                found, mask = padded([states()[number] for number in numbers], self.trained.config.hidden_size)
                return {"input_ids": found, "attention_mask": mask}
            return self._tokenizer.pad([dict(flat[number].features) for number in numbers], return_tensors="pt")  # type: ignore[no-any-return]

        def collated(numbers: Sequence[int], epoch: int) -> Mapping[str, Any]:
            chosen = [flat[number] for number in numbers]
            return {
                **inputs(numbers),
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
            trainer=plain_trainer(self.trained if self._parts is None else top_reader(self.trained, self._parts[1])),
        )

    def _states(self, windows: Sequence[Window], operating: Operating) -> list[FloatRows]:
        """What comes out of the layers that stay as they are, by the window's number."""
        import torch

        assert self._parts is not None
        lower = self._parts[0].eval()
        # Windows of one length meet, so that little is computed for padding.
        order = sorted(range(len(windows)), key=lambda number: len(windows[number].features["input_ids"]))

        def batches() -> Iterator[list[FloatRows]]:
            for first in range(0, len(order), _STATES_AT_ONCE):
                features = [dict(windows[number].features) for number in order[first : first + _STATES_AT_ONCE]]
                batch = self._tokenizer.pad(features, return_tensors="pt", padding_side="right")
                with torch.inference_mode():
                    found = lower(**{name: values.to(operating.device) for name, values in batch.items()})
                states = found.last_hidden_state.float().cpu().numpy()
                yield [states[row, : len(own["input_ids"])].copy() for row, own in enumerate(features)]

        size = Size(len(windows), int(lower.config.hidden_size))
        rows = stored(batches(), size, operating.work, operating.progress)
        return [row for _, row in sorted(zip(order, rows, strict=True), key=lambda found: found[0])]

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


def top_reader(model: Any, upper: Any) -> Any:
    """The part of a reader that learns, over states of all that is below it: called as the whole is, with states for ids."""
    import torch

    class TopReader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.upper, self.head = upper, model.qa_outputs

        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            start_positions: torch.Tensor,
            end_positions: torch.Tensor,
        ) -> dict[str, torch.Tensor]:
            states = self.upper(inputs_embeds=input_ids, attention_mask=attention_mask).last_hidden_state
            # No answer begins in what only fills a batch up.
            filling = (attention_mask == 0)[..., None]
            scores = self.head(states).float()
            starts, ends = scores.masked_fill(filling, torch.finfo(scores.dtype).min).unbind(-1)
            cross_entropy = torch.nn.functional.cross_entropy
            return {"loss": (cross_entropy(starts, start_positions) + cross_entropy(ends, end_positions)) / 2}

    return TopReader()


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
