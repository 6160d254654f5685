"""Control groups: with a stand-in for the kernel's files, and for real where a hierarchy is ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from programs import needs_bwrap, python

from harness.adapters.box import cgroups
from harness.errors import InvalidInput

FILES = (
    "memory.max",
    "memory.swap.max",
    "memory.oom.group",
    "memory.events",
    "pids.max",
    "cgroup.procs",
    "cgroup.kill",
)


def is_ours() -> bool:
    with cgroups.group(1 << 30, 100) as found:
        return found.place is not None


needs_group = pytest.mark.skipif(not is_ours(), reason="no control groups (version 2) are delegated to us here")


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in: ``slice`` passes the controllers on, and this process is in a group below it."""
    mount = tmp_path / "cgroup"
    for place, given in ((mount, "cpu"), (mount / "slice", "memory pids cpu"), (mount / "slice" / "own.scope", "")):
        place.mkdir()
        (place / "cgroup.subtree_control").write_text(given)
        (place / "cgroup.procs").write_text("")
    monkeypatch.setattr(cgroups, "MOUNTS", (mount,))
    monkeypatch.setattr(cgroups, "_own_group", lambda: "/slice/own.scope")
    make, remove = Path.mkdir, Path.rmdir

    def mkdir(self: Path, *arguments: int, **options: bool) -> None:
        make(self, *arguments, **options)
        for name in FILES:
            (self / name).write_text("")

    def rmdir(self: Path) -> None:
        for name in FILES:
            (self / name).unlink()
        remove(self)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(Path, "rmdir", rmdir)
    return mount


def test_a_group_is_made_beside_our_own_with_its_limits_and_is_gone_afterwards(hierarchy: Path) -> None:
    with cgroups.group(5 << 20, 77) as found:
        place = found.place
        assert place is not None
        assert place.parent == hierarchy / "slice", "the nearest that passes memory and pids on"
        read = {name: (place / name).read_text() for name in FILES}
        assert (read["memory.max"], read["memory.swap.max"], read["pids.max"]) == (str(5 << 20), "0", "77")
        assert read["memory.oom.group"] == "1"
        assert not found.ran_out_of_memory()
        (place / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
        assert found.ran_out_of_memory()
        entered = subprocess.run([*found.entering, "sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
        assert (place / "cgroup.procs").read_text() == entered.stdout, "the command is in the group from its beginning"
        found.end()
        assert (place / "cgroup.kill").read_text() == "1"
        assert found.in_words == ["memory limit", "cgroup"]
    assert not place.exists()


def test_without_the_controllers_there_is_none(hierarchy: Path) -> None:
    (hierarchy / "slice" / "cgroup.subtree_control").write_text("memory")
    with cgroups.group(5 << 20, 77) as found:
        assert (found.place, found.entering, found.in_words) == (None, [], [])
        assert not found.ran_out_of_memory()
        found.end()


def test_a_limit_that_cannot_be_set_leaves_no_group(hierarchy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def refuse(self: Path, *arguments: str) -> int:
        if self.name == "pids.max" and arguments[0]:
            raise PermissionError
        return write(self, *arguments)

    monkeypatch.setattr(Path, "write_text", refuse)
    with cgroups.group(5 << 20, 77) as found:
        assert found.place is None
    assert not list((hierarchy / "slice").glob("xdr-*"))


@needs_group
@needs_bwrap
def test_memory_of_all_kinds_ends_at_the_limit_of_the_group(tmp_path: Path) -> None:
    body = "import os\nfor _ in range(200):\n    if os.fork() == 0:\n        kept = b'x' * (60 << 20)\n        os.pause()\n"
    with pytest.raises(InvalidInput, match=r"used more than 0\.1 GiB"):
        python(tmp_path, body, memory_gib=0.1, timeout_seconds=25)
