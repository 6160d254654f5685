"""Scores and units as arrays have the manners of the dicts that they stand for, and systems share what they have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_files import scores_of

from harness.files.yaml_records import digest_of
from harness.runs import score_file
from harness.runs.per_query import per_query, query_ids, units_by_query
from harness.runs.score_file import ScoreFile, read_scores, write_scores

ids = st.text("abc", min_size=1, max_size=3)
values = st.dictionaries(ids, st.floats(0, 1))
units = st.dictionaries(st.tuples(st.sampled_from(["fi", "ja"]), ids), st.tuples(ids, ids))


@given(values)
def test_values_are_those_of_the_dict(own: dict[str, float]) -> None:
    found = per_query(own)
    assert found == own
    assert dict(found) == own
    assert list(found.items()) == list(own.items())
    assert list(found.values()) == list(own.values())
    assert (len(found), bool(found)) == (len(own), bool(own))
    assert found.get("nowhere", -1.0) == -1.0
    with pytest.raises(KeyError):
        found["nowhere"]


@given(values, values)
def test_values_are_equal_where_the_dicts_are(one: dict[str, float], two: dict[str, float]) -> None:
    assert (per_query(one) == per_query(two)) == (one == two)
    assert per_query(one) == per_query(dict(reversed(one.items())))
    assert per_query(one).merged(per_query(two)) == {**one, **two}


@given(values, st.randoms())
def test_values_are_given_in_the_order_of_other_queries(own: dict[str, float], order: Any) -> None:
    other = list(own)
    order.shuffle(other)
    assert per_query(own).of(query_ids(other)).tolist() == [own[query_id] for query_id in other]
    with pytest.raises(KeyError):
        per_query(own).of(query_ids([*other, "nowhere"]))


@given(units, units)
def test_units_are_those_of_the_dict(one: dict[Any, Any], two: dict[Any, Any]) -> None:
    found = units_by_query(one)
    assert found == one
    assert dict(found) == one
    assert len(found) == len(one)
    assert (found == units_by_query(two)) == (one == two)
    assert ("nowhere", "a") not in found
    for part in {part for part, _ in one}:
        own = [query_id for where, query_id in reversed(one) if where == part]
        assert list(found.parts[part].of(query_ids(own)).units) == [one[part, query_id][1] for query_id in own]


def written(folder: Path, name: str, place: int) -> ScoreFile:
    own = {"fi": {f"q{i}": float(i % 3 == place) for i in range(7)}, "ja": {f"q{i}": 1.0 for i in range(2)}}
    scores = scores_of(name, own, {"q1": "q0"}, schema_version=score_file.SCHEMA_VERSION, judged={})
    scores = replace(scores, context={**scores.context, "system": name})
    write_scores(folder / f"{name}.parquet", scores)
    return scores


def test_what_is_read_shares_its_ids_and_units_with_every_other_system(tmp_path: Path) -> None:
    made = [written(tmp_path, name, place) for place, name in enumerate(("one", "two"))]
    one, two = (read_scores(tmp_path / f"{scores.system}.parquet") for scores in made)
    assert [scores.values for scores in (one, two)] == [scores.values for scores in made]
    assert one.units == made[0].units
    first, second = (scores.scored("fi", "RR") for scores in (one, two))
    assert first is not None
    assert second is not None
    assert first.queries is second.queries
    assert one.named("fi", first.queries) is two.named("fi", second.queries)
    assert one.named("fi", first.queries).units[1] == "q0"


@pytest.mark.parametrize("at_once", [1, 3, 9, 100])
def test_the_digest_is_that_of_all_rows_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(score_file, "_ROWS_AT_ONCE", at_once)
    columns = [[f"ä{i}" for i in range(9)], [i / 7 for i in range(9)]]
    assert score_file._digest_of_rows(columns) == digest_of(list(zip(*columns, strict=True)))
    assert score_file._digest_of_rows([[], []]) == digest_of([])
    written(tmp_path, "one", 1)
    assert read_scores(tmp_path / "one.parquet").values["fi", "RR"]["q1"] == 1.0


def test_rows_of_a_part_that_stand_apart_are_put_together_and_the_last_of_a_query_counts() -> None:
    rows = [
        ("fi", "fi", "q1", "t1", "u1", "RR", 0.5),
        ("fi", "fi", "q1", "t1", "u2", "RR", 0.25),
        ("ja", "ja", "q1", "t1", "u1", "RR", 1.0),
        ("fi", "fi", "q2", "t2", "u2", "RR", 0.75),
    ]
    values, units, langs = score_file._gathered([list(column) for column in zip(*rows, strict=True)])
    assert values == {("fi", "RR"): {"q1": 0.25, "q2": 0.75}, ("ja", "RR"): {"q1": 1.0}}
    assert units == {("fi", "q1"): ("t1", "u2"), ("fi", "q2"): ("t2", "u2"), ("ja", "q1"): ("t1", "u1")}
    assert langs == {"fi": "fi", "ja": "ja"}
    assert np.array_equal(values["fi", "RR"].array, [0.25, 0.75])
