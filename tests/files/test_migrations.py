"""Files of every schema version that ever was can be read, and those of versions to come are refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.adapters.card import Card, load_card
from harness.collections.perturbed.recipe import Recipe as Perturbation
from harness.collections.perturbed.recipe import load_recipe as load_perturbation
from harness.compare.records import Comparison, read_comparison
from harness.errors import InvalidInput
from harness.files.migrations import CURRENT, migrated
from harness.leaderboard.table import Leaderboard, read_leaderboard
from harness.recipes.train.recipe import LoadedRecipe, load_recipe
from harness.runs.manifest import Manifest, read_manifest
from harness.runs.readings import ReadingRecord, read_record_file
from harness.runs.score_file import ScoreFile, read_scores
from harness.submissions.reproductions import Reproduction, read_reproduction
from harness.submissions.study.records import StudyResult, read_study
from harness.tracks import Track, load_track

SAMPLES = Path(__file__).parents[1] / "data" / "schemas"
FILES = {
    "card": "card.toml",
    "comparison": "comparison.json",
    "leaderboard": "leaderboard.json",
    "manifest": "manifest.yaml",
    "perturbation": "perturbation.toml",
    "reading": "read-tiny-reader-0123abcd.yaml",
    "reproduction": "reproduction.yaml",
    "scores": "scores.parquet",
    "study": "study.json",
    "track": "track.toml",
    "training-recipe": "training-recipe.toml",
}


READERS: dict[str, Callable[[Path], Any]] = {
    "card": lambda path: load_card(str(path)).card,
    "comparison": read_comparison,
    "leaderboard": lambda path: read_leaderboard(path.parent),
    "manifest": lambda path: read_manifest(path.parent),
    "perturbation": lambda path: load_perturbation(str(path)),
    "reading": read_record_file,
    "reproduction": read_reproduction,
    "scores": read_scores,
    "study": read_study,
    "track": lambda path: load_track(str(path)),
    "training-recipe": load_recipe,
}


@pytest.mark.parametrize(
    ("kind", "version"), [(kind, version) for kind, current in CURRENT.items() for version in range(1, current + 1)]
)
def test_a_sample_of_every_version_is_kept_and_can_be_read(kind: str, version: int, tmp_path: Path) -> None:
    sample = tmp_path / FILES[kind]
    shutil.copy(SAMPLES / f"v{version}" / FILES[kind], sample)
    found = READERS[kind](sample)
    if isinstance(found, Leaderboard):
        assert found.schema_version == CURRENT["leaderboard"]
        assert [(row.system, row.cells["Success@1"]["ru"].value) for row in found.rows] == [("bm25", 1.0)]
        assert [row.status for row in found.rows] == ["submitted" if version == 1 else "reproduced"]
    elif isinstance(found, Manifest):
        assert (found.tag, list(found.data)) == ("bm25", ["fi", "ru"])
    elif isinstance(found, Card):
        assert found.name == "bm25"
    elif isinstance(found, Track):
        assert found.tolerance.rank_biased_overlap == 0.9
    elif isinstance(found, ScoreFile):
        assert found.values["fi", "Success@1"] == {"q1": 1.0, "q2": 0.0}
    elif isinstance(found, LoadedRecipe):
        assert found == load_recipe(SAMPLES / "v2" / FILES[kind])._replace(folder=tmp_path)
    elif isinstance(found, Perturbation):
        assert (found.kind, found.edits) == ("typo-swap", 2)
    elif isinstance(found, ReadingRecord):
        assert (found.reading, found.top, found.parts["fi"].pairs) == ("tiny-reader-0123abcd", 5, 4)
    elif isinstance(found, Comparison):
        assert found.baseline == "bm25"
    elif isinstance(found, StudyResult):
        assert [row.kind for row in found.rows] == ["none", "questions"]
        assert len(found.answers) == len(found.expansions) == version - 1
    else:
        assert isinstance(found, Reproduction)
        assert found.verdict == "identical"


def test_the_second_version_of_the_leaderboard_is_the_first_with_a_status_for_every_row() -> None:
    one, two = (json.loads((SAMPLES / f"v{v}" / "leaderboard.json").read_text()) for v in (1, 2))
    for row in two["rows"]:
        assert row.pop("status") == "reproduced"
        assert row.pop("reproduced")["verdict"] == "identical"
    migrated_rows = migrated("leaderboard", one, "x")["rows"]
    assert all(row.pop("status") == "submitted" and row.pop("reproduced") is None for row in migrated_rows)
    assert [row["cells"] for row in migrated_rows] == [row["cells"] for row in two["rows"]]
    assert [row.keys() for row in migrated_rows] == [row.keys() for row in two["rows"]]


def test_the_third_version_says_of_what_draws_each_p_is() -> None:
    old = {"schema_version": 2, "resamples": 999, "differences": [{"p": 0.1, "system": "x"}, "damaged"]}
    first, damaged = migrated("comparison", old, "x")["differences"]
    assert (first["resamples"], damaged) == (999, "damaged")
    assert first["p_error"] == pytest.approx((0.1 * 0.9 / 999) ** 0.5)
    new = read_comparison(SAMPLES / "v3" / "comparison.json")
    assert new.pairs[0].p_adjusted("dummy", "bm25") == 1.0
    assert migrated("leaderboard", {"schema_version": 2, "comparison": {}}, "x")["comparison"] == {
        "pairs": [],
        "warnings": [],
    }


@pytest.mark.parametrize("kind", ["card", "comparison", "leaderboard", "manifest", "reproduction", "track"])
def test_a_file_of_a_version_to_come_is_refused_whatever_else_it_holds(kind: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[kind]
    future = {"schema_version": CURRENT[kind] + 1, "something": "new"}
    written = {
        ".toml": "".join(f"{key} = {json.dumps(value)}\n" for key, value in future.items()),
        ".json": json.dumps(future),
        ".yaml": yaml.safe_dump(future),
    }
    path.write_text(written[path.suffix])
    with pytest.raises(InvalidInput, match="was made by a newer xdr-bench") as caught:
        READERS[kind](path)
    assert f"up to version {CURRENT[kind]}" in str(caught.value)
    assert path.name in str(caught.value)


def test_scores_of_a_version_to_come_are_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(SAMPLES / "v1" / "scores.parquet")
    context = json.loads(table.schema.metadata[b"xdr"]) | {"schema_version": CURRENT["scores"] + 1}
    path = tmp_path / "scores.parquet"
    pq.write_table(table.replace_schema_metadata({"xdr": json.dumps(context)}), path)
    with pytest.raises(InvalidInput, match="was made by a newer xdr-bench"):
        read_scores(path)


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_never_was_is_refused(version: int) -> None:
    with pytest.raises(InvalidInput, match="begin with version 1"):
        migrated("card", {"schema_version": version}, "card.toml")


@pytest.mark.parametrize("version", [None, "1", 1.0, True, [1]])
def test_what_is_no_version_is_left_to_the_check_of_the_whole_file(version: object) -> None:
    content = {"schema_version": version, "name": "x"}
    assert migrated("leaderboard", content, "x") == content


@pytest.mark.parametrize("rows", [None, 3, [3, None], {"a": 1}])
def test_a_damaged_old_leaderboard_is_reported_like_a_damaged_new_one(rows: object, tmp_path: Path) -> None:
    (tmp_path / "leaderboard.json").write_text(json.dumps({"schema_version": 1, "rows": rows}))
    with pytest.raises(InvalidInput, match="is invalid"):
        read_leaderboard(tmp_path)
