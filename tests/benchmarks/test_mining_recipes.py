"""Studies on a static encoder: labels, rows and biases by hand, the page from figures, and a whole study on one language."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_rounds import alignment, batches, label_efficiency, mining, tiny_teachers
from training_rounds.judging import Outcome, Plan, Study, index_of, judged
from training_rounds.language_bias import bias_of, entropy_of, mean_bias
from training_rounds.pages import page
from training_rounds.pseudo_labels import (
    Labelled,
    Unlabelled,
    first_found,
    given,
    hub_share,
    precision,
    rows_of,
    shuffled,
)
from training_rounds.self_training import unlabelled
from training_rounds.tables import verdict
from training_rounds.training import START, Budget

import xdr_bench as xdr
from harness.collections import load
from harness.measures.answer_recall import has_answer
from harness.progress import SilentProgress
from harness.recipes.mine.settings import MineSettings
from harness.recipes.rows import read_rows

QUESTIONS = [
    Unlabelled("a", "kuka?", "fi", "p1"),
    Unlabelled("b", "mikä?", "fi", "p2"),
    Unlabelled("c", "who?", "sw", "p1"),
    Unlabelled("d", "what?", "sw", "p3"),
]
RANKINGS = {
    "a": {"p1": 0.9, "p2": 0.8},
    "b": {"p1": 0.5, "p2": 0.1},
    "c": {"p3": 0.2, "p1": 0.19},
    "d": {"p3": 0.2, "p1": 0.18},
}


def ids(labels: list[Labelled]) -> dict[str, str]:
    return {label.question.query_id: label.doc_id for label in labels}


def test_the_first_passage_is_the_label() -> None:
    labels = first_found(QUESTIONS, RANKINGS)
    assert ids(labels) == {"a": "p1", "b": "p1", "c": "p3", "d": "p3"}
    assert precision(labels) == {"fi": (1, 2), "sw": (1, 2)}


def test_each_language_keeps_its_own_surest_half() -> None:
    assert ids(first_found(QUESTIONS, RANKINGS, 0.5)) == {"b": "p1", "d": "p3"}
    assert ids(first_found(QUESTIONS, RANKINGS, 0.5, by_language=False)) == {"a": "p1", "b": "p1"}


def test_shuffled_labels_keep_how_often_a_passage_is_one_and_hang_on_the_seed() -> None:
    questions = [Unlabelled(f"q{number}", "?", "fi", f"p{number % 7}") for number in range(70)]
    one, again, other = shuffled(questions, 1), shuffled(questions, 1), shuffled(questions, 2)
    assert one == again != other
    assert sorted(ids(one).values()) == sorted(question.hidden for question in questions)
    assert sum(label.is_right for label in one) < 35
    assert all(label.is_right for label in given(questions))


def test_hub_share_counts_questions_not_passages() -> None:
    assert hub_share(["a", "a", "a", "b", "c", "d"], hubs=2) == pytest.approx(4 / 6)
    assert hub_share(["a", "b"], hubs=5) == 1.0


def test_rows_are_pseudo_labelled_with_whole_passages() -> None:
    collection = load("xdr-mini/fi")
    doc = next(iter(collection.docs))
    [row] = rows_of([Labelled(QUESTIONS[0], doc.doc_id)], collection.docs, "round 1")
    assert (row.query, row.lang, row.label, row.source) == ("kuka?", "fi", "pseudo", "round 1")
    assert row.positives[0].default_text() == doc.default_text()


# -- batches, and which language is preferred


def test_bias_of_a_ranking_by_hand() -> None:
    ranking = ["p.ar", "p.en", "q.ar", "q.en", "p.de", "q.de"]
    found = bias_of(ranking, ["p.ar", "p.de", "p.en"], "de", lambda doc_id: doc_id[-2:], first=4)
    assert found == (1.0, 4, 5, 1.5)
    assert mean_bias([found, found._replace(spread=2)]) == {"entropy": 1.0, "spread": 3.0, "own": 5.0, "others": 1.5}


def test_entropy_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for languages in (["a"], ["a", "b"], ["a", "a", "b", "c", "c", "c"], [*"abcdefgh"]):
        counts = [languages.count(one) for one in sorted(set(languages))]
        assert entropy_of(languages) == pytest.approx(stats.entropy(counts, base=2))


@pytest.mark.usefixtures("imported_data")
def test_every_row_of_batches_sees_as_many_pairs() -> None:
    rows = batches.monolingual(5)
    counts = {lang: sum(row.lang == lang for row in rows) for lang in batches.MONOLINGUAL}
    assert counts == dict.fromkeys(batches.MONOLINGUAL, batches.PER_LANGUAGE)
    assert rows == batches.monolingual(5) != batches.monolingual(6)
    seen = {}
    for variant in batches.variants(5, rows):
        own = sum(int(source["weight"]) for source in variant.sources if source["kind"] == "rows")
        crossing = sum(int(source["weight"]) for source in variant.sources if source["kind"] != "rows")
        seen[variant.name] = own * len(rows) + crossing * batches.CROSS_LINGUAL * 7
    assert min(seen.values()) > 0.999 * max(seen.values())
    by_name = {variant.name: variant for variant in batches.variants(5, rows)}
    # The rule for batches alone tells these two apart.
    assert by_name["hybrid"].sources == by_name["mixed"].sources
    assert (by_name["hybrid"].batches, by_name["mixed"].batches) == ("language", "mixed")


# -- the alignment term


def test_partners_are_of_the_same_passage_in_other_languages_and_controls_of_another_one() -> None:
    questions = [
        Unlabelled(f"{passage}-{lang}-{number}", f"{passage} {lang} {number}?", lang, passage)
        for passage in ("p1", "p2", "p3")
        for lang in ("fi", "ko", "te")
        for number in range(2)
    ]
    passage_of = {one.text: one.hidden for one in questions}
    for of_another in (False, True):
        rows = alignment.partners(questions, 3, of_another)
        assert len(rows) == len(questions)
        for row in rows:
            assert {positive.text.split()[1] for positive in row.positives} == {"fi", "ko", "te"} - {row.lang}
            owners = {passage_of[positive.text] for positive in row.positives}
            assert len(owners) == 1
            assert (owners == {passage_of[row.query]}) != of_another
    assert alignment.partners(questions, 3, False) != alignment.partners(questions, 4, False)


# -- how many labels a teacher needs


def test_labels_and_what_a_student_learns_from_are_never_the_same_questions() -> None:
    questions = unlabelled(["fi", "te"])
    labels, rest = label_efficiency.parted(questions)
    assert len(labels) == 2 * len(rest) == 800
    assert {one.query_id for one in (*labels, *rest)} == {one.query_id for one in questions}
    few, many, other = (label_efficiency.drawn(labels, n, seed) for n, seed in ((10, 1), (30, 1), (10, 2)))
    assert many[:10] == few != other


@pytest.mark.usefixtures("imported_data")
def test_teachers_rank_and_teach_from_their_labels_to_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_teachers, "TEACHER_STEPS", 2)
    monkeypatch.setattr(tiny_teachers, "VOCABULARY", 400)
    monkeypatch.setattr(label_efficiency, "RATES", (1e-3,))
    monkeypatch.setattr(label_efficiency, "STUDENT_RATES", (0.05,))
    monkeypatch.setattr(label_efficiency, "UNLABELLED", 12)
    study = Study(tmp_path, Budget(0.05, steps=2, batch_size=8), [3], ["fi"])
    figures = label_efficiency.measured(study, SilentProgress(), (20,))
    assert figures["rows"].keys() == {"start", "direct-20", "generator-20", "cross-20"}
    assert figures["gate"]["rows"].keys() == {"start", "generator-20", "cross-20"}
    assert (figures["settings"], figures["unlabelled"]) == (5, 12)
    # The lists hold what the start finds first: teachers can but order them anew.
    rows = read_rows(tmp_path / "unknown" / label_efficiency.ROWS).rows
    own = {one.query_id: one.hidden for one in unlabelled(["fi"])}
    places = [[one.docid for one in (*row.positives, *row.negatives)] for row in rows]
    start = [
        1 / (1 + ids.index(own[row.query_id])) if own[row.query_id] in ids else 0.0
        for row, ids in zip(rows, places, strict=True)
    ]
    assert figures["gate"]["rows"]["start"]["scores"]["RR@10"]["fi"] == pytest.approx(np.mean(start))
    found = {name: row["scores"]["RR@10"]["fi"] for name, row in figures["gate"]["rows"].items()}
    most = np.mean([value > 0 for value in start])
    assert all(0 < value <= most for value in found.values())
    trained = [row["training"] for name, row in figures["rows"].items() if name != "start"]
    assert all(one["steps"] == 2 for one in trained)
    text = page({"label-efficiency": json.loads(json.dumps(figures))})
    assert "taught by a generator of questions of 20 labels" in text
    assert "5 settings in all" in text
    assert label_efficiency.measured(study, SilentProgress(), (20,))["rows"] == figures["rows"]


# -- rounds of mining


@pytest.mark.usefixtures("imported_data")
def test_the_unasked_half_is_the_rest_and_labels_are_counted_against_its_hidden_judgements(tmp_path: Path) -> None:
    asked, whole = xdr.load_collection("xquad-oracle/hi"), xdr.load_collection("xquad/hi")
    [unasked] = mining.unasked(["hi"]).values()
    ids = [{query.query_id for query in own.queries} for own in (asked, unasked, whole)]
    assert not ids[0] & ids[1]
    assert ids[0] | ids[1] == ids[2]
    assert unasked.docs.digest == asked.docs.digest
    study = Study(tmp_path, Budget(0.02, steps=2), [1], ["hi"])
    world = mining._World(study, {"hi": asked}, {"hi": unasked})
    index = index_of(START, asked.docs)
    rankings = index.run(unasked.queries, mining.TOP)
    gold, answers = whole.qrels or {}, whole.answers or {}
    found = sum(bool(gold[query] & ranking.keys()) for query, ranking in rankings.items())
    for labeller in ("answer-string", "qrels", "random"):
        rows, noted = mining._mined(
            world, index, MineSettings(labeller, mining.TOP), tmp_path / labeller, SilentProgress()
        )
        right = [row for row in rows if row.positives[0].docid in gold[row.query_id]]
        assert noted["labels"] == {"hi": (len(right), len(rows))}
        assert noted["found"] == {"hi": found}
        assert all(len(row.positives) == 1 for row in rows)
        if labeller == "qrels":
            assert len(right) == len(rows) == found
        if labeller == "answer-string":
            for row in rows:
                assert row.positives[0].docid in rankings[row.query_id]
                assert has_answer(answers[row.query_id], row.positives[0].text)
                assert not any(has_answer(answers[row.query_id], other.text) for other in row.negatives)


@pytest.mark.usefixtures("imported_data")
def test_negatives_for_gold_questions_hold_no_answer() -> None:
    docs = xdr.load_collection("xquad/en").docs
    rows = mining.negatives_of_gold(index_of(START, docs), docs)
    assert len(rows) > 3000
    assert {row.label for row in rows} == {"gold"}
    known = {doc.text for doc in docs}
    assert all(passage.text in known for row in rows[:200] for passage in row.negatives)
    assert not any(row.positives[0].text in known for row in rows)


# -- judging, the page, the command


def _outcome(values: dict[str, float]) -> Outcome:
    collection = load("xdr-mini/fi/dev")
    rankings = {query.query_id: {} for query in collection.queries}
    scores = xdr.score(rankings, collection, "Success@1")
    own = {query_id: values.get(query_id, 0.0) for query_id in scores.per_query["Success@1"]}
    return Outcome({"fi": replace(scores, per_query={"Success@1": own})})


def test_rows_are_compared_by_each_questions_mean_over_the_seeds_and_marked_from_three_seeds_on(tmp_path: Path) -> None:
    ids = [query.query_id for query in load("xdr-mini/fi/dev").queries]
    outcomes = {"a": [_outcome({ids[0]: 1.0}), _outcome({ids[0]: 1.0, ids[1]: 1.0})], "b": [_outcome({})]}
    plan = Plan(("Success@1",), {"a": "A", "b": "B"}, (("a", "b"), ("a", "absent")))
    study = Study(tmp_path, Budget(0.02, steps=2), [1, 2], ["fi"])
    figures = judged(study, plan, outcomes)
    [found] = figures["differences"]
    assert found["difference"] == pytest.approx(1.5 / len(ids)) == figures["rows"]["a"]["scores"]["Success@1"]["macro"]
    assert found["p"] is None
    [marked] = judged(Study(tmp_path, study.budget, [1, 2, 3], ["fi"]), plan, outcomes)["differences"]
    assert 0 < marked["p"] <= 1


def _figures(plan: Plan, noted: dict[str, dict[str, Any]], seeds: list[int], tmp_path: Path) -> dict[str, Any]:
    """Of rows whose rankings are all the same, but for the start, which finds nothing."""
    collection = load("xdr-mini/fi/dev")
    found = index_of(START, collection.docs).run(collection.queries, 10)
    nothing: dict[str, dict[str, float]] = {query.query_id: {} for query in collection.queries}
    outcomes = {
        name: [
            Outcome(
                {"fi": xdr.score(nothing if name == "start" else found, collection, list(plan.measures))}, noted=own
            )
        ]
        for name, own in noted.items()
    }
    figures = judged(Study(tmp_path, Budget(0.02, epochs=2), seeds, ["fi"]), plan, outcomes)
    made = {
        "steps": 7.0,
        "rows_per_epoch": 5.0,
        "tokens": 1234.0,
        "candidates": 9.0,
        "seconds": 3.0,
        "peak_memory": 2e6,
    }
    for name, row in figures["rows"].items():
        row["training"] = None if name == "start" else made
    return figures


def test_the_page_has_every_study_and_the_tests_of_its_family(tmp_path: Path) -> None:
    labels = {"labels": {"fi": [3, 4]}, "questions": {"fi": 8}, "fallback": {"fi": 0}, "found": {"fi": 6}}
    mined = _figures(mining.PLAN, {"start": {}, "no-mining": {}, "string-1": labels}, [1, 2, 3], tmp_path)
    bias = {"entropy": 1.25, "spread": 900.0, "own": 12.0, "others": 345.0}
    batched = _figures(batches.PLAN, dict.fromkeys(("start", "mixed", "hybrid"), bias), [1], tmp_path)
    aligned = _figures(alignment.PLAN, {name: {} for name in ("start", "no-term", "generated")}, [1], tmp_path)
    text = page(
        {
            "mining": {**mined, "questions": 8, "top": 20, "negatives": 4, "reader": None},
            "batches": {**batched, "passages": 1920},
            "alignment": {**aligned, "questions": 4200, "dropped": 0},
        }
    )
    assert "Not measured for this page: self-training, label-efficiency." in text
    assert "| round 1, labels: passages that hold an answer | 75.0% of 4 |" in text
    assert "| found, round 1 | 75.0% |" in text
    assert "with `--reader` a reader labels as well, which was not done" in text
    read = _figures(mining.PLAN, {"start": {}, "reader-1": labels | {"fallback": {"fi": 1}}}, [1], tmp_path)
    by_reader = page(
        {"mining": {**read, "questions": 8, "top": 20, "negatives": 4, "reader": "r", "reader_right": [3, 40]}}
    )
    assert "marks the answer of 3 of the 40 English questions (7.5%)" in " ".join(by_reader.split())
    assert "| of these rows fallbacks | 25.0% of 4 |" in by_reader
    assert "| 1.25 | 900 | 12 | 345 |" in text
    [tested] = [one for one in mined["differences"] if one["other"] == "start"]
    assert tested["p"] < 0.05
    assert tested["difference"] > 0
    by_line = [
        line
        for line in text.splitlines()
        if line.startswith(f"| {mining.TITLES['string-1']} | {mining.TITLES['start']} |")
    ]
    assert len(by_line) == 1
    assert "| gain |" in by_line[0]
    # Rows with the same rankings are not told apart.
    [line] = [
        line
        for line in text.splitlines()
        if line.startswith(f"| {mining.TITLES['string-1']} | {mining.TITLES['no-mining']} |")
    ]
    assert "| 1.00000 | none shown |" in line
    assert "Every training has 2 epochs" in text


@pytest.mark.parametrize(
    ("p", "signs", "said"),
    [(None, [1] * 7, "exploratory"), (0.2, [1] * 7, "none shown"), (0.01, [1] * 5 + [-1] * 2, "gain"),
     (0.01, [1] * 4 + [-1] * 3, "none shown"), (0.01, [-1] * 7, "loss")],
)  # fmt: skip
def test_a_verdict_needs_significance_and_one_sign_in_five_of_seven_languages(
    p: float | None, signs: list[int], said: str
) -> None:
    parts = {f"l{place}": 0.01 * sign for place, sign in enumerate(signs)}
    assert verdict({"p": p, "difference": float(np.mean(list(parts.values()))), "by_part": parts}) == said


def test_a_study_is_made_goes_on_and_is_written_into_the_page(
    tmp_path: Path, imported_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets", reason='needs the extra `train`: pip install -e ".[train]"')
    import mining_recipes
    from training_rounds import training

    trained: list[str] = []
    train = training.train

    def noted(recipe: Path, *rest: Any) -> Any:
        trained.append(recipe.parent.name)
        return train(recipe, *rest)

    monkeypatch.setattr(training, "train", noted)

    def called(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["mining_recipes.py", *words, "--work", str(tmp_path / "work")])
        return mining_recipes.main()

    def written() -> str:
        assert called("page", "--output", str(tmp_path / "page.md")) == 0
        return (tmp_path / "page.md").read_text("utf-8")

    assert called("page") == 2
    assert called("self-training", "--languages", "xx") == 2
    # Without seeds labels alone are judged, and nothing is trained.
    assert called("self-training", "--seeds", "--languages", "fi") == 0
    labels = written()
    assert "no encoder was trained" in labels
    assert "Not measured for this page: mining, batches, alignment, label-efficiency." in labels
    assert not trained

    command = ("self-training", "--seeds", "7", "--steps", "2", "--languages", "fi")
    assert called(*command) == 0
    names = ("more-steps", "given", "shuffled", "self-trained-all", "self-trained-1", "self-trained-2")
    assert trained == [f"{name}-7" for name in names]
    figures = json.loads((tmp_path / "work" / "figures" / "self-training.json").read_text("utf-8"))
    rows = figures["rows"]
    assert rows["given"]["noted"][0]["labels"] == {"fi": [600, 600]}
    assert rows["self-trained-1"]["noted"][0]["labels"]["fi"][1] == 300
    assert {row["training"]["steps"] for row in rows.values() if row["training"]} == {2}
    # The untrained rows are those of the track, found anew.
    for name, recorded in (("start", "mini-xdr"), ("start-xqg", "mini-xdr-xqg")):
        own = xdr.score(training.ROOT / "runs" / "mini" / recorded / "fi.trec.gz", "xdr-mini/fi", "R@500t")
        assert rows[name]["scores"]["R@500t"]["fi"] == pytest.approx(own["R@500t"])
    found = {one["row"]: one["difference"] for one in figures["differences"]}
    expected = rows["start"]["scores"]["R@500t"]["fi"] - rows["start-xqg"]["scores"]["R@500t"]["fi"]
    assert found["start"] == pytest.approx(expected)
    assert found.keys() == rows.keys() - {"start-xqg"}
    text = written()
    assert "self-training --work WORK --seeds 7\n" in text
    assert "1 seed all of it is exploratory" in text
    assert "| trained on the questions with their passages | 100.0% of 600 |" in text
    # What is there is not trained again.
    assert called(*command) == 0
    assert len(trained) == len(names)
    assert written() == text == page({"self-training": figures})
    table = labels[labels.index("| kept") : labels.index("\nLabels alone")]
    assert table in text
