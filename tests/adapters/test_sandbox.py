"""What programs of strangers try, and what comes of it. Each attempt is also made without isolation, where it works."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import (
    FOUND,
    GOOD,
    REQUEST,
    alive,
    command,
    context_in,
    error_of,
    needs_bwrap,
    python,
    script,
    shell,
    unlikely_seconds,
)

from harness.adapters.box import bubblewrap, sandbox
from harness.errors import InvalidInput
from harness.files.package import package_root

EMBEDDED = package_root() / "harness/collections/mini/test"


@pytest.fixture
def without_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "why_not", lambda: "not wanted in this test")


@contextlib.contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def secrets(tmp_path: Path) -> list[Path]:
    own = tmp_path / "qrels.txt"
    own.write_text("q1 0 d1 1\n")
    beside = tmp_path / "card" / "data" / "answers.jsonl"
    beside.parent.mkdir(parents=True)
    beside.write_text('{"query_id": "q1", "answers": ["3,530"]}\n')
    return [own, beside, EMBEDDED / "qrels.txt", EMBEDDED / "answers.jsonl", Path("/etc/passwd"), Path("/etc/hostname")]


@needs_bwrap
def test_answers_judgements_and_files_of_the_machine_cannot_be_read(tmp_path: Path) -> None:
    paths = secrets(tmp_path)
    assert all(path.exists() for path in paths)
    tried = "; ".join(f"cat '{path}' >/dev/null 2>&1 && echo 'read {path}' >&2" for path in paths)
    seen = "find / -xdev -name 'qrels*' -o -xdev -name 'answers*' -o -xdev -name '*.parquet' | grep -v ^/proc >&2"
    error = error_of(tmp_path, f"{tried}; {seen}; ls / /request >&2; exit 1")
    assert "read " not in error
    assert "qrels" not in error.partition("it ran under")[0]
    assert "docs.jsonl" in error
    assert "without network and files from elsewhere; see docs/security.md" in error


@needs_bwrap
@pytest.mark.parametrize("prefix", ["environment", "link"])
def test_answers_in_the_installed_package_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """As where the harness is installed in the Python environment that programs see, be it by a link."""
    site = tmp_path / "environment" / "lib" / "site-packages"
    (site / "harness").mkdir(parents=True)
    (site / "harness" / "answers.jsonl").write_text("3,530")
    (site / "other.txt").write_text("a library")
    (tmp_path / "link").symlink_to(tmp_path / "environment")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / prefix))
    monkeypatch.setattr(bubblewrap, "package_root", site.resolve)
    seen = tmp_path / prefix / "lib" / "site-packages"
    error = error_of(tmp_path, f"cat '{seen}/other.txt' '{seen}/harness/answers.jsonl' >&2; exit 1")
    assert "a library" in error
    assert "it ran under bubblewrap" in error
    assert "3,530" not in error


@needs_bwrap
def test_home_is_an_empty_folder(tmp_path: Path) -> None:
    error = error_of(tmp_path, "echo HOME is $HOME >&2; ls -A ~ >&2; ls /home /root/.ssh /root/.cache >&2; exit 1")
    assert "HOME is /request\ndocs.jsonl\nqueries.jsonl\n" in error
    assert error.count("No such file or directory") + error.count("Permission denied") == 3


@pytest.mark.usefixtures("without_isolation")
def test_the_same_files_can_be_read_without_isolation(tmp_path: Path) -> None:
    """So that the tests above are known to test something."""
    for path in secrets(tmp_path):
        assert f"read {path}" in error_of(tmp_path, f"cat '{path}' >/dev/null && echo 'read {path}' >&2; exit 1")


@needs_bwrap
def test_nothing_can_be_written_but_the_request_folder(tmp_path: Path) -> None:
    places = ["/", "/card", "/usr", "/dev", "/proc", "/etc", str(tmp_path), str(tmp_path / "card"), "/home", "/root"]
    tried = "".join(f"touch '{place}/new' 2>/dev/null && echo 'wrote {place}' >&2\n" for place in places)
    tried += "echo x 2>/dev/null >> docs.jsonl && echo 'wrote docs.jsonl' >&2\n"
    tried += "echo x > own.txt && cp own.txt /tmp && cat /request/own.txt /tmp/own.txt >&2; exit 1\n"
    error = error_of(tmp_path, tried)
    assert "wrote" not in error
    assert "x\nx\n" in error
    assert not [path for path in tmp_path.rglob("*") if path.name in ("new", "own.txt")], "something stayed"


@needs_bwrap
def test_settings_of_the_kernel_cannot_be_opened_for_writing(tmp_path: Path) -> None:
    """Opened and left as they are: root inside would be root outside there."""
    error = error_of(tmp_path, "(: >> /proc/sys/kernel/core_pattern) && echo opened >&2; exit 1")
    assert "opened" not in error
    assert "Read-only file system" in error or "Permission denied" in error


@needs_bwrap
def test_there_is_no_network(tmp_path: Path) -> None:
    with listening() as port:
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        outside = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        assert outside.returncode == 0
        with pytest.raises(InvalidInput, match="Connection refused"):
            python(tmp_path, code)
    with pytest.raises(InvalidInput, match=r"Network is unreachable|Temporary failure"):
        python(tmp_path, "import socket; socket.create_connection(('192.0.2.1', 80), 5)")


@needs_bwrap
def test_sockets_and_processes_of_the_machine_are_out_of_reach(tmp_path: Path) -> None:
    body = "import os, signal, sys\nprint([p for p in os.listdir('/proc') if p.isdigit()], file=sys.stderr)\n"
    body += f"os.kill({os.getpid()}, signal.SIGCONT)\n"
    with pytest.raises(InvalidInput, match="ProcessLookupError") as caught:
        python(tmp_path, body)
    assert str(os.getpid()) not in str(caught.value).splitlines()[1]


@needs_bwrap
def test_a_further_namespace_with_rights_of_its_own_cannot_be_made(tmp_path: Path) -> None:
    assert "gained" not in error_of(tmp_path, "unshare -Ur true && echo gained >&2; exit 1")


@pytest.mark.parametrize("isolated", [pytest.param(True, marks=needs_bwrap), False])
def test_the_environment_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated: bool) -> None:
    if not isolated:
        monkeypatch.setattr(sandbox, "why_not", lambda: "not wanted in this test")
    monkeypatch.setenv("SOME_TOKEN", "hush")
    monkeypatch.setenv("LD_PRELOAD", "")
    environment = "tr '\\0' '\\n' < /proc/self/environ; env"
    files = "" if not isolated else "; cat /proc/1/environ"
    error = error_of(tmp_path, f"({environment}{files}) >&2; exit 1")
    assert "LC_ALL=C.UTF-8" in error
    assert "hush" not in error
    names = {line.partition("=")[0] for line in error.replace("\0", "\n").splitlines() if "=" in line}
    assert names <= {"PATH", "LC_ALL", "HOME", "TMPDIR", "PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"}


@needs_bwrap
def test_the_disk_is_not_filled(tmp_path: Path) -> None:
    places = ["/request", "/tmp", "/dev/shm"]
    tried = [f"for n in 1 2 3 4 5 6 7 8 9; do head -c 9000000 /dev/zero > {place}/$n; done" for place in places]
    error = error_of(
        tmp_path, f"({'; '.join(tried)}) 2> /dev/null; du -xsb {' '.join(places)} >&2; exit 1", scratch_gib=0.01
    )
    sizes = [int(line.split()[0]) for line in error.splitlines() if line.split()[1:] in [[place] for place in places]]
    for size, limit in zip(sizes, [0.01 * (1 << 30), 64 << 20, 64 << 20], strict=True):
        assert 0.9 * limit < size < 1.01 * limit


@pytest.mark.usefixtures("without_isolation")
def test_without_isolation_a_single_file_is_not_larger_than_the_limit(tmp_path: Path) -> None:
    error_of(tmp_path, "head -c 40000000 /dev/zero > one; exit 1", scratch_gib=0.01)
    assert (tmp_path / "work" / "request" / "one").stat().st_size <= int(0.01 * (1 << 30))


@needs_bwrap
def test_files_that_only_root_may_read_are_read_all_the_same(tmp_path: Path) -> None:
    """Then root's program stays root's, without a limit on processes, and the manifest says so."""
    private = script(tmp_path, "hush", "private.txt", executable=False)
    private.chmod(0o600)
    script(tmp_path, f"#!/bin/sh\ngrep -q hush /card/private.txt && {GOOD}\n")
    context = context_in(tmp_path)
    assert len(list(command(tmp_path, ["./search.sh"]).search(REQUEST, context))) == len(REQUEST.queries)
    assert ("process limit" in context.record.facts["isolation"]) == (os.getuid() != 0)


@needs_bwrap
def test_a_daemon_does_not_outlive_its_program(tmp_path: Path) -> None:
    mark = unlikely_seconds()
    found = shell(tmp_path, f"setsid sh -c 'setsid sleep {mark} & exit' > /dev/null 2>&1; {GOOD}")
    assert {ranking.query_id: list(ranking.doc_ids) for ranking in found} == FOUND
    assert not alive(mark)


@needs_bwrap
def test_programs_end_when_the_harness_is_killed(tmp_path: Path) -> None:
    mark = unlikely_seconds()
    code = (
        "import sys; sys.path[:0] = sys.argv[1:2]\nfrom pathlib import Path\nfrom programs import shell\n"
        f"shell(Path({str(tmp_path)!r}), 'sleep {mark}')"
    )
    folder = str(Path(__file__).parents[1] / "helpers")
    killed = subprocess.Popen(
        [sys.executable, "-c", code, folder], env={**os.environ, "PYTHONPATH": str(package_root())}
    )

    deadline = time.monotonic() + 30
    while not alive(mark):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    while alive(mark):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_machine_without_bubblewrap_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert sandbox.why_not() == "bubblewrap is not installed"
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    assert "does not work here: no reason given" in sandbox.why_not()
    monkeypatch.setattr(shutil, "which", lambda name: "/no/such/program")
    assert "cannot be started: No such file" in sandbox.why_not()
