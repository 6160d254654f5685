"""The Makefile's environment: the Python is looked at first, and none that is broken stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Stands in for a Python: says its version, and makes an environment of stand-ins. Nothing is installed.
PYTHON = """#!/bin/sh
case "$*" in
*version_info*) exit {too_old} ;;
*python_version*) echo {version} ;;
*"-m venv"*)
    mkdir -p "$3/bin"
    for tool in python pip xdr; do cp "$0" "$3/bin/$tool"; done ;;
*) echo "$(basename "$0") {version} $*" >>calls ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).parents[2] / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    for name, version, too_old in (("old", "3.10.13", 1), ("new", "3.12.1", 0)):
        path = tmp_path / name
        path.write_text(PYTHON.format(version=version, too_old=too_old))
        path.chmod(0o755)
    return tmp_path


def make(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))} | more
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize(
    ("python", "said"), [("./old", "found 3.10.13 (./old)"), ("./absent", "there is no './absent'")]
)
def test_a_python_that_is_too_old_or_absent_is_told_first_and_leaves_nothing(
    folder: Path, python: str, said: str
) -> None:
    done = make(folder, f"PYTHON={python}", "leaderboard")
    assert done.returncode == 2
    first = (done.stdout + done.stderr).splitlines()[0]
    assert first.startswith("needs Python 3.11 or later, ")
    assert said in first
    assert not (folder / ".venv").exists()


def test_an_environment_of_an_old_python_is_made_anew(folder: Path) -> None:
    subprocess.run(["./old", "-m", "venv", ".venv"], cwd=folder, check=True)
    (folder / ".venv/broken").touch()
    done = make(folder, "PYTHON=./new", "leaderboard")
    assert done.returncode == 0, done.stderr
    assert not (folder / ".venv/broken").exists()
    assert (folder / "calls").read_text().splitlines()[-1] == "xdr 3.12.1 leaderboard mini"


def test_tests_keep_byte_code_and_have_one_thread_a_worker_whatever_the_environment_says(folder: Path) -> None:
    subprocess.run(["./new", "-m", "venv", ".venv"], cwd=folder, check=True)
    assert make(folder, "PYTHON=./new", "test").returncode == 0
    said = '#!/bin/sh\necho "[$PYTHONDONTWRITEBYTECODE] [$OMP_NUM_THREADS $OMP_WAIT_POLICY] $*" >said\n'
    (folder / ".venv/bin/python").write_text(said)
    assert make(folder, "test", PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="8").returncode == 0
    assert (folder / "said").read_text().startswith("[] [1 passive] -m pytest -n auto ")


def test_an_environment_that_is_in_order_stays(folder: Path) -> None:
    subprocess.run(["./new", "-m", "venv", ".venv"], cwd=folder, check=True)
    (folder / ".venv/mine").touch()
    assert make(folder, "PYTHON=./old", "leaderboard").returncode == 0
    assert (folder / ".venv/mine").exists()
