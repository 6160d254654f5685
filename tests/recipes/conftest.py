from __future__ import annotations

from pathlib import Path

import pytest
from tiny_training import compare_with_embedded_questions


@pytest.fixture(scope="session")
def bare_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bare-home")


@pytest.fixture(autouse=True)
def _embedded_questions_alone(request: pytest.FixtureRequest, bare_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing sixteen rows with all questions of the real data takes longer than most trainings of these tests."""
    if "imported_data" not in request.fixturenames:
        compare_with_embedded_questions(monkeypatch, bare_home)
