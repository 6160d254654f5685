"""Commands that only read what is recorded load nothing that takes longer than their work."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "ir_datasets",
    "pandas",
    "pyarrow.compute",
    "torch",
    "transformers",
    "sentence_transformers",
    "scipy.stats",
    "statsmodels",
)
ROOT = Path(__file__).resolve().parents[2]
ROWS = ("bm25", "mini-zero-shot")


@pytest.mark.parametrize("command", ["report runs/mini/bm25", "leaderboard mini.toml"])
def test_what_is_recorded_is_shown_without_heavy_libraries(command: str, tmp_path: Path) -> None:
    for row in ROWS:
        shutil.copytree(ROOT / "runs" / "mini" / row, tmp_path / "runs" / "mini" / row)
    track = (ROOT / "harness" / "tracks" / "mini.toml").read_text("utf-8")
    track = re.sub(r"^systems = \[.*?\]", f"systems = {list(ROWS)}", track, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "mini.toml").write_text(track, "utf-8")
    script = f"""
import contextlib, sys
from harness.cli import main
sys.argv = ["xdr", *{command.split()!r}]
with contextlib.suppress(SystemExit):
    main()
print("loaded:", *(name for name in {HEAVY!r} if name in sys.modules))
"""
    run = [sys.executable, "-c", script]
    subprocess.run(run, check=True, capture_output=True, cwd=tmp_path)  # scores of another machine are made again, once
    shown = subprocess.run(run, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert shown.splitlines()[-1] == "loaded:"


def loaded_by(script: str, *names: str) -> list[str]:
    """Which of the modules a process has imported once it has run the script; what that prints goes nowhere."""
    script = f"""
import contextlib, io, sys
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    {script}
print(*(name for name in {names!r} if name in sys.modules))
"""
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()


def test_what_there_is_is_listed_without_what_compares() -> None:
    script = "from harness.cli import main; sys.argv = ['xdr', 'list']; main()"
    assert loaded_by(script, *HEAVY, "scipy", "harness.compare.compare") == []


def test_texts_are_tokenized_without_all_of_nltk_which_others_get_whole() -> None:
    script = "from harness.measures.tokens import word_tokenize; word_tokenize('Dr. Who went.')"
    assert loaded_by(script, *HEAVY, "scipy", "sklearn", "nltk") == []
    assert loaded_by(f"{script}; import nltk; nltk.word_tokenize, nltk.translate", "nltk", "nltk.translate") == [
        "nltk",
        "nltk.translate",
    ]
    assert loaded_by(f"import nltk; {script}", "nltk.translate") == ["nltk.translate"]


def test_the_commands_are_told_of_without_what_they_are_made_of() -> None:
    """`xdr --help`, a misspelt command, completion: nothing of it needs a number or a record."""
    script = "import sys, harness.cli; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", script, *HEAVY, "numpy", "pydantic", "pyarrow", "scipy", "yaml", "jinja2", "langcodes"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert loaded.split() == []
