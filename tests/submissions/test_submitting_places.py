"""The guide to submitting is true where people stand: in a clone, and with the wheel in an empty folder."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from forked_commands import xdr_anew
from guides import commands_of
from recorded import ROOT

GUIDE = ROOT / "docs" / "submit.md"


@dataclass(frozen=True)
class Place:
    """Where somebody types: ``xdr`` is the program in ``programs``, made of ``modules``."""

    folder: Path
    programs: Path
    modules: Path

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "PATH": path, "PYTHONPATH": str(self.modules)}
        return subprocess.run(
            command, shell=True, cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )

    def typed(self, command: str) -> subprocess.CompletedProcess[str]:
        """In a process of its own, of these modules; one of ``xdr`` begins where all libraries are imported."""
        program, *words = shlex.split(command)
        if program != "xdr" or "&&" in words:
            return self.shell(command)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(self.modules))
            return xdr_anew(*words, cwd=self.folder, modules=self.modules)

    def follow(self, commands: Sequence[str]) -> None:
        """The first one as the program itself, and each to a good end."""
        for number, command in enumerate(commands):
            done = self.typed(command) if number else self.shell(command)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


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


def check_own_row(place: Place) -> None:
    """The row has its system beside it, and can be made again from that alone."""
    system = place.folder / "runs/mini/my-system/system"
    assert sorted(path.name for path in system.iterdir()) == ["adapter.py", "card.toml"]
    shutil.rmtree(place.folder / "my-system")
    done = place.typed("xdr reproduce runs/mini/my-system --allow-code")
    assert done.returncode == 0, done.stderr
    assert "my-system on mini: identical" in done.stdout
    assert "adapter source" not in done.stdout


def test_the_guide_is_true_in_a_clone_which_stays_in_order(clone: Path, tmp_path: Path) -> None:
    place = Place(clone, program(tmp_path / "bin"), clone)
    place.follow(commands_of(GUIDE))
    page = (clone / "reports/mini/index.html").read_text("utf-8")
    assert "my-system" in page
    assert "my-program" in page
    assert {"my-system", "my-runs"} <= {path.name for path in (clone / "runs/mini").iterdir()}
    where = place.shell("python -c 'import harness; print(harness.__file__)'")
    assert where.stdout.startswith(str(clone))
    status = place.shell("git status --porcelain").stdout.splitlines()
    assert {line.split()[-1].partition("/")[0] for line in status} == {"runs"}, status
    for command in ("python -m ruff check .", "python -m ruff format --check ."):
        done = place.shell(command)
        assert done.returncode == 0, done.stdout
    copy = "from pathlib import Path; from recorded import copy_recorded_runs; copy_recorded_runs(Path(sys.argv[1]))"
    code = f"import sys; sys.path.insert(0, 'tests/helpers'); {copy}"
    done = place.shell(f'{sys.executable} -c "{code}" "{tmp_path}"')
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "runs/mini/my-system").exists()
    assert (tmp_path / "runs/mini/bm25/manifest.yaml").is_file()
    check_own_row(place)


def test_a_row_is_submitted_and_made_again_with_the_wheel_in_an_empty_folder(clone: Path, tmp_path: Path) -> None:
    # Both are asked for in processes of their own: setuptools cannot be imported where distutils has been.
    for module in ("pip", "setuptools"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}: the extra `dev` brings setuptools, `python -m ensurepip` pip")
    source, installed, empty = tmp_path / "source", tmp_path / "installed", tmp_path / "empty"
    subprocess.run(["git", "clone", "-q", str(clone), str(source)], check=True, capture_output=True)
    empty.mkdir()
    pip = [sys.executable, "-m", "pip"]
    building = "wheel --no-deps --no-build-isolation --wheel-dir"
    installing = "install --no-compile --no-deps --no-index --find-links"
    for words in (
        [*building.split(), str(tmp_path), str(source)],
        [*installing.split(), str(tmp_path), "--target", str(installed), "xdr-bench"],
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
    place = Place(empty, installed / "bin", installed)
    place.follow(commands)
    assert all((installed / name / "py.typed").is_file() for name in ("harness", "xdr_bench"))
    where = place.shell("python -c 'import harness; print(harness.__file__)'")
    assert where.stdout.startswith(str(installed))
    check_own_row(place)
