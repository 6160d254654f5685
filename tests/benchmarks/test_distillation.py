"""The page of the distillation is written from figures alone, and seeds are means of one question each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.files.package import package_root
from harness.runs.manifest import read_manifest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def figures(seeds: int = 3) -> dict[str, Any]:
    stage = {"name": "align", "objective": "align", "steps": 12, "tokens": 3456, "seconds": 1.0, "mean_loss": 0.25}
    run = {"seconds": 60.0, "bytes": 11_400_000, "stages": [stage | {"peak_memory_bytes": 5_000_000}]}
    runs = [run | {"seed": 42 + number} for number in range(seeds)]
    by_seed = [0.64, 0.66, 0.65][:seeds]
    row = {"macro": 0.65, "by_seed": by_seed, "parts": {"de": 0.7, "en": 0.9}}
    tested = {"difference": 0.021, "interval": [-0.01, 0.05], "p": 0.21, "better": 1, "detectable": 0.043}
    found = {
        "measure": "Success@10",
        "macro": ["de"],
        "rows": {
            "mini-distilled": row | {"against_untrained": tested},
            "mini-distilled-pieces": row | {"by_seed": [0.65]},
        },
        "teacher": {"de": 0.98, "en": 1.0},
    }
    return {
        "recipes": ["mini-distilled", "mini-distilled-pieces", "mini-distilled-both"],
        "trained": {"mini-distilled": runs, "mini-distilled-pieces": [runs[0] | {"stages": []}]},
        "tracks": {"mini-dev": found, "xquad": found},
    }


def page_of(found: dict[str, object]) -> str:
    import distillation_page

    return str(distillation_page.page(json.loads(json.dumps(found))))


def test_the_page_has_scores_seeds_intervals_the_teacher_and_what_is_missing() -> None:
    page = page_of(figures())
    assert "| 70.0 | 90.0 | 65.0 | 64.0 66.0 65.0 | +2.1 (-1.0 to +5.0) | 0.21 | 4.3 | 1 of 1 |" in page
    assert "| the teacher itself | 98.0 | 100.0 | 98.0 |" in page
    assert "keeps: de 70%, en 90%" in page
    assert "Not trained for this page: `mini-distilled-both`." in page
    assert "| 60 | 12 | 3,456 | 0.2500 | 5 |" in page
    assert "Seeds that were run: 42 43 44; five are the rule" in " ".join(page.split())
    assert "--seeds 42 43 44 --rows mini-distilled mini-distilled-pieces --json" in page


def test_the_page_says_whether_the_teacher_beats_the_same_pairs_without_one() -> None:
    found = figures(1)
    assert "Does the teacher help?" not in page_of(found)
    for track, macro in (("mini-dev", 0.4), ("xquad", 0.75)):
        found["tracks"][track] = {**found["tracks"][track], "rows": {**found["tracks"][track]["rows"]}}
        row = found["tracks"][track]["rows"]["mini-distilled"]
        found["tracks"][track]["rows"]["mini-distilled-contrastive"] = row | {"macro": macro}
    said = " ".join(page_of(found).split())
    assert "mini-dev 65.0 and 40.0; xquad 65.0 and 75.0. With the teacher it is ahead on mini-dev of them." in said
    assert "So few seeds decide nothing" in said


def study(p: float) -> dict[str, object]:
    made = {"steps": 60.0, "rows_per_epoch": 5.0, "tokens": 9.0, "candidates": 9.0, "seconds": 75.0, "peak_memory": 2e6}
    rows = {
        name: {"scores": {"nDCG@10": {"macro": macro}}, "training": None if name == "start" else made}
        for name, macro in (("start", 0.4), ("mixed", 0.5), ("hybrid", 0.51))
    }
    by_part = {"ar": 0.01, "en": 0.02}
    tested = {
        "row": "hybrid",
        "other": "mixed",
        "difference": 0.01,
        "interval": [-0.02, 0.04],
        "p": p,
        "by_part": by_part,
    }
    titles = {"start": "the start", "mixed": "mixed batches", "hybrid": "hybrid batches"}
    return {"titles": titles, "measures": ["nDCG@10"], "rows": rows, "differences": [tested | {"detectable": 0.05}]}


def test_a_model_that_is_trained_again_is_shown_beside_what_it_began_with(tmp_path: Path) -> None:
    import recipes_overview

    runs = package_root() / "runs/recipes"
    rows = {row["system"]: row for row in json.loads((runs / "leaderboard.json").read_text("utf-8"))["rows"]}
    trained, untrained = (
        100 * rows[name]["cells"]["R@500t"]["macro"]["value"] for name in ("me5-small-q4-xdr", "me5-small-q4-cut")
    )
    seconds = read_manifest(runs / "me5-small-q4-xdr").execution.facts["training"]["seconds"]
    record = {"recipe": {"name": "me5-small-q4-xdr"}, "seconds": seconds, "stages": []}
    path = tmp_path / "training.json"
    path.write_text(json.dumps(record), "utf-8")
    text = recipes_overview.overview(json.loads(json.dumps(figures())), {}, [path])  # type: ignore[arg-type]
    (line,) = (line for line in text.splitlines() if line.startswith("| `me5-small-q4-xdr`"))
    assert f"| recipes, R@500t | {untrained:.1f} | {trained:.1f} | {untrained:.1f} (`me5-small-q4-cut`) |" in line
    assert f"| {trained - untrained:+.1f} | exploratory |" in line
    path.write_text(json.dumps({**record, "seconds": seconds + 1}), "utf-8")
    with pytest.raises(ValueError, match="that of the recorded run"):
        recipes_overview.overview(json.loads(json.dumps(figures())), {}, [path])  # type: ignore[arg-type]


def test_all_recipes_are_in_one_table_with_what_did_not_work_and_what_was_not_run(tmp_path: Path) -> None:
    import recipes_overview

    import xdr_bench as xdr

    record = {"recipe": {"name": "tydi-reader"}, "seconds": 3700.0, "stages": [{"peak_memory_bytes": 7_000_000}]}
    (tmp_path / "training.json").write_text(json.dumps(record), "utf-8")
    found = json.loads(json.dumps(figures()))
    text = recipes_overview.overview(found, {"batches": study(0.4)}, [tmp_path / "training.json"])  # type: ignore[dict-item]
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert (
        "| 1 min 0 s | 5 | mini-dev, Success@10 | 65.0 | 65.0 | 65.0 | +2.1 (-1.0 to +5.0) | 0.21"
        in lines["`mini-distilled`"]
    )
    assert lines["`mini-distilled`"].endswith("| 4.3 |")
    assert (
        "| 1 min 15 s | 2 | nDCG@10 | 40.0 | 51.0 | 50.0 (mixed batches) | +1.0 (-2.0 to +4.0) | 0.40"
        in lines["batches: hybrid batches"]
    )
    assert "| 1 h 1 min | 7 |" in lines["`tydi-reader`"]
    assert "| not run |" in lines["`mbert-xdr`"]
    runs = [FOLDER.parent / f"runs/mini/mini-xdr/{lang}.trec.gz" for lang in ("ar", "bn", "fi", "ja", "ko", "ru", "te")]
    scores = [xdr.score(run, f"xdr-mini/{run.name.split('.')[0]}", ["R@500t"])["R@500t"] for run in runs]
    assert f"| mini, R@500t |  | {100 * sum(scores) / 7:.1f} |" in lines["`mini-xdr`"]
    assert {path.stem for path in (FOLDER.parent / "systems/recipes").glob("*.toml")} <= {
        name.strip("`") for name in lines
    }
    assert (
        "- batches: *hybrid batches* against *mixed batches*: none shown, +1.0 (-2.0 to +4.0); 5.0 could be found"
        in text
    )
    gained = recipes_overview.overview(found, {"batches": study(0.01)}, [])  # type: ignore[dict-item]
    assert "What did not work" not in gained


def test_looks_at_test_questions_are_counted() -> None:
    assert "each once: 4 on xquad." in page_of(figures()).replace("\n", " ")
    assert "each once: 2 on xquad." in page_of(figures(seeds=1)).replace("\n", " ")
    only_development = figures()
    del only_development["tracks"]["xquad"]  # type: ignore[attr-defined]
    assert "No test question was asked." in page_of(only_development).replace("\n", " ")


def test_too_few_seeds_are_not_tested() -> None:
    page = page_of(figures(seeds=2))
    assert "exploratory" in page
    assert "| 70.0 | 90.0 | 65.0 | 64.0 66.0 |\n" in page
    assert "0.21" not in page


def test_the_page_says_whether_the_teacher_is_better_than_its_student() -> None:
    assert (
        "the teacher has 98.0 Success@10 (%), the untrained table 65.0, the embedded model's recipe 65.0: it is."
        in (page_of(figures()).replace("\n", " "))
    )
    worse = figures()
    worse["tracks"]["mini-dev"]["teacher"] = {"de": 0.5, "en": 0.5}  # type: ignore[index]
    assert "it is NOT" in page_of(worse)


def test_rows_of_fewer_seeds_are_named_and_asked_for() -> None:
    found = figures()
    runs = found["trained"]["mini-distilled"]
    found["trained"]["mini-distilled-both"] = [*runs, runs[0] | {"seed": 45}, runs[0] | {"seed": 46}]
    page = " ".join(page_of(found).split())
    assert "Seeds that were run: 42 43 44 45 46 (fewer of `mini-distilled`: 3); five are the rule" in page
    assert "--seeds 42 43 44 45 46 --three mini-distilled --json" in page


def test_a_question_has_the_mean_of_its_seeds() -> None:
    import distillation

    import xdr_bench as xdr

    docs = {"d1": "Tea is green.", "d2": "The Volga is long."}
    asked = {"q1": "Tee?", "q2": "Volga?"}
    collection = xdr.make_collection(docs=docs, queries=asked, qrels={"q1": {"d1": 1}, "q2": {"d2": 1}}, lang="fi")
    right, wrong = {"q1": ["d1"], "q2": ["d2"]}, {"q1": ["d1"], "q2": ["d1"]}
    seeds = [{"fi": xdr.score(run, collection, ["Success@1"])} for run in (right, wrong)]
    mean = distillation._mean_of(seeds, "Success@1")
    assert mean["fi"].per_query["Success@1"] == {"q1": 1.0, "q2": 0.5}
    assert mean["fi"]["Success@1"] == 0.75


def test_a_recipe_without_stages_has_one_seed(tmp_path: Path) -> None:
    import distillation

    (tmp_path / "a.toml").write_text("seed = 42", "utf-8")
    (tmp_path / "b.toml").write_text("seed = 42\n[[stages]]", "utf-8")
    assert [distillation.seeds_of(tmp_path / name, [1, 2]) for name in ("a.toml", "b.toml")] == [[1], [1, 2]]
