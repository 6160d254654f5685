"""The answers to the project's questions: what they say of given tests, and that the committed page is the command's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.cli import app
from harness.compare import contrasts
from harness.compare.records import MACRO, Bounds
from harness.leaderboard.findings.markdown import findings_page
from harness.leaderboard.findings.of_studies import answers_of, verdict_of
from harness.leaderboard.findings.questions import findings
from harness.submissions.study.records import Result, read_study

ROOT = Path(__file__).resolve().parents[2]


def result(
    encoder: str, difference: float, *, significant: bool, languages: tuple[float, ...], seen: bool = False
) -> Result:
    bounds = Bounds(lower=difference - 0.01, upper=difference + 0.01, method="made up")
    macro = contrasts.Tested(
        column=MACRO, difference=difference, interval=bounds, p=0.01, p_adjusted=0.02, significant=significant
    )
    parts = tuple(
        contrasts.Tested(
            column=f"l{place}", difference=value, interval=bounds, p=0.5, p_adjusted=1.0, significant=False
        )
        for place, value in enumerate(languages)
    )
    return Result(
        name="equal-number",
        question="000",
        encoder=encoder,
        first="questions",
        second="passages",
        may_have_seen=seen,
        tests=(macro, *parts),
        beside={},
        at_equal_weight=macro,
    )


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([result("a", 0.1, significant=True, languages=(0.1, 0.1, -0.1))], "yes"),
        ([result("a", -0.1, significant=True, languages=(-0.1, -0.1, 0.1))], "no"),
        ([result("a", 0.1, significant=True, languages=(0.3, -0.1, -0.1))], "not shown"),
        ([result("a", 0.1, significant=False, languages=(0.1, 0.1, 0.1))], "not shown"),
        (
            [
                result("a", 0.1, significant=True, languages=(0.1, 0.1)),
                result("b", 0.1, significant=False, languages=(0.1, 0.1)),
            ],
            "it depends",
        ),
        (
            [
                result("a", 0.1, significant=True, languages=(0.1, 0.1)),
                result("b", -0.1, significant=True, languages=(-0.1, -0.1)),
            ],
            "it depends",
        ),
        ([], "not answered"),
    ],
)
def test_a_verdict_needs_significance_and_the_sign_of_most_languages(results: list[Result], verdict: str) -> None:
    assert verdict_of(results) == verdict


def test_who_may_have_seen_the_collection_decides_nothing() -> None:
    recorded = read_study(ROOT / "runs/xquad-oracle/study.json")
    assert recorded is not None
    unseen = result("a", 0.1, significant=True, languages=(0.1, 0.1))
    seen = result("b", -0.1, significant=True, languages=(-0.1, -0.1), seen=True)
    study = recorded.model_copy(update={"results": (seen, unseen)})
    first = next(answers_of(study, "000", "somewhere"))
    assert first.verdict == "yes"
    assert "b † -10.0 points" in first.sentence
    alone = next(answers_of(recorded.model_copy(update={"results": (seen,)}), "000", "somewhere"))
    assert alone.sentence.endswith("Not run: mini-xdr, mini-zero-shot, me5-small-q4.")
    assert alone.verdict == "no"


def test_nothing_recorded_is_not_answered_and_says_what_is_missing(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert [finding.number for finding in found] == ["000", "001", "004"]
    assert {answer.verdict for finding in found for answer in finding.answers} == {"not answered"}
    assert not any(finding.is_answered for finding in found)
    page = findings_page(found)
    assert "no study of the track xquad-oracle is recorded" in page
    assert page.count("\n## ") == 3


def test_the_committed_page_is_what_the_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("mini", "snapshots"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        app(["findings", "--out", "findings.md"])
    assert not ended.value.code
    assert (tmp_path / "findings.md").read_text("utf-8") == (ROOT / "docs/findings.md").read_text("utf-8")
