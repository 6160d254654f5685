"""Files that speak of what is not there, and tracks that ask what cannot be scored: told before anything runs."""

from __future__ import annotations

import codecs
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import command_line
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_track import Ended, Terminal, bytes_in, write_track

from harness.collections.references import look_through
from harness.records import Query

Xdr = Callable[..., Ended]


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Xdr:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def rewrite(path: str, old: str, new: str) -> None:
    text = Path(path).read_text("utf-8")
    assert old in text
    Path(path).write_text(text.replace(old, new), "utf-8")


def scores_of(xdr: Xdr) -> dict[str, float]:
    """The baseline's primary measure by column, of a run that is made anew."""
    shutil.rmtree("runs", ignore_errors=True)
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 0, ended.err
    return scores_in(Path())


def scores_in(folder: Path) -> dict[str, float]:
    board = json.loads((folder / "runs/rivers/leaderboard.json").read_text("utf-8"))
    row = next(row for row in board["rows"] if row["system"] == "bm25")
    return {column: cell["value"] for column, cell in row["cells"]["Success@1"].items()}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The scores of the collection as it is written, in which the tests change what must not change them."""
    folder = tmp_path_factory.mktemp("before")
    write_track(folder)
    made = command_line.xdr("leaderboard", "track.toml", cwd=folder)
    assert made.returncode == 0, made.stderr
    return scores_in(folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("q", "Q", "part fi: 3 of 3 judgements name queries that the collection does not have: 'Q1', 'Q2', 'Q3'"),
        ("0 ", "0 D", "part fi: 2 of 2 judgements name passages that the collection does not have: 'Dvolga', 'Dnile'"),
        ("q3 0 nile 1\n", "", "part ru: no question has anything that Success@1 could be computed from"),
    ],
    ids=["queries", "passages", "a language without any"],
)
def test_judgements_that_fit_nothing_are_an_error_before_anything_runs(old: str, new: str, said: str, xdr: Xdr) -> None:
    rewrite("data/qrels.txt", old, new)
    for command in (("leaderboard", "track.toml"), ("run", "track.toml", "bm25"), ("submit", "track.toml", "bm25")):
        ended = xdr(*command)
        assert ended.status == 1
        assert said in ended.err
        assert not Path("runs").exists()


def test_answers_that_fit_nothing_are_an_error(xdr: Xdr) -> None:
    rewrite("data/answers.jsonl", ': "q', ': "Q')
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 1
    assert "3 of 3 lists of answers name queries that the collection does not have: 'Q1', 'Q2', 'Q3'" in ended.err


def test_an_empty_file_of_judgements_is_an_error(xdr: Xdr) -> None:
    Path("data/qrels.txt").write_text("")
    ended = xdr("run", "track.toml", "bm25")
    assert ended.status == 1
    assert ended.err.count("no question has anything that Success@1 could be computed from") == 2


def test_a_single_misspelt_reference_is_counted_and_shown_and_changes_no_score(xdr: Xdr) -> None:
    before = scores_of(xdr)
    with Path("data/qrels.txt").open("a") as file:
        file.write("q9 0 nile 1\nq9 0 volga 0\n")
    with Path("data/answers.jsonl").open("a") as file:
        file.write('{"query_id": "q8", "answers": ["x"]}\n')
    assert scores_of(xdr) == before
    told = xdr("score", "track.toml").err
    assert "warning: part fi: 2 of 4 judgements name queries that the collection does not have: 'q9'" in told
    assert "warning: part ru: 1 of 2 lists of answers name queries that the collection does not have: 'q8'" in told


def test_a_judged_passage_that_is_not_there_is_out_of_reach_and_on_the_page(xdr: Xdr) -> None:
    rewrite("data/qrels.txt", "q3 0 nile 1", "q3 0 d99 1")
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 1  # of ru's passages none is left

    rewrite("data/qrels.txt", "q3 0 d99 1", "q3 0 nile 1\nq3 0 d99 1")
    rewrite("track.toml", '"RR@10"', '"R@2"')
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 0, ended.err
    assert "warning: part ru: 1 of 2 judgements name passages that the collection does not have: 'd99'" in ended.err
    board = json.loads(Path("runs/rivers/leaderboard.json").read_text("utf-8"))
    ceilings = {column["part"]: column["ceiling"] for column in board["columns"]}
    assert ceilings["ru"] == {"Success@1": 1.0, "R@2": 0.5, "R@10t": 1.0}
    assert ceilings["fi"]["R@2"] == 1.0
    pages = bytes_in(Path("reports/rivers"))
    assert any(b"d99" in data and b"judged, but not in the collection" in data for data in pages.values())


def test_a_cutoff_beyond_the_depth_is_an_error_unless_there_are_no_more_passages(xdr: Xdr) -> None:
    assert xdr("run", "track.toml", "bm25").status == 0  # RR@10 at depth 2, of two passages
    with Path("data/docs.jsonl").open("a") as file:
        file.write('{"doc_id": "vuoksi", "text": "The Vuoksi is 162 kilometres long."}\n')
    for measure in ("RR@10", "AnswerRecall@3", "nDCG(dcg='exp-log2')@3"):
        rewrite("track.toml", "RR@10", measure)
        ended = xdr("leaderboard", "track.toml")
        assert ended.status == 1
        assert (
            f"{measure} looks at {measure.rpartition('@')[2]} passages, but runs are stored with depth = 2" in ended.err
        )
        rewrite("track.toml", measure, "RR@10")


def test_a_part_in_a_language_that_no_question_has_is_an_error(xdr: Xdr) -> None:
    rewrite("track.toml", "folder(fi):data", "folder(sv):data")
    ended = xdr("run", "track.toml", "bm25")
    assert ended.status == 1
    assert "has no question in 'sv'; it has questions in: fi (2), ru (1)" in ended.err
    rewrite("track.toml", "folder(sv):data", "folder(ru):data")
    ended = xdr("run", "track.toml", "bm25")
    assert ended.status == 1
    assert "part fi: 1 of 1 questions are in another language: ru (1); expected fi, the part's `lang`" in ended.err
    rewrite("track.toml", "folder(ru):data", "folder(river):data")
    ended = xdr("run", "track.toml", "bm25")
    assert ended.status == 2
    assert "'river' is no language tag" in ended.err


def test_questions_that_do_not_say_their_language_are_those_of_no_part(xdr: Xdr) -> None:
    rewrite("data/queries.jsonl", '"lang": "fi", ', "")
    ended = xdr("run", "track.toml", "bm25")
    assert ended.status == 1
    assert "it has questions in: no language that is said (2), ru (1)" in ended.err


@pytest.mark.parametrize(("tag", "in_file"), [("fin", "FI"), ("fi", "fi-FI"), ("fi_Latn", "fin_Latn"), ("FI", "fi")])
def test_language_tags_are_taken_as_people_write_them(
    tag: str, in_file: str, xdr: Xdr, before: dict[str, float]
) -> None:
    if in_file == "fi-FI":  # a region makes another tag, though no other language
        rewrite("track.toml", "folder(fi):data", "folder(fi-fi):data")
    rewrite("data/queries.jsonl", '"lang": "fi"', f'"lang": "{in_file}"')
    rewrite("track.toml", 'lang = "fi"', f'lang = "{tag}"')
    rewrite("other.toml", '"fi"', f'"{in_file if in_file != "fi-FI" else tag}"')
    assert scores_of(xdr) == before
    ended = xdr("run", "track.toml", "other.toml")
    assert (ended.status, "3 queries" in ended.err) == (0, True)


def test_an_empty_question_is_told(xdr: Xdr) -> None:
    rewrite("data/queries.jsonl", "Niilin pituus", "\\u3000")
    assert "warning: part fi: 1 of 2 queries have no text (first: 'q2')" in xdr("run", "track.toml", "bm25").err


def test_nobody_is_congratulated_on_a_macro_average_that_no_system_has(xdr: Xdr) -> None:
    rewrite("track.toml", 'systems = ["bm25", "dummy"]', "systems = []")
    rewrite("track.toml", 'baseline = "bm25"', 'baseline = "partial"')
    card = 'schema_version = 1\nname = "partial"\ntitle = "Partial"\nadapter = "dummy"\nlanguages = ["fi"]\n'
    Path("partial.toml").write_text(card)
    ended = xdr("leaderboard", "track.toml", "partial.toml")
    assert ended.status == 0, ended.err
    assert "no system has a macro Success@1: none was run in all of fi, ru" in ended.err
    assert "best macro" not in ended.err


MARK = codecs.BOM_UTF8


@pytest.mark.parametrize("name", ["docs.jsonl", "queries.jsonl", "qrels.txt", "answers.jsonl"])
@pytest.mark.parametrize("change", [lambda data: MARK + data, lambda data: MARK + data.replace(b"\n", b"\r\n"),
                                    lambda data: MARK + data.replace(b"\n", b"\n" + MARK, 1)],
                         ids=["mark", "mark and Windows line ends", "joined files"])  # fmt: skip
def test_a_byte_order_mark_is_part_of_no_record(
    name: str, change: Callable[[bytes], bytes], xdr: Xdr, before: dict[str, float]
) -> None:
    path = Path("data") / name
    path.write_bytes(change(path.read_bytes()))
    assert scores_of(xdr) == before


@pytest.mark.parametrize("name", ["track.toml", "other.toml"])
def test_a_byte_order_mark_before_a_record_is_taken_off(name: str, xdr: Xdr) -> None:
    Path(name).write_bytes(MARK + Path(name).read_bytes())
    ended = xdr("run", "track.toml", "other.toml")
    assert (ended.status, "3 queries" in ended.err) == (0, True)


@pytest.mark.parametrize("name", ["docs.jsonl", "queries.jsonl", "qrels.txt", "answers.jsonl", "../track.toml"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "latin-1"])
def test_another_encoding_is_named(name: str, encoding: str, xdr: Xdr) -> None:
    path = Path("data") / name
    text = path.read_text("utf-8")
    path.write_bytes((text if encoding != "latin-1" else text.replace("i", "é")).encode(encoding, "replace"))
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 1
    assert ("UTF-16, as some Windows programs write" if encoding != "latin-1" else "not UTF-8 at byte") in ended.err
    assert "UTF-8" in ended.err


def test_files_of_a_folder_may_be_gzip(xdr: Xdr) -> None:
    before = scores_of(xdr)
    for name in ("docs.jsonl", "queries.jsonl", "qrels.txt", "answers.jsonl"):
        path = Path("data") / name
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        if name == "docs.jsonl":
            ended = xdr("run", "track.toml", "bm25")
            assert (ended.status, "has docs.jsonl and docs.jsonl.gz" in ended.err) == (1, True)
        path.unlink()
    assert scores_of(xdr) == before


def test_ids_may_be_whole_numbers_and_titles_null(xdr: Xdr, before: dict[str, float]) -> None:
    for name, old, new in (
        ("docs.jsonl", '"doc_id": "nile"', '"title": null, "doc_id": 7'),
        ("qrels.txt", "nile", "7"),
        ("queries.jsonl", '"query_id": "q3"', '"topic": null, "query_id": 34001'),
        ("qrels.txt", "q3", "34001"),
        ("answers.jsonl", '"q3"', "34001"),
    ):
        rewrite(f"data/{name}", old, new)
    assert scores_of(xdr) == before


def write_beir(folder: Path, splits: dict[str, str]) -> None:
    (folder / "qrels").mkdir(parents=True)
    docs = [{"_id": "nile", "title": "", "text": "The Nile is 6,650 kilometres long.", "metadata": {}},
            {"_id": "volga", "title": "", "text": "The Volga is 3,530 kilometres long.", "metadata": {}}]  # fmt: skip
    queries = [{"_id": "1", "text": "Volga", "metadata": {}}, {"_id": "2", "text": "Nile"}, {"_id": "3", "text": "?"}]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in docs))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    for split, rows in splits.items():
        (folder / f"qrels/{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)


def test_a_folder_as_beir_has_it_is_a_collection(xdr: Xdr) -> None:
    write_beir(Path("beir"), {"test": "1\tvolga\t1\n", "dev": "2\tnile\t1\n2\tvolga\t0\n"})
    rewrite("track.toml", '"R@10t"', '"nDCG@10"')
    track = Path("track.toml").read_text().partition("parts =")[0]
    for ids, asked in (("folder:beir", 1), ("folder/dev:beir", 1)):
        parts = f'parts = [{{name = "en", dataset = "{ids}", lang = "en"}}]\n'
        Path("track.toml").write_text(track.replace("rivers", ids.replace("/", "-").replace(":", "-")) + parts)
        ended = xdr("leaderboard", "track.toml")
        assert ended.status == 0, ended.err
        assert f"bm25: {asked} queries run" in ended.err
    Path("track.toml").write_text(track + parts.replace("dev", "train"))
    ended = xdr("leaderboard", "track.toml")
    assert (ended.status, "has no train.tsv; it has dev, test" in ended.err) == (2, True)


NAMES = st.sets(st.sampled_from("abcdef"))


@given(queries=NAMES, docs=NAMES, pairs=st.sets(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))))
def test_judgements_are_counted_as_by_hand(queries: set[str], docs: set[str], pairs: set[tuple[str, str]]) -> None:
    qrels: dict[str, dict[str, int]] = {}
    for query_id, doc_id in pairs:
        qrels.setdefault(query_id, {})[doc_id] = 1
    asked = [Query(name, "x", "", name) for name in sorted(queries)]
    of_queries, of_docs, of_answers = look_through(asked, docs, qrels, qrels).named
    assert of_queries.lost == sum(query_id not in queries for query_id, _ in pairs)
    assert of_docs.lost == sum(query_id in queries and doc_id not in docs for query_id, doc_id in pairs)
    assert set(of_answers.unknown) == {query_id for query_id, _ in pairs} - queries
    for named in (of_queries, of_docs, of_answers):
        found = named.finding("here")
        expected = None if not named.lost else "error" if named.lost == named.entries else "warning"
        assert (found and found.severity) == expected
