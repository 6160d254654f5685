from __future__ import annotations

import subprocess
import sys

import pytest


def printed(program: str) -> str:
    """What a program prints in a fresh process."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LOAD = "print(ir_datasets.load('xdr-mini/fi').queries_count(), ir_datasets.load('xdr-mini/fi').docs_count())"


@pytest.mark.parametrize(
    "imports",
    [
        "import harness\nimport ir_datasets",
        "import ir_datasets\nimport harness",
        "import harness.records\nimport ir_datasets.formats\nimport ir_datasets",
        "import harness\nfrom ir_datasets.formats import TrecQrel\nimport ir_datasets",
    ],
)
def test_collections_load_by_name_whichever_is_imported_first(imports: str) -> None:
    assert printed(f"{imports}\n{LOAD}") == "80 200"


def test_importing_the_harness_does_not_import_ir_datasets() -> None:
    assert printed("import sys, harness\nprint('ir_datasets' in sys.modules)") == "False"


def test_help_imports_nothing_heavy() -> None:
    heavy = ("ir_datasets", "ir_measures", "numpy", "scipy", "torch", "transformers", "faiss", "pyarrow", "nltk")
    program = (
        "import sys\nfrom harness.cli import main\nsys.argv = ['xdr', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    shown = printed(program)
    assert "Usage" in shown
    assert shown.splitlines()[-1] == "[]"


def test_the_import_hook_is_gone_once_it_has_done_its_work() -> None:
    program = (
        "import sys, harness\nbefore = len(sys.meta_path)\nimport ir_datasets\nprint(before - len(sys.meta_path))\n"
        "import importlib\nimportlib.reload(ir_datasets)\nprint(ir_datasets.__spec__.name)"
    )
    assert printed(program) == "1\nir_datasets"


def test_datasets_of_ir_datasets_itself_are_still_known() -> None:
    assert printed("import harness, ir_datasets\nprint(ir_datasets.load('cranfield').dataset_id())") == "cranfield"
