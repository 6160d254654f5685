"""What is another between two manifests: named by its kind, the likeliest cause first, cut where it is long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.manifest import Manifest, PartRecord
from harness.submissions.changes import SUSPICION, Change, changes_between, described

CARD = {"schema_version": 1, "name": "mine", "title": "Mine", "adapter": "bm25"}
EXECUTION = {
    "device": "cpu",
    "isolation": "none",
    "stages": [{"name": "search", "seconds": 1.0}],
    "peak memory bytes": 1,
}


def manifest_of(**changes: Any) -> Manifest:
    record = PartRecord(dataset="d", lang="fi", docs="1", queries="2", query_count=3, ranking="r")
    content: dict[str, Any] = {
        "schema_version": 2,
        "tag": "mine",
        "track": {"name": "toy", "version": 1, "depth": 3},
        "method": {"card": {**CARD, "parameters": {"k1": 0.9}}},
        "data": {"fi": record},
        "implementation": {
            "git": {"commit": "a"},
            "versions": {"adapter": 1},
            "source": {"adapter.py": "1", "harness/runs/execute.py": "1"},
            "inputs": {"model": "1"},
        },
        "platform": {
            "hardware": {"cpu": {"model": "one"}},
            "operating system": {"release": "1"},
            "software": {"python": "3.11", "libraries": {"torch": "2.4"}},
        },
        "execution": {**EXECUTION, "facts": {"dtype": "float32"}},
    }
    return Manifest.model_validate({**content, **changes})


def test_every_kind_of_change_is_named_and_the_likeliest_cause_comes_first() -> None:
    record = PartRecord(dataset="d", lang="fi", docs="9", queries="2", query_count=3, ranking="other")
    now = manifest_of(
        track={"name": "toy", "version": 2, "depth": 3},
        method={"card": {**CARD, "parameters": {"k1": 1.2, "b": 0.4}}},
        data={"fi": record},
        implementation={
            "git": {"commit": "b"},
            "versions": {"adapter": 2},
            "source": {"adapter.py": "2", "harness/runs/execute.py": "2"},
            "inputs": {"model": "2"},
        },
        platform={
            "hardware": {"cpu": {"model": "two"}},
            "operating system": {"release": "2"},
            "software": {"python": "3.12", "libraries": {"torch": "2.5", "numpy": "2"}},
        },
        execution={"device": "cuda", "isolation": "bwrap", "facts": {"dtype": "float16"}, "peak memory bytes": 2},
    )
    found = changes_between(manifest_of(), now)
    assert [(change.field, change.recorded, change.now) for change in found] == [
        ("fi.docs", "1", "9"),
        ("model", "1", "2"),
        ("adapter", 1, 2),
        ("adapter.py", "1", "2"),
        ("parameters.b", None, 0.4),
        ("parameters.k1", 0.9, 1.2),
        ("version", 1, 2),
        ("harness/runs/execute.py", "1", "2"),
        ("numpy", None, "2"),
        ("python", "3.11", "3.12"),
        ("torch", "2.4", "2.5"),
        ("dtype", "float32", "float16"),
        ("cpu.model", "one", "two"),
        ("device", "cpu", "cuda"),
        ("release", "1", "2"),
        ("isolation", "none", "bwrap"),
        ("commit", "a", "b"),
    ]
    assert [line.partition(":")[0] for line in described(found)] == list(SUSPICION)
    assert changes_between(now, now) == ()


def test_a_long_list_of_changes_is_cut_and_counted() -> None:
    sources = {f"harness/{letter}.py": letter * 64 for letter in "abcde"}
    now = manifest_of(
        implementation={
            "git": {"commit": "a"},
            "versions": {"adapter": 1},
            "source": {"adapter.py": "1", **sources},
            "inputs": {"model": "1"},
        }
    )
    (line,) = described(changes_between(manifest_of(), now))
    assert line == (
        "harness source: harness/a.py: none -> aaaaaaaaaaaa; harness/b.py: none -> bbbbbbbbbbbb; "
        "harness/c.py: none -> cccccccccccc; and 3 more"
    )


LONG = "avx avx2 avx512_bf16 avx512_vnni avx512bw avx512dq avx512f fma sse4_2"


@pytest.mark.parametrize(
    ("recorded", "now", "said"),
    [
        ("1.2", "1.3", "1.2 -> 1.3"),
        (f"{LONG} amx_tile", f"{LONG} gfni vaes", "without amx_tile and with gfni vaes"),
        (LONG, f"{LONG} gfni", "with gfni"),
        ("x" * 100 + "abc", "x" * 100 + "abd", f"...{'x' * 18}abc -> ...{'x' * 18}abd"),
        (LONG, None, "avx avx2 avx512_bf16 avx512_vnni avx512bw avx512dq avx512f f... -> none"),
        ("ab" * 32, "cd" * 32, "abababababab -> cdcdcdcdcdcd"),
    ],
)
def test_of_long_values_the_difference_is_shown(recorded: Any, now: Any, said: str) -> None:
    (line,) = described((Change(kind="device and processor", field="cpu", recorded=recorded, now=now),))
    assert line == f"device and processor: cpu: {said}"


@given(st.text(max_size=200), st.text(max_size=200))
def test_different_values_never_look_alike(one: str, two: str) -> None:
    (line,) = described((Change(kind="commit", field="x", recorded=one, now=two),))
    left, arrow, right = line.removeprefix("commit: x: ").partition(" -> ")
    assert one == two or not arrow or left != right or " -> " in one + two
