"""Withdrawals as files: any reason comes back as it was given, and a faulty one is not ignored."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InvalidInput, WrongUsage
from harness.runs.withdrawal import Withdrawal, read_withdrawal, withdraw
from harness.visible import is_blank, steers

REASONS = st.text(max_size=50).filter(lambda text: not steers(text) and not is_blank(text.strip()))


@given(REASONS)
def test_any_reason_comes_back_as_it_was_given(tmp_path_factory: pytest.TempPathFactory, reason: str) -> None:
    folder = tmp_path_factory.mktemp("run")
    given = Withdrawal(date=datetime.date(2026, 11, 25), reason=reason)
    withdraw(folder, given)
    assert read_withdrawal(folder) == given
    with pytest.raises(WrongUsage, match="was withdrawn before"):
        withdraw(folder, given)


@pytest.mark.parametrize("text", ["", 'date = 2026-01-01\nreason = ""', 'date = "soon"\nreason = "r"', "date ="])
def test_a_faulty_withdrawal_is_no_withdrawal_and_not_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "withdrawn.toml").write_text(text)
    with pytest.raises(InvalidInput, match=r"withdrawn\.toml"):
        read_withdrawal(tmp_path)
