"""``xdr mine`` as a user types it: a run of mini's development questions, rows of it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_readers
from small_track import Terminal, bytes_in, write_track

from harness.recipes.rows import read_rows
from harness.recipes.rows.manifest import read_manifest

LANGUAGES = ["ar", "bn", "fi", "ja", "ko", "ru", "te"]
RUN = "runs/mini-dev/mini-zero-shot"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of mini's development questions, made once."""
    from harness.adapters.card import load_card
    from harness.adapters.contract import Context
    from harness.files.writing import cache_home
    from harness.progress import SilentProgress
    from harness.runs.execute import run_prepared
    from harness.runs.prepared import prepared
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import load_track

    folder = tmp_path_factory.mktemp("mined")
    context = Context(cache=cache_home(), work=cache_home() / "work", device="cpu", progress=SilentProgress())
    runs = TrackRuns(load_track("mini-dev"), folder / "runs")
    run_prepared(prepared(runs, load_card("mini-zero-shot"), context), context)
    return folder


@pytest.fixture
def place(recorded: Path, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(recorded / "runs", tmp_path / "runs")
    return tmp_path


def test_a_recorded_run_is_mined_from_end_to_end(place: Path, terminal: Terminal) -> None:
    ended = terminal("mine", RUN, "answer-string", "--out", "rows.jsonl.gz", "--negatives", "5", "--json")
    assert ended.status == 0, ended.err
    counts = json.loads(ended.out)
    assert list(counts) == LANGUAGES
    rows = read_rows(place / "rows.jsonl.gz").rows
    assert len(rows) == sum(own["rows"] for own in counts.values()) > 20
    assert all(len(row.negatives) <= 5 and row.label == "mined" for row in rows)
    # Of each passage of mini it is known which questions it answers, and no other has their answers.
    assert {own["against gold"]["precision"] for own in counts.values()} == {1.0}
    manifest = read_manifest(place / "rows.jsonl.gz")
    assert manifest is not None
    assert manifest.questions_of == tuple(f"xdr-mini/{lang}/dev" for lang in LANGUAGES)
    assert "no ranking has more than 30 passages, so that --top 50 looks at all of them" in ended.err
    assert "are evaluation questions; xdr train drops rows of questions that are asked" in ended.err
    first = bytes_in(place)
    again = terminal("mine", RUN, "answer-string", "--out", "rows.jsonl.gz", "--negatives", "5")
    assert again.status == 0
    assert "holds these very rows already" in again.err
    assert again.out.splitlines()[0].split() == [
        "questions", "rows", "fallback", "skipped", "positives", "negatives", "removed", "precision", "recall", "gold", "found"
    ]  # fmt: skip
    assert bytes_in(place) == first


def test_the_labels_of_judgements_are_the_ceiling(place: Path, terminal: Terminal) -> None:
    for labeller in ("qrels", "answer-string", "random"):
        assert terminal("mine", RUN, labeller, "--out", f"{labeller}.jsonl").status == 0
    rows = {
        labeller: {
            row.query_id: {p.docid for p in row.positives} for row in read_rows(place / f"{labeller}.jsonl").rows
        }
        for labeller in ("qrels", "answer-string", "random")
    }
    assert rows["answer-string"] == rows["qrels"]
    assert len(rows["random"]) == 70
    assert rows["random"] != rows["qrels"]


def test_a_reader_labels_the_passages_of_a_run(place: Path, terminal: Terminal) -> None:
    reader = tiny_readers.reader(place / "reader")
    options = ("--reader", str(reader), "--top", "4", "--device", "cpu")
    ended = terminal("mine", RUN, "answer-string+reader", "--out", "rows.jsonl", *options, "--json")
    assert ended.status == 0, ended.err
    counts = json.loads(ended.out)
    # A reader that knows nothing is right nowhere: every row is one that fell back on a passage with an answer.
    assert sum(own["fallback"] for own in counts.values()) == sum(own["rows"] for own in counts.values()) > 5
    rows = read_rows(place / "rows.jsonl").rows
    assert {row.label for row in rows} == {"fallback"}
    manifest = read_manifest(place / "rows.jsonl")
    assert manifest is not None
    assert manifest.description["reader"]["name"] == "reader"
    assert not (place / "rows.jsonl.partial").exists()


def test_a_file_of_rankings_is_mined_with_its_collection(place: Path, terminal: Terminal) -> None:
    file = f"{RUN}/fi.trec.gz"
    command = ("mine", file, "gold", "--dataset", "xdr-mini/fi/dev", "--relative-margin", "0.05")
    ended = terminal(*command, "--out", "fi.jsonl", "--corpus", "passages.jsonl", "--scores")
    assert ended.status == 0, ended.err
    rows = read_rows(place / "fi.jsonl", place / "passages.jsonl").rows
    assert [row.query_id for row in rows][:2] == ["fi-005", "fi-014"]
    assert all(p.score is not None for row in rows for p in row.negatives)
    for row in rows:
        scores = [passage.score for passage in row.positives]
        if row.negatives:
            assert max(p.score or 0 for p in row.negatives) <= min(s for s in scores if s is not None) * 0.95 + 1e-6


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((RUN, "golden"), 2, "unknown labeller 'golden'; did you mean 'gold'"),
        ((RUN, "gold", "--out", "rows.json"), 2, "NAME.jsonl or NAME.jsonl.gz"),
        ((RUN, "reader"), 2, "needs a reader's folder, --reader DIR"),
        ((RUN, "reader", "--reader", "nowhere"), 2, "no reader's folder nowhere"),
        ((RUN, "reader", "--reader", "runs", "--device", "tpu"), 2, "--device tpu: expected auto, cpu, cuda"),
        ((RUN, "gold", "--device", "cuda:977"), 2, "--device cuda:977: there is no such GPU here"),
        ((RUN, "reader", "--reader", "runs"), 1, "the model in runs"),
        ((RUN, "gold", "--dataset", "xdr-mini/fi"), 2, "--dataset goes with a TREC file"),
        ((f"{RUN}/fi.trec.gz", "gold"), 2, "a TREC file needs --dataset"),
        ((f"{RUN}/fi.trec.gz", "gold", "--dataset", "xdr-mini/ar/dev"), 1, "unknown query"),
        (("runs/mini-dev/nobody", "gold"), 2, "is no run's folder"),
        ((RUN, "gold", "--exclude", "gold"), 2, "unknown exclusion 'gold'"),
        ((RUN, "gold", "--english", "xdr-mini/fi"), 1, "expected English ones"),
        ((RUN, "gold", "--english", "xquad-en"), 2, "unknown collection"),
        ((RUN, "gold", "--corpus", "rows.jsonl"), 2, "written to two files"),
        ((RUN, "gold", "--corpus", "elsewhere/rows.jsonl"), 2, "give two names"),
        ((RUN, "gold", "--top", "0"), 2, "top"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    words: tuple[str, ...], status: int, said: str, place: Path, terminal: Terminal
) -> None:
    before = bytes_in(place)
    ended = terminal("mine", *words, *([] if "--out" in words else ["--out", "rows.jsonl"]))
    assert (ended.status, said in ended.err) == (status, True), ended.err
    assert bytes_in(place) == before


def test_a_run_that_is_not_the_one_of_its_manifest_is_refused(place: Path, terminal: Terminal) -> None:
    file = place / RUN / "fi.trec.gz"
    file.write_bytes((place / RUN / "ar.trec.gz").read_bytes())
    ended = terminal("mine", RUN, "gold", "--out", "rows.jsonl")
    assert ended.status == 1
    assert "is not the run that its manifest describes" in ended.err
    assert not (place / "rows.jsonl").exists()


def test_a_run_whose_questions_have_changed_is_refused(tmp_path: Path, terminal: Terminal) -> None:
    write_track(tmp_path)
    assert terminal("run", "track.toml", "bm25").status == 0
    command = ("mine", "runs/rivers/bm25", "qrels", "--track", "track.toml", "--out", "rows.jsonl")
    questions = tmp_path / "data/queries.jsonl"
    before = questions.read_text("utf-8")
    questions.write_text(before.replace("Niilin", "Volgan"), "utf-8")
    ended = terminal(*command)
    assert ended.status == 1
    assert "was made for another definition of track rivers" in ended.err
    questions.write_text(before, "utf-8")
    assert terminal(*command).status == 0
    assert read_manifest(tmp_path / "rows.jsonl") is not None
