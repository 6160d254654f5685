"""From a recipe to a model folder: data, tokenizer, stages, saved files, record."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.collections.storage.pinned import verified_path
from harness.compute.platform import library_versions
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import explained_write_errors, sha256_of_file
from harness.progress import Progress
from harness.recipes.train import overlap, record, static
from harness.recipes.train.data import Pair, files_of, read_pairs
from harness.recipes.train.kinds import StaticModel
from harness.recipes.train.recipe import Recipe, load_recipe
from harness.recipes.train.record import Overlap, StageRecord, TrainingRecord
from harness.recipes.train.sources import SourceRecipe
from harness.recipes.train.stages import ContrastiveStage
from harness.recipes.train.tokenizer import train_tokenizer

if TYPE_CHECKING:
    import torch

# One number everywhere: sums over threads, and so the bytes of the model, depend on it.
THREADS = 2


def train(recipe_path: Path, output: Path, progress: Progress) -> TrainingRecord:
    """Train the encoder of a recipe into the folder ``output`` and write its record there.

    Files of an earlier training in ``output`` are replaced, others, such as a model card, are left. Raises ``WrongUsage``
    for a recipe that is not there, a missing extra, or a folder that holds something else; ``InvalidInput`` for a faulty
    recipe or data.
    """
    start = time.perf_counter()
    recipe = load_recipe(recipe_path).recipe
    model = recipe.model
    if not isinstance(model, StaticModel) or recipe.tokenizer is None or model.dimensions is None:
        raise InvalidInput(f"{recipe_path}: this version trains static models with a tokenizer of their own alone")
    _check_output(output)
    _check_libraries()
    data = _Data(recipe, progress)
    with progress.task("train tokenizer", total=1) as advance:
        tokenizer = train_tokenizer(data.tokenizer_texts(), recipe.tokenizer, recipe.seed)
        advance(1)
    stages, weights = _run_stages(
        recipe, data, static.StaticTrainer(tokenizer, model.dimensions, recipe.seed, THREADS), progress
    )
    with explained_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".training-") as name:
            static.save(tokenizer, weights, model.dtype, Path(name))
            written = _move_files(Path(name), output)
    finished = TrainingRecord(
        schema_version=2,
        recipe=recipe,
        seed=recipe.seed,
        threads=THREADS,
        files={file: sha256_of_file(verified_path(file)) for file in data.files},
        overlap=Overlap(
            collections=tuple(data.questions.collections),
            not_on_this_machine=tuple(data.questions.absent),
            questions=len(data.questions.texts),
        ),
        rows=record.row_counts(data.used, data.dropped),
        stages=tuple(stages),
        seconds=round(time.perf_counter() - start, 1),
        libraries=library_versions(record.LIBRARIES),
        model_files={file: sha256_of_file(output / file) for file in written},
    )
    record.write_record(finished, output)
    return finished


class _Data:
    """Pairs of every source of a recipe, read and cleaned once."""

    def __init__(self, recipe: Recipe, progress: Progress) -> None:
        self._recipe = recipe
        self._pairs: dict[SourceRecipe, list[Pair]] = {}
        self.used: list[Pair] = []
        self.dropped: list[Pair] = []
        sources = dict.fromkeys(self.without_weight(source) for source in recipe.sources())
        self.files = sorted({file for source in sources for file in files_of(source)})
        with progress.task("read and compare with evaluation questions", total=len(sources), unit="sources") as advance:
            self.questions = overlap.evaluation_questions()
            for source in sources:
                good, bad = overlap.kept(read_pairs(source, recipe.seed), self.questions)
                self._pairs[source] = good
                self.used += good
                self.dropped += bad
                advance(1)

    @staticmethod
    def without_weight(source: SourceRecipe) -> SourceRecipe:
        return source.model_copy(update={"weight": 1})

    def pairs(self, source: SourceRecipe) -> list[Pair]:
        return self._pairs[self.without_weight(source)]

    def tokenizer_texts(self) -> list[str]:
        """Different texts of the tokenizer's sources, in the order of the data."""
        sources = self._recipe.tokenizer.sources if self._recipe.tokenizer else ()
        pairs = (pair for source in sources for pair in self.pairs(source))
        return list(dict.fromkeys(side.text for pair in pairs for side in (pair.anchor, pair.positive)))


def _run_stages(
    recipe: Recipe, data: _Data, encoder: static.StaticTrainer, progress: Progress
) -> tuple[list[StageRecord], torch.Tensor]:
    stages = []
    for number, stage in enumerate(recipe.stages):
        if not isinstance(stage, ContrastiveStage):
            raise InvalidInput(f"stage {stage.name}: this version trains contrastive stages alone")
        sources = [data.pairs(source) for source in stage.sources]
        if not any(len(pairs) > 1 for pairs in sources):
            raise InvalidInput(f"stage {stage.name}: no pairs are left of its sources")
        weights = [source.weight for source in stage.sources]
        stages.append(encoder.run(stage, sources, weights, recipe.seed + number, progress))
    return stages, encoder.weights()


def _check_output(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise WrongUsage(f"{output} is a file; name a folder for the model")
    if output.is_dir() and not (output / record.FILE_NAME).is_file():
        strangers = [entry.name for entry in output.iterdir() if entry.name != "README.md"]
        if strangers:
            raise WrongUsage(f"{output} is not empty and holds no {record.FILE_NAME}; choose another folder")


def _check_libraries() -> None:
    import importlib.util

    missing = [name for name in ("accelerate", "datasets", "sentencepiece") if importlib.util.find_spec(name) is None]
    if missing:
        raise WrongUsage(f"training needs {', '.join(missing)}: pip install 'xdr-bench[train]'")


def _move_files(folder: Path, output: Path) -> list[str]:
    """Move all files below ``folder`` to the same places below ``output``; their relative names."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in names:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        # Written through temporary files that only the owner may read.
        (folder / name).chmod(0o644)
        (folder / name).replace(output / name)
    return names
