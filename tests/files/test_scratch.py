"""Folders that leave nothing, and locks that hold: with other processes, killed ones among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import InvalidInput
from harness.files.scratch import scratch_folder
from harness.files.writing import exclusive, folder_lock

AT_WORK = """
import sys
from pathlib import Path
from harness.files.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), "reproduce-") as folder:
    (folder / "vectors").write_bytes(bytes(1000))
    print("at work", flush=True)
    sys.stdin.read()
"""

WAIT = """
import sys
from pathlib import Path
from harness.files.writing import folder_lock
print("begins", flush=True)
with folder_lock(Path(sys.argv[1])):
    print("holds", flush=True)
    sys.stdin.read()
"""

RACE = """
import os, sys, time
from pathlib import Path
from harness.errors import InvalidInput
from harness.files.writing import exclusive, folder_lock
place, inside, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
entered = together = 0
deadline = time.monotonic() + 60
while entered < rounds and time.monotonic() < deadline:
    try:
        with folder_lock(place, wait=False) if sys.argv[4] == "folder" else exclusive(place / "lock"):
            entered += 1
            try:
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                together += 1
            else:
                time.sleep(0.001)
                inside.unlink()
            if sys.argv[4] == "folder":  # as a submission does with its staging folder
                place.rmdir()
    except InvalidInput:
        time.sleep(0.0005)
print(entered, together)
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_of_three_processes_never_two_hold_one_lock(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "row"
    place.mkdir()
    racers = [start(RACE, place, tmp_path / "inside", 40, kind) for _ in range(3)]
    counts = [racer.communicate()[0].split() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert [together for _, together in counts] == ["0", "0", "0"]
    assert [entered for entered, _ in counts] == ["40", "40", "40"]


def test_a_folder_lock_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "row"
    with folder_lock(folder):
        assert list(folder.iterdir()) == []
        with pytest.raises(InvalidInput, match="another process is at work on row"), folder_lock(folder, wait=False):
            pass
    with folder_lock(folder, wait=False):
        assert [path.name for path in tmp_path.iterdir()] == ["row"]


def test_who_waited_for_a_folder_that_was_replaced_holds_the_new_one(tmp_path: Path) -> None:
    folder, waiting = tmp_path / "row", None
    with folder_lock(folder):
        waiting = start(WAIT, folder)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "begins\n"
        folder.rename(tmp_path / "old")
        folder.mkdir(exist_ok=True)  # the other process makes it where it has not yet waited
    assert waiting.stdout.readline() == "holds\n"
    with pytest.raises(InvalidInput, match="another process"), folder_lock(folder, wait=False):
        pass
    waiting.communicate("")


def test_a_scratch_folder_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path, "x-") as folder:
        (folder / "file").write_bytes(bytes([1 // 0]))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_and_what_is_in_use_stays(tmp_path: Path) -> None:
    (tmp_path / "reproduce-of-a-friend.txt").write_text("not a folder of ours")
    killed, busy = start(AT_WORK, tmp_path), start(AT_WORK, tmp_path)
    for process in (killed, busy):
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
    killed.kill()
    killed.wait()
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2
    with scratch_folder(tmp_path, "reproduce-") as folder:
        others = [path for path in tmp_path.iterdir() if path.is_dir() and path != folder.parent]
        assert len(others) == 1
        assert (others[0] / "work" / "vectors").is_file()
    busy.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == ["reproduce-of-a-friend.txt"]


def test_a_lock_file_stays_where_others_may_wait_for_it(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").is_file()
