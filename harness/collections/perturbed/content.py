"""The texts of a perturbed collection, and how many of them were changed."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.collections import plugins
from harness.collections.perturbed import characters, code_switch, keyboards, passages, typos, words
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.passages import Pool
from harness.collections.perturbed.recipe import TYPOS, Recipe
from harness.collections.perturbed.recorded import Key, recorded_texts
from harness.collections.perturbed.texts import Clustered, Refused
from harness.collections.view import Collection, load
from harness.errors import Finding, InvalidInput
from harness.files.dataset_paths import clean_id
from harness.records import Doc, Query

PASSAGES = 1_000_000
"""Changed passages stand in memory; more of them are refused."""


@dataclass
class Counts:
    changed: int = 0
    unchanged: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, before: object, after: object) -> None:
        if before == after:
            self.unchanged += 1
        else:
            self.changed += 1

    @property
    def nothing_possible(self) -> bool:
        return bool(self.refused) and not self.changed and not self.unchanged

    def in_words(self, records: str) -> str:
        """
        >>> Counts(78, 1, Counter({"too few words": 1})).in_words("questions")
        '80 questions: 78 changed, 1 unchanged, 1 refused (too few words: 1)'
        """
        refused = self.refused.total()
        reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(self.refused.items()))
        why = f" ({reasons})" if reasons else ""
        total = self.changed + self.unchanged + refused
        return f"{total} {records}: {self.changed} changed, {self.unchanged} unchanged, {refused} refused{why}"


class Asked(NamedTuple):
    """A question as perturbations see it. ``alphabets``: letters of all questions in its language."""

    text: Clustered
    lang: str
    alphabets: typos.Alphabets
    draws: Draws


class Content:
    """What a recipe and a seed make of a collection, each side at its first use."""

    def __init__(self, clean: Collection, recipe: Recipe, seed: int) -> None:
        self.clean, self.recipe, self.seed = clean, recipe, seed

    @property
    def queries(self) -> list[Query]:
        return self._queries[0]

    @property
    def docs(self) -> list[Doc]:
        return self._docs[0]

    def remarks(self) -> Iterator[Finding]:
        """What the clean collection has to say, and the counts."""
        yield from self.clean.remarks
        of_queries = self.recipe.side == "queries"
        counts, what = (self._queries[1], "questions") if of_queries else (self._docs[1], self._changed_passages)
        yield Finding("warning", self.clean.dataset_id, f"{self.recipe.title}: {counts.in_words(what)}")

    @functools.cached_property
    def _queries(self) -> tuple[list[Query], Counts]:
        if not self.clean.queries:
            raise InvalidInput(f"{self.clean.dataset_id} has no questions that could be changed")
        changed, counts = [], Counts()
        for query in self.clean.queries:
            try:
                text = self._question(query)
                counts.add(query.text, text)
            except Refused as refused:
                text = query.text
                counts.refused[str(refused)] += 1
            changed.append(query._replace(text=text))
        return changed, self._checked(counts, "questions")

    def _question(self, query: Query) -> str:
        if self.recipe.kind == "recorded":
            return self._recorded(query)
        answers = (self.clean.answers or {}).get(query.query_id, ())
        if self.recipe.kind == "code-switch":
            return self._code_switched(query, answers)
        asked = Asked(
            Clustered(query.text, answers), query.lang, self._alphabets[query.lang], self._draws(query.query_id)
        )
        return _OF_QUESTIONS[self.recipe.kind](asked, self.recipe)

    def _recorded(self, query: Query) -> str:
        assert self.recipe.sha256 is not None  # the recipe's own check
        known = recorded_texts(self.recipe.texts_file, self.recipe.sha256)
        if (text := known.get(Key(query.lang, query.query_id, self.seed))) is None:
            raise Refused(f"no text of seed {self.seed} is recorded")
        return text

    def _code_switched(self, query: Query, answers: tuple[str, ...]) -> str:
        lang = self.recipe.language
        assert lang is not None  # the recipe's own check
        if query.lang == lang:
            raise Refused(f"asked in {lang} already")
        if (translation := self._translations.get(query.topic)) is None:
            raise Refused(f"no translation into {lang} is recorded")
        text, other = Clustered(query.text, answers), Clustered(translation, answers)
        question = code_switch.Translated(text, query.lang, other, lang, self._likely[query.lang])
        return code_switch.switched(question, self.recipe.share, self._draws(query.query_id))

    @functools.cached_property
    def _translations(self) -> dict[str, str]:
        """The questions in the recipe's language, by topic; empty where the collection has no translations."""
        dataset_id = plugins.in_language(clean_id(self.clean.dataset_id), self.recipe.language or "")
        return {query.topic: query.text for query in load(dataset_id).queries} if dataset_id else {}

    @functools.cached_property
    def _likely(self) -> dict[str, code_switch.Likely]:
        """By language of the questions what their words are in the translations."""
        pairs: dict[str, list[tuple[Clustered, Clustered]]] = {}
        for query in self.clean.queries:
            if (translation := self._translations.get(query.topic)) is not None:
                pairs.setdefault(query.lang, []).append((Clustered(query.text), Clustered(translation)))
        other = self.recipe.language or ""
        return {lang: code_switch.likely_words(own, lang, other) for lang, own in pairs.items()}

    @functools.cached_property
    def _alphabets(self) -> dict[str, typos.Alphabets]:
        """Letters of the questions in each language."""
        texts: dict[str, list[str]] = {}
        for query in self.clean.queries:
            texts.setdefault(query.lang, []).append(query.text)
        return {lang: typos.alphabets_of(own, lang) for lang, own in texts.items()}

    def _draws(self, record: str) -> Draws:
        return Draws(self.seed, self.recipe.digest, record)

    # -- passages

    @property
    def _changed_passages(self) -> str:
        return "relevant passages" if self.recipe.kind in ("twin", "answer-removed") else "passages"

    @functools.cached_property
    def relevant(self) -> dict[str, list[str]]:
        """By passage the questions that it is relevant to. Raises ``InvalidInput`` where there are no judgements."""
        if self.clean.qrels is None:
            raise InvalidInput(
                f"{self.clean.dataset_id} has no judgements: which passages are relevant, as {self.recipe.kind} asks, "
                "nobody can tell"
            )
        found: dict[str, list[str]] = {}
        for query_id, grades in sorted(self.clean.qrels.items()):
            for doc_id in sorted(doc_id for doc_id, grade in grades.items() if grade > 0):
                found.setdefault(doc_id, []).append(query_id)
        return found

    @functools.cached_property
    def _pool(self) -> Pool:
        answers = self.clean.answers or {}
        relevant = self.relevant if self.clean.qrels is not None else {}
        by_passage = {
            doc_id: tuple(answer for query_id in queries for answer in answers.get(query_id, ()))
            for doc_id, queries in relevant.items()
        }
        return Pool(self.clean.docs, by_passage)

    @functools.cached_property
    def _docs(self) -> tuple[list[Doc], Counts]:
        docs = self.clean.docs
        if len(docs) > PASSAGES:
            raise InvalidInput(
                f"{self.clean.dataset_id} has {len(docs):,} passages; those of at most {PASSAGES:,} are changed, in memory"
            )
        changed: list[Doc] = []
        counts = Counts()
        only = self.relevant if self._changed_passages == "relevant passages" else None
        for doc in docs:
            if only is not None and doc.doc_id not in only:
                changed.append(doc)
                continue
            try:
                after = self._passage(doc)
                counts.add(doc, after)
            except Refused as refused:
                after = doc
                counts.refused[str(refused)] += 1
            changed += [doc, after] if after.doc_id != doc.doc_id else [after]
        return changed, self._checked(counts, self._changed_passages)

    def _checked(self, counts: Counts, records: str) -> Counts:
        """Raises ``InvalidInput`` where none could be changed: the drop of the clean texts would be a silent zero."""
        if counts.nothing_possible:
            raise InvalidInput(
                f"{self.clean.dataset_id}: {self.recipe.title}: {counts.in_words(records)}; no drop could be measured: take "
                "another perturbation for this collection, or leave it out (docs/perturbed.md says what each needs)"
            )
        return counts

    def _passage(self, doc: Doc) -> Doc:
        draws = self._draws(doc.doc_id)
        match self.recipe.kind:
            case "distractor":
                return passages.with_distractor(doc, self._pool, draws)
            case "shuffled-sentences":
                return passages.shuffled(doc, draws)
            case "no-title":
                return passages.untitled(doc)
            case "twin":
                return passages.twin(doc, self._pool, draws, self.recipe.edits)._replace(
                    doc_id=self._twin_id(doc.doc_id)
                )
            case _:
                return passages.without_answers(doc, self._pool)

    def _twin_id(self, doc_id: str) -> str:
        """The passage's own id with "~twin" at its end or "!twin~" before it, and "~" as often as that is taken.

        Equal scores are ordered by id, and to a system that sees no order of words every twin equals its passage: a coin says
        which of the two ids comes first, or the twin would win all ties.
        """
        last = self._draws(doc_id).number(2, "id")
        name = f"{doc_id}~twin" if last else f"!twin~{doc_id}"
        while name in self.clean.docs:
            name += "~"
        return name

    def qrels(self, judgements: Iterable[tuple[str, str, int]]) -> Iterator[tuple[str, str, int]]:
        """The clean collection's, and each twin judged not relevant to the questions that its passage is relevant to."""
        yield from judgements
        for doc_id, queries in self.relevant.items():
            if (name := self._twin_id(doc_id)) in self._twins:
                yield from ((query_id, name, 0) for query_id in queries)

    @functools.cached_property
    def _twins(self) -> frozenset[str]:
        return frozenset(doc.doc_id for doc in self.docs if doc.doc_id not in self.clean.docs)


def _typo(asked: Asked, recipe: Recipe) -> str:
    kind = recipe.kind.removeprefix("typo-")
    return typos.typo(kind, asked.text, asked.alphabets, asked.draws, recipe.edits, asked.lang)


def _beside(asked: Asked, recipe: Recipe) -> str:
    keys = keyboards.neighbours(asked.lang)
    if not keys:
        raise Refused(f"no keyboard of {asked.lang} is known")
    return typos.typo("keyboard", asked.text, keys, asked.draws, recipe.edits, asked.lang)


def _blanks(asked: Asked, recipe: Recipe) -> str:
    if recipe.form == "doubled":
        return characters.spaced(asked.text)
    return characters.run_together(asked.text, asked.draws, recipe.edits)


_OF_QUESTIONS: dict[str, Callable[[Asked, Recipe], str]] = {
    **dict.fromkeys(TYPOS, _typo),
    "typo-keyboard": _beside,
    "word-drop": lambda asked, recipe: words.dropped(asked.text, asked.lang, recipe.share, asked.draws),
    "word-swap": lambda asked, recipe: words.swapped(asked.text, asked.lang, asked.draws, recipe.edits),
    "stop-words": lambda asked, _: words.without_stop_words(asked.text, asked.lang),
    "reorder": lambda asked, recipe: words.reordered(asked.text, asked.draws, recipe.edits),
    "case": lambda asked, recipe: characters.cased(asked.text, asked.lang, recipe.form or ""),
    "white-space": _blanks,
    "diacritics": lambda asked, _: characters.bare(asked.text),
    "punctuation": lambda asked, _: characters.unpunctuated(asked.text),
    "homoglyphs": lambda asked, _: characters.look_alike(asked.text),
    "zero-width": lambda asked, _: characters.parted(asked.text),
    "romanised": lambda asked, _: characters.in_latin(asked.text),
}
