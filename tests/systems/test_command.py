"""Executables as systems: what they get, what they may write, and what they cannot see under bubblewrap."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from programs import GOOD, REQUEST, alive, command, context_in, needs_bwrap, script, search, shell, unlikely_seconds

from harness.adapters.box import sandbox
from harness.adapters.card import load_card
from harness.adapters.conformance import toy_request
from harness.adapters.consent import Consent
from harness.errors import InvalidInput, WrongUsage
from systems.command import Command

ALLOWED = Consent(code=True)


@pytest.fixture(params=[pytest.param("bwrap", marks=needs_bwrap), "none"])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "none":
        monkeypatch.setattr(sandbox, "why_not", lambda: "not wanted in this test")
    return str(request.param)


@pytest.mark.usefixtures("isolation")
def test_a_python_script_gets_documents_queries_and_depth(tmp_path: Path) -> None:
    script(
        tmp_path,
        "import json, sys\n"
        "docs, queries = ([json.loads(line) for line in open(name)] for name in sys.argv[1:3])\n"
        "print(json.dumps([docs, queries, sys.argv[3]]), file=sys.stderr)\n"
        "sys.exit(3)\n",
        "search.py",
    )
    with pytest.raises(InvalidInput) as caught:
        search(tmp_path, ["python3", "search.py"])
    docs, queries, depth = json.loads(str(caught.value).splitlines()[1])
    assert docs == [{"doc_id": d.doc_id, "title": d.title, "text": d.text} for d in REQUEST.docs]
    assert queries == [{"query_id": q.query_id, "text": q.text, "lang": q.lang} for q in REQUEST.queries]
    assert depth == "2"


@pytest.mark.usefixtures("isolation")
def test_a_shell_script_with_awk_ranks(tmp_path: Path) -> None:
    body = """awk -v depth="$3" 'FILENAME == ARGV[1] { split($0, f, "\\""); ids[++n] = f[4]; next }
    { split($0, f, "\\""); for (i = 1; i <= n && i <= depth; i++) print f[4], "Q0", ids[i], i, 10 - i, "mine" }' "$1" "$2" """
    one, two = shell(tmp_path, body)
    assert [one.query_id, two.query_id] == ["p/q1", "p/q2"]
    assert list(one.doc_ids) == list(two.doc_ids) == ["d1", "d2"]
    assert np.asarray(one.scores).tolist() == [9, 8]


@pytest.mark.usefixtures("isolation")
def test_queries_that_the_program_leaves_out_have_empty_rankings(tmp_path: Path) -> None:
    one, two = shell(tmp_path, "echo p/q2 Q0 d2 1 1 t")
    assert (one.query_id, list(one.doc_ids), len(one.scores)) == ("p/q1", [], 0)
    assert (two.query_id, list(two.doc_ids)) == ("p/q2", ["d2"])


def test_rankings_are_cut_at_the_depth_by_score(tmp_path: Path) -> None:
    lines = "p/q1 Q0 d1 1 1 t\\np/q1 Q0 d2 2 3 t\\np/q1 Q0 d3 3 3 t\\n"
    assert list(shell(tmp_path, f"printf '{lines}'")[0].doc_ids) == ["d3", "d2"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("p/q1 d1 1 2.5 t", "5 columns"),
        ("p/q1 Q0 d9 1 2.5 t", "unknown document d9"),
        ("p/q9 Q0 d1 1 2.5 t", "unknown query p/q9"),
        ("p/q1 Q0 d1 1 nan t", "score nan"),
        ("p/q1 Q0 d1 1 2 t\\np/q1 Q0 d1 2 1 t", "is a duplicate"),
    ],
)
def test_a_run_that_is_not_in_order_is_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        shell(tmp_path, f"printf '{line}\\n'")


def test_a_program_that_writes_nothing_has_found_nothing(tmp_path: Path) -> None:
    assert [(r.query_id, list(r.doc_ids)) for r in shell(tmp_path, "exit 0")] == [("p/q1", []), ("p/q2", [])]


@pytest.mark.usefixtures("isolation")
def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"search\.sh ended with exit status 7:\nno such index: ёж"):
        shell(tmp_path, f"{GOOD}; echo 'no such index: ёж' >&2; exit 7")


@pytest.mark.usefixtures("isolation")
def test_a_program_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    seconds = unlikely_seconds()
    with pytest.raises(InvalidInput, match=r"ran longer than 0.3 s; raise `timeout_seconds`"):
        shell(tmp_path, f"sleep {seconds} & sleep {seconds}", timeout_seconds=0.3)
    assert ends(seconds)


@pytest.mark.usefixtures("isolation")
def test_what_a_program_leaves_behind_ends_with_it_and_holds_nothing_up(tmp_path: Path) -> None:
    seconds = unlikely_seconds()
    start = time.monotonic()
    assert [list(r.doc_ids) for r in shell(tmp_path, f"sleep {seconds} & {GOOD}")] == [["d1", "d3"], ["d2"]]
    assert time.monotonic() - start < 20, "it waited for what was left behind"
    assert ends(seconds)


def ends(argument: str) -> bool:
    """Whether the process with that argument is gone once the kernel has had a moment to end it."""
    deadline = time.monotonic() + 10
    while alive(argument) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(argument)


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("word", ["no-such-program", "./no-such-script.sh"])
def test_a_missing_program_is_explained(tmp_path: Path, word: str) -> None:
    with pytest.raises(InvalidInput, match=f"{word}.*(cannot be started|exit status)"):
        search(tmp_path, [word])


@pytest.mark.usefixtures("isolation")
def test_a_file_that_is_not_executable_is_explained(tmp_path: Path) -> None:
    script(tmp_path, "#!/bin/sh\necho\n", executable=False)
    with pytest.raises(InvalidInput, match="Permission denied"):
        search(tmp_path, ["./search.sh"])
    card = tmp_path / "card" / "card.toml"
    card.write_text('schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "./search.sh"\n')
    with pytest.raises(WrongUsage, match=r"chmod \+x"):
        load_card(str(card)).system(ALLOWED)


def test_a_card_with_an_executable_runs_it(tmp_path: Path) -> None:
    path = script(tmp_path, f"#!/bin/sh\n{GOOD}\n")
    card = tmp_path / "card" / "card.toml"
    card.write_text('schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "./search.sh"\n')
    system = load_card(str(card)).system(ALLOWED)
    assert isinstance(system, Command)
    assert system.inputs() == {"search.sh": path}, "cards are no part of what is run"
    assert [list(r.doc_ids) for r in system.search(REQUEST, context_in(tmp_path))] == [["d1", "d3"], ["d2"]]


def test_isolation_is_recorded(tmp_path: Path, isolation: str) -> None:
    script(tmp_path, f"#!/bin/sh\n{GOOD}\n")
    context = context_in(tmp_path)
    list(command(tmp_path, ["./search.sh"], memory_gib=2).search(REQUEST, context))
    assert context.record.facts["isolation"].partition(",")[0] == isolation
    limits = {"seconds": 3600.0, "memory bytes": 2 << 30, "scratch bytes": 1 << 30}
    assert context.record.facts["limits"] == limits


def test_the_program_is_found_beside_the_card_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, f"{GOOD}\n", "own.sh")
    monkeypatch.chdir("/")
    assert len(search(tmp_path, ["sh", "own.sh"])) == len(REQUEST.queries)


def test_toy_documents_reach_the_program_letter_by_letter(tmp_path: Path) -> None:
    script(tmp_path, "print('part/fi Q0 ünïcödé 1 1 t')\n", "search.py")
    rankings = {r.query_id: list(r.doc_ids) for r in search(tmp_path, ["python3", "search.py"], toy_request())}
    assert rankings["part/fi"] == ["ünïcödé"]


@pytest.mark.usefixtures("isolation")
def test_a_program_reads_the_files_and_folders_that_its_card_names(tmp_path: Path) -> None:
    script(tmp_path, "one", "index/a/part.txt", executable=False)
    script(tmp_path, "two", "words.txt", executable=False)
    script(tmp_path, f'#!/bin/sh\ncat "$(dirname "$0")/../index/a/part.txt" "$1" >&2 && {GOOD}\n', "bin/search.sh")
    words = ["./bin/search.sh", "words.txt"]
    system = command(tmp_path, words, files=["index/"])
    assert set(system.inputs()) == {"bin/search.sh", "index", "words.txt"}
    assert len(list(system.search(REQUEST, context_in(tmp_path)))) == len(REQUEST.queries)


@pytest.mark.parametrize("name", [".", "", "..", "../other", "link", "/etc/passwd", "index/../../other"])
def test_a_card_cannot_name_files_of_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "card" / "index").mkdir(parents=True)
    (tmp_path / "card" / "link").symlink_to(tmp_path / "other")
    with pytest.raises(InvalidInput, match="not a file or folder below that of the card"):
        command(tmp_path, ["cat"], files=[name]).inputs()


def test_a_link_beside_the_card_that_leads_out_of_its_folder_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("answers")
    script(tmp_path, "", "own.sh")
    (tmp_path / "card" / "link.sh").symlink_to(tmp_path / "secret")
    assert set(command(tmp_path, ["sh", "own.sh"]).inputs()) == {"own.sh"}
    with pytest.raises(InvalidInput, match=r"link\.sh is not a file or folder below"):
        command(tmp_path, ["sh", "link.sh"]).inputs()


def test_a_missing_file_of_the_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="names index, which is not in"):
        command(tmp_path, ["cat"], files=["index"]).inputs()
