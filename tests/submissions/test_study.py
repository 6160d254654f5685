"""A declared study: its ranks are those of runs, nothing is chosen on what it judges, its tests are the declared ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from small_study import STUDY, TWO, run_study
from typer.testing import CliRunner

from harness.adapters.card import load_card
from harness.adapters.contract import Context, Pin
from harness.cli import app
from harness.compare import contrasts
from harness.compare.contrasts import Pair, interaction
from harness.compare.records import MACRO
from harness.errors import InvalidInput, WrongUsage
from harness.recipes.generate.texts import generated_file
from harness.runs.variations import scores_of, varied
from harness.submissions.study import encoder as encoder_study
from harness.submissions.study import ranks, runner
from harness.submissions.study.ranks import Ranker, asked_by
from harness.submissions.study.records import StudyResult, read_study
from harness.submissions.study.world import folds_of
from harness.tracks import Track, load_track
from harness.tracks.units import units_of


@pytest.fixture
def small(tmp_path: Path) -> Track:
    return small_in(tmp_path)


def small_in(folder: Path) -> Track:
    path = folder / "small.toml"
    path.write_text(STUDY)
    return load_track(str(path))


@pytest.fixture
def context(xdr_home: Path, tmp_path: Path) -> Context:
    return Context(xdr_home, tmp_path / "work")


@pytest.fixture(scope="module")
def result(xdr_home: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    folder = tmp_path_factory.mktemp("small")
    return run_study(small_in(folder), Context(xdr_home, folder / "work"))


@pytest.mark.parametrize("name", ["questions", "passages"])
def test_ranks_are_those_of_a_run_of_the_card(small: Track, context: Context, name: str) -> None:
    assert small.study is not None
    kind = small.study.kind(name)
    asked = asked_by(small)
    ranks = Ranker(load_card("mini-xdr"), asked, small.study, context).of(kind, "ignore", 0.7)
    fusion = {"alpha": 0.7, "combine": "mean", "renormalize": True}
    length = 64 if name == "questions" else 256
    changes = {"generated": kind.texts, "text_kind": kind.text_kind, "generated_max_length": length, "per_language": 1}
    base = load_card("mini-xdr-xqg")
    card = varied(base, {**changes, "languages": ["bn", "fi"], "title": "ignore", "fusion": fusion})
    scores = scores_of(small, card, "test", context)
    for part in ("bn", "fi"):
        recorded = scores.values[part, "RR@10"]
        own = {q.query_id: 1 / r if r <= 10 else 0.0 for q, r in zip(asked.queries[part], ranks[part], strict=True)}
        assert own == pytest.approx(dict(recorded))


def test_what_a_fold_uses_is_best_in_the_other_one(result: StudyResult) -> None:
    for row in result.rows:
        for fold, weight in enumerate(row.weights):
            others = [point.folds[1 - fold] for point in row.curve]
            assert weight == row.curve[int(np.argmax(others))].weight
    (titles,) = result.titles
    for fold, title in enumerate(titles.chosen):
        assert titles.tried[title][1 - fold] == max(tried[1 - fold] for tried in titles.tried.values())


def test_a_fold_s_weight_is_chosen_under_its_own_title_handling(
    small: Track, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folds choose different titles, and which weight is best depends on the title alone."""
    asked = asked_by(small)
    folds, _ = folds_of(asked)
    best_weight = {"prepend": 0.3, "ignore": 0.7}

    class MadeUp:
        texts = SimpleNamespace(of=lambda *_: None)

        def __init__(self, *_: object) -> None: ...

        def of(self, kind: object, title: str, weight: float) -> dict[str, NDArray[np.int64]]:
            if kind is None:
                best = {"prepend": 1, "ignore": 0}[title]
                return {part: np.where(own == best, 1, 5) for part, own in folds.items()}
            return {part: np.full(len(own), 1 if best_weight[title] == weight else 5) for part, own in folds.items()}

    monkeypatch.setattr(encoder_study, "Ranker", MadeUp)
    found = run_study(small, context)
    assert found.titles[0].chosen == ("prepend", "ignore")
    row = found.row("mini-xdr", "questions")
    assert row.weights == (0.3, 0.7)
    assert row.values["Success@1"][MACRO] == 1
    for point, expected in zip(row.curve, [(0.2, 1), (1, 0.2)], strict=True):
        assert point.folds == pytest.approx(expected), "each fold as the other one handles titles"


def test_an_encoder_whose_training_was_for_other_collections_is_not_studied(
    small: Track, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = load_card("mini-xdr")
    shutil.copytree(card.folder / card.card.parameters["model"], tmp_path / "model")
    record = json.loads((tmp_path / "model/training.json").read_text("utf-8"))
    record["overlap"]["transductive"] = ["xdr-mini/fi"]
    (tmp_path / "model/training.json").write_text(json.dumps(record), "utf-8")
    own = varied(card, {"model": str(tmp_path / "model")})
    monkeypatch.setattr(runner, "load_card", lambda _: own)
    with pytest.raises(InvalidInput, match="is for tracks over these only, not for xdr-mini/bn"):
        run_study(small, context)


def test_folds_share_no_article(small: Track) -> None:
    asked = asked_by(small)
    folds, sizes = folds_of(asked)
    articles = [
        {
            asked.docs[place].doc_id.rpartition("-")[0]
            for part in folds
            for place in asked.relevant[part][folds[part] == fold]
        }
        for fold in (0, 1)
    ]
    assert articles[0].isdisjoint(articles[1])
    assert (len(articles[0]), len(articles[1])) == sizes == (13, 12)


def test_copies_change_nothing_and_the_rows_hold_what_was_declared(result: StudyResult) -> None:
    assert result.row("mini-xdr", "self-copy").values == result.row("mini-xdr", "none").values
    used = {row.kind: row.used for row in result.rows}
    assert used["none"] is None
    assert used["questions"] is not None
    assert used["both"] is not None
    assert (used["questions"].texts, used["both"].texts) == (400, 800)


def test_the_difference_is_that_of_the_rows(result: StudyResult) -> None:
    (found,) = result.results
    for test in found.tests:
        one, two = (result.row("mini-xdr", name).values["RR@10"][test.column] for name in ("questions", "passages"))
        assert test.difference == pytest.approx(one - two)
        assert test.p_adjusted is not None
        assert test.p_adjusted >= test.p
    assert [test.column for test in found.tests] == [MACRO, "bn", "fi"]
    assert found.tests[0].p_adjusted == found.tests[0].p, "one encoder and one contrast are a family of one"
    assert not found.may_have_seen
    assert found.interaction is not None
    by_column = {test.column: test.difference for test in found.tests}
    assert found.interaction.points == pytest.approx(by_column["bn"] - by_column["fi"])


def test_an_interaction_in_points_alone_is_not_claimed(small: Track) -> None:
    """One group gains 20 points of 100 that were missed, the other 10 of 50: the shares are the same."""
    units = units_of(small)
    keys = {part: sorted(key for key in units if key[0] == part) for part in ("bn", "fi")}
    none = dict.fromkeys(keys["bn"], 0.0) | dict.fromkeys(keys["fi"], 0.5)
    rng = np.random.default_rng(1)
    gain = dict(none)
    for part, size in (("bn", 0.2), ("fi", 0.1)):
        for key in keys[part]:
            gain[key] += size + rng.normal(0, 0.01)
    found = interaction(small, units, Pair(gain, none), none, ["bn"])
    assert found.points == pytest.approx(0.1, abs=0.01)
    assert found.points_interval.lower > 0
    assert found.share == pytest.approx(0, abs=0.01)
    assert not found.claimed
    twice = {key: value + (0.4 if key[0] == "bn" else 0.1) for key, value in none.items()}
    assert interaction(small, units, Pair(twice, gain), none, ["bn"]).claimed
    with pytest.raises(InvalidInput, match="outside it"):
        interaction(small, units, Pair(gain, none), none, ["bn", "fi"])


@pytest.mark.parametrize(
    ("p", "p_error", "undecided"),
    [
        (26 / 1001, None, True),
        (26 / 1001, 0.005, True),
        (41 / 1001, 0.005, False),
        (26 / 1001, 0.0, False),
        (50 / 1001, None, False),
        (27 / 1024, None, False),
    ],
)
def test_a_p_near_the_level_that_decides_it_is_undecided(
    small: Track, p: float, p_error: float | None, undecided: bool
) -> None:
    """Of two tests by Holm the smaller p is held against 0.025; 1,000 draws leave an error of about 0.005.

    Without a recorded error a p is exact where 1,000 draws cannot give it, as 27 / 1024.
    """
    tests = [
        contrasts.Tested(column=column, difference=0.1, interval=None, p=own, p_error=error)
        for column, own, error in (("bn", p, p_error), ("fi", 0.9, None))
    ]
    found = contrasts.corrected(small, "made up", tests)
    assert [test.undecided for test in found] == [undecided, False]


def test_tests_say_how_far_off_their_p_may_be(result: StudyResult) -> None:
    for test in result.results[0].tests:
        draws = (test.p * (1 - test.p) / 1000) ** 0.5
        assert test.p_error in (0.0, pytest.approx(draws))
        assert test.undecided is not None


def test_scores_of_different_questions_are_refused(small: Track) -> None:
    units = units_of(small)
    with pytest.raises(InvalidInput, match="different questions"):
        contrasts.tested(small, units, Pair(dict.fromkeys(units, 1.0), {next(iter(units)): 1.0}))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("equal_weight = 0.3", "equal_weight = 0.4", "equal_weight is one of them"),
        ('second = "passages"', 'second = "passage"', "no kind is called passage"),
        ("weights = [0.3, 0.7]", "weights = [0.7, 0.3]", "weights ascend"),
        ('of = ["questions", "passages"]', 'of = ["questions"]', "either texts or two other kinds"),
        ("low_resource", "low_resources", "low_resources"),
        ('low_resource = ["bn"]', 'low_resource = ["bn", "te"]', "study.low_resource: no part is in te"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "small.toml"
    path.write_text(STUDY.replace(old, new, 1))
    with pytest.raises(InvalidInput) as caught:
        load_track(str(path))
    assert said in str(caught.value) + str(getattr(caught.value, "findings", ""))


def test_a_track_without_a_declaration_has_no_study(context: Context) -> None:
    with pytest.raises(WrongUsage, match="declares no study"):
        run_study(load_track("mini"), context)


def test_a_damaged_vector_file_is_made_again(small: Track, context: Context, result: StudyResult) -> None:
    for path in (context.cache / "study").glob("*.npy"):
        path.write_bytes(path.read_bytes()[:100])
    assert run_study(small, context) == result


def test_what_was_declared_and_not_run_counts_in_the_family(
    small: Track, context: Context, result: StudyResult
) -> None:
    assert small.study is not None
    wider = small.study.model_copy(update={"encoders": ("mini-xdr", "mini-zero-shot")})
    partial = run_study(small.model_copy(update={"study": wider}), context, ["mini-xdr"])
    (alone,), (among,) = result.results, partial.results
    assert among.tests[0].p == alone.tests[0].p
    assert among.tests[0].p_adjusted == pytest.approx(2 * alone.tests[0].p)
    with pytest.raises(WrongUsage, match="mini-xdrr"):
        run_study(small, context, ["mini-xdrr"])


def _study(file: Path, runs: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(["study", str(file), "--runs", str(runs), *options])
    return int(ended.value.code or 0)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(TWO)
    return path


def test_encoders_run_one_after_the_other_are_the_study_of_all(two: Path, context: Context, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for encoder in ("mini-zero-shot", "mini-xdr", "mini-xdr"):
        assert _study(two, runs, "--encoder", encoder) == 0
    assert read_study(runs / "small" / "study.json") == run_study(load_track(str(two)), context)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("equal_weight = 0.3", "equal_weight = 0.7"), "study.equal_weight: 0.3 -> 0.7"),
        (('texts = "xdr-mini-sentences"', 'texts = "xdr-mini-queries"'), "study.kinds.cut.texts"),
        (("families = { ", "families = { alpha = 0.1, "), "alpha: 0.05 -> 0.1"),
    ],
)
def test_another_declaration_never_replaces_a_record_of_the_same_version(
    change: tuple[str, str], said: str, two: Path, xdr_home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "runs" / "small" / "study.json"
    assert _study(two, tmp_path / "runs", "--encoder", "mini-xdr") == 0
    recorded = path.read_bytes()
    two.write_text(TWO.replace(*change, 1))
    for options in ((), ("--encoder", "mini-zero-shot")):
        with pytest.raises(InvalidInput, match="higher version") as caught:
            app(["study", str(two), "--runs", str(tmp_path / "runs"), *options])
        assert said in str(caught.value)
        assert path.read_bytes() == recorded
    two.write_text(two.read_text().replace("\nversion = 1", "\nversion = 2"))
    assert _study(two, tmp_path / "runs", "--encoder", "mini-zero-shot") == 0
    anew = read_study(path)
    assert anew is not None
    assert {row.encoder for row in anew.rows} == {"mini-zero-shot"}


def test_encoders_with_other_measures_are_not_joined(two: Path, context: Context, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert _study(two, runs, "--encoder", "mini-xdr") == 0
    recorded = (runs / "small" / "study.json").read_bytes()
    two.write_text(TWO.replace('measures = ["RR@10", "Success@1"]', 'measures = ["RR@10", "Success@10"]'))
    with pytest.raises(InvalidInput, match="higher version") as caught:
        app(["study", str(two), "--runs", str(runs), "--encoder", "mini-zero-shot"])
    assert "measures" in str(caught.value)
    assert (runs / "small" / "study.json").read_bytes() == recorded


def test_relative_texts_lie_beside_the_track(tmp_path: Path, result: StudyResult, context: Context) -> None:
    source = generated_file("xdr-mini-passages", tmp_path)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "own.jsonl").write_bytes(source.read_bytes())
    (folder / "small.toml").write_text(STUDY.replace('"xdr-mini-passages"', '"own.jsonl"'))
    assert run_study(load_track(str(folder / "small.toml")), context).rows == result.rows


def test_encoders_of_other_adapters_are_refused_before_any_is_run(
    two: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.write_text(TWO.replace('"mini-zero-shot"', '"bm25", "mini-xdr-xqg"', 1))
    monkeypatch.setattr(Ranker, "__init__", lambda *_: pytest.fail("an encoder was run"))
    with pytest.raises(WrongUsage, match=r"not bm25 \(.*\), mini-xdr-xqg \(xqg\)"):
        run_study(load_track(str(two)), context)


def test_a_contradiction_is_reported_without_the_table(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(STUDY.replace("equal_weight = 0.3", "equal_weight = 0.4"))
    with pytest.raises(InvalidInput) as caught:
        load_track(str(path))
    (finding,) = caught.value.findings
    assert finding.what == "weights ascend, and equal_weight is one of them"


def test_the_command_offers_what_it_uses() -> None:
    shown = CliRunner().invoke(app, ["study", "--help"], env={"COLUMNS": "200"}).output
    assert "--device" in shown
    assert "--allow-code" in shown
    for option in ("--shard-size", "--price-per-million-tokens", "--server", "--timeout"):
        assert option not in shown


def test_the_command_writes_what_it_says(
    small: Track, result: StudyResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["study", str(small.file), "--runs", str(tmp_path / "runs")])
    assert not ended.value.code
    assert read_study(tmp_path / "runs" / "small" / "study.json") == result
    assert "number, mini-xdr, macro" in capsys.readouterr().out
    (tmp_path / "runs" / "small" / "study.json").write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(InvalidInput):
        read_study(tmp_path / "runs" / "small" / "study.json")


def test_vectors_are_kept_by_a_model_s_digest_wherever_it_lies(tmp_path: Path) -> None:
    pins = [Pin("0123", files=("model.bin",)), Pin("0123", files=("model.bin",), place=tmp_path), Pin("4567")]
    one, two, other = (ranks._model_digests(SimpleNamespace(inputs=lambda pin=pin: {"model": pin})) for pin in pins)
    assert one == two != other
