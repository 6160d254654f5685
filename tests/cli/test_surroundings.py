"""Commands in surroundings that are not those of their makers: streams, homes, encodings, limits and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recorded import copy_recorded_runs

from harness.cli.surroundings import lacks_memory
from harness.compute import platform

ROOT = Path(__file__).parents[2]
BM25 = "runs/mini/bm25"
XDR = f"{sys.executable} -m harness"
NO_PASSWD_ENTRY = """
import pwd
def missing(uid): raise KeyError(uid)
pwd.getpwuid = missing
from harness.cli import main
main()
"""
ADAPTER = """
import time
from pathlib import Path
class Adapter:
    def __init__(self, parameters): pass
    def search(self, request, context):
        try:
            Path("started").touch()
            time.sleep(60)
        finally:
            Path("tidied up").touch()
        yield from ()
"""


@pytest.fixture
def recorded(tmp_path: Path) -> None:
    """The runs of record in the folder where commands are typed, since they write score files."""
    copy_recorded_runs(tmp_path)


def shell(line: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(["bash", "-c", line], cwd=cwd, capture_output=True, env=env, check=False)


def told(done: subprocess.CompletedProcess[bytes]) -> str:
    text = done.stderr.decode()
    assert "Traceback" not in text
    assert "Exception ignored" not in text
    return text


@pytest.mark.parametrize(
    ("arguments", "status"),
    [("validate run.trec", 0), ("validate twice.trec", 1), ("nonsense", 2), ("run mini nonsense", 2)],
)
@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full", ">&- 2>&-", "<&- 2>&-"])
def test_no_status_depends_on_standard_error(arguments: str, status: int, stream: str, tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text("q1 Q0 d1 1 2.5 tag\n")
    (tmp_path / "twice.trec").write_text("q1 Q0 d1 1 2.5 tag\nq1 Q0 d1 2 2 tag\n")
    assert shell(f"{XDR} {arguments} {stream}", tmp_path).returncode == status


@pytest.mark.parametrize(("stream", "reason"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")])
@pytest.mark.parametrize("arguments", ["list tracks --json", f"export {ROOT}/runs/mini --format markdown"])
def test_a_result_that_cannot_be_written_is_a_failure(arguments: str, stream: str, reason: str, tmp_path: Path) -> None:
    done = shell(f"{XDR} {arguments} {stream}", tmp_path)
    assert done.returncode == 1
    assert told(done).splitlines()[-1] == f"xdr: standard output: {reason}"


def test_a_message_is_never_written_into_a_file_that_took_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    done = shell(f"{XDR} export {ROOT}/runs/mini table.md --format markdown >&- 2>&- <&-", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "table.md").read_text() == (ROOT / "runs/mini/leaderboard.md").read_text()


def test_a_reader_who_goes_away_is_no_failure(tmp_path: Path) -> None:
    done = shell(f"{XDR} list | head -1; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert done.stdout.decode().splitlines() == ["tracks:", "0"]
    assert not told(done)


@pytest.fixture
def titled_in_arabic(tmp_path: Path) -> Path:
    """A track of two parts, with a run of BM25 under an Arabic title."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "docs.jsonl").write_text(
        '{"doc_id": "nile", "text": "The Nile"}\n{"doc_id": "volga", "text": "The Volga"}\n'
    )
    (data / "queries.jsonl").write_text('{"query_id": "q1", "lang": "fi", "text": "Nile"}\n')
    (data / "qrels.txt").write_text("q1 0 nile 1\n")
    (tmp_path / "track.toml").write_text(
        'schema_version = 1\nname = "rivers"\nversion = 1\ntitle = "Rivers: أنهار"\ndescription = "Two rivers."\n'
        'measures = ["Success@1"]\nprimary = "Success@1"\ndepth = 2\nbaseline = "arabic"\nsystems = ["arabic.toml"]\n'
        'parts = [{name = "fi", dataset = "folder(fi):data", lang = "fi"}]\n'
    )
    (tmp_path / "arabic.toml").write_text(
        'schema_version = 1\nname = "arabic"\ntitle = "النهر الطويل é"\nadapter = "bm25"\n'
    )
    (tmp_path / "slow.toml").write_text(
        'schema_version = 1\nname = "slow"\ntitle = "slow"\nadapter = "slow.py:Adapter"\n'
    )
    (tmp_path / "slow.py").write_text(ADAPTER)
    return tmp_path


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_is_replaced(titled_in_arabic: Path, encoding: str) -> None:
    for arguments in ("leaderboard track.toml", "report runs/rivers/arabic --track track.toml"):
        done = shell(f"{XDR} {arguments}", titled_in_arabic, PYTHONIOENCODING=encoding, LC_ALL="C")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr.decode("latin-1")
    assert rb"\u0627\u0644\u0646\u0647\u0631" in done.stdout
    as_json = shell(f"{XDR} compare track.toml --json", titled_in_arabic, PYTHONIOENCODING=encoding)
    assert json.loads(as_json.stdout.decode(encoding))["baseline"] == "arabic"
    # Files are in UTF-8 wherever they are written.
    table = shell(f"{XDR} export runs/rivers --format markdown", titled_in_arabic, PYTHONIOENCODING=encoding)
    assert table.stdout == (titled_in_arabic / "runs/rivers/leaderboard.md").read_bytes()


@pytest.mark.parametrize("arguments", [f"report {BM25}", "data list xquad"])
@pytest.mark.usefixtures("recorded")
def test_a_user_without_a_home_is_told_what_to_set(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "xdr.py").write_text(NO_PASSWD_ENTRY)
    bare = f"env -i PATH=/usr/bin:/bin PYTHONPATH={ROOT} TMPDIR={tmp_path}"
    done = shell(f"{bare} {sys.executable} xdr.py {arguments}", tmp_path)
    assert done.returncode == 2
    assert "set XDR_HOME to a folder that you may write" in told(done)
    done = shell(f"{bare} XDR_HOME={tmp_path}/kept {sys.executable} xdr.py {arguments}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) in (["kept", "runs", "xdr.py"], ["runs", "xdr.py"])


@pytest.mark.parametrize("home", ["/proc/1", "/dev/null", "/nonexistent/\u0627"])
@pytest.mark.usefixtures("recorded")
def test_a_home_that_cannot_be_written(home: str, tmp_path: Path) -> None:
    if os.geteuid() == 0 and home.startswith("/nonexistent"):
        pytest.skip("needs a user who cannot make /nonexistent")
    bare = f"env -i PATH=/usr/bin:/bin PYTHONPATH={ROOT} HOME={home}"
    done = shell(f"{bare} {XDR} run mini dummy", tmp_path)
    assert done.returncode in (1, 2)
    assert "XDR_HOME" in told(done)
    done = shell(f"{bare} XDR_HOME={tmp_path}/kept {XDR} run mini dummy", tmp_path)
    assert done.returncode == 0, done.stderr
    # What only looks keeps nothing, and needs no such folder.
    assert shell(f"{bare} {XDR} report {BM25}", tmp_path).returncode == 0


def test_lists_need_no_home(tmp_path: Path) -> None:
    (tmp_path / "xdr.py").write_text(NO_PASSWD_ENTRY)
    bare = f"env -i PATH=/usr/bin:/bin PYTHONPATH={ROOT} TMPDIR={tmp_path}"
    assert shell(f"{bare} {sys.executable} xdr.py list collections", tmp_path).returncode == 0


@pytest.mark.parametrize("mebibytes", [500, 900])
@pytest.mark.usefixtures("recorded")
def test_too_little_memory_is_said(mebibytes: int, tmp_path: Path) -> None:
    done = shell(f"ulimit -v {mebibytes * 1024}; {XDR} report {BM25}", tmp_path)
    assert done.returncode == 1
    assert "xdr: not enough memory" in told(done)


def test_what_says_that_memory_lacks() -> None:
    caused = ValueError("no page")
    caused.__cause__ = MemoryError()
    assert lacks_memory(caused)
    assert lacks_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"))
    assert lacks_memory(ImportError("libtorch.so: failed to map segment: Cannot allocate memory"))
    assert not lacks_memory(ValueError("out of memory"))
    assert not lacks_memory(RuntimeError("shape mismatch"))


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated"),
                                   (signal.SIGINT, 130, "interrupted")]
)  # fmt: skip
def test_a_signal_ends_a_command_in_order(titled_in_arabic: Path, number: int, status: int, word: str) -> None:
    command = [sys.executable, "-m", "harness", "run", "track.toml", "slow.toml", "--allow-code"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDR_HOME": str(titled_in_arabic / "home")}
    # Whoever runs the tests under nohup hands its ignored signal on; a handler of Python's is none for the child.
    before = signal.signal(number, signal.SIG_DFL)
    running = subprocess.Popen(command, cwd=titled_in_arabic, env=environment, stderr=subprocess.PIPE, text=True)
    signal.signal(number, before)
    deadline = time.monotonic() + 60
    while not (titled_in_arabic / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(number)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == status, errors
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith(word)
    assert (titled_in_arabic / "tidied up").exists()
    assert not (titled_in_arabic / "runs/rivers/slow").exists()


def test_a_command_that_nohup_started_goes_on(tmp_path: Path) -> None:
    look = (
        "import signal; from harness.cli.surroundings import prepare; prepare(); print(signal.getsignal(signal.SIGHUP))"
    )
    done = shell(f"trap '' HUP; {sys.executable} -c '{look}'", tmp_path)
    assert done.stdout.decode().strip() in ("1", "Handlers.SIG_IGN", str(signal.SIG_IGN))


def test_windows_is_refused_in_the_first_line(tmp_path: Path) -> None:
    """Where the modules that Windows lacks cannot be imported, as there."""
    lacking = "import sys; sys.modules.update(fcntl=None, resource=None, pwd=None, grp=None)"
    code = f"{lacking}; import harness.cli; sys.platform = 'win32'; harness.cli.main()"
    done = subprocess.run([sys.executable, "-c", code, "list"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("xdr: this needs Linux or macOS; on Windows,")


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_peak_memory_is_in_bytes_on_either_system(monkeypatch: pytest.MonkeyPatch, system: str, unit: int) -> None:
    class Usage:
        ru_maxrss = 5000

    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("resource.getrusage", lambda who: Usage)
    assert platform.peak_memory_bytes() == 5000 * unit


@pytest.mark.parametrize("arguments", ["-h", "run -h", "data -h", "data list -h"])
def test_h_is_help(arguments: str, tmp_path: Path) -> None:
    done = shell(f"{XDR} {arguments}", tmp_path)
    assert done.returncode == 0
    assert done.stdout.decode().lstrip().startswith("Usage: ")
