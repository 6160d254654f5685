"""Executables as systems: what they get, what they may write, and what they cannot see under bubblewrap."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.card import load_card
from harness.collections.view import Docs
from harness.errors import InvalidInput, WrongUsage
from harness.records import Doc, Query, Ranking
from harness.system import Context, Request
from harness.testing import toy_request
from systems import command
from systems.command import Command

REQUEST = Request(
    Docs([Doc("d1", "Volga", 'The "long" river'), Doc("d2", "", "Tea\nand ёж"), Doc("d3", "", "Fuji")]),
    (Query("p/q1", "Volga?", "fi", "q1"), Query("p/q2", "富士", "ja", "q2")),
    2,
)
GOOD = "printf 'p/q1 Q0 d1 1 2.5 t\\np/q1 Q0 d3 2 1 t\\np/q2 Q0 d2 1 0.125 t\\n'"


def _bwrap_works() -> bool:
    program = shutil.which("bwrap")
    test = [program or "", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return program is not None and subprocess.run(test, capture_output=True, check=False).returncode == 0


needs_bwrap = pytest.mark.skipif(not _bwrap_works(), reason="bubblewrap is not installed or not permitted here")


@pytest.fixture(params=[pytest.param("bwrap", marks=needs_bwrap), "none"])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "none":
        monkeypatch.setattr(command, "_bubblewrap", lambda card_folder, request_folder: [])
    return str(request.param)


def context_in(tmp_path: Path) -> Context:
    return Context(cache=tmp_path / "cache", work=tmp_path / "work")


def script(tmp_path: Path, text: str, name: str = "search.sh", *, executable: bool = True) -> Path:
    folder = tmp_path / "card"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, "utf-8")
    path.chmod(0o755 if executable else 0o644)
    return path


def search(tmp_path: Path, words: list[str], request: Request = REQUEST, **parameters: Any) -> list[Ranking]:
    folder = tmp_path / "card"
    folder.mkdir(exist_ok=True)
    checked = Command.Parameters.model_validate({"command": words, **parameters}, context={"folder": folder})
    return list(Command(checked).search(request, context_in(tmp_path)))


def shell(tmp_path: Path, body: str, **parameters: Any) -> list[Ranking]:
    script(tmp_path, f"#!/bin/sh\n{body}\n")
    return search(tmp_path, ["./search.sh"], **parameters)


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
    docs, queries, depth = json.loads(str(caught.value).splitlines()[-1])
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
        ("p/q1 Q0 d1 1 2 t\\np/q1 Q0 d1 2 1 t", "stands twice"),
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
    mark = tmp_path / "card" / "still-alive"
    with pytest.raises(InvalidInput, match=r"ran longer than 0.3 s; raise `timeout_seconds`"):
        shell(tmp_path, f"(sleep 1; touch '{mark}') & sleep 30", timeout_seconds=0.3)
    assert subprocess.run(["sleep", "1.3"], check=False).returncode == 0
    assert not mark.exists()


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
        load_card(str(card)).system()


def test_a_card_with_an_executable_runs_it(tmp_path: Path) -> None:
    path = script(tmp_path, f"#!/bin/sh\n{GOOD}\n")
    card = tmp_path / "card" / "card.toml"
    card.write_text('schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "./search.sh"\n')
    system = load_card(str(card)).system()
    assert isinstance(system, Command)
    assert system.inputs() == {"./search.sh": path, "search.sh": path, "card.toml": path.with_name("card.toml")}
    assert [list(r.doc_ids) for r in system.search(REQUEST, context_in(tmp_path))] == [["d1", "d3"], ["d2"]]


def test_isolation_is_recorded(tmp_path: Path, isolation: str) -> None:
    script(tmp_path, f"#!/bin/sh\n{GOOD}\n")
    checked = Command.Parameters.model_validate({"command": ["./search.sh"]}, context={"folder": tmp_path / "card"})
    context = context_in(tmp_path)
    list(Command(checked).search(REQUEST, context))
    assert context.record.facts["isolation"] == isolation


def test_without_bubblewrap_there_is_no_isolation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert command._bubblewrap(tmp_path, tmp_path) == []
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    assert command._bubblewrap(tmp_path, tmp_path) == []


@needs_bwrap
def test_files_outside_the_card_folder_cannot_be_read(tmp_path: Path) -> None:
    secret, own = tmp_path / "qrels.txt", tmp_path / "card" / "own.txt"
    secret.write_text("the answers")
    own.parent.mkdir()
    own.write_text("my index")
    test = f"cat '{own}' >&2; cat '{secret}' >&2; exit 1"
    with pytest.raises(InvalidInput) as caught:
        shell(tmp_path, test)
    assert "my index" in str(caught.value)
    assert "the answers" not in str(caught.value)
    assert "No such file" in str(caught.value)


def test_the_same_file_can_be_read_without_isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above is known to test something."""
    monkeypatch.setattr(command, "_bubblewrap", lambda card_folder, request_folder: [])
    secret = tmp_path / "qrels.txt"
    secret.write_text("the answers")
    with pytest.raises(InvalidInput, match="the answers"):
        shell(tmp_path, f"cat '{secret}' >&2; exit 1")


@needs_bwrap
def test_neither_the_card_folder_nor_the_request_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "card"
    shell(tmp_path, f"touch '{folder}/new'; touch new; echo x >> docs.jsonl; {GOOD}")
    assert not (folder / "new").exists()
    assert not (tmp_path / "work" / "request" / "new").exists()
    assert (tmp_path / "work" / "request" / "docs.jsonl").read_text().count("\n") == 3


@needs_bwrap
def test_there_is_no_network(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        outside = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        assert outside.returncode == 0
        with pytest.raises(InvalidInput, match="Error"):
            shell(tmp_path, f'python3 -c "{code}"')


@needs_bwrap
def test_the_environment_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hush")
    with pytest.raises(InvalidInput) as caught:
        shell(tmp_path, "env >&2; exit 1")
    assert "LC_ALL=C.UTF-8" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_program_is_found_beside_the_card_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, f"{GOOD}\n", "own.sh")
    monkeypatch.chdir("/")
    assert len(search(tmp_path, ["sh", "own.sh"])) == len(REQUEST.queries)


def test_toy_documents_reach_the_program_letter_by_letter(tmp_path: Path) -> None:
    script(tmp_path, "print('part/fi Q0 ünïcödé 1 1 t')\n", "search.py")
    rankings = {r.query_id: list(r.doc_ids) for r in search(tmp_path, ["python3", "search.py"], toy_request())}
    assert rankings["part/fi"] == ["ünïcödé"]
