"""``xdr read`` as a user types it: answers beside recorded runs, scored without the reader, and what is refused."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
import tiny_readers
from small_track import Terminal, bytes_in, write_track

RUN = "runs/rivers/bm25"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def place(tmp_path: Path, terminal: Terminal) -> Path:
    """The track of two rivers with both systems run."""
    write_track(tmp_path)
    for system in ("bm25", "dummy"):
        assert terminal("run", "track.toml", system).status == 0
    return tmp_path


def read(terminal: Terminal, *arguments: str, reader: Path | None = None) -> list[str]:
    """The names of the measures that the command tells."""
    ended = terminal("read", *arguments, str(reader or tiny_readers.shared()), "--top", "2", "--track", "track.toml")
    assert ended.status == 0, ended.err
    return ended.out.split()


def with_measures(place: Path, names: list[str], terminal: Terminal, *systems: str) -> None:
    """The track's next version, with these measures, and its runs, which are not read yet."""
    text = (place / "track.toml").read_text().replace("version = 1\ntitle", "version = 2\ntitle")
    measures = ", ".join(map(json.dumps, ["Success@1", *names]))
    (place / "track.toml").write_text(text.replace('"Success@1", "RR@10", "R@10t"', measures))
    shutil.rmtree(place / "runs")
    for system in systems or ("bm25",):
        ended = terminal("run", "track.toml", system)
        assert ended.status == 0, ended.err


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def answers_file(place: Path, part: str = "fi") -> Path:
    (found,) = (place / RUN).glob(f"{part}.read-*.jsonl.gz")
    return found


def rewrite(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


def test_a_track_is_read_by_one_command_and_scored_without_the_reader(
    place: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    em, f1 = read(terminal, "runs/rivers")
    assert em.startswith("EM@2(reader-")
    rows = lines_of(answers_file(place))
    docs = {"nile": "The Nile is 6,650 kilometres long.", "volga": "The Volga is 3,530 kilometres long."}
    assert {(row["query_id"], row["doc_id"]) for row in rows} >= {("q1", "volga"), ("q2", "nile")}
    assert all(row["text"] and row["text"] in docs[str(row["doc_id"])] for row in rows)
    before = bytes_in(place)
    assert read(terminal, "runs/rivers") == [em, f1]
    assert bytes_in(place) == before

    # From now on what the reader says is right for one of the questions that have a ranking.
    said = max((row for row in rows if row["query_id"] == "q1"), key=lambda row: float(str(row["score"])))
    answers = [("q1", f"The {said['text']}!"), ("q2", str(rows[-1]["text"])), ("q3", "neither")]
    lines = [json.dumps({"query_id": query, "answers": [text]}) + "\n" for query, text in answers]
    (place / "data/answers.jsonl").write_text("".join(lines))
    with_measures(place, [em, f1], terminal, "bm25", "dummy")
    read(terminal, "runs/rivers")
    monkeypatch.setattr("harness.recipes.reading.reader.Reader.__init__", None)
    ended = terminal("score", "track.toml", "--json")
    assert ended.status == 0, ended.err
    # The second question has no ranking: what is said of its relevant passage counts for the reader alone.
    assert json.loads(ended.out)["bm25"][em] == {"fi": 0.5, "ru": 0.0}
    board = terminal("leaderboard", "track.toml")
    assert board.status == 0, board.err
    for form in ("latex", "csv", "markdown", "json", "badges"):
        assert terminal("export", "runs/rivers", "--format", form, f"table.{form}").status == 0
        if form in ("csv", "json"):
            assert em.split("(")[0] in (place / f"table.{form}").read_text()
    page = json.loads((place / "runs/rivers/leaderboard.json").read_text())
    notes = " ".join(page["rows"][0]["warnings"])
    assert f"{em} of the reader with the relevant passages alone" in notes
    assert "ru 0.0" in notes


def test_what_was_read_before_a_kill_is_not_read_again(
    place: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from harness.recipes.reading.reader import Reader

    monkeypatch.setenv("XDR_HOME", str(tmp_path / "first"))
    read(terminal, RUN)
    whole = {path.name: path.read_bytes() for path in (place / RUN).glob("*read-*")}
    for name in whole:
        (place / RUN / name).unlink()
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "second"))
    monkeypatch.setattr("harness.recipes.reading.kept._AT_ONCE", 1)
    read_alone, calls = Reader.read_alone, []

    def killed_at_the_third(self: Reader, pairs: list[tuple[str, str]], workers: int = 1) -> object:
        calls.append(pairs)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return read_alone(self, pairs, workers)

    monkeypatch.setattr(Reader, "read_alone", killed_at_the_third)
    assert terminal("read", RUN, str(tiny_readers.shared()), "--top", "2", "--track", "track.toml").status != 0
    assert not list((place / RUN).glob("*read-*"))
    read(terminal, RUN)
    # The third is asked again, the first two are not; those of one question and passage are read once.
    assert calls[3] == calls[2]
    assert len({tuple(pairs) for pairs in calls}) == len(calls) - 1
    assert {path.name: path.read_bytes() for path in (place / RUN).glob("*read-*")} == whole


def test_english_questions_come_from_a_parallel_collection(place: Path, terminal: Terminal) -> None:
    (place / "english").mkdir()
    for name in ("docs.jsonl",):
        (place / "english" / name).write_bytes((place / "data" / name).read_bytes())
    queries = [{"query_id": f"q{n}", "lang": "en", "text": f"How long is river {n}?"} for n in (1, 2)]
    (place / "english/queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    ended = terminal("read", RUN, str(tiny_readers.shared()), "--english", "folder:english", "--track", "track.toml")
    assert ended.status == 1
    assert "part ru: 1 questions have no English version in folder:english, such as 'q3'" in ended.err
    queries.append({"query_id": "q3", "lang": "en", "text": "How long is the third?"})
    (place / "english/queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    names = read(terminal, RUN, "--english", "folder:english")
    assert names[0].endswith(",english)")
    assert "-english.jsonl.gz" in answers_file(place).name


def test_a_run_that_was_not_read_is_told_the_command(place: Path, terminal: Terminal) -> None:
    with_measures(place, ["EM@2(reader-0123abcd)"], terminal)
    ended = terminal("score", "track.toml", "bm25")
    assert ended.status == 1
    assert "`xdr read runs/rivers READER --track track.toml`" in ended.err
    assert "there are no readings by others" in ended.err
    read(terminal, RUN)
    ended = terminal("score", "track.toml", "bm25")
    assert ended.status == 1
    assert "there are readings by reader-" in ended.err


def test_passages_that_a_measure_does_not_look_at_need_not_be_read(place: Path, terminal: Terminal) -> None:
    def read_one() -> str:
        ended = terminal("read", RUN, str(tiny_readers.shared()), "--top", "1", "--track", "track.toml")
        assert ended.status == 0, ended.err
        return ended.out.split()[0]

    name = read_one()
    text = (place / "track.toml").read_text().replace('primary = "Success@1"', f'primary = "{name}"')
    (place / "track.toml").write_text(text)
    with_measures(place, [name], terminal, "dummy")
    run = "runs/rivers/dummy"
    ended = terminal("read", run, str(tiny_readers.shared()), "--top", "1", "--track", "track.toml")
    assert ended.status == 0, ended.err
    scored = terminal("score", "track.toml", "dummy")
    assert scored.status == 0, scored.err


def test_more_passages_than_were_read_are_asked_for(place: Path, terminal: Terminal) -> None:
    # Where the relevant passage is first, the other one has not been read.
    name = terminal("read", RUN, str(tiny_readers.shared()), "--top", "1", "--track", "track.toml").out.split()[0]
    with_measures(place, [name.replace("@1", "@2")], terminal, "dummy")
    run = "runs/rivers/dummy"
    assert terminal("read", run, str(tiny_readers.shared()), "--top", "1", "--track", "track.toml").status == 0
    scored = terminal("score", "track.toml", "dummy")
    assert scored.status == 1
    assert "read more of them, `xdr read RUN READER --top K`" in scored.err


def test_all_that_is_wrong_with_the_answers_is_told_at_once(place: Path, terminal: Terminal) -> None:
    names = read(terminal, RUN)
    with_measures(place, names, terminal)
    read(terminal, RUN)
    path = answers_file(place)
    rows = lines_of(path)
    rows[0]["text"] = "a span of nothing"
    rows.append({"query_id": "q9", "doc_id": "nile", "text": "", "score": None})
    rows.append({"query_id": "q1", "doc_id": "tay", "text": "", "score": None})
    rows.append({"query_id": "q1", "doc_id": "volga", "text": "", "score": 2.0})
    rows.append({"query_id": "q1", "doc_id": "volga", "text": 7, "score": 2.0})
    rewrite(path, rows)
    ended = terminal("score", "track.toml", "bm25")
    assert ended.status == 1
    for said in (
        "'a span of nothing' does not stand in passage",
        "no question 'q9' in",
        "no passage 'tay' in",
        "a second answer to 'q1' from 'volga'",
        "'' with the score 2.0",
        "'text' is a number",
        "its digest is",
    ):
        assert said in ended.err, ended.err
    rewrite(path, lines_of(path)[:1])
    assert "have no answer, such as" in terminal("score", "track.toml", "bm25").err
    validated = terminal("validate", RUN, "--track", "track.toml")
    assert validated.status == 1
    assert "have no answer, such as" in validated.err + validated.out


def test_answers_to_another_run_are_not_scored(place: Path, terminal: Terminal) -> None:
    names = read(terminal, "runs/rivers")
    with_measures(place, names, terminal, "bm25", "dummy")
    read(terminal, "runs/rivers")
    for path in (place / "runs/rivers/dummy").glob("*read-*"):
        (place / RUN / path.name).write_bytes(path.read_bytes())
    ended = terminal("score", "track.toml", "bm25")
    assert ended.status == 1
    assert "of another run than the one that lies here" in ended.err


def test_a_run_made_again_is_read_again_or_scored_by_the_recorded_answers(place: Path, terminal: Terminal) -> None:
    reader = tiny_readers.reader(place / "my-reader", seed=3)
    names = read(terminal, RUN, reader=reader)
    with_measures(place, names, terminal)
    read(terminal, RUN, reader=reader)
    assert terminal("score", "track.toml", "bm25").status == 0
    ended = terminal("reproduce", RUN, "--track", "track.toml")
    assert ended.status == 0, ended.err
    assert "bm25 on rivers: identical" in ended.out
    assert "read again, the same answers in 2 of 2 parts" in ended.out
    reader.rename(place / "elsewhere")
    ended = terminal("reproduce", RUN, "--track", "track.toml")
    assert ended.status == 0, ended.err
    assert "the recorded answers, since its reader is not on this machine" in ended.out


def test_folders_that_hold_no_run_or_no_reader_are_named(place: Path, terminal: Terminal) -> None:
    ended = terminal("read", "runs/none", str(tiny_readers.shared()))
    assert (ended.status, "holds no run" in ended.err) == (2, True)
    ended = terminal("read", RUN, "nothing", "--track", "track.toml")
    assert (ended.status, "no reader's folder nothing" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--device", "tpu"), "--device tpu: expected auto, cpu, cuda"),
        (("--device", "cuda:977"), "--device cuda:977: there is no such GPU here"),
        (("--top", "9" * 20), "--top"),
    ],
)
def test_options_out_of_their_bounds_are_wrong_usage(
    place: Path, terminal: Terminal, option: tuple[str], said: str
) -> None:
    before = bytes_in(place)
    ended = terminal("read", RUN, str(tiny_readers.shared()), "--track", "track.toml", *option)
    assert (ended.status, said in ended.err) == (2, True), ended.err
    assert bytes_in(place) == before


def test_answers_that_change_after_scoring_are_noticed_as_run_files_are(place: Path, terminal: Terminal) -> None:
    with_measures(place, read(terminal, "runs/rivers"), terminal, "bm25", "dummy")
    read(terminal, "runs/rivers")
    commands = (
        ("score", "track.toml"),
        ("compare", "track.toml"),
        ("report", RUN, "--track", "track.toml"),
    )

    def statuses() -> list[int]:
        return [terminal(*command).status for command in commands]

    assert statuses() == [0, 0, 0]
    rows, whole = lines_of(answers_file(place)), answers_file(place).read_bytes()
    (record,) = (place / RUN).glob("read-*.yaml")
    told = record.read_bytes()
    path = answers_file(place)
    for file, content, said in (
        (path, gzip.compress("".join(json.dumps(row) + "\n" for row in reversed(rows)).encode()), "its digest is"),
        (path, whole[:40], path.name),
        (path, None, "the answers of this part"),
        (record, told.replace(b"ranking: ", b"ranking: 0"), "of another run"),
        (record, told[: len(told) // 2], record.name),
        (record, None, "was not read by"),
    ):
        file.unlink() if content is None else file.write_bytes(content)
        assert statuses() == [1, 1, 1], said
        assert said in terminal("score", "track.toml").err
        path.write_bytes(whole)
        record.write_bytes(told)
        assert statuses() == [0, 0, 0]
