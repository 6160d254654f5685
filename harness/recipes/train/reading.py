"""Pairs of every source of a recipe, read and cleaned once."""

from __future__ import annotations

from harness.collections.storage.pinned import verified_path
from harness.errors import InvalidInput
from harness.files.writing import sha256_of_file
from harness.progress import Progress
from harness.recipes.train import overlap
from harness.recipes.train.data import files_of, read_pairs
from harness.recipes.train.pairs import Pair
from harness.recipes.train.recipe import LoadedRecipe
from harness.recipes.train.record import Overlap
from harness.recipes.train.sources import OF_A_FILE, SourceRecipe
from harness.recipes.train.stages import StageRecipe


class Read:
    """``used`` and ``dropped`` pairs of all sources; ``files``: SHA-256 of those read, by name."""

    def __init__(self, loaded: LoadedRecipe, progress: Progress) -> None:
        recipe, folder = loaded.recipe, loaded.folder
        self._recipe = recipe
        self._pairs: dict[SourceRecipe, list[Pair]] = {}
        self.used: list[Pair] = []
        self.dropped: list[Pair] = []
        sources = list(dict.fromkeys(_without_weight(source) for source in recipe.sources()))
        with progress.task("read and compare with evaluation questions", total=len(sources), unit="sources") as advance:
            questions = overlap.evaluation_questions(recipe.transductive, recipe.compared_with)
            for source in sources:
                good, bad = overlap.kept(read_pairs(source, recipe.seed, folder), questions)
                self._pairs[source] = good
                self.used += good
                self.dropped += bad
                advance(1)
        digests = {
            file: sha256_of_file(folder / file if source.kind in OF_A_FILE else verified_path(file))
            for source in sources
            for file in files_of(source)
        }
        self.files = dict(sorted(digests.items()))
        self.compared = Overlap(
            collections=tuple(questions.collections),
            not_on_this_machine=tuple(questions.absent),
            questions=len(questions.texts),
            transductive=recipe.transductive,
            not_dropped=dict(overlap.asked_by_others(dict.fromkeys(self.used), questions)),
            also_compared=tuple(questions.others),
        )

    def pairs(self, source: SourceRecipe) -> list[Pair]:
        return self._pairs[_without_weight(source)]

    def of_stage(self, stage: StageRecipe) -> list[list[Pair]]:
        """Pairs of each of its sources. Raises ``InvalidInput`` where nothing is left of them."""
        sources = [self.pairs(source) for source in stage.sources]
        if not any(len(pairs) > 1 for pairs in sources):
            raise InvalidInput(f"stage {stage.name}: no pairs are left of its sources")
        return sources

    def tokenizer_texts(self) -> list[str]:
        """Different texts of the sources of the vocabulary, in the order of the data."""
        pairs = (pair for source in self._recipe.vocabulary_sources() for pair in self.pairs(source))
        return list(
            dict.fromkeys(side.text for pair in pairs for side in (pair.anchor, pair.positive, *pair.negatives))
        )


def _without_weight(source: SourceRecipe) -> SourceRecipe:
    return source.model_copy(update={"weight": 1})
