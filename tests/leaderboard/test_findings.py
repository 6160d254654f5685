"""The answers to the project's questions: what they say of given tests, and that the committed page is the command's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from markupsafe import escape

from harness.cli import app
from harness.cli.findings import findings as write_findings
from harness.compare import contrasts
from harness.compare.records import MACRO, Bounds
from harness.errors import InvalidInput, WrongUsage
from harness.leaderboard.findings import recorded as recorded_module
from harness.leaderboard.findings.markdown import findings_page
from harness.leaderboard.findings.of_studies import answers_of, verdict_of
from harness.leaderboard.findings.questions import findings
from harness.leaderboard.findings.records import Answer, Finding, Verdict
from harness.leaderboard.site.environment import templates
from harness.leaderboard.site.render import finding_charts
from harness.submissions.study.records import (
    AnswerResult,
    ReadRow,
    Result,
    StudyReading,
    StudyResult,
    read_study,
    study_text,
)

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
        question="passages",
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
        ([result("a", 0.1, significant=True, languages=(0.1,) * 5 + (-0.1,) * 2)], "yes"),
        ([result("a", -0.1, significant=True, languages=(-0.1,) * 5 + (0.1,) * 2)], "no"),
        ([result("a", 0.1, significant=True, languages=(0.1,) * 4 + (-0.1,) * 3)], "not shown"),
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
    first = next(answers_of(study, "passages", "somewhere"))
    assert first.verdict == "yes"
    assert "b † -10.0 points" in first.sentence
    alone = next(answers_of(recorded.model_copy(update={"results": (seen,)}), "passages", "somewhere"))
    assert alone.sentence.endswith("Not run: mini-xdr, mini-zero-shot, me5-small-q4.")
    assert alone.verdict == "not answered"
    assert "b † -10.0 points" in alone.sentence


def test_a_test_that_other_draws_might_decide_otherwise_is_told_so() -> None:
    recorded = read_study(ROOT / "runs/xquad-oracle/study.json")
    assert recorded is not None
    own = result("a", 0.1, significant=False, languages=(0.1, 0.1))
    near = own.model_copy(update={"tests": (own.tests[0].model_copy(update={"undecided": True}), *own.tests[1:])})
    for found, times in ((own, 0), (near, 1)):
        first = next(answers_of(recorded.model_copy(update={"results": (found,)}), "passages", "somewhere"))
        assert first.sentence.count("other draws might decide otherwise") == times


READER = "made-up-01234567"


def answered(study: StudyResult, measure: str, difference: float) -> tuple[AnswerResult, ...]:
    """mini-xdr alone was asked the question, and its contrasts all have this difference."""
    own = result("mini-xdr", difference, significant=True, languages=(difference,) * 7)
    fields = own.model_dump(exclude={"at_equal_weight", "interaction"})
    declared = [contrast for contrast in study.declared.contrasts if contrast.question == "english"]
    return tuple(
        AnswerResult(**{**fields, **contrast.model_dump(exclude={"title"})}, measure=measure) for contrast in declared
    )


def with_readings(exact_match: float) -> StudyResult:
    """The recorded study with a reader's answers, in which seven languages win, and AnswerRecall, in which they lose."""
    recorded = read_study(ROOT / "runs/xquad-oracle/study.json")
    assert recorded is not None
    em = f"EM@5({READER})"
    won = answered(recorded, em, 0.03)
    kinds = dict.fromkeys(kind for own in won for kind in (own.first, own.second))
    reading = StudyReading(
        reading=READER,
        reader={"name": READER},
        english={},
        device="cpu",
        libraries={},
        top=5,
        pairs=1,
        file="",
        gold={em: {MACRO: exact_match}},
        rows=tuple(ReadRow(encoder="mini-xdr", kind=kind, values={em: {MACRO: 0.5}}) for kind in kinds),
        results=won,
    )
    recall = answered(recorded, "AnswerRecall@5", -0.02)
    results = tuple(found.model_copy(update={"tests": recall[0].tests}) for found in recorded.results)
    return recorded.model_copy(update={"readings": (reading,), "answers": recall, "results": results})


def english(tmp_path: Path, study: StudyResult) -> Finding:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(study_text(study))
    return next(found for found in findings(tmp_path) if found.name == "english")


def test_a_reader_that_can_carry_the_question_answers_it_in_exact_match(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.4))
    first, *others = finding.answers
    assert first.verdict == "yes"
    assert READER in first.about
    assert "mini-xdr +3.0 points [+2.0, +4.0]" in first.sentence
    assert "exact match" in first.about
    assert any("AnswerRecall@5" in answer.about and answer.verdict == "no" for answer in others)
    assert f"Points of EM@5({READER})" in "".join(table.caption for table in finding.tables)


def test_a_reader_that_cannot_lets_answer_recall_lead_and_says_so(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.399))
    first = finding.answers[0]
    assert first.verdict == "no"
    assert "AnswerRecall@5" in first.about
    assert "leads, as no reader can carry exact match" in first.about
    assert finding.summary.startswith(
        "Not answered in exact match; in AnswerRecall@5: no: mini-xdr -2.0 points [-3.0, -1.0]"
    )
    (exact,) = [answer for answer in finding.answers if "exact match of a reader" in answer.about]
    assert exact.verdict == "not answered"
    assert f"{READER} (with the relevant passages alone 39.9) cannot carry the question" in exact.sentence


def test_without_a_reading_answer_recall_leads_as_nobody_was_asked(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.4).model_copy(update={"readings": ()}))
    assert "leads, as no reader's answers are recorded" in finding.answers[0].about
    assert finding.summary.startswith("Not answered in exact match; in AnswerRecall@5: no: mini-xdr -2.0 points")
    assert not any("no reader can carry" in answer.about for answer in finding.answers)


def test_without_answer_recall_or_readings_exact_match_is_not_answered(tmp_path: Path) -> None:
    finding = english(tmp_path, with_readings(0.4).model_copy(update={"readings": (), "answers": ()}))
    assert finding.answers[0].verdict == "not answered"
    assert "no answers of a reader are recorded" in finding.summary


def test_a_study_is_taken_apart_once_while_its_file_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir()
    shutil.copy(ROOT / "runs/xquad-oracle/study.json", path)
    read: list[Path] = []

    def counted(own: Path) -> StudyResult | None:
        read.append(own)
        return read_study(own)

    monkeypatch.setattr(recorded_module, "read_study", counted)
    findings(tmp_path)
    findings(tmp_path)
    assert read == [path]
    path.write_text("{}")
    with pytest.raises(InvalidInput, match="remove it, and `xdr study xquad-oracle` makes it again"):
        findings(tmp_path)


def test_an_old_record_that_is_none_any_more_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir()
    content = (ROOT / "runs/xquad-oracle/study.json").read_text("utf-8")
    path.write_text(content.replace('"question": "passages"', '"question": "000"'))
    with pytest.raises(InvalidInput, match="remove it, and `xdr study xquad-oracle` makes it again") as caught:
        findings(tmp_path)
    assert "question" in str(caught.value)


def test_nothing_recorded_is_not_answered_and_says_what_is_missing(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert [finding.name for finding in found] == ["passages", "english", "adversaries"]
    assert {answer.verdict for finding in found for answer in finding.answers} == {"not answered"}
    assert not any(finding.is_answered for finding in found)
    page = findings_page(found)
    assert "no study of the track xquad-oracle is recorded" in page
    assert page.count("\n## ") == 3


@pytest.mark.parametrize("damage", [{"rows": []}, {"primary": "R@1"}])
def test_a_study_that_lacks_rows_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    path = tmp_path / "xquad-oracle" / "study.json"
    path.parent.mkdir()
    path.write_text(json.dumps(json.loads((ROOT / "runs/xquad-oracle/study.json").read_text("utf-8")) | damage))
    with pytest.raises(InvalidInput, match="xquad-oracle"):
        findings(tmp_path)


def test_runs_that_are_not_there_write_no_page(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no folder of runs"):
        write_findings(tmp_path / "nowhere", tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize(
    ("verdicts", "summary"),
    [
        (("not answered", "yes"), "one."),
        (("no", "no"), "No: one."),
        (("no", "yes"), "It depends: no (0), yes (1)."),
        (("it depends",), "It depends: it depends (0)."),
        (("no", "not answered"), "No: one. Not answered: 1."),
    ],
)
def test_a_summary_is_one_verdict_or_says_on_what_it_depends(verdicts: tuple[Verdict, ...], summary: str) -> None:
    answers = tuple(Answer(f"about {place}", f"{place}", verdict, "one.") for place, verdict in enumerate(verdicts))
    assert Finding("passages", "Why?", answers).summary == summary


@pytest.mark.parametrize(
    ("verdicts", "summary"),
    [
        (("yes", "yes"), "Not answered in exact match; in AnswerRecall@5: yes: one."),
        (("yes", "no"), "Not answered in exact match; in AnswerRecall@5: yes (0), no (1)."),
        (("not answered",), "Not answered in exact match; in AnswerRecall@5: not answered: one."),
    ],
)
def test_a_summary_in_another_measure_says_first_that_the_question_s_own_is_not_answered(
    verdicts: tuple[Verdict, ...], summary: str
) -> None:
    given = [
        Answer("", f"{place}", verdict, "one.", instead="AnswerRecall@5") for place, verdict in enumerate(verdicts)
    ]
    found = Answer("", "found", "no", "two.")
    exact = Answer("", "exact match", "not answered", "Not answered: nobody read.")
    assert Finding("english", "Why?", (*given, exact, found)).summary == summary


def test_a_page_of_the_site_holds_every_answer_table_and_figure() -> None:
    for finding in findings(ROOT / "runs"):
        charts = finding_charts(finding)
        page = (
            templates()
            .get_template("finding.html")
            .render(
                settings={"name": "x", "address": "", "repository": ""},
                version="1",
                root="../",
                path="",
                finding=finding,
                charts=charts,
            )
        )
        for answer in finding.answers:
            assert str(escape(answer.sentence)) in page
        assert page.count("<table") == len(finding.tables)
        assert page.count('<figure class="box chart">') == len(finding.figures)


def test_the_committed_page_is_what_the_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("mini", "snapshots"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        app(["findings", "--out", "findings.md"])
    assert not ended.value.code
    assert (tmp_path / "findings.md").read_text("utf-8") == (ROOT / "docs/findings.md").read_text("utf-8")
