"""Questions in English, by people: those of a parallel collection, or XOR-TyDi's of its training questions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.collections.view import load
from harness.errors import InvalidInput
from harness.files.yaml_records import digest_of
from harness.recipes.train.data import read_pairs
from harness.recipes.train.sources import LANGUAGES, SourceRecipe
from harness.records import Query

QUESTIONS_PARALLEL = "questions-parallel"


@dataclass(frozen=True)
class English:
    """``texts``: by topic, or by the text of the question. ``name``: of the collection or data."""

    name: str
    texts: dict[str, str]
    by_topic: bool

    def of(self, query: Query) -> str:
        """The question in English; empty where there is none."""
        return self.texts.get(query.topic if self.by_topic else query.text.strip(), "")

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "texts": digest_of(self.texts)}


def english_of(name: str, languages: Iterable[str]) -> English:
    """From a collection with the same topics, or from ``questions-parallel``, for questions in these languages.

    Raises ``WrongUsage`` for an unknown collection, ``InvalidInput`` for one that is not in English.
    """
    if name == QUESTIONS_PARALLEL:
        kept = tuple(lang for lang in dict.fromkeys(languages) if lang in LANGUAGES[QUESTIONS_PARALLEL])
        if not kept:
            known = ", ".join(sorted(LANGUAGES[QUESTIONS_PARALLEL]))
            raise InvalidInput(f"{name} has questions in {known} alone, and the run's are in none of them")
        pairs = read_pairs(SourceRecipe(kind=QUESTIONS_PARALLEL, languages=kept), 0)
        return English(name, {pair.anchor.text.strip(): pair.positive.text for pair in pairs}, by_topic=False)
    queries = load(name).queries
    if strangers := sorted({query.lang for query in queries} - {"en"}):
        raise InvalidInput(f"{name} has questions in {', '.join(strangers) or 'no language'}; expected English ones")
    return English(name, {query.topic: query.text for query in queries}, by_topic=True)
