"""The training record: training.json beside the model, all that is needed to make it again and to trust it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.files.toml_records import Record
from harness.files.writing import write_text
from harness.recipes.train.pairs import Pair
from harness.recipes.train.recipe import Recipe

FILE_NAME = "training.json"
LIBRARIES = (
    "accelerate", "datasets", "numpy", "sentence-transformers", "sentencepiece", "tokenizers", "torch", "transformers",
)  # fmt: skip


class RowCount(Record):
    """Rows of one file and language: ``used`` in training, and ``dropped`` because they are evaluation questions.

    A row that two sources read is counted once.
    """

    file: str
    lang: str
    used: int
    dropped: int


class StageRecord(Record):
    """``pairs``: those of the stage's sources; ``rows_per_epoch``: those that an epoch goes through, repeated by weight.

    ``candidates_per_query``: passages that a question's own is told apart from or ranked among, itself included, mean of the
    steps; ``tokens``: that the model read, of all columns and processes, without padding; ``peak_memory_bytes``: the most that
    the process has taken, of the first device if there is one; ``teacher``: digest of what it is; ``inherited``: the
    collections that it may have seen.
    """

    name: str
    objective: str
    pairs: int
    rows_per_epoch: int
    steps: int
    seconds: float
    mean_loss: float
    candidates_per_query: float | None
    tokens: int
    peak_memory_bytes: int | None
    device_memory_bytes: int | None = None
    teacher: str | None = None
    inherited: tuple[str, ...] = ()


class Overlap(Record):
    """What training rows were compared with.

    ``transductive``: the collections whose asked questions alone these are, where the recipe says so; the model is then for
    tracks over them only. ``not_dropped``: where a recipe says what it is compared with, how many rows are questions of other
    collections that were on this machine, by collection; ``also_compared``: all of these others, those without any among them.
    ``inherited``: ids, or what ids begin with, of what the start and the teachers may have seen, as their training records and
    cards say.
    """

    collections: tuple[str, ...]
    not_on_this_machine: tuple[str, ...]
    questions: int
    transductive: tuple[str, ...] = ()
    not_dropped: dict[str, int] = Field(default_factory=dict)
    also_compared: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()


class TrainingRecord(Record):
    """``files`` are those read, with their SHA-256; ``model_files`` those written, this record and the card excepted.

    ``start``: SHA-256 of the files that the training began with, ``start_revision`` their commit where they are of the hub;
    ``interruptions``: how often it was gone on with.
    """

    schema_version: Literal[2]
    recipe: Recipe
    seed: int
    threads: int
    device: str
    processes: int
    start: str | None
    start_revision: str | None = None
    files: dict[str, str]
    overlap: Overlap
    rows: tuple[RowCount, ...]
    stages: tuple[StageRecord, ...]
    seconds: float
    interruptions: int
    libraries: dict[str, str]
    model_files: dict[str, str]


def row_counts(used: Iterable[Pair], dropped: Iterable[Pair]) -> tuple[RowCount, ...]:
    counts = [Counter((pair.file, pair.lang) for pair in dict.fromkeys(pairs)) for pairs in (used, dropped)]
    return tuple(
        RowCount(file=file, lang=lang, used=counts[0][file, lang], dropped=counts[1][file, lang])
        for file, lang in sorted(set(counts[0]) | set(counts[1]))
    )


def write_record(record: TrainingRecord, folder: Path) -> None:
    write_text(folder / FILE_NAME, record.model_dump_json(indent=1) + "\n")
