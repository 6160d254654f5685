"""Finished runs in all forms that people have, rankings without the question's own document, and silence that is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_track import Ended, Terminal, write_track

from harness.records import Ranking
from harness.runs.trec import Expected, format_run, read_ms_marco_run, read_run, without_own_document

Xdr = Callable[..., Ended]
CARD = 'schema_version = 1\nname = "mine"\ntitle = "Mine"\n'


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Xdr:
    write_track(tmp_path)
    (tmp_path / "card.toml").write_text(CARD)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def submitted(xdr: Xdr, name: str, content: str, *more: str) -> Ended:
    Path(name).write_text(content)
    return xdr("submit", "track.toml", "card.toml", name, *more)


def scored(ended: Ended) -> str:
    assert ended.status == 0, ended.err
    return ended.out.strip()


ALL_RIGHT = "Success@1: macro 100.0  fi 100.0  ru 100.0"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("q1\tvolga\t1\nq1\tnile\t2\nq2\tnile\t1\n", "q3\tnile\t1\n"),
        ("q1 nile 2 0.5\nq1 volga 1 0.7\nq2 nile 1 3\n", "q3 nile 1 3\n"),
        ("\ufeffq1\tvolga\t1\r\nq2\tnile\t1\n", "q3\tnile\t1\n"),
    ],
    ids=["three columns", "four columns, in any order", "of Windows"],
)
def test_runs_as_ms_marco_has_them_are_taken(first: str, last: str, xdr: Xdr) -> None:
    if "\r" in first:
        assert "a carriage return" in submitted(xdr, "all.tsv", first + last).err
        first = first.replace("\r", "")
    assert scored(submitted(xdr, "all.tsv", first + last)) == ALL_RIGHT
    Path("fi.tsv").write_text(first)
    Path("ru.tsv").write_text(last)
    assert scored(xdr("submit", "track.toml", "card.toml", "fi.tsv", "ru.tsv")) == ALL_RIGHT
    mapped = first.replace("q", "x") + last.replace("q", "x")
    Path("map.tsv").write_text("\ufeffx1\tfi\tq1\nx2\tfi\tq2\nx3\tru\tq3\n")
    assert scored(submitted(xdr, "other.tsv", mapped, "--query-map", "map.tsv")) == ALL_RIGHT


def test_faults_of_such_a_run_are_named_by_line(xdr: Xdr) -> None:
    ended = submitted(xdr, "all.tsv", "q1\tvolga\t1\nq1\tvolga\t2\nq2\tnile\tfirst\nq3\tnile\nq9\tamur\t1\n")
    assert ended.status == 1
    for said in (
        "all.tsv:3: rank 'first'; expected a whole number",
        "all.tsv:4: 2 columns; expected 3 or 4: query document rank [score]",
        "all.tsv:2: query q1: document volga is a duplicate",
        "all.tsv:5: unknown query q9",
    ):
        assert said in ended.err


@given(
    st.lists(st.tuples(st.sampled_from(["q1", "q2"]), st.sampled_from("abcdefgh")), unique=True, min_size=1).map(sorted)
)
def test_a_run_of_ranks_is_the_trec_run_of_these_ranks(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    ranks: dict[str, list[str]] = {}
    for query_id, doc_id in pairs:
        ranks.setdefault(query_id, []).append(doc_id)
    lines = [(query_id, doc_id, rank) for query_id, ids in ranks.items() for rank, doc_id in enumerate(ids, 1)]
    (folder / "marco.tsv").write_text("".join(f"{q}\t{d}\t{rank}\n" for q, d, rank in lines))
    (folder / "trec").write_text("".join(f"{q} Q0 {d} {rank} {1 / rank} t\n" for q, d, rank in lines))
    expected = Expected(["q1", "q2"], frozenset("abcdefgh"), 8)
    (marco, _), (trec, _) = read_ms_marco_run(folder / "marco.tsv", expected), read_run(folder / "trec", expected)
    assert {q: ranked.doc_ids for q, ranked in marco.rankings.items()} == {q: tuple(ids) for q, ids in ranks.items()}
    assert {q: ranked.doc_ids for q, ranked in trec.rankings.items()} == {q: tuple(ids) for q, ids in ranks.items()}


def with_slashes(rewritten: dict[str, str]) -> None:
    """Other query ids everywhere in the collection."""
    for path in Path("data").iterdir():
        text = path.read_text()
        for old, new in rewritten.items():
            text = text.replace(f'"{old}"', f'"{new}"').replace(f"{old} 0", f"{new} 0")
        path.write_text(text)


def test_ids_of_a_file_tell_together_what_a_slash_means(xdr: Xdr) -> None:
    with_slashes({"q1": "ru/q3", "q2": "enwiki:Niili/Course%20of%20it"})
    run = "{}ru/q3 0 volga 1 2 t\n{}enwiki:Niili/Course%20of%20it 0 nile 1 2 t\n{}q3 0 nile 1 2 t\n"
    assert scored(submitted(xdr, "all.trec", run.format("", "", ""))) == ALL_RIGHT
    assert scored(submitted(xdr, "all.trec", run.format("fi/", "fi/", "ru/"))) == ALL_RIGHT
    ended = submitted(xdr, "all.trec", "ru/q3 0 volga 1 2 t\n")
    assert ended.status == 1
    assert "query ru/q3 is a query's own id, and a part with a query's id, too" in ended.err
    assert (
        scored(submitted(xdr, "fi.trec", "ru/q3 0 volga 1 2 t\n", "--replace"))
        == "Success@1: macro 25.0  fi 50.0  ru 0.0"
    )


def test_a_part_with_a_faulty_file_is_not_said_to_be_missing(xdr: Xdr) -> None:
    Path("ru.trec").write_text("q3 0 nile 1 x t\n")
    ended = submitted(xdr, "fi.trec", "q1 0 volga 1 2 t\n", "ru.trec")
    assert ended.status == 1
    assert "ru.trec:1: score 'x'" in ended.err
    assert "no run, though the card declares the language" not in ended.err


def test_a_deep_run_has_one_line_about_that(xdr: Xdr) -> None:
    docs = "".join(json.dumps({"doc_id": f"d{n}", "text": "x"}) + "\n" for n in range(60))
    with Path("data/docs.jsonl").open("a") as file:
        file.write(docs)
    track = Path("track.toml").read_text().replace('"RR@10"', '"RR@2"')
    Path("track.toml").write_text(track)
    deep = "".join(f"{q} 0 d{n} {99 - n} {n} t\n" for q in ("q1", "q2", "q3") for n in range(60))
    ended = submitted(xdr, "all.trec", deep)
    assert ended.status == 0
    told = [line for line in ended.err.splitlines() if line.startswith("warning")]
    assert len(told) == 1
    assert "query q1: rank column contradicts" not in ended.err
    assert (
        "3 rankings are deep (first: query q1, 60 documents); expected 2, the track's depth; the rest is ignored"
        in ended.err
    )


def program(body: str) -> None:
    Path("prog").mkdir(exist_ok=True)
    Path("prog/search.sh").write_text(f"#!/bin/sh\n{body}\n")
    Path("prog/search.sh").chmod(0o755)
    Path("prog/card.toml").write_text(CARD.replace("mine", "prog") + 'adapter = "./search.sh"\n')


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 0", "no ranking for 3 of 3 queries (first: fi/q1); they score 0"),
        (
            "echo fi/q1 0 volga 1 2 t; echo ru/q3 0 nile 1 1 t",
            "no ranking for 1 of 3 queries (first: fi/q2); they score 0",
        ),
    ],
)
def test_a_program_that_says_nothing_is_told_with_counts_by_every_command(body: str, said: str, xdr: Xdr) -> None:
    program(body)
    for command in (
        ("run", "track.toml", "prog/card.toml", "--allow-code"),
        ("leaderboard", "track.toml", "prog/card.toml", "--allow-code", "--runs", "others"),
        ("submit", "track.toml", "prog/card.toml", "--allow-code", "--runs", "submitted"),
    ):
        ended = xdr(*command)
        assert ended.status == 0, ended.err
        assert said in ended.err
    board = json.loads(Path("others/rivers/leaderboard.json").read_text())
    row = next(row for row in board["rows"] if row["system"] == "prog")
    assert any("missing" in text for text in row["warnings"]), row["warnings"]


def test_what_is_wrong_with_a_programs_output_is_told_and_stays_with_the_row(xdr: Xdr) -> None:
    program("for q in fi/q1 fi/q2 ru/q3; do echo $q 0 nile 1 1 t; echo $q 0 volga 2 2 t; done")
    ended = xdr("run", "track.toml", "prog/card.toml", "--allow-code")
    said = "the program's output: query fi/q1: rank column contradicts the scores at nile, and 2 more of this kind"
    assert f"warning: prog: {said}" in ended.err
    xdr("leaderboard", "track.toml")
    row = next(r for r in json.loads(Path("runs/rivers/leaderboard.json").read_text())["rows"] if r["system"] == "prog")
    assert said in row["warnings"]


# The question's own document


def argumentative() -> None:
    """Every question is a passage, too, as in ArguAna: the nearest passage is the question itself."""
    docs = {"q1": "Kuinka pitkä on Volga?", "q2": "Niilin pituus", "q3": "Длина 6,650 Nile",
            "nile": "Nile: Niilin pituus, Длина, 6,650", "volga": "Kuinka pitkä on Volga: 3,530"}  # fmt: skip
    Path("data/docs.jsonl").write_text("".join(json.dumps({"doc_id": d, "text": t}) + "\n" for d, t in docs.items()))
    text = Path("track.toml").read_text().replace('"RR@10"', '"RR@2"')
    Path("track.toml").write_text(text.replace("baseline =", "exclude_own_document = true\nbaseline ="))


def test_the_questions_own_document_is_left_out_everywhere(xdr: Xdr) -> None:
    argumentative()
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 0, ended.err
    board = json.loads(Path("runs/rivers/leaderboard.json").read_text())
    assert {row["system"]: row["cells"]["Success@1"]["macro"]["value"] for row in board["rows"]}["bm25"] == 1.0
    for part in ("fi", "ru"):
        found, _ = read_run(Path(f"runs/rivers/dummy/{part}.trec.gz"))
        assert all(query_id not in ranked.doc_ids for query_id, ranked in found.rankings.items())
        assert all(len(ranked.doc_ids) == 2 for ranked in found.rankings.values()), "one more was asked for"
    run = "".join(
        f"{q} 0 {d} 1 {s} t\n" for q in ("q1", "q2", "q3") for d, s in ((q, 9), ("volga" if q == "q1" else "nile", 5))
    )
    ended = submitted(xdr, "all.trec", run)
    assert scored(ended) == ALL_RIGHT
    assert xdr("validate", "runs/rivers/mine", "--track", "track.toml").status == 0
    Path("fi.trec").write_text("".join(line + "\n" for line in run.splitlines() if "q3" not in line))
    told = xdr("validate", "fi.trec", "--track", "track.toml")
    assert "query q1: its own document stands at rank 1, and 1 more of this kind" in told.err
    # Without the option the question itself is the best.
    Path("track.toml").write_text(Path("track.toml").read_text().replace("exclude_own_document = true\n", ""))
    ended = xdr("leaderboard", "track.toml", "--runs", "others")
    board = json.loads(Path("others/rivers/leaderboard.json").read_text())
    assert {row["system"]: row["cells"]["Success@1"]["macro"]["value"] for row in board["rows"]}["bm25"] == 0.0


@given(st.dictionaries(st.sampled_from("abcdefq"), st.integers(0, 3), min_size=1), st.integers(1, 8))
def test_leaving_out_the_own_document_is_leaving_out_its_line(scores: dict[str, int], depth: int) -> None:
    ranking = Ranking("q", list(scores), np.array(list(scores.values()), np.float32))
    left = without_own_document(ranking, depth)
    lines = [line.split() for line in format_run([ranking], "t")]
    assert [line.split()[2] for line in format_run([left], "t")] == [line[2] for line in lines if line[2] != "q"][
        :depth
    ]


# Words of languages without blanks


def test_a_missing_segmenter_is_said_before_the_run_and_stays_with_the_row(
    xdr: Xdr, monkeypatch: pytest.MonkeyPatch
) -> None:
    from systems import segmentation

    monkeypatch.setattr(segmentation, "_library_segmenter", lambda _: None)
    for name in ("track.toml", "data/queries.jsonl"):
        text = Path(name).read_text().replace('lang = "fi"', 'lang = "jpn"').replace("folder(fi)", "folder(ja)")
        Path(name).write_text(text.replace('"lang": "fi"', '"lang": "ja"').replace("Niilin pituus", "ナイル川 Nile"))
    ended = xdr("leaderboard", "track.toml")
    assert ended.status == 0, ended.err
    said = "texts in ja are cut into character bigrams, not words: the extra `segment` is not installed"
    before, _, after = ended.err.partition("bm25: 3 queries run")
    assert f"bm25: {said}; `pip install 'xdr-bench[segment]'`" in before
    assert f"warning: bm25: {said}" in after
    row = next(r for r in json.loads(Path("runs/rivers/leaderboard.json").read_text())["rows"] if r["system"] == "bm25")
    assert said in row["warnings"]
    assert row["provenance"]["execution"]["segmentation"]["ja"] == "character bigrams"
