"""Passages: what is appended, shuffled, cut out or copied, and how twins are judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from perturbed_texts import written

from harness.collections import load
from harness.collections.perturbed import passages
from harness.collections.perturbed.recipe import load_recipe, recipe_names
from harness.errors import InvalidInput

OF_PASSAGES = [name for name in recipe_names() if load_recipe(name).side == "passages"]


@pytest.mark.parametrize("name", [name for name in OF_PASSAGES if name != "twin"])
def test_only_the_texts_of_passages_change(name: str) -> None:
    clean, changed = load("xdr-mini/fi"), load(f"perturbed({name},seed=1):xdr-mini/fi")
    assert changed.docs.ids == clean.docs.ids
    assert (changed.queries, changed.qrels, changed.answers) == (clean.queries, clean.qrels, clean.answers)
    different = sum(one != two for one, two in zip(clean.docs, changed.docs, strict=True))
    assert f": {different} changed, " in changed.remarks[0].what
    assert different == (80 if name == "answer-removed" else 200)


def test_what_is_done_to_a_passage_is_what_is_said() -> None:
    clean = load("xdr-mini/fi")
    texts = {name: load(f"perturbed({name},seed=1):xdr-mini/fi").docs for name in OF_PASSAGES}
    sentences = {sentence for doc in clean.docs for sentence in passages.sentences_of(doc.text)}
    for doc in clean.docs:
        longer = texts["distractor"].get(doc.doc_id).text
        assert longer.startswith(doc.text)
        assert longer.removeprefix(doc.text).strip() in sentences - set(passages.sentences_of(doc.text))
        shuffled = passages.sentences_of(texts["shuffled-sentences"].get(doc.doc_id).text)
        assert sorted(" ".join(shuffled).split()) == sorted(doc.text.split())
        assert texts["no-title"].get(doc.doc_id) == doc._replace(title="")
    for query_id, grades in (clean.qrels or {}).items():
        for doc_id in grades:
            for answer in (clean.answers or {})[query_id]:
                assert answer.casefold() not in texts["answer-removed"].get(doc_id).text.casefold()
                added = texts["distractor"].get(doc_id).text.removeprefix(clean.docs.get(doc_id).text)
                assert answer.casefold() not in added.casefold()


def twins_of(doc_id: str) -> tuple[str, str]:
    return f"{doc_id}~twin", f"!twin~{doc_id}"


def passage_of(twin: str) -> str:
    return twin.removesuffix("~twin").removeprefix("!twin~")


def test_a_twin_has_the_same_words_in_another_order_and_is_judged_not_relevant() -> None:
    clean, changed = load("xdr-mini/fi"), load("perturbed(twin,seed=1):xdr-mini/fi")
    assert clean.qrels is not None
    assert changed.qrels is not None
    relevant = {doc_id for grades in clean.qrels.values() for doc_id, grade in grades.items() if grade}
    twins = set(changed.docs.ids) - set(clean.docs.ids)
    assert twins <= {twin for doc_id in relevant for twin in twins_of(doc_id)}
    first = sum(twin < passage_of(twin) for twin in twins)
    assert 0.3 * len(twins) < first < 0.7 * len(twins), "ties would be decided for one side"
    for twin in twins:
        own, other = clean.docs.get(passage_of(twin)), changed.docs.get(twin)
        assert own.text != other.text
        assert sorted(own.text) == sorted(other.text)
        assert own.title == other.title
    for query_id, grades in changed.qrels.items():
        added = {doc_id: grade for doc_id, grade in grades.items() if doc_id not in clean.qrels[query_id]}
        assert added == {twin: 0 for d in clean.qrels[query_id] for twin in twins_of(d) if twin in twins}
    assert f"80 relevant passages: {len(twins)} changed" in changed.remarks[0].what


def test_the_numbers_of_a_twin_are_exchanged(tmp_path: Path) -> None:
    clean = written(tmp_path / "data", {"a": "how long is it"}, {"a": "6,650"})
    changed = load(f"perturbed(twin,seed=1):{clean}")
    (twin,) = set(changed.docs.ids) - {doc.doc_id for doc in load(clean).docs}
    assert twin in twins_of("d1")
    assert changed.docs.get(twin).text == "Nile rises. It is 3,530 km, Volga 6,650 km."
    assert changed.qrels == {"a": {"d1": 1, twin: 0}}
    removed = load(f"perturbed(answer-removed,seed=1):{clean}").docs.get("d1")
    assert (removed.title, removed.text) == ("Nile", "Nile rises. It is km, Volga 3,530 km.")
    only = load(f"perturbed(shuffled-sentences,seed=4):{clean}").docs.get("d1")
    assert only.text == "It is 6,650 km, Volga 3,530 km. Nile rises."


def test_a_collection_of_which_no_passage_can_be_changed_is_refused(tmp_path: Path) -> None:
    clean = written(tmp_path / "data", {"a": "how long is it"})
    with pytest.raises(InvalidInput, match=r"1 refused \(no other passage: 1\).*take another perturbation"):
        _ = load(f"perturbed(distractor,seed=1):{clean}").docs.ids
