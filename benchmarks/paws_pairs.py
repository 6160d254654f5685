"""PAWS-X as pairs: does the similarity of two sentences tell whether one is a paraphrase of the other?

python benchmarks/paws_pairs.py mini-xdr me5-small-q4 --figures pairs.json

Writes the figures that ``benchmarks/robustness.py`` makes a section of its page of. What is there of them already, for cards
that are not named, stays.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.collections.paws_x import Row, rows_of
from harness.collections.perturbed.draws import Draws
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import cache_home, write_text
from systems.dense import Dense

LANGUAGES = ("de", "fr", "ko")
SIDES = (("en", "en"), *((lang, "en") for lang in LANGUAGES), *((lang, lang) for lang in LANGUAGES))
FOLDS, RESAMPLES = 10, 1000
WORDS = "word Jaccard"


@dataclass(frozen=True)
class Pairs:
    """Rows with both sentences and one label in all languages; ``folds``: by the English first sentence, shape (rows,)."""

    rows: dict[str, list[Row]]
    labels: NDArray[np.bool_]
    firsts: tuple[str, ...]

    @property
    def folds(self) -> NDArray[np.int64]:
        return np.array([Draws(0, "paws-x/pairs", first).number(FOLDS) for first in self.firsts])


def pairs_of(languages: dict[str, dict[str, Row]]) -> Pairs:
    """Rows whose sentences are there, and whose labels agree, in all languages."""
    ids = [
        row_id
        for row_id in languages["en"]
        if all(row_id in rows for rows in languages.values())
        and len({rows[row_id].label for rows in languages.values()}) == 1
        and not {"", "NS"} & {text for rows in languages.values() for text in rows[row_id][:2]}
    ]
    rows = {lang: [own[row_id] for row_id in ids] for lang, own in languages.items()}
    labels = np.array([row.label == "1" for row in rows["en"]])
    return Pairs(rows, labels, tuple(row.first for row in rows["en"]))


def auc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Probability that a paraphrase scores above another pair, ties counted half (Mann-Whitney's U over their product)."""
    paraphrases = int(labels.sum())
    others = len(labels) - paraphrases
    above = float(rankdata(scores)[labels].sum()) - paraphrases * (paraphrases + 1) / 2
    return above / (paraphrases * others)


def threshold_of(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """The least score from which on pairs are called paraphrases so that most of these rows are right."""
    values = np.append(np.unique(scores), np.inf)
    positive, negative = np.sort(scores[labels]), np.sort(scores[~labels])
    right = len(positive) - np.searchsorted(positive, values) + np.searchsorted(negative, values)
    return float(values[int(right.argmax())])


def accuracy(scores: NDArray[np.float64], labels: NDArray[np.bool_], folds: NDArray[np.int64]) -> float:
    """Share of rows that the threshold of the other folds gets right."""
    right = np.zeros(len(scores), dtype=np.bool_)
    for fold in np.unique(folds):
        own = folds == fold
        right[own] = (scores[own] >= threshold_of(scores[~own], labels[~own])) == labels[own]
    return float(right.mean())


def interval(scores: NDArray[np.float64], labels: NDArray[np.bool_], firsts: Sequence[str]) -> tuple[float, float]:
    """95% percentile interval of the AUC, first sentences resampled with all their rows."""
    _, groups = np.unique(np.asarray(firsts), return_inverse=True)
    order = np.argsort(groups, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    generator = np.random.default_rng(20230723)
    found = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([rows[group] for group in generator.integers(0, len(rows), len(rows))])
        found.append(auc(scores[drawn], labels[drawn]))
    lower, upper = np.quantile(found, (0.025, 0.975))
    return float(lower), float(upper)


def jaccard(one: str, two: str) -> float:
    """Share of the words of both that are words of each."""
    first, second = (set(re.findall(r"\w+", text.casefold())) for text in (one, two))
    return len(first & second) / max(1, len(first | second))


def judged(scores: NDArray[np.float64], pairs: Pairs) -> dict[str, Any]:
    return {
        "auc": auc(scores, pairs.labels),
        "interval": interval(scores, pairs.labels, pairs.firsts),
        "accuracy": accuracy(scores, pairs.labels, pairs.folds),
    }


def scores_of(card: str, pairs: Pairs) -> dict[str, NDArray[np.float64]]:
    """The card's similarity of first and second sentence, as question and passage, by the languages of both."""
    loaded = load_card(card)
    system = loaded.system()
    if not isinstance(system, Dense):
        raise WrongUsage(f"{card} has no vectors of single sentences: expected a card of the adapter dense")
    if faults := list(system.missing()):
        raise InvalidInput("; ".join(faults))
    context = Context(cache=cache_home(), work=cache_home() / "work")
    vectors: dict[tuple[str, str], NDArray[np.float32]] = {}

    def encoded(kind: Literal["queries", "passages"], lang: str) -> NDArray[np.float32]:
        if (kind, lang) not in vectors:
            place = 0 if kind == "queries" else 1
            vectors[kind, lang] = system.encode(kind, [row[place] for row in pairs.rows[lang]], context)
        return vectors[kind, lang]

    return {
        f"{one}-{two}": np.einsum("ij,ij->i", encoded("queries", one), encoded("passages", two), dtype=np.float64)
        for one, two in SIDES
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cards", nargs="*", help="dense cards; without any, words alone are compared")
    parser.add_argument("--figures", type=Path, required=True)
    arguments = parser.parse_args()
    pairs = pairs_of({lang: rows_of(lang) for lang in ("en", *LANGUAGES)})
    before = json.loads(arguments.figures.read_text("utf-8"))["systems"] if arguments.figures.is_file() else {}
    words = np.array([jaccard(row.first, row.second) for row in pairs.rows["en"]])
    systems = {**before, WORDS: {"en-en": judged(words, pairs)}}
    for card in arguments.cards:
        systems[card] = {sides: judged(own, pairs) for sides, own in scores_of(card, pairs).items()}
    figures = {
        "rows": len(pairs.labels),
        "first sentences": len(set(pairs.firsts)),
        "majority": float(max(pairs.labels.mean(), 1 - pairs.labels.mean())),
        "systems": systems,
    }
    write_text(arguments.figures, json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
