"""A reader's answers: held against the model asked window by window, whatever is read together and by however many workers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import tiny_readers

from harness.errors import InvalidInput
from harness.recipes.reading import Answer, Reader, ReaderSettings
from harness.recipes.reading.reader import NO_ANSWER, identity_of

QUESTION = "mikä on volga?"
SHORT = "The Volga is 3,530 metres long."
LONG = "The Nile flows from the lake to the sea. " * 4 + "Mount Fuji is high, and green tea is made in Japan. " * 2


def by_hand(folder: Path, question: str, passage: str, longest: int, length: int, overlap: int) -> tuple[float, str]:
    """Windows cut by hand over the passage's tokens, each put through the model alone, every span looked at."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.BertForQuestionAnswering.from_pretrained(folder).eval()
    asked = tokenizer(question, add_special_tokens=False)["input_ids"]
    read: Any = tokenizer(passage, add_special_tokens=False, return_offsets_mapping=True)
    room = length - len(asked) - 3
    best = (-np.inf, "")
    for first in range(0, len(read["input_ids"]), room - overlap):
        ids = read["input_ids"][first : first + room]
        row = [tokenizer.cls_token_id, *asked, tokenizer.sep_token_id, *ids, tokenizer.sep_token_id]
        kinds = [0] * (len(asked) + 2) + [1] * (len(ids) + 1)
        with torch.inference_mode():
            found = model(input_ids=torch.tensor([row]), token_type_ids=torch.tensor([kinds]))
        shift = len(asked) + 2
        for i in range(len(ids)):
            for j in range(i, min(i + longest, len(ids))):
                score = float(found.start_logits[0, shift + i] + found.end_logits[0, shift + j])
                offsets = read["offset_mapping"]
                if score > best[0] + 1e-4:
                    best = (score, passage[offsets[first + i][0] : offsets[first + j][1]])
        if first + room >= len(read["input_ids"]):
            break
    return best


@pytest.mark.parametrize("passage", [SHORT, LONG])
def test_answers_are_those_of_the_model_asked_window_by_window(passage: str) -> None:
    folder = tiny_readers.shared()
    settings = ReaderSettings(folder, overlap=8, answer_length=4)
    (answer,) = Reader(settings).read(QUESTION, [passage])
    score, text = by_hand(folder, QUESTION, passage, 4, tiny_readers.POSITIONS, 8)
    assert answer.text == text
    assert answer.score == pytest.approx(score, abs=1e-4)
    assert passage[answer.start : answer.end].strip() == answer.text


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_is_read_together_does_not_matter(side: str, tmp_path: Path) -> None:
    reader = Reader(ReaderSettings(tiny_readers.reader(tmp_path / "r", seed=3, padding_side=side)))
    passages = [LONG, SHORT, "Tea.", "", "   ", LONG[5:]]
    together = reader.read(QUESTION, passages)
    assert together == reader.read(QUESTION, passages, workers=3)
    for passage, answer in zip(passages, together, strict=True):
        (alone,) = reader.read(QUESTION, [passage])
        assert alone._replace(score=0) == answer._replace(score=0)
        assert alone.score == pytest.approx(answer.score, abs=1e-4) or alone == answer == NO_ANSWER
    assert together[3] == together[4] == NO_ANSWER
    assert reader.read(QUESTION, []) == []


def test_what_is_read_alone_hangs_on_question_and_passage_alone() -> None:
    reader = Reader(ReaderSettings(tiny_readers.shared()))
    pairs = [(QUESTION, SHORT), ("niilin pituus", LONG), (QUESTION, LONG), ("mikä", "")]
    alone = [reader.read_alone([pair])[0] for pair in pairs]
    assert reader.read_alone(pairs) == alone
    assert reader.read_alone(pairs[::-1], workers=3) == alone[::-1]
    for (question, passage), found in zip(pairs, alone, strict=True):
        (answer,) = reader.read(question, [passage])
        assert found._replace(score=0) == answer._replace(score=0)
        assert found.score == pytest.approx(answer.score, abs=1e-4) or found == answer == NO_ANSWER
    assert reader.read_alone([]) == []


def test_a_long_question_leaves_room_for_the_passage() -> None:
    reader = Reader(ReaderSettings(tiny_readers.shared(), question_length=64))
    (answer,) = reader.read("mikä on volga " * 60, [SHORT])
    assert isinstance(answer, Answer)
    assert answer.text in SHORT
    assert answer.text
    assert reader.read("", [SHORT])[0].text


def test_a_model_that_counts_its_positions_from_the_padding_reads_its_full_length(tmp_path: Path) -> None:
    reader = Reader(ReaderSettings(tiny_readers.reader(tmp_path / "r", family="xlm-roberta")))
    (answer,) = reader.read(QUESTION, [LONG])
    assert answer.text
    assert answer.text in LONG


def test_a_model_without_a_head_for_spans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"lack weights that it computes with \(qa_outputs.bias, qa_outputs.weight\)"
    ):
        Reader(ReaderSettings(tiny_models.bert(tmp_path / "plain")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"cannot be loaded as a reader|is not loaded"):
        Reader(ReaderSettings(tmp_path / "empty"))


def test_what_identifies_a_reader_is_its_files_and_lengths(tmp_path: Path) -> None:
    one, other = tiny_readers.reader(tmp_path / "one"), tiny_readers.reader(tmp_path / "other", seed=1)
    settings = ReaderSettings(one)
    assert identity_of(settings) != identity_of(dataclasses.replace(settings, path=other))
    assert identity_of(settings) != identity_of(dataclasses.replace(settings, overlap=9))
    before = identity_of(settings)
    # The record of its training has seconds, which are other ones each time.
    (one / "training.json").write_text("{}")
    assert identity_of(ReaderSettings(one.rename(tmp_path / "moved"), device="cuda")) == before
