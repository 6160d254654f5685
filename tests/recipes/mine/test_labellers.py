"""Labellers and rules for negatives: CORA's rule by a table made by hand, invariants of all, margins by their formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collections.in_memory import collection_of
from harness.errors import WrongUsage
from harness.recipes.mine.counts import Tally
from harness.recipes.mine.labellers import Labels, by_rule, labeller_of
from harness.recipes.mine.negatives import chosen_negatives
from harness.recipes.mine.questions import AskedPart, Candidate, Question
from harness.recipes.mine.settings import LABELLERS, MineSettings
from harness.records import Doc

TEXTS = {
    "right": "The Nile is long.",
    "holds": "The Nile and the Volga.",
    "wrong": "Fuji is high.",
    "other": "Tea is green.",
    "within": "Two Niles are one.",
}


def question(ids: Sequence[str], **own: Any) -> Question:
    docs = [Doc(doc_id, "", TEXTS.get(doc_id, doc_id)) for doc_id in ids]
    part = AskedPart("fi", collection_of(docs, []), "fi", {}, "")
    found = tuple(Candidate(doc, 1.0 - 0.1 * place) for place, doc in enumerate(docs))
    asked = {"answers": ("Nile",), "candidates": found, "scores": {one.doc.doc_id: one.score for one in found}}
    return Question("q", "mikä?", "fi", part, **(asked | own))


def says(predictions: dict[str, str]) -> Any:
    """A reader whose answers are known by the passage; every text that it is given is one of the question's."""
    by_text = {TEXTS.get(doc_id, doc_id): answer for doc_id, answer in predictions.items()}

    def read(asked: Question, texts: Sequence[str]) -> list[str]:
        assert {*texts} <= {one.doc.text for one in asked.candidates}
        return [by_text.get(text, "") for text in texts]

    return read


@pytest.mark.parametrize(
    ("ids", "predictions", "expected"),
    [
        # The reader is right; wrong without the answer in the passage; wrong with it.
        (
            ("wrong", "right", "holds"),
            {"right": "the nile!", "holds": "Volga"},
            Labels(("right",), ("wrong",), ("holds",)),
        ),
        # None is right: the first that holds the answer, and the others that do are neither.
        (("wrong", "holds", "right"), {"holds": "Volga"}, Labels(("holds",), ("wrong",), ("right",), is_fallback=True)),
        # Right within a word, where the passage does not hold the answer.
        (("within", "right"), {"within": "Nile"}, Labels(("within",), (), ("right",))),
        (("wrong", "other"), {"wrong": "Volga"}, Labels(skipped="no positive")),
        # No answer is no answer, though SQuAD's rules make "the" one.
        (("wrong", "other"), {"wrong": " "}, Labels(skipped="no positive")),
    ],
)
def test_coras_rule(ids: tuple[str, ...], predictions: dict[str, str], expected: Labels) -> None:
    assert by_rule(says(predictions))(question(ids)) == expected


@pytest.mark.parametrize("name", ["reader", "answer-string+reader"])
def test_only_passages_that_could_be_right_are_read(name: str) -> None:
    asked: list[str] = []
    label = labeller_of(name, 0, lambda _, texts: [asked.extend(texts), "the NILE"][1:] * len(texts))
    assert label(question(("wrong", "holds", "other", "within"))).positives == ("holds", "within")
    assert asked == [TEXTS["holds"], TEXTS["within"]]


def test_an_answer_of_an_article_alone_is_not_met_by_silence() -> None:
    asked = question(("wrong",), answers=("The",))
    assert by_rule(says({}))(asked).skipped == "no positive"


@pytest.mark.parametrize("name", ["answer-string", "reader", "answer-string+reader"])
def test_questions_without_an_answer_to_look_for_are_skipped(name: str) -> None:
    label = labeller_of(name, 0, says({}))
    assert label(question(("right",), answers=())).skipped == "no answers"
    assert label(question(("right",), answers=("yes", "no"))).skipped == "answers are yes or no"


def test_gold_that_the_run_did_not_find_is_a_positive_of_hard_negatives_alone() -> None:
    asked = question(("wrong", "right"), gold=frozenset({"right", "far"}))
    assert labeller_of("gold", 0, says({}))(asked) == Labels(("right", "far"), ("wrong",))
    assert labeller_of("qrels", 0, says({}))(asked) == Labels(("right",), ("wrong",))
    unfound = question(("wrong",), gold=frozenset({"far"}))
    assert labeller_of("gold", 0, says({}))(unfound) == Labels(("far",), ("wrong",))
    assert labeller_of("qrels", 0, says({}))(unfound).skipped == "no positive"
    assert labeller_of("gold", 0, says({}))(question(("wrong",), gold=frozenset())).skipped == "no judged passage"


ids = st.lists(st.sampled_from([*TEXTS, *"abcdefgh"]), min_size=1, max_size=10, unique=True)


@given(ids, st.sampled_from(sorted(LABELLERS)), st.data())
def test_every_passage_has_at_most_one_label(found: list[str], name: str, data: st.DataObject) -> None:
    answers = data.draw(st.dictionaries(st.sampled_from(found), st.sampled_from(["Nile", "Volga", ""])))
    gold = frozenset(data.draw(st.sets(st.sampled_from([*found, "unfound"]))))
    asked = question(found, gold=gold)
    labels = labeller_of(name, 1, says(answers))(asked)
    both = [*labels.positives, *labels.negatives, *labels.matched]
    assert len(both) == len(set(both))
    assert bool(labels.positives) == (not labels.skipped)
    if not labels.skipped:
        assert set(both) | gold == set(found) | gold
        ranked = [doc_id for doc_id in labels.positives if doc_id in found]
        assert ranked == sorted(ranked, key=found.index)
        assert list(labels.negatives) == sorted(labels.negatives, key=found.index)
    assert labeller_of(name, 1, says(answers))(asked) == labels


def test_the_random_control_draws_every_passage_as_often() -> None:
    asked = [question(tuple("abcd"))] * 1
    drawn = [labeller_of("random", seed, says({}))(asked[0]).positives[0] for seed in range(400)]
    # 100 each are expected; four standard deviations of a binomial are 35.
    assert all(65 <= drawn.count(doc_id) <= 135 for doc_id in "abcd")


def negatives(asked: Question, labels: Labels, **settings: Any) -> tuple[tuple[str, ...], dict[str, int]]:
    kept, removed = chosen_negatives(asked, labels, MineSettings("gold", **settings))
    return kept, dict(removed)


def test_rules_remove_one_after_the_other_and_are_counted() -> None:
    asked = question(("right", "holds", "a", "b", "c"), gold=frozenset({"right", "a"}))
    labels = Labels(("right",), ("holds", "a", "b", "c"))
    assert negatives(asked, labels) == (("holds", "a", "b", "c"), {})
    assert negatives(asked, labels, exclude=("qrels", "answers")) == (
        ("b", "c"),
        {"judged relevant": 1, "hold an answer": 1},
    )
    assert negatives(asked, labels, exclude=("qrels",), skip=1, negatives=1) == (("b",), {"judged relevant": 1})
    assert negatives(asked, labels, negatives=0) == ((), {})


@given(
    st.lists(st.floats(-3, 3, width=32), min_size=2, max_size=9),
    st.none() | st.sampled_from([0.0, 0.05, 0.5, 2.0]),
    st.none() | st.sampled_from([0.0, 0.05, 0.5, 2.0]),
)
def test_margins_are_those_of_their_formulas(
    scores: list[float], absolute: float | None, relative: float | None
) -> None:
    names = [f"d{place}" for place in range(len(scores))]
    by_name = dict(zip(names, scores, strict=True))
    labels = Labels(tuple(names[:2]), tuple(names[2:]))
    kept, removed = negatives(
        question(names, scores=by_name), labels, absolute_margin=absolute, relative_margin=relative
    )
    positive = min(scores[:2])
    expected = [
        name
        for name in names[2:]
        if (absolute is None or by_name[name] + absolute <= positive)
        and (relative is None or by_name[name] <= positive - abs(positive) * relative)
    ]
    assert list(kept) == expected
    assert sum(removed.values()) == len(names) - 2 - len(expected)


def test_above_a_positive_that_the_run_did_not_find_nothing_is_left() -> None:
    asked, labels = question(("a", "b"), scores={"a": 1.0, "b": 0.5}), Labels(("unfound",), ("a", "b"))
    assert negatives(asked, labels, relative_margin=0.05) == ((), {"above a positive that was not found": 2})
    assert negatives(asked, labels)[0] == ("a", "b")


def test_drawn_negatives_are_the_same_for_the_same_seed_and_in_order() -> None:
    asked, labels = question(tuple("abcdefgh")), Labels(("x",), tuple("abcdefgh"))
    drawn = {negatives(asked, labels, sampling="random", negatives=3, seed=seed)[0] for seed in range(60)}
    assert len(drawn) > 20
    assert all(list(kept) == sorted(kept) and len(kept) == 3 for kept in drawn)
    again = negatives(asked, labels, sampling="random", negatives=3, seed=7)
    assert again == negatives(asked, labels, sampling="random", negatives=3, seed=7)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labeller": "qrel"}, "unknown labeller 'qrel'; did you mean 'qrels'"),
        ({"labeller": "gold", "exclude": ("answer",)}, "unknown exclusion 'answer'; did you mean 'answers'"),
        ({"labeller": "gold", "sampling": "rand"}, "unknown sampling"),
        ({"labeller": "gold", "relative_margin": float("nan")}, "the relative margin is nan"),
        ({"labeller": "gold", "absolute_margin": -1.0}, "the absolute margin is -1"),
        ({"labeller": "gold", "top": 0}, "top is at least 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        MineSettings(**settings)


@given(st.lists(st.tuples(ids, st.booleans(), st.data()), min_size=1, max_size=5))
def test_counts_are_those_of_a_count_by_hand(asked: list[tuple[list[str], bool, Any]]) -> None:
    tally = Tally()
    seen: list[tuple[set[str], set[str], set[str], Labels, tuple[str, ...]]] = []
    for found, is_fallback, data in asked:
        gold = data.draw(st.sets(st.sampled_from([*found, "unfound"])))
        cut = data.draw(st.integers(0, len(found)))
        labels = Labels(tuple(found[:cut]), tuple(found[cut:]), is_fallback=is_fallback and cut > 0)
        if not cut:
            labels = Labels(skipped="no positive")
        one = question(found, gold=frozenset(gold))
        tally.add(one, labels, labels.negatives, {"rule": 2})
        if gold:
            seen.append((set(found), gold, set(labels.positives), labels, labels.negatives))
    counts = tally.as_dict(holds_labels=True)
    rows = sum(1 for found, _, _ in asked) - counts["skipped"].get("no positive", 0)
    assert counts["questions"] == len(asked)
    assert counts["rows"] == rows
    assert counts["removed"] == ({"rule": 2 * rows} if rows else {})
    if not seen:
        assert "against gold" not in counts
        return
    against = counts["against gold"]
    right = sum(len(gold & positives) for _, gold, positives, _, _ in seen)
    labelled = sum(len(positives) for _, _, positives, _, _ in seen)
    among = sum(len(gold & found) for found, gold, _, _, _ in seen)
    assert against["precision"] == (round(right / labelled, 6) if labelled else None)
    assert against["recall"] == (round(right / among, 6) if among else None)
    assert against["recall of all gold"] == round(right / sum(len(gold) for _, gold, _, _, _ in seen), 6)
    fallback = [(gold, positives) for _, gold, positives, labels, _ in seen if labels.is_fallback]
    hits, all_of_them = sum(len(g & p) for g, p in fallback), sum(len(p) for _, p in fallback)
    assert against["precision of fallback"] == (round(hits / all_of_them, 6) if all_of_them else None)
    assert against["negatives that are gold"] == sum(len(gold.intersection(kept)) for _, gold, _, _, kept in seen)
    assert "against gold" not in tally.as_dict(holds_labels=False)
