"""Mining as a whole: held against sentence-transformers' own mining, resumed after a kill, refused for what is not its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_readers

from harness.collections.in_memory import collection_of
from harness.collections.view import load
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import exclusive
from harness.progress import SilentProgress
from harness.recipes.mine.english import English, english_of
from harness.recipes.mine.questions import AskedPart, MinedRun
from harness.recipes.mine.runner import Job, mine
from harness.recipes.mine.settings import MineSettings
from harness.recipes.reading import Answer, Reader, ReaderSettings
from harness.recipes.rows import Row, read_rows
from harness.recipes.rows.manifest import read_manifest
from harness.records import Doc, Query, Ranking

MODEL = Path(__file__).parents[3] / "systems/models/mini-zero-shot"
DOCS = [
    Doc("nile", "Nile", "The Nile is long."), Doc("volga", "", "The Volga, not the Nile."),
    Doc("fuji", "Fuji", "Mount Fuji is high."), Doc("tea", "", "Tea is green."),
]  # fmt: skip
QUERIES = [Query("q1", "mikä on pitkä?", "fi", "t1"), Query("q2", "что?", "ru", "t2"), Query("q3", "mikä?", "fi", "t3")]
ANSWERS = {"q1": ("Nile",), "q2": ("Fuji",), "q3": ("no",)}


def small_run(**own: Any) -> MinedRun:
    given: dict[str, Any] = {"qrels": {"q1": {"nile": 1}, "q2": {"fuji": 1, "tea": 0}}, "answers": ANSWERS} | own
    rankings = {
        "q1": Ranking("q1", ("volga", "nile", "tea"), np.array([0.9, 0.5, 0.1], np.float32)),
        "q2": Ranking("q2", ("tea", "volga"), np.array([0.9, 0.5], np.float32)),
    }
    return MinedRun("it", "small", (AskedPart("a", collection_of(DOCS, QUERIES, **given), "fi", rankings, "abc"),))


def mined(out: Path, run: MinedRun | None = None, reader: Path | None = None, **settings: Any) -> dict[str, Row]:
    job = Job(
        run or small_run(), MineSettings(**settings), out, reader=ReaderSettings(reader) if reader is not None else None
    )
    mine(job, SilentProgress())
    return {row.query_id: row for row in read_rows(out).rows}


def ids(row: Row) -> tuple[list[str], list[str]]:
    return [passage.docid for passage in row.positives], [passage.docid for passage in row.negatives]


def test_rows_have_what_the_collection_knows(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl.gz"
    rows = mined(out, labeller="gold")
    assert {name: ids(row) for name, row in rows.items()} == {
        "q1": (["nile"], ["volga", "tea"]),
        "q2": (["fuji"], ["tea", "volga"]),
    }
    row = rows["q1"]
    assert (row.query, row.lang, row.label, row.answers) == ("mikä on pitkä?", "fi", "gold", ("Nile",))
    assert row.positives[0][:3] == ("nile", "Nile", "The Nile is long.")
    manifest = read_manifest(out)
    assert manifest is not None
    assert row.source == f"it/gold@{manifest.key[:16]}"
    assert (manifest.rows, manifest.questions_of) == (2, ("in-memory",))
    assert manifest.counts["fi"]["skipped"] == {"no ranking": 1}
    assert manifest.description["parts"]["a"]["ranking"] == "abc"


def test_labels_by_string_are_held_against_hidden_judgements(tmp_path: Path) -> None:
    rows = mined(tmp_path / "rows.jsonl", labeller="answer-string", scores=True)
    assert {name: ids(row) for name, row in rows.items()} == {"q1": (["volga", "nile"], ["tea"])}
    assert (rows["q1"].label, rows["q1"].positives[0].score) == ("mined", pytest.approx(0.9))
    manifest = read_manifest(tmp_path / "rows.jsonl")
    assert manifest is not None
    against = {lang: counts["against gold"] for lang, counts in manifest.counts.items()}
    assert (against["fi"]["precision"], against["fi"]["recall"]) == (0.5, 1.0)
    assert (against["ru"]["precision"], against["ru"]["gold among the first"]) == (None, 0)


def test_english_questions_of_other_topics_are_refused(tmp_path: Path) -> None:
    strangers = English("other", {"t9": "what?", "t8": "where?"}, by_topic=True)
    with pytest.raises(InvalidInput, match="other has none of the run's questions in English"):
        Job(small_run(), MineSettings(labeller="gold"), tmp_path / "rows.jsonl", english=strangers)


def test_one_manifest_is_not_taken_from_another_file(tmp_path: Path) -> None:
    mined(tmp_path / "rows.jsonl", labeller="gold")
    before = (tmp_path / "rows.manifest.yaml").read_bytes()
    with pytest.raises(
        WrongUsage, match=r"rows.manifest.yaml is there already and describes rows.jsonl; remove it, or"
    ):
        mined(tmp_path / "rows.jsonl.gz", labeller="gold")
    assert (tmp_path / "rows.manifest.yaml").read_bytes() == before
    # What was killed between the manifest and its rows goes on.
    (tmp_path / "rows.jsonl").unlink()
    assert mined(tmp_path / "rows.jsonl", labeller="gold")


def test_a_collection_in_another_language_is_no_english_one() -> None:
    with pytest.raises(InvalidInput, match="has questions in fi; expected English ones"):
        english_of("xdr-mini/fi/dev", ["fi"])


def test_every_training_question_of_xor_tydi_has_an_english_one(imported_data: Path) -> None:
    for lang, count in {"te": 1308, "ru": 1941}.items():
        queries = load(f"xor-tydi/train/{lang}").queries
        english = english_of("questions-parallel", [lang])
        assert len(queries) == count
        assert all(english.of(query) for query in queries)
    with pytest.raises(InvalidInput, match="has questions in ar, bn, fi, ja, ko, ru, te alone"):
        english_of("questions-parallel", ["de"])


def test_parallel_questions_in_english_are_those_of_the_same_topic(imported_data: Path) -> None:
    english = english_of("xquad/en", ["de"])
    of_id = {query.topic: query.text for query in load("xquad/en").queries}
    queries = load("xquad/de").queries
    assert len(queries) == 1190
    assert all(english.of(query) == of_id[query.topic] for query in queries)


@pytest.mark.parametrize(
    ("settings", "reader", "own", "said"),
    [
        ({"labeller": "reader"}, None, {}, "needs a reader's folder"),
        ({"labeller": "gold"}, Path("r"), {}, "asks no reader"),
        ({"labeller": "qrels"}, None, {"qrels": None}, "has no judgements"),
        ({"labeller": "random", "exclude": ("qrels",)}, None, {"qrels": None}, "has no judgements"),
        ({"labeller": "answer-string"}, None, {"answers": None}, "has no answers"),
        ({"labeller": "gold", "exclude": ("answers",)}, None, {"answers": None}, "has no answers"),
    ],
)
def test_what_a_labeller_lacks_is_said_before_any_work(
    settings: dict[str, Any], reader: Path | None, own: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongUsage, match=said):
        mined(tmp_path / "rows.jsonl", small_run(**own), reader, **settings)
    assert not list(tmp_path.iterdir())


def test_no_rows_at_all_are_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        mined(tmp_path / "rows.jsonl", small_run(answers={}), labeller="answer-string")
    assert [str(finding) for finding in caught.value.findings] == [
        "fi: 1 skipped: no answers", "fi: 1 skipped: no ranking", "ru: 1 skipped: no answers"
    ]  # fmt: skip
    assert not (tmp_path / "rows.jsonl").exists()


def test_an_output_is_kept_and_another_one_is_never_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl.gz"
    mined(out, labeller="gold")
    first = out.read_bytes()
    assert mine(Job(small_run(), MineSettings("gold"), out), SilentProgress()).reused
    with pytest.raises(WrongUsage, match=r"settings\.labeller was 'gold', is 'qrels'"):
        mined(out, labeller="qrels")
    changed = small_run(answers=ANSWERS | {"q1": ("Volga",)})
    with pytest.raises(WrongUsage, match=r"parts\.a\.answers was"):
        mined(out, changed, labeller="gold")
    out.write_bytes(first + b"\0")
    with pytest.raises(WrongUsage, match=r"is not the file that rows\.manifest\.yaml describes"):
        mined(out, labeller="gold")
    (tmp_path / "rows.manifest.yaml").unlink()
    with pytest.raises(WrongUsage, match=r"it has no rows\.manifest\.yaml"):
        mined(out, labeller="gold")
    out.unlink()
    mined(out, labeller="gold")
    assert out.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl.gz", "rows.manifest.yaml"]


def test_rows_with_ids_have_their_passages_in_one_file(tmp_path: Path) -> None:
    inline = mined(tmp_path / "inline.jsonl", labeller="gold")
    out, corpus = tmp_path / "rows.jsonl", tmp_path / "corpus.jsonl.gz"
    job = Job(small_run(), MineSettings("gold"), out, corpus)
    found = mine(job, SilentProgress())
    rows = {row.query_id: row for row in read_rows(out, corpus).rows}
    assert {name: ids(row) for name, row in rows.items()} == {name: ids(row) for name, row in inline.items()}
    assert sorted(found.manifest.files) == ["corpus.jsonl.gz", "rows.jsonl"]
    assert mine(job, SilentProgress()).reused
    corpus.unlink()
    with pytest.raises(WrongUsage, match=r"corpus\.jsonl\.gz beside it is not the file"):
        mine(job, SilentProgress())


def test_two_processes_do_not_mine_into_one_file(tmp_path: Path) -> None:
    unfinished = tmp_path / "rows.jsonl.partial"
    with exclusive(unfinished / "lock"):
        (unfinished / "rows.jsonl").write_text("half")
        with pytest.raises(InvalidInput, match="another process is at work on rows"):
            mined(tmp_path / "rows.jsonl", labeller="gold")
        assert (unfinished / "rows.jsonl").read_text() == "half"


class Killed(BaseException):
    pass


def test_what_a_reader_has_read_outlives_a_kill(
    tmp_path: Path, xdr_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    part = small_run(answers=ANSWERS | {"q3": ("Tea",)}).parts[0]
    rankings: Mapping[str, Ranking] = {
        query.query_id: Ranking(query.query_id, tuple(doc.doc_id for doc in DOCS), np.arange(4, 0, -1.0))
        for query in QUERIES
    }
    run = MinedRun("it", "", (AskedPart("a", part.collection, "fi", rankings, "abc"),))
    reads: list[str] = []
    real = Reader.read_alone

    def read_alone(self: Reader, pairs: Any, workers: int = 1) -> list[Answer]:
        reads.extend(question for question, _ in pairs)
        if pairs[0][0] == "mikä?" and len(reads) == 4:
            raise Killed
        return real(self, pairs, workers)

    monkeypatch.setattr(Reader, "read_alone", read_alone)
    settings = MineSettings("answer-string+reader")
    job = Job(run, settings, tmp_path / "rows.jsonl", reader=ReaderSettings(tiny_readers.shared()))
    with pytest.raises(Killed):
        mine(job, SilentProgress())
    assert not job.out.exists()
    [kept] = (tmp_path / "home/readings").glob("reader-*[!k]")
    # A kill in the middle of a line leaves half of it.
    kept.write_bytes(kept.read_bytes()[:-5])
    found = mine(job, SilentProgress())
    # Two passages hold "Nile", one each the other answers; what lay in the half line is read once more.
    assert reads == ["mikä on pitkä?", "mikä on pitkä?", "что?", "mikä?", "что?", "mikä?"]
    assert (found.read, found.kept) == (2, 2)
    assert not (tmp_path / "rows.jsonl.partial").exists()
    whole = replace(job, out=tmp_path / "whole.jsonl")
    again = mine(whole, SilentProgress(), workers=2)
    assert (again.read, again.kept) == (0, 4)
    assert job.out.read_bytes() == whole.out.read_bytes()


def test_a_reader_reads_the_question_in_english_where_there_is_one(
    tmp_path: Path, xdr_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    asked: list[tuple[str, str]] = []

    def read_alone(self: Reader, pairs: Any, workers: int = 1) -> list[Answer]:
        asked.extend(pairs)
        return [Answer("Nile" if text.startswith("The Nile") else "", 1.0, 0, 0) for _, text in pairs]

    monkeypatch.setattr(Reader, "read_alone", read_alone)
    english = English("texts", {"t1": "which is long?"}, by_topic=True)
    job = Job(
        small_run(),
        MineSettings("reader"),
        tmp_path / "r.jsonl",
        reader=ReaderSettings(tiny_readers.shared()),
        english=english,
    )
    manifest = mine(job, SilentProgress()).manifest
    assert asked == [("which is long?", DOCS[1].text), ("which is long?", DOCS[0].text)]
    (row,) = read_rows(job.out).rows
    assert (row.query_en, ids(row)) == ("which is long?", (["nile"], ["volga", "tea"]))
    assert manifest.counts["ru"]["skipped"] == {"no English question": 1}


@pytest.fixture(scope="module")
def embedded() -> tuple[Any, dict[str, str], dict[str, list[str]], Any]:
    """mini's Finnish development questions and a model of ours, with a second positive for every other question."""
    from sentence_transformers import SentenceTransformer

    collection = load("xdr-mini/fi/dev")
    texts = {doc.doc_id: doc.default_text() for doc in collection.docs}
    positives = {
        query_id: [next(iter(judged)), *([list(texts)[17 * place]] if place % 2 else [])]
        for place, (query_id, judged) in enumerate((collection.qrels or {}).items())
    }
    return SentenceTransformer(str(MODEL), device="cpu"), texts, positives, collection


@pytest.mark.parametrize(
    "margins",
    [{}, {"absolute_margin": 0.1}, {"relative_margin": 0.05}, {"absolute_margin": 0.02, "relative_margin": 0.3}],
)
def test_hard_negatives_are_those_of_sentence_transformers(
    margins: dict[str, float], embedded: Any, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra `train` is not installed")
    from sentence_transformers.util import mine_hard_negatives

    model, texts, positives, collection = embedded
    asked = {query.query_id: query.text for query in collection.queries}
    pairs = [(asked[query_id], texts[doc_id]) for query_id, docs in positives.items() for doc_id in docs]
    theirs = mine_hard_negatives(
        datasets.Dataset.from_dict({"anchor": [pair[0] for pair in pairs], "positive": [pair[1] for pair in pairs]}),
        model,
        corpus=list(texts.values()),
        range_max=len(texts),
        num_negatives=7,
        sampling_strategy="top",
        output_format="triplet",
        verbose=False,
        **margins,
    )
    expected: dict[str, set[str]] = {}
    for row in theirs:
        expected.setdefault(row["anchor"], set()).add(row["negative"])

    queries, docs = (model.encode(list(side.values())) for side in (asked, texts))
    scores = model.similarity(queries, docs).numpy()
    rankings = {}
    for own, query_id in zip(scores, asked, strict=True):
        order = np.argsort(-own)
        rankings[query_id] = Ranking(query_id, tuple(list(texts)[place] for place in order), own[order])
    judged = collection_of(
        collection.docs, collection.queries, qrels={query: dict.fromkeys(own, 1) for query, own in positives.items()}
    )
    run = MinedRun("it", "", (AskedPart("fi", judged, "fi", rankings, ""),))
    rows = mined(tmp_path / "r.jsonl", run, labeller="gold", top=len(texts), negatives=7, **margins)
    ours = {row.query: {passage.default_text() for passage in row.negatives} for row in rows.values() if row.negatives}
    assert len(ours) > 5
    assert ours == expected
