"""A reader that is a model of transformers with a head for spans, as SQuAD's readers are; every passage is read by itself.

A passage that is too long is read in windows that overlap. Weights are read from safetensors only, and no code that comes with
a model is run. Passages that are read in one batch change each other's scores by rounding at most; batches are made of one
question's passages alone, so that a command that goes on after a kill has the same ones.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.compute.linear import check_precision
from harness.dense.encoding import packed
from harness.dense.kept_models import own_files
from harness.dense.model_files import check_model_files, code_needed, missing_weights, model_name
from harness.dense.roles import embeddings_of_positions
from harness.dense.whole_weights import loaded_whole
from harness.errors import InvalidInput
from harness.files.yaml_records import digest_of
from harness.recipes.reading.spans import Window, best_span

READER_VERSION = 1
"""Raised when the same model, question and passage give another answer than before."""

_CLASS = "AutoModelForQuestionAnswering"
_BATCH_TOKENS = 16 * 384


class Answer(NamedTuple):
    """``text`` is that of the passage between ``start`` and ``end`` without blanks around it; empty where it has no tokens.

    ``score`` is the span's, not normalised, and minus infinity for no answer.
    """

    text: str
    score: float
    start: int
    end: int


NO_ANSWER = Answer("", -np.inf, 0, 0)


@dataclass(frozen=True)
class ReaderSettings:
    """Lengths in tokens: of question and passage together, of the overlap of two windows, of the question, of an answer.

    They are those of BERT's script for SQuAD (google-research/bert, run_squad.py), which later readers keep.
    """

    path: Path
    device: str = "cpu"
    length: int = 384
    overlap: int = 128
    question_length: int = 64
    answer_length: int = 30


class Reader:
    """A loaded reader. Raises ``InvalidInput`` when it is made, where the folder holds no model that gives spans."""

    def __init__(self, settings: ReaderSettings) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._settings, self._name = settings, model_name(settings.path)
        if settings.device == "cpu":
            check_precision(fused=False)
        self._model, self._tokenizer = _loaded(settings.path, settings.device, self._name)
        positions = min(embeddings_of_positions(self._model), default=settings.length)
        self._length = min(settings.length, positions)
        self._special = self._tokenizer.num_special_tokens_to_add(pair=True)
        self._question_length = min(settings.question_length, (self._length - self._special) // 2)
        if self._question_length < 1:
            raise InvalidInput(
                f"the model in {self._name} has room for {positions} tokens, too few for a question and a passage"
            )

    def read(self, question: str, passages: Sequence[str], workers: int = 1) -> list[Answer]:
        """The answer in each of the passages; ``workers`` batches at once, which alter no bit.

        Raises ``InvalidInput`` where the model gives scores that are not finite.
        """
        if not passages:
            return []
        encoded = self._windows(question, passages)
        lengths = [len(ids) for ids in encoded["input_ids"]]
        batches = packed(lengths, _BATCH_TOKENS)
        windows: dict[int, Window] = {}
        features = ([self._features(encoded, place) for place in batch] for batch in batches)
        with ThreadPoolExecutor(workers, initializer=_one_thread) as pool:
            padded = (self._tokenizer.pad(batch, return_tensors="pt", padding_side="right") for batch in features)
            for batch, (starts, ends) in zip(batches, pool.map(self._forward, padded), strict=True):
                for row, place in enumerate(batch):
                    length = lengths[place]
                    windows[place] = Window(starts[row, :length], ends[row, :length], _offsets_of(encoded, place))
        by_passage: list[list[Window]] = [[] for _ in passages]
        for place, sample in enumerate(encoded["overflow_to_sample_mapping"]):
            by_passage[sample].append(windows[place])
        return [self._answer(own, text) for own, text in zip(by_passage, passages, strict=True)]

    def read_alone(self, pairs: Sequence[tuple[str, str]], workers: int = 1) -> list[Answer]:
        """The answers to pairs of a question and a passage, each computed as if it were the only one.

        So they depend on nothing else that is read, and can be kept for whoever asks the same. ``workers``: pairs at once,
        which alter no bit. Raises as ``read`` does.
        """
        encoded = [self._windows(question, [passage]) for question, passage in pairs]
        places = [range(len(own["input_ids"])) for own in encoded]
        padded = (
            self._tokenizer.pad(
                [self._features(own, place) for place in windows], return_tensors="pt", padding_side="right"
            )
            for own, windows in zip(encoded, places, strict=True)
        )
        found = []
        with ThreadPoolExecutor(workers, initializer=_one_thread) as pool:
            scores = pool.map(self._forward, padded)
            for own, windows, (_, passage), (starts, ends) in zip(encoded, places, pairs, scores, strict=True):
                lengths = [len(own["input_ids"][place]) for place in windows]
                by_window = [
                    Window(starts[place, : lengths[place]], ends[place, : lengths[place]], _offsets_of(own, place))
                    for place in windows
                ]
                found.append(self._answer(by_window, passage))
        return found

    def _answer(self, windows: Sequence[Window], passage: str) -> Answer:
        span = best_span(windows, self._settings.answer_length)
        if span is None:
            return NO_ANSWER
        return Answer(passage[span.start : span.end].strip(), span.score, span.start, span.end)

    def _windows(self, question: str, passages: Sequence[str]) -> Any:
        asked = self._tokenizer(question, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        kept = asked["offset_mapping"][: self._question_length]
        room = self._length - self._special - len(kept)
        # Cut by characters, so that the tokens of question and passage are made in one way.
        cut = question[: kept[-1][1]] if len(asked["offset_mapping"]) > len(kept) else question
        return self._tokenizer(
            [cut] * len(passages),
            list(passages),
            truncation="only_second",
            max_length=self._length,
            stride=min(self._settings.overlap, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            verbose=False,
        )

    def _features(self, encoded: Any, place: int) -> dict[str, Any]:
        return {name: encoded[name][place] for name in self._tokenizer.model_input_names if name in encoded}

    def _forward(self, features: Mapping[str, Any]) -> tuple[Any, Any]:
        import torch

        with torch.inference_mode():
            found = self._model(**{name: values.to(self._settings.device) for name, values in features.items()})
            starts, ends = (scores.float().cpu().numpy() for scores in (found.start_logits, found.end_logits))
        if not (np.isfinite(starts).all() and np.isfinite(ends).all()):
            raise InvalidInput(f"the model in {self._name} gives scores that are not finite")
        return starts, ends


def identity_of(settings: ReaderSettings) -> dict[str, Any]:
    """What a reader's answers depend on: the digest of its files, lengths, and this module's version."""
    lengths = {name: value for name, value in asdict(settings).items() if name not in ("path", "device")}
    check_model_files(settings.path, _CLASS)
    return {"files": digest_of(own_files(settings.path)), "version": READER_VERSION, **lengths}


def _loaded(folder: Path, device: str, name: str) -> tuple[Any, Any]:
    check_model_files(folder, _CLASS)
    if (needed := code_needed(folder)) is not None:
        raise InvalidInput(f"the model in {name} needs code of its own ({needed}), which is not run")
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = loaded_whole(
            lambda: AutoModelForQuestionAnswering.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
            ),
            name,
        )
    except InvalidInput:
        raise
    except Exception as error:  # each library has errors of its own for a damaged file
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InvalidInput(
            f"the model in {name} cannot be loaded as a reader: {said:.500}{missing_weights(folder, _CLASS)}"
        ) from error
    if not tokenizer.is_fast:
        raise InvalidInput(f"the tokenizer in {name} does not say which characters its tokens are; save a fast one")
    return model.eval().to(device), tokenizer


def _offsets_of(encoded: Any, place: int) -> Any:
    """Characters of the tokens that are the passage's; the others have none."""
    of_passage = [part == 1 for part in encoded.sequence_ids(place)]
    return np.where(np.array(of_passage)[:, None], np.array(encoded["offset_mapping"][place]), 0)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
