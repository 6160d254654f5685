"""What a card requires is looked for before it runs, recorded, and named as one line; nothing is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import run_places
from small_track import Terminal

from harness.adapters.card import load_card
from harness.adapters.consent import Consent
from harness.errors import InvalidInput
from harness.runs.manifest import read_manifest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return run_places.place(tmp_path)


@pytest.fixture
def xdr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def requires(home: Path, *texts: str) -> None:
    run_places.write_card(home, top=f"requires = [{', '.join(map(repr, texts))}]")


def test_what_is_missing_is_named_with_the_line_that_installs_it_and_before_any_code_runs(home: Path) -> None:
    requires(home, "numpy<1", "no-such-package[extra]==2.1", "numpy>=1", "other; python_version < '3'")
    (home / "adapter.py").write_text("raise RuntimeError('it ran')\n")
    with pytest.raises(InvalidInput) as caught:
        load_card(str(home / "card.toml")).adapter(Consent(code=True))
    told = str(caught.value)
    assert "pip install 'numpy<1' 'no-such-package[extra]==2.1'\n" in told
    assert f"numpy: version {np.__version__} is installed; expected numpy<1" in told
    assert "no-such-package: not installed; expected" in told
    assert "other" not in told
    assert "it ran" not in told


@pytest.mark.parametrize("text", ["numpy >> 1", "-r requirements.txt", "", "--index-url=https://example.org"])
def test_what_is_no_requirement_is_a_fault_of_the_card(home: Path, text: str) -> None:
    requires(home, text)
    with pytest.raises(InvalidInput, match="no PEP 508 requirement"):
        load_card(str(home / "card.toml"))


def test_what_was_installed_is_recorded_and_named_when_the_row_is_made_again(home: Path, xdr: Terminal) -> None:
    requires(home, "numpy>=1", "other; python_version < '3'")
    for name, doc_id in (("data", "d00"), ("other", "x1")):
        (home / name / "qrels.txt").write_text(f"ar-q0 0 {doc_id} 1\nfi-q0 0 {doc_id} 1\n")
    folder = run_places.run(home).folder
    manifest = read_manifest(folder)
    assert manifest.card.requires == ("numpy>=1", "other; python_version < '3'")
    assert manifest.execution.requires == {"numpy": np.__version__}
    options = ["--track", str(home / "track.toml"), "--card", str(home / "card.toml"), "--allow-code"]
    done = xdr("reproduce", str(folder), *options)
    assert done.status == 0, done.err
    assert "mine requires: pip install 'numpy>=1' 'other; python_version < '\"'\"'3'\"'\"''" in done.err
