"""How far two records agree: nothing that differs stays unsaid, and only last digits may."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.submissions.record_agreement import record_agreement

RECORD = {
    "device": "cpu",
    "systems": ["bm25", "mini-xdr"],
    "scores": {"bm25": "0123", "mini-xdr": "4567"},
    "differences": [
        {"system": "bm25", "column": "macro", "difference": 0.25, "significant": True, "wins": 7},
        {"system": "bm25", "column": "fi", "difference": -0.5, "significant": False, "wins": 1000, "p_error": None},
    ],
}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    content = copy.deepcopy(RECORD)
    at: Any = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return content


def verdict(again: dict[str, Any]) -> str:
    return record_agreement(RECORD, again, 0.01).verdict


def test_what_another_machine_is_called_changes_nothing() -> None:
    assert verdict(changed("device", to="cuda")) == "identical"


def test_last_digits_are_the_same_answers() -> None:
    found = record_agreement(RECORD, changed("differences", 0, "difference", to=0.259), 0.01)
    assert (found.verdict, found.differing, found.answers) == ("same answers", 1, ())
    assert found.digits == ("differences[bm25, macro].difference: 0.25 recorded, 0.259 now",)
    assert round(found.largest, 6) == 0.009
    assert verdict(changed("scores", "bm25", to="89ab")) == "same answers", "digests of what lies below"
    assert verdict(changed("differences", 0, "wins", to=8)) == "same answers", "a whole number may differ by one"
    assert verdict(changed("differences", 1, "wins", to=1010)) == "same answers"


def test_another_answer_is_none_of_the_same_ones() -> None:
    for again in (
        changed("differences", 0, "difference", to=0.261),
        changed("differences", 0, "significant", to=False),
        changed("differences", 0, "wins", to=9),
        changed("differences", 1, "wins", to=1012),
        changed("differences", 1, "difference", to=None),
        changed("systems", 0, to="bm26"),
        {key: value for key, value in RECORD.items() if key != "systems"},
        {**RECORD, "more": 1},
        changed("differences", to=RECORD["differences"][:1]),
    ):
        assert verdict(again) == "differs", again


def test_what_was_set_or_chosen_is_the_same_to_the_last_digit() -> None:
    study = {
        "seed": 42,
        "resamples": 100_000,
        "declared": {"weights": [0.3, 0.5]},
        "rows": [{"encoder": "e5", "weights": [0.3, 0.5], "curve": [{"weight": 0.3, "macro": 0.5}]}],
        "readings": [{"reading": "reader", "top": 5}],
        "drops": [{"system": "e5", "draws": 10}],
        "differences": [{"system": "e5", "resamples": 100_000}],
    }

    def again(old: str, new: str) -> str:
        text = json.dumps(study)
        assert old in text
        return record_agreement(study, json.loads(text.replace(old, new, 1)), 0.01).verdict

    for old, new in [
        ('"seed": 42', '"seed": 43'),
        ('"resamples": 100000', '"resamples": 100001'),
        ('{"weights": [0.3', '{"weights": [0.301'),
        ('"e5", "weights": [0.3', '"e5", "weights": [0.301'),
        ('"weight": 0.3', '"weight": 0.301'),
        ('"top": 5', '"top": 6'),
        ('"draws": 10', '"draws": 11'),
    ]:
        assert again(old, new) == "differs", old
    assert again('"macro": 0.5', '"macro": 0.501') == "same answers"
    assert again('"e5", "resamples": 100000', '"e5", "resamples": 100100') == "same answers", "raised where p is near"


def test_entries_are_held_together_by_what_they_are_called() -> None:
    assert verdict(changed("differences", to=list(reversed(RECORD["differences"])))) == "identical"


def test_what_a_record_did_not_keep_is_no_other_answer() -> None:
    assert verdict(changed("differences", 1, "p_error", to=0.25)) == "identical"
    kept = changed("differences", 1, "p_error", to=0.25)
    assert record_agreement(kept, RECORD, 0.01).verdict == "differs", "what was kept and is not any more"


def test_digests_alone_speak_for_identical_alone_and_nowhere_else() -> None:
    one = {"gold": {"scores": 0.5}, "questions_sha256": "01"}
    assert record_agreement(one, {**one, "gold": {"scores": 0.9}}, 0.01).verdict == "differs"
    assert record_agreement(one, {**one, "questions_sha256": "23"}, 0.01).verdict == "differs", "other questions"
    reading = {"readings": [{"reading": "r", "file": "01"}]}
    assert record_agreement(reading, {"readings": [{"reading": "r", "file": "23"}]}, 0.01).verdict == "same answers"


def test_what_is_empty_is_there() -> None:
    assert record_agreement({"x": {}}, {}, 0.01).verdict == "differs"
    assert record_agreement({"x": []}, {}, 0.01).verdict == "differs"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 0.25]) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "x"]), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_identical_says_that_all_is_equal(data: st.DataObject) -> None:
    """As JSON texts have it: none of these entries has a name, so that their order counts."""
    one = {"one": data.draw(values)}
    two = data.draw(st.just(copy.deepcopy(one)) | st.fixed_dictionaries({"one": values}))
    is_equal = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (record_agreement(one, two, 0.0).verdict == "identical") == is_equal
