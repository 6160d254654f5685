"""Of ``budget`` random edits of every question the one that a system ranks the judged passage worst for.

The threat model is that of black-box attacks with few queries (Ilyas et al. 2018): rankings with scores can be asked for, and
nothing else of the system is seen. The search is random: so many draws of a recipe of perturbations, whose constraints hold for
every one of them, are asked in one request, and the worst is taken. Worst is, first, where no judged passage is ranked, then
where the judged one's score lies least above, or most below, that of the best other one; equal ones go to the earlier draw.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from harness.adapters.contract import Context, Record, Request
from harness.adapters.process_state import put_back, seed_everything
from harness.collections.perturbed.content import Content
from harness.collections.perturbed.recipe import Recipe
from harness.collections.view import Collection
from harness.compute.kept_results import drop_results
from harness.errors import WrongUsage
from harness.files.sealed_lines import drop_behind, sealed_line, whole_lines
from harness.files.writing import exclusive, explained_write_errors
from harness.records import Ranking
from harness.runs.execute import searched
from harness.runs.prepared import Group, Made, Prepared, request_depth
from harness.runs.trec import fixed_order
from harness.tracks import Part

FIRST_SEED = 1000
"""The draws of attack number N are seeds 1000 N + 1, ...: no part that a track's ``perturbations`` make has one of them."""
_IN_PARTS = re.compile(r"[a-z0-9-]{1,32}")
_Texts = Mapping[str, Mapping[str, list[str]]]
"""By part and query id the clean text and all draws."""
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Edits:
    """What is tried: ``budget`` draws of a recipe; ``seed`` numbers the attack."""

    name: str
    recipe: Recipe
    budget: int
    seed: int

    @property
    def seeds(self) -> range:
        return range(FIRST_SEED * self.seed + 1, FIRST_SEED * self.seed + 1 + self.budget)

    @property
    def stem(self) -> str:
        """The recipe's name, or that of its file."""
        return PurePath(self.name).name.removesuffix(".toml")

    def check(self) -> None:
        """Raise ``WrongUsage`` where the recipe changes no questions, makes one text of each, or its name names no part."""
        if not _IN_PARTS.fullmatch(self.stem):
            raise WrongUsage(
                f"parts of the attack's track are named by the recipe: give {self.name} a name of small letters, digits and -"
            )
        if self.recipe.side != "queries":
            raise WrongUsage(f"{self.name} changes passages; an attack edits questions, see docs/perturbed.md")
        if not self.recipe.is_drawn:
            raise WrongUsage(
                f"{self.name} makes one text of a question whatever the seed, so that there is nothing to choose from; take a "
                "recipe that draws, such as typo-swap or word-drop"
            )


class Outcome(NamedTuple):
    """``rank`` of the first judged passage, from 1; 0 where none is ranked. ``margin``: its score less the best other one's.

    None where no other is ranked.
    """

    rank: int
    margin: float | None

    @property
    def how_good(self) -> tuple[bool, float]:
        return self.rank > 0, (math.inf if self.margin is None else self.margin) if self.rank else 0.0


class Chosen(NamedTuple):
    """The worst draw of a question: its text and seed. ``lang``: as the collection says it, "" where that says none."""

    query_id: str
    lang: str
    text: str
    seed: int


@dataclass(frozen=True)
class PartAttack:
    """What was tried on a part. Figures are shares of questions whose judged passage comes first.

    ``unselected``: mean over the draws; ``worst``: by a budget, on the worst of so many draws; ``asked``: different texts.
    ``unchanged``: questions of which the recipe made no other text.
    """

    part: Part
    chosen: tuple[Chosen, ...]
    unchanged: int
    asked: int
    clean: float
    unselected: float
    worst: Mapping[int, float]


@contextlib.contextmanager
def attacked(run: Prepared, edits: Edits, context: Context, key: str) -> Iterator[list[PartAttack]]:
    """Ask a system for all draws of all questions of a track's clean parts, and choose the worst of each.

    What was ranked is kept in a folder that ``key`` names until the block ends without an error: it is not asked again after a
    kill, nor where what was found could not be written. Raises ``WrongUsage`` where the recipe cannot attack, or the system
    stands on recorded rows.
    """
    edits.check()
    if run.rows:
        names = ", ".join(row.name for row in run.rows)
        raise WrongUsage(
            f"{run.name} stands on the recorded runs of {names}, which hold nothing of questions that are yet to be found; "
            "attack these systems instead"
        )
    made = run.ready()
    folder = context.work / f"attack-{key[:16]}"
    with exclusive(folder / "lock"):
        yield _found(run, made, edits, replace(context, work=folder, record=Record()))
        for path in folder.glob("*.jsonl"):
            path.unlink()
        drop_results(folder)


def _found(run: Prepared, made: Made, edits: Edits, context: Context) -> list[PartAttack]:
    found: list[PartAttack] = []
    seed_everything(context.seed)
    with put_back() if made.adapter.modules is not None else contextlib.nullcontext():
        for group in run.groups():
            clean = tuple((part, collection) for part, collection in group.parts if not part.clean)
            if clean:
                found += _of_group(run, made, Group(group.docs_digest, clean), edits, context)
    places = [part.name for part in run.parts]
    return sorted(found, key=lambda own: places.index(own.part.name))


def budgets(edits: Edits) -> list[int]:
    """The budgets that the worst is reported of: some smaller ones, and the whole."""
    return sorted({step for step in (*_STEPS, edits.budget) if step <= edits.budget})


def _of_group(run: Prepared, made: Made, group: Group, edits: Edits, context: Context) -> list[PartAttack]:
    texts = {part.name: _texts(collection, edits) for part, collection in group.parts}
    path = context.work / f"outcomes-{group.docs_digest[:16]}.jsonl"
    outcomes = _outcomes(run, made, group, texts, context, path)
    return [_chosen(part, collection, texts[part.name], edits, outcomes) for part, collection in group.parts]


def _texts(collection: Collection, edits: Edits) -> dict[str, list[str]]:
    """Of every question its clean text and all draws, in the order of their seeds."""
    found = {query.query_id: [query.text] for query in collection.queries}
    for seed in edits.seeds:
        for query in Content(collection, edits.recipe, seed).queries:
            found[query.query_id].append(query.text)
    return found


def _outcomes(
    run: Prepared, made: Made, group: Group, texts: _Texts, context: Context, path: Path
) -> dict[str, Outcome]:
    """By the id of a text (``_text_id``) what the system made of it."""
    relevant = {
        f"{part.name}/{query_id}": frozenset(doc_id for doc_id, grade in grades.items() if grade > 0)
        for part, collection in group.parts
        for query_id, grades in (collection.qrels or {}).items()
    }
    known = {outcome[0]: Outcome(*outcome[1:]) for outcome, _ in whole_lines(path, _parsed)}
    with explained_write_errors(path):
        drop_behind(path, max((end for _, end in whole_lines(path, _parsed)), default=0))
        with path.open("ab") as file:
            request = _request(run, group, texts)
            own = replace(context, finished=frozenset(known))
            for ranking in searched(run.name, made, request, own):
                question = ranking.query_id.rpartition("~")[0]
                outcome = _outcome(ranking, relevant.get(question, frozenset()), _own_document(run, question))
                known[ranking.query_id] = outcome
                file.write(sealed_line([ranking.query_id, *outcome]))
                file.flush()
    return known


def _request(run: Prepared, group: Group, texts: _Texts) -> Request:
    """Every different text of every question once, all in one request."""
    queries = tuple(
        query._replace(query_id=_text_id(part, query.query_id, place), text=text, lang=query.lang or part.lang)
        for part, collection in group.parts
        for query in collection.queries
        for place, text in _different(texts[part.name][query.query_id])
    )
    return Request(group.parts[0][1].docs, queries, request_depth(run.track))


def _different(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Each text once, with its first place."""
    return ((place, text) for place, text in enumerate(texts) if texts.index(text) == place)


def _text_id(part: Part, query_id: str, place: int) -> str:
    return f"{part.name}/{query_id}~{place}"


def _own_document(run: Prepared, question: str) -> str:
    """The id of a passage that is no answer to the question, as it is the question's own."""
    return question.partition("/")[2] if run.track.exclude_own_document else ""


def _outcome(ranking: Ranking, relevant: frozenset[str], own_document: str) -> Outcome:
    ordered = fixed_order(ranking.doc_ids, np.asarray(ranking.scores, dtype=np.float32))
    pairs = [
        (doc, float(score))
        for doc, score in zip(ordered.doc_ids, ordered.scores, strict=True)
        if not own_document or doc != own_document
    ]
    rank = next((place for place, (doc, _) in enumerate(pairs, 1) if doc in relevant), 0)
    best_other = next((score for doc, score in pairs if doc not in relevant), None)
    if not rank or best_other is None:
        return Outcome(rank, None)
    return Outcome(rank, pairs[rank - 1][1] - best_other)


def _parsed(row: list[object]) -> tuple[str, int, float | None]:
    name, rank, margin = row
    if not isinstance(name, str) or not isinstance(rank, int) or not isinstance(margin, int | float | None):
        raise TypeError("no outcome")
    return name, rank, margin


def _chosen(
    part: Part, collection: Collection, texts: Mapping[str, list[str]], edits: Edits, outcomes: Mapping[str, Outcome]
) -> PartAttack:
    chosen, unchanged, asked = [], 0, 0
    steps = budgets(edits)
    first: dict[int, list[bool]] = {step: [] for step in steps}
    clean, unselected = [], []
    nothing = Outcome(0, None)
    for query in collection.queries:
        own = texts[query.query_id]
        of_each = [outcomes.get(_text_id(part, query.query_id, own.index(text)), nothing) for text in own]
        draws = of_each[1:]
        clean.append(of_each[0].rank == 1)
        unselected.append(sum(outcome.rank == 1 for outcome in draws) / len(draws))
        is_edited = [text != own[0] for text in own[1:]]
        for step in steps:
            first[step].append(draws[_worst(draws[:step], is_edited)].rank == 1)
        worst = _worst(draws, is_edited)
        asked += len(set(own))
        if own[1 + worst] == own[0]:
            unchanged += 1
        else:
            chosen.append(Chosen(query.query_id, query.lang, own[1 + worst], edits.seeds[worst]))
    return PartAttack(
        part,
        tuple(chosen),
        unchanged,
        asked,
        float(np.mean(clean)),
        float(np.mean(unselected)),
        {step: float(np.mean(hits)) for step, hits in first.items()},
    )


def _worst(outcomes: Sequence[Outcome], is_edited: Sequence[bool]) -> int:
    """The place of the worst outcome of a text that was edited at all, the first of equal ones."""
    return min(range(len(outcomes)), key=lambda place: (not is_edited[place], outcomes[place].how_good))
