"""The guide to submitting is true where people stand: in a clone, and with the wheel in an empty folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from guides import commands_of
from recorded import ROOT

GUIDE = ROOT / "docs" / "submit.md"


def shell(command: str, folder: Path, programs: Path, modules: Path) -> subprocess.CompletedProcess[str]:
    """Type a command at a prompt in ``folder``, where ``xdr`` is that of ``programs``, made of ``modules``."""
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(modules)}
    return subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs git and a checkout with its history")
    folder = tmp_path_factory.mktemp("clone") / "xdr-bench"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True, capture_output=True)
    return folder


def program(folder: Path) -> Path:
    """``xdr`` as an installation from this folder has it."""
    folder.mkdir()
    (folder / "xdr").write_text(f"#!{sys.executable}\nimport sys\nfrom harness.cli import main\nsys.exit(main())\n")
    (folder / "xdr").chmod(0o755)
    return folder


def check_own_row(folder: Path, programs: Path, modules: Path) -> None:
    """The row has its system beside it, and can be made again from that alone."""
    system = folder / "runs/mini/my-system/system"
    assert sorted(path.name for path in system.iterdir()) == ["adapter.py", "card.toml"]
    shutil.rmtree(folder / "my-system")
    done = shell("xdr reproduce runs/mini/my-system --allow-code", folder, programs, modules)
    assert done.returncode == 0, done.stderr
    assert "my-system on mini: identical" in done.stdout
    assert "adapter source" not in done.stdout


def test_the_guide_is_true_in_a_clone_which_stays_in_order(clone: Path, tmp_path: Path) -> None:
    programs = program(tmp_path / "bin")
    for command in commands_of(GUIDE):
        done = shell(command, clone, programs, clone)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    page = (clone / "reports/mini/index.html").read_text("utf-8")
    assert "my-system" in page
    assert "my-program" in page
    assert {"my-system", "my-runs"} <= {path.name for path in (clone / "runs/mini").iterdir()}
    where = shell("python -c 'import harness; print(harness.__file__)'", clone, programs, clone)
    assert where.stdout.startswith(str(clone))
    status = shell("git status --porcelain", clone, programs, clone).stdout.splitlines()
    assert {line.split()[-1].partition("/")[0] for line in status} == {"runs"}, status
    for command in ("python -m ruff check .", "python -m ruff format --check ."):
        done = shell(command, clone, programs, clone)
        assert done.returncode == 0, done.stdout
    copy = "from pathlib import Path; from recorded import copy_recorded_runs; copy_recorded_runs(Path(sys.argv[1]))"
    code = f"import sys; sys.path.insert(0, 'tests/helpers'); {copy}"
    done = shell(f'{sys.executable} -c "{code}" "{tmp_path}"', clone, programs, clone)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "runs/mini/my-system").exists()
    assert (tmp_path / "runs/mini/bm25/manifest.yaml").is_file()
    check_own_row(clone, programs, clone)


def test_a_row_is_submitted_and_made_again_with_the_wheel_in_an_empty_folder(clone: Path, tmp_path: Path) -> None:
    # Both are asked for in processes of their own: setuptools cannot be imported where distutils has been.
    for module in ("pip", "setuptools"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}: the extra `dev` brings setuptools, `python -m ensurepip` pip")
    source, installed, empty = tmp_path / "source", tmp_path / "installed", tmp_path / "empty"
    subprocess.run(["git", "clone", "-q", str(clone), str(source)], check=True, capture_output=True)
    empty.mkdir()
    pip = [sys.executable, "-m", "pip"]
    for words in (
        ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)],
        ["install", "--no-deps", "--no-index", "--find-links", str(tmp_path), "--target", str(installed), "xdr-bench"],
    ):
        done = subprocess.run([*pip, "--quiet", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    shutil.rmtree(source)
    # What the guide says of one's own row; the leaderboards and the rows that stand on others take their time.
    commands = [
        command
        for command in commands_of(GUIDE)
        if not command.startswith("xdr leaderboard") and ("my-" in command or "finished" in command)
    ]
    assert sum(command.startswith("xdr submit") for command in commands) == 2
    for command in commands:
        done = shell(command, empty, installed / "bin", installed)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert all((installed / name / "py.typed").is_file() for name in ("harness", "xdr_bench"))
    where = shell("python -c 'import harness; print(harness.__file__)'", empty, installed / "bin", installed)
    assert where.stdout.startswith(str(installed))
    check_own_row(empty, installed / "bin", installed)
