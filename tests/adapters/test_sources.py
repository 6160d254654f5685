from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.adapters.source_files import source_digests
from harness.files.package import package_root
from harness.files.writing import sha256_of_file


@pytest.mark.parametrize("adapter", ["dummy", "bm25", "command"])
def test_every_project_file_that_importing_an_adapter_loads_is_among_the_digests(adapter: str) -> None:
    program = (
        f"import json, sys, systems.{adapter}\n"
        "files = [getattr(module, '__file__', None) for module in list(sys.modules.values())]\n"
        "print(json.dumps([file for file in files if file]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = [Path(file).resolve() for file in json.loads(done.stdout)]
    ours = {path for path in loaded if path.is_relative_to(package_root()) and "site-packages" not in path.parts}
    expected = {path.relative_to(package_root()).as_posix(): sha256_of_file(path) for path in ours}
    assert f"systems/{adapter}.py" in expected

    digests = source_digests(package_root() / "systems" / f"{adapter}.py")
    assert expected.items() <= digests.items()
    assert list(digests) == sorted(digests)
    assert {name.split("/")[0] for name in digests} == {"harness", "systems"}


def test_what_an_adapter_does_not_import_does_not_count() -> None:
    digests = source_digests(package_root() / "systems" / "dummy.py")
    assert "systems/bm25.py" not in digests
    assert not any(name.startswith(("harness/leaderboard/site/", "harness/cli/")) for name in digests)


def files(folder: Path, contents: dict[str, str]) -> None:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def names_outside(digests: dict[str, str]) -> set[str]:
    return {name for name in digests if not name.startswith(("harness/", "systems/"))}


def test_modules_beside_an_adapter_count_with_what_they_import_also_inside_functions(tmp_path: Path) -> None:
    files(
        tmp_path,
        {
            "adapter.py": "import json\nimport one\n",
            "one.py": "def f():\n    from two import x\n    import harness.runs.journal\n",
            "two.py": "import one\nx = 1\n",
            "unrelated.py": "",
            "package/__init__.py": "",
        },
    )
    digests = source_digests(tmp_path / "adapter.py")
    assert names_outside(digests) == {"adapter.py", "one.py", "two.py"}
    assert {"harness/runs/journal.py", "harness/files/writing.py", "harness/__init__.py"} <= digests.keys()
    assert digests["two.py"] == sha256_of_file(tmp_path / "two.py")


def test_a_package_of_its_own_counts_with_relative_and_absolute_imports(tmp_path: Path) -> None:
    files(
        tmp_path,
        {
            "plugin/__init__.py": "",
            "plugin/adapter.py": "from . import near\nfrom plugin.deep.inner import x\nimport beside\n",
            "plugin/near.py": "",
            "plugin/deep/__init__.py": "",
            "plugin/deep/inner.py": "from ..shared import y\nx = 1\n",
            "plugin/deep/near.py": "",
            "plugin/shared.py": "y = 1\n",
            "plugin/unrelated.py": "",
            "beside.py": "",
        },
    )
    assert names_outside(source_digests(tmp_path / "plugin" / "adapter.py")) == {
        "plugin/__init__.py",
        "plugin/adapter.py",
        "plugin/near.py",
        "plugin/deep/__init__.py",
        "plugin/deep/inner.py",
        "plugin/shared.py",
    }


def test_names_hold_no_folder_of_this_machine(tmp_path: Path) -> None:
    files(tmp_path, {"adapter.py": "import one\n", "one.py": ""})
    assert not any(str(tmp_path) in name or name.startswith("/") for name in source_digests(tmp_path / "adapter.py"))


def test_only_a_change_of_content_changes_a_digest(tmp_path: Path) -> None:
    files(tmp_path, {"adapter.py": "import one\n", "one.py": "x = 1\n"})
    before = source_digests(tmp_path / "adapter.py")
    (tmp_path / "one.py").touch()
    assert source_digests(tmp_path / "adapter.py") == before
    (tmp_path / "one.py").write_text("x = 2\n")
    after = source_digests(tmp_path / "adapter.py")
    assert {name for name in before if before[name] != after[name]} == {"one.py"}
