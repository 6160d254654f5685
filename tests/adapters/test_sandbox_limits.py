"""Programs that want too much: memory, processes, output, time and files have limits, which hold for all their processes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from programs import (
    alive,
    error_of,
    error_of_python,
    needs_bwrap,
    python,
    unlikely_seconds,
)

from harness.adapters.box import bubblewrap, sandbox
from harness.adapters.box.seccomp import filter_here
from harness.errors import InvalidInput


@pytest.mark.parametrize("isolated", [pytest.param(True, marks=needs_bwrap), False])
def test_memory_is_limited_in_one_process_and_in_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated: bool
) -> None:
    if not isolated:
        monkeypatch.setattr(sandbox, "why_not", lambda: "not wanted in this test")
    with pytest.raises(InvalidInput, match="MemoryError"):
        python(tmp_path, "found = bytearray(400 << 20)", memory_gib=0.25)
    many = "import os, time\nfor _ in range(4):\n    if os.fork() == 0: break\nfound = b'x' * (100 << 20)\ntime.sleep(30)\n"
    with pytest.raises(InvalidInput, match=r"used more than 0.25 GiB of memory; raise `memory_gib`"):
        python(tmp_path, many, memory_gib=0.25, timeout_seconds=25)


@pytest.mark.parametrize("isolated", [pytest.param(True, marks=needs_bwrap), False])
@pytest.mark.parametrize("stream", ["1", "2"])
def test_endless_output_fills_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated: bool, stream: str
) -> None:
    if not isolated:
        monkeypatch.setattr(sandbox, "why_not", lambda: "not wanted in this test")
    error = error_of(tmp_path, f"yes >&{stream}", timeout_seconds=1.5)
    expected = "wrote more than 16 MiB to its standard output" if stream == "1" else "ran longer than 1.5 s"
    assert expected in error
    assert len(error) < 4000
    assert (tmp_path / "work" / "output.trec").stat().st_size < 17 << 20


FORKS = """
import os, sys, time
first = os.getpid()
for _ in range(10):  # 1,024 processes at most
    try:
        os.fork()
    except OSError:
        pass
if os.getpid() != first:
    time.sleep(60)
time.sleep(1)
print('seen', len([name for name in os.listdir('/proc') if name.isdigit()]), file=sys.stderr)
sys.exit(1)
"""


def below() -> set[int]:
    """Processes of this one, but for the helpers that other tests may have left."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


@needs_bwrap
def test_a_fork_bomb_is_ended_with_all_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the watcher, which is the second line: here the kernel would allow more."""
    monkeypatch.setattr(sandbox, "MAX_PROCESSES", 20)
    monkeypatch.setattr(sandbox, "_tasks", lambda: 2000)
    before = below()
    with pytest.raises(InvalidInput, match="started more than 20 processes at once"):
        python(tmp_path, FORKS.replace("time.sleep(1)", "time.sleep(30)"), timeout_seconds=25)
    assert below() <= before


@needs_bwrap
def test_the_kernel_lets_a_fork_bomb_have_no_more_processes_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bubblewrap.confinement()
    assert not isinstance(found, str)
    if not found.counts_tasks:
        pytest.skip("root is not counted, and no other user can be put in its place here")
    monkeypatch.setattr(sandbox, "_tasks", lambda: 40)
    before = below()
    error = error_of_python(tmp_path, FORKS)
    assert 20 < int(error.partition("seen ")[2].split()[0]) <= 42, "bubblewrap's own two and 40"
    assert below() <= before


@needs_bwrap
def test_a_fork_bomb_that_goes_on_ends_at_its_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bubblewrap.confinement()
    assert not isinstance(found, str)
    if not found.counts_tasks:
        pytest.skip("without a limit of the kernel this machine would not survive the test")
    monkeypatch.setattr(sandbox, "_tasks", lambda: 40)
    before = below()
    # Without a limit there would be 1,365 of them.
    body = (
        "import os\nmade = depth = 0\n"
        "while True:\n"
        "    try:\n"
        "        if made < 4 and depth < 5:\n"
        "            made, depth = (0, depth + 1) if os.fork() == 0 else (made + 1, depth)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    with pytest.raises(InvalidInput, match="ran longer than 2 s"):
        python(tmp_path, body, timeout_seconds=2)
    assert below() <= before


@pytest.mark.parametrize("isolated", [pytest.param(True, marks=needs_bwrap), False])
def test_the_deadline_does_not_wait_for_a_look_at_the_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated: bool
) -> None:
    mark, ended = unlikely_seconds(), []

    def endless_look(*_: object) -> None:
        deadline = time.monotonic() + 30
        # Asked once each time: a process that starts between two questions is none that outlived its end.
        while (is_there := alive(mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        ended.append(not is_there)

    if not isolated:
        monkeypatch.setattr(sandbox, "why_not", lambda: "not wanted in this test")
    monkeypatch.setattr(sandbox, "_excess", endless_look)
    assert "ran longer than 1 s" in error_of(tmp_path, f"sleep {mark}", timeout_seconds=1)
    assert ended
    assert all(ended)


HOGS = {
    "memory files": (
        "import os\nfds = [os.memfd_create('x') for _ in range(8)]\nfor fd in fds:\n    os.write(fd, bytes(60 << 20))\n",
        "Function not implemented",
    ),
    "shared memory of System V": (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "made = libc.shmget(0, ctypes.c_size_t(400 << 20), 0o1600)\n"
        "raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n",
        "Function not implemented",
    ),
    "what lies in sockets": (
        "import socket, time\nends = []\n"
        "for _ in range(480):\n"
        "    for end in socket.socketpair():\n"
        "        ends.append(end)\n        end.setblocking(False)\n"
        "        try:\n            while True: end.send(bytes(60_000))\n        except BlockingIOError:\n            pass\n"
        "time.sleep(30)\n",
        "used more than 0.1 GiB",
    ),
}


@needs_bwrap
@pytest.mark.parametrize("kind", HOGS)
def test_memory_that_no_process_maps_is_refused_or_counted(tmp_path: Path, kind: str) -> None:
    body, said = HOGS[kind]
    if filter_here() is None and said.startswith("Function"):
        pytest.skip("no filter for this processor")
    with pytest.raises(InvalidInput, match=said):
        python(tmp_path, body, memory_gib=0.1, timeout_seconds=25)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_tables_of_pages_are_counted_though_no_process_has_the_pages() -> None:
    """Two gibibytes of the page of zeros: nothing is resident, but 4 MiB tell where it would be."""
    populate = 0x8000
    body = (
        "import mmap, sys\n"
        f"kept = mmap.mmap(-1, 2 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | {populate}, prot=mmap.PROT_READ)\n"
        "print('mapped', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", body], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"mapped\n"
        process = psutil.Process(child.pid)
        assert process.memory_info().rss < 64 << 20
        assert sandbox._own_bytes(process) > process.memory_full_info().pss + (4 << 20)
        child.communicate()


@needs_bwrap
def test_a_process_has_no_more_open_files_than_the_limit(tmp_path: Path) -> None:
    error = error_of_python(tmp_path, "import os\nfiles = [os.open('/', 0) for _ in range(5000)]\n")
    assert "Too many open files" in error
