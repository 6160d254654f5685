from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import atomic_write, cache_home, exclusive, gzip_bytes, sha256_of_tree, write_text


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_finished_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_text(path, "old")
    write_text(path, "ёж")
    assert path.read_bytes() == "ёж".encode()
    assert names_in(path.parent) == ["file"]


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write(b"half of the new" + bytes([1 // 0]))
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["file"]


def test_the_old_file_is_there_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_written_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "")
    finally:
        os.umask(previous)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_is_explained_and_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk; the kernel refuses the write in the same place."""
    path = tmp_path / "file"
    path.write_text("old")
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from harness.errors import InvalidInput\n"
        "from harness.files.writing import atomic_write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    with atomic_write(Path(sys.argv[1])) as file:\n"
        "        file.write(bytes(1 << 16))\n"
        "except InvalidInput as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {path}: the file would exceed the size limit set for this process\n"
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, where every write says the disk is full")
def test_no_space_left_is_explained() -> None:
    from harness.files.writing import explained_write_errors

    with (
        pytest.raises(InvalidInput, match="cannot write out: the disk is full; free some space"),
        explained_write_errors(Path("out")),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_a_path_through_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "below", tmp_path / "file" / "far" / "below"):
        with pytest.raises(InvalidInput, match="a part of the path is a file, not a folder"):
            write_text(path, "x")


def test_a_folder_in_the_place_of_the_file_is_explained_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput, match="there is a folder of that name"):
        write_text(tmp_path / "folder", "x")
    assert names_in(tmp_path) == ["folder"]


def test_an_error_of_the_block_itself_is_not_taken_for_a_write_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "file"):
        (tmp_path / "none").read_bytes()


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its standard input is closed."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom harness.files.writing import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_refuses_a_second_process_and_is_free_when_the_first_has_died(tmp_path: Path) -> None:
    lock = tmp_path / "bm25-0123" / "lock"
    with hold(lock) as process:
        with pytest.raises(InvalidInput, match="another process is at work on bm25-0123"), exclusive(lock):
            pass
        process.kill()
        process.wait()
        with exclusive(lock):
            pass


@given(st.binary())
def test_compressed_bytes_are_gzip_without_time_and_name(data: bytes) -> None:
    compressed = gzip_bytes(data)
    assert gzip.decompress(compressed) == data
    assert compressed[3] == 0, "no name, no comment, no extra field"
    assert compressed[4:8] == bytes(4), "no time stamp"
    assert gzip_bytes(data) == compressed


def tree(folder: Path, files: dict[str, str]) -> str:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return sha256_of_tree(folder)


TREE = {"a": "1", "b/c": "2", "b/d": "3", "z/e": "4"}


def test_the_digest_of_a_folder_does_not_depend_on_order_time_or_place(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", TREE)
    two = tree(tmp_path / "two", dict(reversed(TREE.items())))
    os.utime(tmp_path / "two" / "a", (0, 0))
    (tmp_path / "two" / "__pycache__").mkdir()
    (tmp_path / "two" / "__pycache__" / "x.pyc").write_text("cache")
    assert one == two == sha256_of_tree(tmp_path / "two")


@pytest.mark.parametrize(
    "files",
    [
        {**TREE, "b/c": "other"},
        {**TREE, "b/new": ""},
        {"a": "1", "b/c": "2", "b/d": "3"},
        {"a": "1", "b/c": "2", "b/d": "3", "z/f": "4"},
        {"a": "1", "b/c": "3", "b/d": "2", "z/e": "4"},
    ],
)
def test_the_digest_of_a_folder_changes_with_any_name_or_content(tmp_path: Path, files: dict[str, str]) -> None:
    assert tree(tmp_path / "one", TREE) != tree(tmp_path / "two", files)


def test_the_digest_of_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no file or folder"):
        sha256_of_tree(tmp_path / "none")


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_home() == Path(os.environ["XDR_HOME"])
    monkeypatch.delenv("XDR_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_home() == tmp_path / "xdr-bench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_home() == tmp_path / ".cache" / "xdr-bench"
