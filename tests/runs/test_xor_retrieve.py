"""The official prediction file: what is written scores officially as it scores here; what is read is validated."""

from __future__ import annotations

import functools
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from xor_reference import Prediction as OfficialPrediction
from xor_reference import Tokenize, evaluate, nltk_word_tokenize

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.collections.view import Collection, load
from harness.errors import InvalidInput, WrongUsage
from harness.files.findings import MAX_SHOWN
from harness.measures import Judged, parse
from harness.records import Query
from harness.runs.execute import run_system
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import Ranked, Run, fixed_order
from harness.runs.xor_retrieve import Prediction, RankedPart, export_predictions, read_predictions, write_predictions
from harness.tracks import load_track

LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")


@pytest.fixture(scope="module")
def tokenize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokenize]:
    with nltk_word_tokenize(tmp_path_factory.mktemp("nltk")) as word_tokenize:
        yield functools.cache(word_tokenize)


def lines(path: Path, rows: Sequence[object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_collection(folder: Path, docs: Sequence[object], queries: Sequence[Query], answers: dict[str, object]) -> str:
    folder.mkdir(exist_ok=True)
    lines(folder / "docs.jsonl", docs)
    lines(folder / "queries.jsonl", [{"query_id": q.query_id, "text": q.text, "lang": q.lang} for q in queries])
    lines(folder / "answers.jsonl", [{"query_id": name, "answers": list(texts)} for name, texts in answers.items()])  # type: ignore[call-overload]
    return f"folder:{folder}"


def random_run(collection: Collection, depth: int, seed: int) -> Run:
    """A complete run with ties; where there is a passage named after the question, at any depth or not at all."""
    draw = random.Random(seed)
    ids = [doc_id for doc_id in collection.docs.ids if not doc_id.startswith("for-")]
    rankings: dict[str, Ranked] = {}
    for query in collection.queries:
        chosen = draw.sample(ids, min(depth, len(ids)) - 1)
        own = f"for-{query.query_id}"
        chosen += [own if own in collection.docs and draw.random() < 0.8 else next(i for i in ids if i not in chosen)]
        rankings[query.query_id] = fixed_order(chosen, np.array([draw.randint(0, 30) for _ in chosen], np.float32))
    return Run("random", rankings)


def ours(part: RankedPart, measure: str) -> float:
    rankings = {query_id: ranked.doc_ids[: part.depth] for query_id, ranked in part.run.rankings.items()}
    values = parse(measure).score(Judged(part.collection), rankings).values()
    return 100 * sum(values) / len(values)


def gold_of(parts: Sequence[RankedPart]) -> dict[str, list[str]]:
    return {name: list(texts) for part in parts for name, texts in (part.collection.answers or {}).items()}


def test_real_dev_questions_score_as_the_official_procedure_says(
    imported_data: Path, tmp_path: Path, tokenize: Tokenize
) -> None:
    """All 2,110 dev questions, 70 passages of about 100 words for each, their answers anywhere among them."""
    assert imported_data.is_dir()
    draw = random.Random(11)
    dev = load("xor-tydi/dev")
    answers = dev.answers or {}
    words = [word for doc in load("xdr-mini/fi").docs for word in doc.text.split()]

    def text(*inside: str) -> str:
        filler = [draw.choice(words) for _ in range(100)]
        for piece in inside:
            filler.insert(draw.randrange(100), piece)
        return " ".join(filler)

    spans = [answer for texts in answers.values() for answer in texts if answer not in ("yes", "no")]
    docs = [{"doc_id": f"d{i}", "title": draw.choice(spans), "text": text(draw.choice(spans))} for i in range(600)]
    docs += [
        {"doc_id": f"for-{name}", "title": "", "text": text(draw.choice(texts))} for name, texts in answers.items()
    ]
    parts = []
    for lang in LANGUAGES:
        queries = [query for query in dev.queries if query.lang == lang]
        own = {query.query_id: answers[query.query_id] for query in queries}
        collection = load(write_collection(tmp_path / lang, docs, queries, dict(own)))
        parts.append(RankedPart(collection, random_run(collection, 70, len(parts)), lang, 70))

    assert write_predictions(tmp_path / "predictions.json", parts) == 2110
    official: list[OfficialPrediction] = json.loads((tmp_path / "predictions.json").read_text("ascii"))
    gold = gold_of(parts)
    for measure, budget in (("R@2kt", 2000), ("R@5kt", 5000)):
        percent, macro = evaluate(official, gold, budget, tokenize)
        by_us = {part.lang: ours(part, measure) for part in parts}
        assert by_us == percent
        assert sum(by_us.values()) / 7 == macro
        assert all(10 < value < 95 for value in percent.values())
    read, warnings = read_predictions(tmp_path / "predictions.json", dev.queries)
    assert (len(read), warnings) == (2110, [])


def test_a_run_on_mini_scores_as_the_official_procedure_says(tmp_path: Path, tokenize: Tokenize) -> None:
    """From the run's folder to the file, beside the score file of the same run."""
    track = load_track("mini")
    outcome = run_system(
        TrackRuns(track, tmp_path / "runs"), load_card("bm25"), Context(tmp_path / "cache", tmp_path / "work")
    )
    target = tmp_path / "out" / "predictions.json"
    assert export_predictions(RunFolder(track, outcome.folder), target) == 560
    official: list[OfficialPrediction] = json.loads(target.read_text("ascii"))
    assert max(len(entry["ctxs"]) for entry in official) == track.depth
    gold = {n: list(t) for part in track.parts for n, t in (part.collection.answers or {}).items()}
    scores = score_system(RunFolder(track, outcome.folder))
    for measure, budget in (("R@500t", 500), ("R@2kt", 2000)):
        percent, _ = evaluate(official, gold, budget, tokenize)
        assert {part.lang: 100 * (scores.mean(part.name, measure) or 0) for part in track.parts} == pytest.approx(
            percent, abs=1e-12
        )
        counts = {part.name: len(scores.values[part.name, measure]) for part in track.parts}
        hits = {part.name: sum(scores.values[part.name, measure].values()) for part in track.parts}
        assert {name: 100 * hits[name] / counts[name] for name in counts} == percent


@pytest.fixture
def rivers(tmp_path: Path) -> Collection:
    docs = [
        {"doc_id": "nile", "title": "Egypt", "text": "The Nile – 6,650 km"},
        {"doc_id": "volga", "text": "Volga \u2028\x00"},
    ]
    queries = [Query("q1", "Niili", "fi", "q1"), Query("q2", "Volga", "", "q2"), Query("q3", "Nil", "fi", "q3")]
    return load(write_collection(tmp_path / "rivers", docs, queries, {"q1": ["Nile"], "q2": ["6,650"], "q3": ["Nile"]}))


def test_what_is_written(rivers: Collection, tmp_path: Path, tokenize: Tokenize) -> None:
    """Order, depth, no titles, the part's language where the question has none, missing questions as misses."""
    tied = fixed_order(["nile", "volga"], np.array([1, 1], np.float32))
    run = Run("t", {"q3": tied, "q1": fixed_order(["nile"], np.array([1], np.float32))})
    part = RankedPart(rivers, run, "en", 2)
    assert write_predictions(tmp_path / "p.json", [part]) == 3
    entries = json.loads((tmp_path / "p.json").read_text("ascii"))
    assert entries == [
        {"id": "q1", "lang": "fi", "ctxs": ["The Nile – 6,650 km"]},
        {"id": "q2", "lang": "en", "ctxs": []},
        {"id": "q3", "lang": "fi", "ctxs": ["Volga \u2028\x00", "The Nile – 6,650 km"]},
    ]
    percent, _ = evaluate(entries, gold_of([part]), 2000, tokenize)
    assert percent == {"fi": 100.0, "en": 0.0}
    assert ours(part, "R@2kt") == pytest.approx(200 / 3)
    write_predictions(tmp_path / "p.json", [RankedPart(rivers, run, "en", 1)])
    assert json.loads((tmp_path / "p.json").read_text())[2]["ctxs"] == ["Volga \u2028\x00"]


def test_equal_runs_give_equal_bytes_and_nothing_gives_a_list(rivers: Collection, tmp_path: Path) -> None:
    part = RankedPart(rivers, Run("t", {}), "fi", 2)
    for name in ("a.json", "b.json"):
        write_predictions(tmp_path / name, [part])
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert write_predictions(tmp_path / "none.json", []) == 0
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_a_failed_export_leaves_the_old_file(rivers: Collection, tmp_path: Path) -> None:
    """Also: parts that share question ids cannot be told apart in an official file."""
    target = tmp_path / "p.json"
    target.write_text("old")
    part = RankedPart(rivers, Run("t", {}), "fi", 2)
    with pytest.raises(InvalidInput, match="share question ids"):
        write_predictions(target, [part, part])
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.json", "rivers"]


def test_what_was_written_is_read(rivers: Collection, tmp_path: Path) -> None:
    run = Run("t", {"q1": fixed_order(["nile"], np.array([1], np.float32))})
    write_predictions(tmp_path / "p.json", [RankedPart(rivers, run, "fi", 2)])
    expected = (
        Prediction("q1", "fi", ("The Nile – 6,650 km",)),
        Prediction("q2", "fi", ()),
        Prediction("q3", "fi", ()),
    )
    assert read_predictions(tmp_path / "p.json", rivers.queries) == (expected, [])
    (tmp_path / "p.json.gz").write_bytes(gzip.compress((tmp_path / "p.json").read_bytes()))
    assert read_predictions(tmp_path / "p.json.gz")[0] == expected


QUERIES = [Query("q1", "?", "fi", "q1"), Query("q2", "?", "ja", "q2")]
GOOD = {"id": "q1", "lang": "fi", "ctxs": ["text"]}


def findings_of(path: Path, content: object) -> list[str]:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InvalidInput) as caught:
        read_predictions(path, QUERIES)
    return [str(finding) for finding in caught.value.findings if finding.severity == "error"]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = findings_of(
        tmp_path / "p.json",
        [
            GOOD,
            GOOD,
            {"id": 7, "lang": None, "ctxs": "text"},
            {"id": "q2"},
            ["q2"],
            {"id": "q2", "lang": "ja", "ctxs": ["a", {"title": "t", "text": "x"}, 3]},
            {"id": "stranger", "lang": "fi", "ctxs": [], "more": "is ignored"},
            {"id": "q2", "lang": "fi", "ctxs": []},
        ],
    )
    assert found == [
        "p.json: entry 2: question 'q1' is a duplicate; expected one entry each",
        "p.json: entry 3: 'id' is a number; expected a string",
        "p.json: entry 3: 'lang' is null; expected a string",
        "p.json: entry 3: 'ctxs' is a string; expected a list of strings",
        "p.json: entry 4: 'lang' is missing; expected a string",
        "p.json: entry 4: 'ctxs' is missing; expected a list of strings",
        "p.json: entry 5 is a list; expected an object with id, lang and ctxs",
        "p.json: entry 6: passage 2 of 'ctxs' is an object; expected a string; give the passage's text alone",
        "p.json: entry 7: unknown question 'stranger'; expected ids of the collection's questions",
        "p.json: entry 8: question 'q2' has the language 'fi'; expected 'ja'",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "p.json:1: not JSON"),
        ('[\n{"id": "q1",\n}]', "p.json:3: not JSON"),
        (json.dumps(GOOD) + "\n" + json.dumps(GOOD), "put the lines into one list"),
        (json.dumps(GOOD), "an object in JSON"),
        ("3", "a number in JSON"),
        ("[]", "no entries"),
        ("[" * 200_000, "not JSON"),
        ("[" + "9" * 5000 + "]", "JSON"),
    ],
)
def test_what_is_no_list_of_predictions(tmp_path: Path, content: str, expected: str) -> None:
    found = findings_of(tmp_path / "p.json", content)
    assert len(found) == 1
    assert expected in found[0]


def test_not_utf8_no_file_and_many_faults(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b'[{"id": "\xff"}]')
    with pytest.raises(InvalidInput, match="not UTF-8 at byte 9"):
        read_predictions(tmp_path / "p.json")
    with pytest.raises(WrongUsage, match="no file"):
        read_predictions(tmp_path / "nothing.json")
    strangers = [{"id": f"x{i}", "lang": "fi", "ctxs": []} for i in range(100)]
    found = findings_of(tmp_path / "p.json", strangers)
    assert len(found) == MAX_SHOWN + 1
    assert "80 more of this kind: unknown question" in found[-1]


def test_missing_questions_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps([GOOD]))
    predictions, warnings = read_predictions(tmp_path / "p.json", QUERIES)
    assert predictions == (Prediction("q1", "fi", ("text",)),)
    assert [str(warning) for warning in warnings] == [
        "p.json: 1 of 2 questions have no entry (first: q2); expected an entry for each; "
        "the official script leaves them out of its averages; here they score 0"
    ]
    assert read_predictions(tmp_path / "p.json") == (predictions, [])
