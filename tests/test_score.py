"""Scores: stored and read back unchanged, made again when anything they depend on changes, zeros and dashes apart."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statistics_reference as reference

from harness import score as score_module
from harness.collections.view import load
from harness.errors import InvalidInput
from harness.manifest import Manifest, PartRecord, digest_of, read_manifest, run_file, write_manifest
from harness.measures import Judged, Measure, parse
from harness.records import Ranking
from harness.runs import Run, fixed_order, write_run
from harness.score import FILE_NAME, ScoreFile, bounds_of, read_scores, score_system, tie_range, write_scores
from harness.tracks import Track

DOCS = {"d1": "Oslo is in Norway", "d2": "Rome is in Italy", "d3": "I cannot say", "d4": "", "d5": "Oslo again"}
QUERIES = {"fi-1": "fi", "fi-2": "fi", "fi-3": "fi", "ja-1": "ja", "ja-2": "ja"}
QRELS = {"fi-1": {"d1": 1}, "fi-2": {"d2": 1}, "fi-3": {"d1": 1}, "ja-1": {"d5": 1}, "ja-2": {"d2": 1}}
ANSWERS = {"fi-1": ["Oslo"], "fi-2": ["Rome"], "fi-3": ["yes"], "ja-1": ["Oslo"], "ja-2": ["Italy"]}
Rankings = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class World:
    """A folder as a collection, a track of it, and a place for runs."""

    home: Path
    track: Track

    def run(self, rankings: Mapping[str, Rankings], name: str = "toy", **card: Any) -> Path:
        """Write runs by part, best passage first, with their manifest; returns the system's folder."""
        folder = self.home / "runs" / name
        data = {}
        for part, own in rankings.items():
            rows = [Ranking(q, list(ids), np.arange(len(ids), 0, -1, dtype=np.float32)) for q, ids in own.items()]
            text = write_run(run_file(folder, part), rows, name)
            digests = load(self.track.part(part).dataset_id).digests
            data[part] = PartRecord(
                dataset=part,
                lang=part,
                docs=digests.docs,
                queries=digests.queries,
                query_count=0,
                ranking=hashlib.sha256(text).hexdigest(),
            )
        method = {"card": {"schema_version": 1, "name": name, "title": name, "adapter": "dummy", **card}}
        nothing: dict[str, Any] = {"track": {}, "implementation": {}, "platform": {}, "execution": {}, "reuse": {}}
        write_manifest(folder, Manifest(schema_version=1, tag=name, method=method, data=data, **nothing))
        return folder


def collection_in(
    home: Path,
    docs: Mapping[str, str] = DOCS,
    queries: Mapping[str, str] = QUERIES,
    qrels: Mapping[str, Mapping[str, int]] | None = QRELS,
    answers: Mapping[str, Sequence[str]] | None = ANSWERS,
) -> Path:
    def lines(rows: list[dict[str, Any]]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)

    home.mkdir(parents=True)
    (home / "docs.jsonl").write_text(lines([{"doc_id": d, "text": text} for d, text in docs.items()]))
    asked = [{"query_id": q, "text": "?", "lang": lang, "topic": q.split("-")[-1]} for q, lang in queries.items()]
    (home / "queries.jsonl").write_text(lines(asked))
    if qrels is not None:
        rows = [f"{q} 0 {d} {grade}\n" for q, own in qrels.items() for d, grade in own.items()]
        (home / "qrels.txt").write_text("".join(rows))
    if answers is not None:
        (home / "answers.jsonl").write_text(lines([{"query_id": q, "answers": list(a)} for q, a in answers.items()]))
    return home


def track_of(folder: Path, langs: Sequence[str] = ("fi", "ja"), **fields: Any) -> Track:
    content = {
        "schema_version": 1,
        "name": "toy",
        "version": 1,
        "title": "Toy",
        "description": "",
        "parts": [{"name": lang, "dataset": f"folder({lang}):{folder}", "lang": lang} for lang in langs],
        "measures": ["R@2t", "RR"],
        "primary": "R@2t",
        "depth": 3,
        "baseline": "base",
    }
    return Track.model_validate({**content, **fields})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "toy")))


RANKINGS: dict[str, Rankings] = {
    "fi": {"fi-1": ["d2", "d1"], "fi-2": ["d2"], "fi-3": ["d2", "d3", "d1"]},
    "ja": {"ja-1": ["d5"], "ja-2": ["d1", "d2"]},
}


# -- values


def test_values_are_those_of_the_measures_by_query(world: World) -> None:
    scores = score_system(world.track, world.run(RANKINGS))
    assert scores.values == {
        ("fi", "R@2t"): {"fi-1": 0.0, "fi-2": 1.0},
        ("fi", "RR"): {"fi-1": 1 / 2, "fi-2": 1.0, "fi-3": 1 / 3},
        ("ja", "R@2t"): {"ja-1": 1.0, "ja-2": 0.0},
        ("ja", "RR"): {"ja-1": 1.0, "ja-2": 1 / 2},
    }
    assert scores.mean("fi", "RR") == pytest.approx(11 / 18)
    assert scores.mean("fi", "nDCG@10") is scores.mean("te", "RR") is None
    assert scores.langs == {"fi": "fi", "ja": "ja"}


def test_passages_below_the_tracks_depth_are_ignored(world: World) -> None:
    deep = {"fi": {"fi-1": ["d2", "d3", "d4", "d1"]}, "ja": RANKINGS["ja"]}
    scores = score_system(world.track, world.run(deep))
    assert scores.values["fi", "RR"]["fi-1"] == 0.0


def test_a_query_missing_from_the_run_counts_0_and_stays_in_the_denominator(world: World) -> None:
    scores = score_system(world.track, world.run({"fi": {"fi-2": ["d2"]}, "ja": RANKINGS["ja"]}))
    assert scores.values["fi", "RR"] == {"fi-1": 0.0, "fi-2": 1.0, "fi-3": 0.0}
    assert scores.mean("fi", "RR") == pytest.approx(1 / 3)
    assert any("2 of 3 queries are missing" in warning for warning in scores.context["warnings"]["fi"])


def test_a_language_that_is_declared_but_was_not_run_counts_0(world: World) -> None:
    scores = score_system(world.track, world.run({"fi": RANKINGS["fi"]}))
    assert scores.values["ja", "RR"] == {"ja-1": 0.0, "ja-2": 0.0}
    assert scores.mean("ja", "R@2t") == 0.0
    (warning,) = scores.context["warnings"]["ja"]
    assert "no run, though the card declares the language" in warning


def test_a_language_that_is_not_declared_is_absent(world: World) -> None:
    scores = score_system(world.track, world.run({"fi": RANKINGS["fi"]}, languages=["fi"]))
    assert scores.parts == ["fi"]
    assert scores.mean("ja", "RR") is None


def test_a_part_that_the_track_does_not_have_is_an_error_that_names_it(world: World) -> None:
    folder = world.run(RANKINGS)
    only_fi = world.track.model_copy(update={"parts": world.track.parts[:1]})
    with pytest.raises(InvalidInput, match="part ja: not in the track"):
        score_system(only_fi, folder)


def test_a_run_of_other_passages_or_questions_is_refused(world: World, tmp_path: Path) -> None:
    folder = world.run(RANKINGS)
    others = track_of(collection_in(tmp_path / "other", docs={**DOCS, "d4": "no longer empty"}))
    with pytest.raises(InvalidInput) as caught:
        score_system(others, folder)
    assert ["docs digest" in finding.what for finding in caught.value.findings] == [True, True]


def test_a_measure_that_the_collection_cannot_serve_is_refused(tmp_path: Path) -> None:
    track = track_of(collection_in(tmp_path / "toy", answers=None))
    with pytest.raises(InvalidInput, match=r"lacks the judgements or answers for R@2t"):
        score_system(track, World(tmp_path, track).run(RANKINGS))


# -- units


def test_the_unit_is_the_topic_by_default(world: World) -> None:
    scores = score_system(world.track, world.run(RANKINGS))
    assert scores.units["fi", "fi-1"] == scores.units["ja", "ja-1"] == ("1", "1")
    assert len(scores.units) == 5


def test_the_unit_may_be_the_relevant_passage(tmp_path: Path) -> None:
    track = track_of(collection_in(tmp_path / "toy"), unit="relevant passage")
    scores = score_system(track, World(tmp_path, track).run(RANKINGS))
    assert {query_id: unit for (_, query_id), unit in scores.units.items()} == {
        "fi-1": ("1", "d1"), "fi-2": ("2", "d2"), "fi-3": ("3", "d1"), "ja-1": ("1", "d5"), "ja-2": ("2", "d2"),
    }  # fmt: skip


@pytest.mark.parametrize(("grades", "count"), [({"d1": 1, "d2": 1}, 2), ({"d1": 0}, 0)])
def test_more_or_fewer_than_one_relevant_passage_is_no_unit(grades: dict[str, int], count: int, tmp_path: Path) -> None:
    folder = collection_in(tmp_path / "toy", qrels={**QRELS, "fi-1": grades})
    track = track_of(folder, unit="relevant passage")
    with pytest.raises(InvalidInput, match=f"query fi-1 has {count}"):
        score_system(track, World(tmp_path, track).run(RANKINGS))


# -- the file


def test_a_score_file_reads_back_as_it_was_written(world: World) -> None:
    folder = world.run(RANKINGS)
    made = score_system(world.track, folder)
    read = read_scores(folder / FILE_NAME)
    assert read.system == made.system == "toy"
    assert read.values == made.values
    assert read.units == made.units
    assert read.langs == made.langs
    assert read.context == made.context
    assert list(read.parts) == list(made.parts)


def test_scores_just_computed_and_scores_read_have_their_context_in_the_same_order(world: World) -> None:
    """Else a leaderboard that was killed after its first score files has other bytes than an undisturbed one."""
    folder = world.run(RANKINGS)
    fresh, read = score_system(world.track, folder), read_scores(folder / FILE_NAME)
    for name, content in fresh.context.items():
        assert json.dumps(content) == json.dumps(read.context[name])
    assert fresh.parts == read.parts


def test_a_part_without_scored_questions_survives_the_file(tmp_path: Path) -> None:
    folder = collection_in(tmp_path / "toy", answers={**ANSWERS, "ja-1": ["yes"], "ja-2": ["no"]})
    track = track_of(folder, measures=["R@2t"])
    run = World(tmp_path, track).run(RANKINGS)
    made = score_system(track, run)
    read = read_scores(run / FILE_NAME)
    assert set(made.parts) == set(read.parts) == {"fi", "ja"}
    assert made.mean("ja", "R@2t") is read.mean("ja", "R@2t") is None


def test_the_bytes_of_a_score_file_are_reproducible(world: World) -> None:
    folder = world.run(RANKINGS)
    score_system(world.track, folder)
    first = (folder / FILE_NAME).read_bytes()
    (folder / FILE_NAME).unlink()
    scores = score_system(world.track, folder)
    assert (folder / FILE_NAME).read_bytes() == first
    write_scores(folder / "again.parquet", read_scores(folder / FILE_NAME))
    assert (folder / "again.parquet").read_bytes() == first
    assert scores.context["key"] == json.loads(json.dumps(scores.context))["key"]


def test_a_score_file_is_readable_by_any_parquet_reader(world: World) -> None:
    import pyarrow.parquet as pq

    folder = world.run(RANKINGS)
    score_system(world.track, folder)
    rows = pq.read_table(folder / FILE_NAME).to_pylist()
    assert {
        "part": "fi",
        "lang": "fi",
        "query_id": "fi-1",
        "topic": "1",
        "unit": "1",
        "measure": "RR",
        "value": 0.5,
    } in rows
    assert len(rows) == 9


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not Parquet at all, but long enough to look for a footer"])
def test_what_is_no_score_file_is_refused_and_scored_again(content: bytes, world: World) -> None:
    folder = world.run(RANKINGS)
    expected = score_system(world.track, folder).values
    (folder / FILE_NAME).write_bytes(content)
    with pytest.raises(InvalidInput, match="not a score file"):
        read_scores(folder / FILE_NAME)
    assert score_system(world.track, folder).values == expected
    assert read_scores(folder / FILE_NAME).values == expected


@pytest.mark.parametrize("metadata", [{"xdr": '{"schema_version": 1}'}, {"xdr": "[]"}, {"xdr": "{"}, {}])
def test_a_parquet_file_of_another_kind_is_refused_and_scored_again(metadata: dict[str, str], world: World) -> None:
    import pyarrow.parquet as pq

    folder = world.run(RANKINGS)
    expected = score_system(world.track, folder).values
    table = pq.read_table(folder / FILE_NAME)
    pq.write_table(table.replace_schema_metadata(metadata), folder / FILE_NAME)
    with pytest.raises(InvalidInput):
        read_scores(folder / FILE_NAME)
    assert score_system(world.track, folder).values == expected


# -- reuse


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the systems that were scored rather than read."""
    calls: list[str] = []
    original = score_module._score

    def scored(track: Track, folder: Path, manifest: Manifest, context: Mapping[str, Any]) -> ScoreFile:
        calls.append(manifest.tag)
        return original(track, folder, manifest, context)

    monkeypatch.setattr(score_module, "_score", scored)
    return calls


def test_scores_are_reused_while_nothing_that_they_depend_on_changes(world: World, counted: list[str]) -> None:
    folder = world.run(RANKINGS)
    first = score_system(world.track, folder)
    assert score_system(world.track, folder).values == first.values
    world.run(RANKINGS)  # the same bytes once more
    assert score_system(world.track, folder).values == first.values
    assert counted == ["toy"]


def test_another_ranking_is_scored_again(world: World, counted: list[str]) -> None:
    folder = world.run(RANKINGS)
    before = score_system(world.track, folder).values["fi", "RR"]["fi-1"]
    world.run({**RANKINGS, "fi": {**RANKINGS["fi"], "fi-1": ["d1", "d2"]}})
    after = score_system(world.track, folder).values["fi", "RR"]["fi-1"]
    assert (before, after, counted) == (0.5, 1.0, ["toy", "toy"])


def test_one_changed_byte_of_a_run_is_refused(world: World, counted: list[str]) -> None:
    folder = world.run(RANKINGS)
    score_system(world.track, folder)
    path = run_file(folder, "fi")
    text = gzip.decompress(path.read_bytes())
    assert text.count(b" 1 2.0 ") == 1
    path.write_bytes(gzip.compress(text.replace(b" 1 2.0 ", b" 1 2.5 ")))
    with pytest.raises(InvalidInput, match=r"not the run that its manifest describes"):
        score_system(world.track, folder)
    assert counted == ["toy"]


def test_another_systems_folder_is_refused(world: World) -> None:
    world.run(RANKINGS).rename(world.home / "runs" / "copy")
    with pytest.raises(InvalidInput, match="tag 'toy'"):
        score_system(world.track, world.home / "runs" / "copy")


def test_an_edited_score_file_is_scored_again(world: World) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = world.run(RANKINGS)
    scores = score_system(world.track, folder)
    table = pq.read_table(folder / "scores.parquet")
    ones = pa.array([1.0] * table.num_rows)
    pq.write_table(table.set_column(table.column_names.index("value"), "value", ones), folder / "scores.parquet")
    assert score_system(world.track, folder).values == scores.values


@pytest.mark.parametrize(
    "change",
    [
        {"measures": ["R@2t", "RR", "nDCG@10"]},
        {"measures": ["R@2t"]},
        {"version": 2},
        {"depth": 2},
        {"unit": "relevant passage"},
    ],
)
def test_another_definition_of_the_track_is_scored_again(
    change: dict[str, Any], world: World, counted: list[str]
) -> None:
    folder = world.run(RANKINGS)
    score_system(world.track, folder)
    changed = Track.model_validate({**world.track.model_dump(), **change})
    scores = score_system(changed, folder)
    assert counted == ["toy", "toy"]
    assert {measure for _, measure in scores.values} == set(changed.measures)


@pytest.mark.parametrize(
    ("truth", "value"),
    [({"qrels": {**QRELS, "fi-1": {"d2": 1}}}, 1.0), ({"answers": {**ANSWERS, "fi-1": ["Rome"]}}, 0.5)],
)
def test_other_judgements_or_answers_are_scored_again(
    truth: dict[str, Any], value: float, world: World, counted: list[str], tmp_path: Path
) -> None:
    folder = world.run(RANKINGS)
    score_system(world.track, folder)
    scores = score_system(track_of(collection_in(tmp_path / "mended", **truth)), folder)
    assert counted == ["toy", "toy"]
    assert scores.values["fi", "RR"]["fi-1"] == value


def test_another_version_of_a_measure_is_scored_again(
    world: World, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.run(RANKINGS)
    score_system(world.track, folder)
    monkeypatch.setattr("harness.measures.token_recall.tokenizer_version", lambda: "nltk of another day")
    assert score_system(world.track, folder).context["measures"]["R@2t"] == "token recall 1, nltk of another day"
    assert counted == ["toy", "toy"]


def test_the_key_is_a_digest_of_all_the_rest(world: World) -> None:
    context = dict(score_system(world.track, world.run(RANKINGS)).context)
    key = context.pop("key")
    for result in ("warnings", "ties", "judged"):
        context.pop(result)
    assert key == digest_of(context)


# -- ties


def judged_toy(folder: Path) -> Judged:
    return Judged(load(f"folder(fi):{folder}"))


def all_orders(doc_ids: Sequence[str], scores: Sequence[float]) -> list[tuple[str, ...]]:
    """Every order of the passages in which the scores do not rise."""
    groups: dict[float, list[str]] = {}
    for doc_id, score in sorted(zip(doc_ids, scores, strict=True), key=lambda row: -row[1]):
        groups.setdefault(score, []).append(doc_id)
    permuted = itertools.product(*(itertools.permutations(group) for group in groups.values()))
    return [tuple(itertools.chain(*parts)) for parts in permuted]


def extremes(measure: Measure, judged: Judged, run: Run, depth: int) -> tuple[float, float]:
    found = [
        [
            measure.score(judged, {query_id: order[:depth]})[query_id]
            for order in all_orders(ranked.doc_ids, ranked.scores.tolist())
        ]
        for query_id, ranked in run.rankings.items()
    ]
    return sum(map(min, found)) / len(found), sum(map(max, found)) / len(found)


@pytest.mark.parametrize("name", ["RR", "nDCG@3", "Success@1", "AP", "R@2", "R@3t", "R@5t"])
def test_the_range_of_tied_runs_is_that_of_all_their_orders(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    words = ["Oslo", "Rome", "is", "in", "the", "far", "north"]
    docs = {f"d{i}": " ".join(rng.choice(words) for _ in range(rng.randrange(5))) for i in range(6)}
    ids = [f"fi-{i}" for i in range(60)]
    folder = collection_in(
        tmp_path / "toy",
        docs=docs,
        queries=dict.fromkeys(ids, "fi"),
        qrels={q: {d: rng.choice([0, 1, 1, 2, 3]) for d in rng.sample(sorted(docs), 3)} for q in ids},
        answers={q: rng.sample(["Oslo", "Rome", "north"], rng.randrange(1, 3)) for q in ids},
    )
    judged, measure, depth = judged_toy(folder), parse(name), 4
    rankings = {}
    for query_id in ids:
        doc_ids = rng.sample(sorted(docs), 5)
        rankings[query_id] = fixed_order(doc_ids, np.array([rng.randrange(3) for _ in doc_ids], dtype=np.float32))
    run = Run("toy", rankings)
    found = tie_range(measure, judged, run, depth)
    fixed = measure.score(judged, {q: ranked.doc_ids[:depth] for q, ranked in rankings.items()})
    worst, best = extremes(measure, judged, run, depth)
    assert found["worst"] == pytest.approx(worst, abs=1e-12)
    assert found["best"] == pytest.approx(best, abs=1e-12)
    assert found["worst"] < sum(fixed.values()) / len(fixed) < found["best"]
    assert found["queries"] == sum(len(set(r.scores.tolist())) < 5 for r in rankings.values())


def test_the_range_brackets_the_score_even_where_answers_span_passages(tmp_path: Path) -> None:
    """The passage that holds the answer parts the two that hold it together; moved to the end, it joins them."""
    docs = {"d3": "New", "d2": "far far New York", "d1": "York"}
    folder = collection_in(
        tmp_path / "toy", docs=docs, queries={"fi-1": "fi"}, qrels=None, answers={"fi-1": ["New York"]}
    )
    judged, measure = judged_toy(folder), parse("R@2t")
    ranked = fixed_order(sorted(docs), np.ones(3, dtype=np.float32))
    assert measure.score(judged, {"fi-1": ranked.doc_ids}) == {"fi-1": 0.0}
    assert measure.score(judged, {"fi-1": ("d3", "d1", "d2")}) == {"fi-1": 1.0}
    assert tie_range(measure, judged, Run("toy", {"fi-1": ranked}), 3)["worst"] == 0.0


def test_a_run_with_ties_says_so_and_one_without_does_not(world: World) -> None:
    folder = world.run(RANKINGS)
    assert score_system(world.track, folder).context["ties"] == {}
    rows = [Ranking("fi-1", ["d1", "d2"], np.ones(2, dtype=np.float32))]
    digest = hashlib.sha256(write_run(run_file(folder, "fi"), rows, "toy")).hexdigest()
    manifest = read_manifest(folder)
    record = manifest.data["fi"].model_copy(update={"ranking": digest})
    write_manifest(folder, manifest.model_copy(update={"data": {**manifest.data, "fi": record}}))
    # Doc ids descend: d2, Rome, comes first and fills the budget of two tokens. Two questions are scored.
    scores = score_system(world.track, folder)
    assert scores.context["ties"] == {"fi": {"queries": 1, "worst": 0.0, "best": 0.5}}
    assert scores.mean("fi", "R@2t") == 0.0


# -- bounds


@pytest.mark.parametrize("name", ["RR", "nDCG@10", "Success@1", "AP", "R@5t", "R@2kt"])
def test_the_ceiling_is_1_where_every_question_can_be_answered(name: str, world: World) -> None:
    assert bounds_of(world.track.part("fi"), name, 5)[0] == 1.0


def test_the_ceiling_is_lower_where_no_ranking_reaches_an_answer(tmp_path: Path) -> None:
    answers = {"fi-1": ["Norway"], "fi-2": ["Paris"], "fi-3": ["36%"]}
    docs = {**DOCS, "d6": "36% of all"}  # tokenized as "36 %"
    part = track_of(collection_in(tmp_path / "toy", docs=docs, answers=answers)).part("fi")
    # Norway is the fourth token of its passage.
    assert [bounds_of(part, f"R@{budget}t", 5)[0] for budget in (3, 4, 9)] == [0, 1 / 3, 1 / 3]


@pytest.mark.parametrize(
    ("text", "answer"), [("I cannot say", "can not"), ('the "best" one', "`` best ''"), ("a\tb", "a b")]
)
def test_no_run_is_better_than_the_ceiling_where_tokens_differ_from_the_text(
    text: str, answer: str, tmp_path: Path
) -> None:
    folder = collection_in(tmp_path / "toy", docs={"d1": text}, queries={"fi-1": "fi"}, qrels=None,
                           answers={"fi-1": [answer]})  # fmt: skip
    part = track_of(folder).part("fi")
    value = parse("R@9t").score(judged_toy(folder), {"fi-1": ["d1"]})["fi-1"]
    assert value == bounds_of(part, "R@9t", 1)[0] == 1.0


def test_the_ceiling_of_graded_judgements_takes_the_best_first(tmp_path: Path) -> None:
    folder = collection_in(tmp_path / "toy", qrels={"fi-1": {"d1": 1, "d2": 3, "d3": 2}, "fi-2": {"d1": 1, "d2": 2}})
    part = track_of(folder).part("fi")
    assert bounds_of(part, "nDCG@3", 3)[0] == pytest.approx(1.0, abs=1e-12)
    # At depth 1 only the best passage is kept: 3 of 3 + 2/log2(3) + 1/2, and 2 of 2 + 1/log2(3).
    kept = [reference.ndcg(["d2"], {"d1": 1, "d2": 3, "d3": 2}, 3), reference.ndcg(["d2"], {"d1": 1, "d2": 2}, 3)]
    assert bounds_of(part, "nDCG@3", 1)[0] == pytest.approx(sum(kept) / 2, abs=1e-12)


@pytest.mark.parametrize("cutoff", [1, 5, 10])
def test_the_random_score_is_close_to_its_expectation(cutoff: int, tmp_path: Path) -> None:
    """Success@k of a random ranking of N passages, one of them relevant, is k/N; two of them: 1 - C(N-2,k)/C(N,k)."""
    docs = {f"d{i}": "x" for i in range(20)}
    ids = [f"fi-{i}" for i in range(100)]
    for relevant, expected in ((1, cutoff / 20), (2, 1 - (20 - cutoff) * (19 - cutoff) / (20 * 19))):
        qrels = {q: {f"d{(i + j) % 20}": 1 for j in range(relevant)} for i, q in enumerate(ids)}
        folder = collection_in(tmp_path / f"toy{relevant}", docs=docs, queries=dict.fromkeys(ids, "fi"), qrels=qrels)
        part = track_of(folder).part("fi")
        ceiling, chance = bounds_of(part, f"Success@{cutoff}", 15)
        assert ceiling == 1.0
        assert abs(chance - expected) < 5 * (expected * (1 - expected) / (100 * 10)) ** 0.5


def test_bounds_are_the_same_each_time(world: World) -> None:
    part = world.track.part("fi")
    first = bounds_of(part, "RR", 2)
    bounds_of.cache_clear()
    assert bounds_of(part, "RR", 2) == first


def test_a_score_file_can_be_written_and_read_without_any_score(tmp_path: Path, world: World) -> None:
    scores = score_system(world.track, world.run(RANKINGS))
    empty = replace(scores, values={}, units={})
    write_scores(tmp_path / "empty.parquet", empty)
    assert read_scores(tmp_path / "empty.parquet") == empty
