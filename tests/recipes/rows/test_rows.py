"""Rows of training data: read in both of Tevatron's forms, written so that its loader reads them, whole and with all faults."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tevatron_loader import Loader

from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import sha256_of_file
from harness.recipes.rows import LABELS, Passage, Row, read_rows, write_rows, write_rows_by_id
from harness.recipes.rows.manifest import RowsManifest, manifest_beside, read_manifest, write_manifest

DATA = Path(__file__).parents[2] / "data"
ROW = {
    "query_id": "q1",
    "query": "what?",
    "positive_passages": [{"docid": "d1", "title": "T", "text": "that"}],
    "negative_passages": [{"docid": "d2", "title": "", "text": "this"}],
}


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def faults_of(path: Path, corpus: Path | None = None) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        read_rows(path, corpus)
    return {finding.where: finding.what for finding in caught.value.findings if finding.severity == "error"}


def test_a_file_as_tevatron_documents_it_is_read() -> None:
    first, second = read_rows(DATA / "tevatron.jsonl").rows
    assert (first.query_id, first.query) == ("0", "where is the tallest mountain of finland")
    assert [passage.docid for passage in first.positives] == ["12#0"]
    assert [passage.title for passage in first.negatives] == ["Finland", "Galdhøpiggen"]
    assert second.answers == ("Elias Lönnrot",)
    assert second.positives[1].default_text() == "Elias Lönnrot Elias Lönnrot wrote down what became the Kalevala."
    assert (second.label, second.lang, second.positives[0].score) == ("", "", None)


def test_scores_of_a_teacher_are_read() -> None:
    (row,) = read_rows(DATA / "tevatron-scored.jsonl").rows
    assert [passage.score for passage in row.passages] == [1.0, 0.75, -3.0]
    assert all(isinstance(passage.score, float) for passage in row.passages)


def test_rows_that_name_passages_by_id_are_read_with_their_corpus() -> None:
    found = read_rows(DATA / "tevatron-by-id.jsonl", DATA / "tevatron-corpus.jsonl")
    (row,), (scored,) = found.rows, read_rows(DATA / "tevatron-scored.jsonl").rows
    assert row.query == scored.query
    assert [passage.docid for passage in row.passages] == ["d1", "d3", "d2"]
    assert set(row.passages) == {passage._replace(score=None) for passage in scored.passages}
    with pytest.raises(WrongUsage, match=r"by-id.jsonl:1 names its passages by id; give the corpus"):
        read_rows(DATA / "tevatron-by-id.jsonl")


def test_passages_that_the_corpus_lacks_are_named(tmp_path: Path) -> None:
    corpus = written(tmp_path / "c.jsonl", [{"docid": "d1", "text": "x"}])
    assert faults_of(DATA / "tevatron-by-id.jsonl", corpus) == {
        "tevatron-by-id.jsonl:1": "2 passages are not in the corpus, first 'd3'"
    }
    twice = written(tmp_path / "c.jsonl", [{"docid": "d1", "text": "x"}, {"docid": "d1", "text": "y"}, {"docid": 3}])
    assert faults_of(DATA / "tevatron-by-id.jsonl", twice) == {
        "c.jsonl:2": "another passage with the id 'd1'",
        "c.jsonl:3": "no text 'text' in the object",
    }


def test_every_faulty_line_is_in_one_report(tmp_path: Path) -> None:
    passage = ROW["positive_passages"][0]  # type: ignore[index]
    faulty: dict[int, tuple[Any, str]] = {
        2: ("{not json\n", "property name"),
        3: ("[1]\n", "not a JSON object"),
        4: (
            ROW | {"query": 3, "query_id": None},
            "'query_id' is null; expected a text or a whole number; 'query' is a",
        ),
        5: (ROW | {"positive_passages": []}, "no positive passage"),
        6: (ROW | {"negative_passages": [passage]}, "'d1' is both positive and negative"),
        7: (ROW | {"label": "golden"}, "none of gold, mined, fallback, pseudo"),
        8: (ROW | {"positive_passages": [passage | {"score": True}]}, "positive_passages 1: the score True"),
        9: (ROW | {"negative_passages": [{"docid": "d3", "text": " "}]}, "'d3' is blank"),
        10: (ROW | {"positive_passages": [passage, passage | {"text": "other"}]}, "'d1' stands twice"),
        11: ({"query_id": "q"}, "no list of passages 'positive_passages'"),
        12: (ROW | {"query": " "}, "the question is blank"),
        13: (ROW | {"negative_passages": "d1"}, "no list of passages 'negative_passages'"),
        14: ('{"query_id": "q", "query": "\\ud800"}\n', "lone surrogate"),
    }
    path = written(tmp_path / "rows.jsonl", [ROW, *(row for row, _ in faulty.values())])
    found = faults_of(path)
    assert set(found) == {f"rows.jsonl:{number}" for number in faulty}
    for number, (_, expected) in faulty.items():
        assert expected in found[f"rows.jsonl:{number}"]


def test_what_is_not_read_or_repeated_is_said(tmp_path: Path) -> None:
    passage = {"docid": "d1", "text": "that", "scores": 1}
    row = {"query_id": 7, "query": "q", "positive_passages": [passage, passage], "querry_en": "x", "image": None}
    found = read_rows(written(tmp_path / "r.jsonl", [row, row | {"negative_passages": None}]))
    assert [row.query_id for row in found.rows] == ["7", "7"]
    assert found.rows[0].positives == (Passage("d1", "", "that"),)
    told = [str(warning) for warning in found.warnings]
    assert len(told) == 3
    assert any("the key 'querry_en' is not read, and 1 more of this kind" in text for text in told)
    assert any("the key 'scores' is not read, and 3 more of this kind" in text for text in told)
    assert any("passage 'd1' stands several times in positive_passages" in text for text in told)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    assert faults_of(written(tmp_path / "r.jsonl", ["\n"])) == {"r.jsonl": "no rows"}
    with pytest.raises(WrongUsage, match="no file"):
        read_rows(tmp_path / "nothing.jsonl")


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
seen = texts.map(lambda text: f"{text}x")
scores = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    ids = draw(st.lists(texts, min_size=1, max_size=6, unique=True))
    # One text for one id, so that a corpus can have them all.
    made = [Passage(docid, docid[:3] if len(docid) % 2 else "", f"{docid}!", draw(scores)) for docid in ids]
    cut = draw(st.integers(1, len(made)))
    own = draw(st.tuples(st.sampled_from(("", "fi", "zh-Hans")), texts, st.sampled_from(("", *LABELS)), texts))
    answers = tuple(draw(st.lists(texts, max_size=2)))
    return Row(draw(texts), draw(seen), tuple(made[:cut]), tuple(made[cut:]), *own, answers)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(rows(), min_size=1, max_size=4), st.sampled_from(("rows.jsonl", "rows.jsonl.gz")))
def test_rows_come_back_as_they_were_written(tmp_path: Path, made: list[Row], name: str) -> None:
    path = tmp_path / name
    assert write_rows(path, made) == len(made)
    first = path.read_bytes()
    assert read_rows(path).rows == tuple(made)
    write_rows(path, read_rows(path).rows)
    assert path.read_bytes() == first


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(rows(), min_size=1, max_size=4))
def test_rows_come_back_by_id_with_their_scores(tmp_path: Path, made: list[Row]) -> None:
    path, corpus = tmp_path / "rows.jsonl", tmp_path / "corpus.jsonl.gz"
    write_rows_by_id(path, corpus, made)
    assert read_rows(path, corpus).rows == tuple(made)
    listed = [json.loads(line)["docid"] for line in gzip.decompress(corpus.read_bytes()).splitlines()]
    assert len(listed) == len(set(listed))


def test_a_corpus_has_one_passage_of_an_id(tmp_path: Path) -> None:
    made = [Row("1", "a", (Passage("d", "", "one"),)), Row("2", "b", (Passage("d", "", "other"),))]
    with pytest.raises(InvalidInput, match="two different passages have the id 'd'"):
        write_rows_by_id(tmp_path / "rows.jsonl", tmp_path / "corpus.jsonl", made)
    assert not list(tmp_path.iterdir())
    with pytest.raises(WrongUsage, match=r"NAME.jsonl or NAME.jsonl.gz"):
        write_rows(tmp_path / "rows.json", made)


OURS = [
    Row("q1", "mikä?", (Passage("d1", "T", "that", 2), Passage("d2", "", "too", 1)),
        (Passage("d3", "U", "no", -1.5), Passage("d4", "V", "nor"), Passage("d5", "", "none", 0.25)), "fi", "us", "mined"),
    Row("q2", "what?", (Passage("d6", "W", "yes", 3.5),), (), "en", label="gold", query_en="what?"),
]  # fmt: skip


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_tevatrons_loader_reads_our_rows(tmp_path: Path, name: str) -> None:
    pytest.importorskip("datasets", reason="the extra `train` is not installed")
    write_rows(tmp_path / name, OURS)
    theirs = Loader(tmp_path / name, tmp_path / "cache")
    assert len(theirs) == 2
    example = theirs.example(0, group_size=4, seed=1)
    assert example.query == "mikä?"
    assert (example.passages[0], example.scores[0]) == (" too", 1.0)
    assert dict(zip(example.passages[1:], example.scores[1:], strict=True)) == {
        "U no": -1.5,
        "V nor": None,
        " none": 0.25,
    }
    assert theirs.example(0, group_size=3, epoch=1, seed=1).passages[0] == "T that"
    assert theirs.example(1, group_size=1) == ("what?", ["W yes"], [3.5])


def test_tevatrons_loader_reads_our_rows_by_id(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="the extra `train` is not installed")
    write_rows_by_id(tmp_path / "rows.jsonl", tmp_path / "corpus.jsonl", OURS)
    example = Loader(tmp_path / "rows.jsonl", tmp_path / "cache", tmp_path / "corpus.jsonl").example(0, 4, seed=1)
    assert (example.query, example.passages[0]) == ("mikä?", "too")
    assert sorted(example.passages[1:]) == ["no", "none", "nor"]


def test_the_loader_of_the_tests_reads_the_file_as_documented(tmp_path: Path) -> None:
    """It is no witness unless it reads theirs."""
    pytest.importorskip("datasets", reason="the extra `train` is not installed")
    theirs = Loader(DATA / "tevatron.jsonl", tmp_path)
    assert theirs.example(1, group_size=2).passages[1] == "Kanteletar The Kanteletar is a collection of lyrics."
    by_id = Loader(DATA / "tevatron-by-id.jsonl", tmp_path, DATA / "tevatron-corpus.jsonl")
    assert by_id.example(0, group_size=3).passages[0] == "A kantele is a plucked string instrument."


def test_a_manifest_vouches_for_the_file_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    write_rows(path, OURS)
    assert read_manifest(path) is None
    made = RowsManifest(
        schema_version=1, key="k", rows=2, files={path.name: sha256_of_file(path)},
        questions_of=("xdr-mini/fi/dev",), counts={"fi": {"rows": 1}}, description={"seed": 1},
    )  # fmt: skip
    write_manifest(made, path)
    assert manifest_beside(path).name == "rows.manifest.yaml"
    assert read_manifest(path) == made
    write_rows(path, OURS[:1])
    with pytest.raises(InvalidInput, match=r"is not the file that rows.manifest.yaml describes"):
        read_manifest(path)
