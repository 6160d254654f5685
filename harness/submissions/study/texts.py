"""The texts of the kinds that a study declares, for every passage, and of its expansions, for every question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.collections.view import load
from harness.errors import InvalidInput
from harness.recipes.generate.augmented import AugmentedTexts
from harness.recipes.generate.texts import (
    Choice,
    GeneratedText,
    by_document,
    generated_file,
    of_another,
    read_generated,
)
from harness.records import Query
from harness.tracks.study import Expansion, Kind, Study

COPIES = "passages"
"""Instead of texts: the passage itself."""
OWN = "questions"
"""Instead of a collection: the question itself."""


class Texts:
    """The texts of kinds, each file read once."""

    def __init__(self, study: Study, folder: Path, doc_ids: Sequence[str]) -> None:
        """``folder``: what relative paths of texts are relative to."""
        self._study, self._folder, self._ids = study, folder, doc_ids
        self._files: dict[str, Sequence[GeneratedText]] = {}
        self._found: dict[tuple[str, str], Mapping[str, Sequence[str]] | None] = {}

    def of(self, kind: Kind, lang: str) -> Mapping[str, Sequence[str]] | None:
        """The texts of every passage for questions in ``lang`` (empty: for all); None where they are copies of the passage.

        A kind in all languages leaves English out, unless it is one of the study's.
        """
        key = (kind.name, lang)
        if key not in self._found:
            self._found[key] = None if kind.texts == COPIES else self._chosen(kind, lang)
        return self._found[key]

    def _chosen(self, kind: Kind, lang: str) -> Mapping[str, Sequence[str]]:
        languages: tuple[str, ...] = self._study.languages
        if kind.languages == "english":
            languages = ("en",)
        elif kind.languages != "all":
            languages = tuple(own for own in self._study.languages if (own == lang) == (kind.languages == "own"))
        texts = self._read(kind.texts)
        if kind.per_language != "all":
            return by_document(texts, Choice(languages, kind.per_language, kind.shuffled), self._ids)
        counts = Counter((text.doc_id, text.lang) for text in texts)
        found: dict[str, list[str]] = {doc_id: [] for doc_id in self._ids}
        for own in sorted(languages):
            most = max(count for (_, used), count in counts.items() if used == own)
            for doc_id, more in by_document(texts, Choice((own,), most, kind.shuffled), self._ids).items():
                found[doc_id] += more
        return found

    def _read(self, name: str) -> Sequence[GeneratedText]:
        if name not in self._files:
            texts = read_generated(generated_file(name, self._folder))
            if isinstance(texts, AugmentedTexts):
                raise InvalidInput(f"{name} has texts as the published data set has them; a study reads JSON lines")
            self._files[name] = texts
        return self._files[name]


class ExpandedTexts:
    """The texts of expansions, each collection read once. ``queries`` and ``langs``: by part."""

    def __init__(self, study: Study, queries: Mapping[str, Sequence[Query]], langs: Mapping[str, str]) -> None:
        self._study, self._queries, self._langs = study, queries, langs
        self._read: dict[str, Mapping[str, str]] = {}

    def of(self, expansion: Expansion, part: str) -> dict[str, list[str]]:
        """By question, its texts by language in alphabetical order; a question that has none keeps its own vector.

        Raises ``InvalidInput`` where no question of the part has any.
        """
        ids = [query.query_id for query in self._queries[part]]
        if expansion.texts == OWN:
            found = {query.query_id: [query.text] for query in self._queries[part]}
        else:
            languages = (
                ("en",) if expansion.languages == "english" else sorted({*self._study.languages} - {self._langs[part]})
            )
            versions = [self._collection(expansion.texts.replace("{lang}", lang)) for lang in languages]
            found = {own: [texts[own] for texts in versions if own in texts] for own in ids}
            if not any(found.values()):
                raise InvalidInput(
                    f"expansion {expansion.name}: {expansion.texts} has none of the questions of part {part}; expected a "
                    "collection with the same ids"
                )
        owner = of_another(ids) if expansion.shuffled else {own: own for own in ids}
        return {own: found[owner[own]] for own in ids}

    def _collection(self, name: str) -> Mapping[str, str]:
        if name not in self._read:
            self._read[name] = {query.query_id: query.text for query in load(name).queries}
        return self._read[name]
