"""Commands that are killed, refused room, or started twice. ``python -m tests.faults`` does much more of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.errors import InvalidInput
from harness.files.writing import atomic_write, folder_lock, write_text, write_together
from harness.runs.execute import run_system
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track
from tests.faults import hostile
from tests.faults.disturbances import OPERATION, RANDOM, WRITING

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "track.toml").write_bytes(hostile.track(name="small", dataset="xdr-mini/ar"))
    return tmp_path


def started(place: Path, *arguments: str, home: str = "home") -> subprocess.Popen[str]:
    environment = {**os.environ, "XDR_HOME": str(place / home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from harness.cli import main; main()", *arguments]
    return subprocess.Popen(command, cwd=place, env=environment, stderr=subprocess.PIPE, text=True)


def ended(*processes: subprocess.Popen[str]) -> list[tuple[int, str]]:
    said = [process.communicate()[1] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def test_of_two_processes_on_one_run_one_says_so_or_finds_it_done(place: Path) -> None:
    both = ended(*(started(place, "run", "track.toml", "dummy") for _ in range(2)))
    assert 0 in [status for status, _ in both]
    for status, text in both:
        assert status == 0 or (status == 1 and "another process is at work on dummy-" in text), text
    folder = place / "runs" / "small" / "dummy"
    RunFolder(load_track(str(place / "track.toml")), folder).check_files()
    assert sorted(path.name for path in folder.iterdir()) == ["ar.trec.gz", "manifest.yaml"]


def test_two_processes_with_caches_of_their_own_leave_one_whole_run(place: Path) -> None:
    for name, seed in (("one", "a"), ("two", "b")):
        (place / f"{name}.toml").write_bytes(hostile.card(more=f'description = "{seed}"'))
    processes = [started(place, "run", "track.toml", f"{name}.toml", home=name) for name in ("one", "two")]
    assert [status for status, _ in ended(*processes)] == [0, 0]
    folder = place / "runs" / "small" / "mine"
    row = RunFolder(load_track(str(place / "track.toml")), folder)
    row.check_files()
    assert row.manifest.card.description in ("a", "b")


def test_who_scores_a_run_waits_while_it_is_being_replaced(place: Path) -> None:
    track = load_track(str(place / "track.toml"))
    context = Context(cache=place / "c", work=place / "w")
    folder = run_system(TrackRuns(track, place / "runs"), load_card("dummy"), context).folder
    scorer = threading.Thread(target=score_system, args=(RunFolder(track, folder),))
    with folder_lock(folder):
        scorer.start()
        scorer.join(0.2)
        assert scorer.is_alive()
        assert not (folder / "scores.parquet").exists()
    scorer.join()
    assert (folder / "scores.parquet").is_file()


def test_a_temporary_file_of_a_killed_process_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file [1]"
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom harness.files.writing import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as file:\n    file.write(b'half')\n    file.flush()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_write(path) as file:
        file.write(b"first")
        write_text(path, "second")
        assert len(list(tmp_path.iterdir())) == 2, "the one in use and what the second write made"
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_of_files_written_together_none_is_replaced_when_one_does_not_fit(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("old")
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom harness.errors import InvalidInput\n"
        "from harness.files.writing import write_together\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "home = Path(sys.argv[1])\n"
        "try:\n    write_together([(home / 'a', b'new'), (home / 'b', bytes(1 << 16))])\n"
        "except InvalidInput as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for text in (
        program,
        program.replace("'a', b'new'", "'a', bytes(1 << 16)").replace("'b', bytes(1 << 16)", "'b', b'new'"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", text, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
        )
        assert "would exceed the size limit" in done.stdout
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}
    write_together([(tmp_path / "a", b"new a"), (tmp_path / "b", b"new b")])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new a", "b": "new b"}


@pytest.mark.skipif(
    os.geteuid() == 0, reason="root may write everywhere; python -m tests.faults mounts read-only for it"
)
def test_a_folder_without_permission_is_explained(place: Path) -> None:
    (place / "runs").mkdir(mode=0o555)
    runs = TrackRuns(load_track(str(place / "track.toml")), place / "runs")
    with pytest.raises(InvalidInput, match="permission denied"):
        run_system(runs, load_card("dummy"), Context(place / "c", place / "w"))


def test_commands_that_are_disturbed_keep_their_promises(tmp_path: Path) -> None:
    """Kills, a full and a read-only file system (where this process may mount one), a limit on the size of files."""
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.faults", "--json", str(output), "--kills=2", "--commands", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = {row["fault"]: row for row in json.loads(output.read_text())}
    assert all(row["command"] == "run" and row["good"] == row["tried"] for row in results.values())
    assert {fault: row["tried"] for fault, row in results.items() if "kill" in fault} == dict.fromkeys(
        (RANDOM, WRITING, OPERATION), 1
    )
    assert results["limit on file size"]["tried"] == 2
