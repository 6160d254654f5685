"""Parameters are chosen on development questions, by a declared rule, and what was tried is written down."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_track import Terminal, write_track

from harness.adapters.card import load_card
from harness.errors import InvalidInput, WrongUsage
from harness.submissions.tune import RULES, _point, as_markdown, choose, parse_grid, read_tuning

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "systems/tuning").glob("*.json"))


@pytest.fixture
def xdr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=9))
def test_the_chosen_point_is_the_first_that_is_good_enough(points: list[tuple[float, float]]) -> None:
    means, errors = zip(*points, strict=True)
    best, chosen = choose(means, errors, "one standard error")
    assert means[best] == pytest.approx(max(means), abs=1e-11)
    assert means[chosen] >= means[best] - errors[best] - 1e-11
    assert all(mean < means[best] - errors[best] for mean in means[:chosen])
    assert choose(means, errors, "best") == (best, best)


def test_what_differs_by_rounding_alone_is_equal() -> None:
    assert choose([0.1 + 0.2, 0.3, 0.3], [0.0] * 3, "best") == (0, 0)
    assert choose([0.3, 0.1 + 0.2, 0.2], [0.0] * 3, "best") == (0, 0)


def point_of(units: dict[tuple[str, str], str], values: dict[tuple[str, str], float]) -> Any:
    parts = sorted({part for part, _ in values})
    track: Any = SimpleNamespace(macro_parts=tuple(parts), primary="m")
    by_part = {(part, "m"): {q: v for (p, q), v in values.items() if p == part} for part in parts}
    means = {part: float(np.mean(list(by_part[part, "m"].values()))) for part in parts}
    scores: Any = SimpleNamespace(
        values=by_part, units={key: ("", unit) for key, unit in units.items()}, mean=lambda part, _: means[part]
    )
    return _point(track, {}, scores)


def test_the_standard_error_is_that_of_the_macro_average() -> None:
    rng = np.random.default_rng(1)
    values = {(part, f"{part}{n}"): float(rng.random()) for part, size in (("x", 7), ("y", 12)) for n in range(size)}
    own = point_of({key: key[1] for key in values}, values)
    samples = [np.array([v for (p, _), v in values.items() if p == part]) for part in "xy"]
    assert own.macro == pytest.approx(sum(sample.mean() for sample in samples) / 2, abs=1e-15)
    expected = math.sqrt(sum(sample.var(ddof=1) / len(sample) for sample in samples)) / 2
    assert own.standard_error == pytest.approx(expected, rel=1e-12)
    # One question in both languages, with the same score: half as many independent values.
    same = {(part, str(n)): float(samples[1][n]) for part in "xy" for n in range(12)}
    shared = point_of({key: key[1] for key in same}, same)
    assert shared.standard_error == pytest.approx(samples[1].std(ddof=1) / math.sqrt(12), rel=1e-12)
    assert point_of({key: key[1] for key in same}, dict.fromkeys(same, 1.0)).standard_error == 0


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("alpha", "NAME=V1,V2"),
        ("=1,2", "NAME=V1,V2"),
        ("fusion..alpha=1,2", "NAME=V1,V2"),
        ("alpha=1", "two values or more"),
        ("alpha=", "two values or more"),
        ("alpha=1,2\nother=3", "two values or more"),
        ("combine=sum,mean", "strings in quotes"),
        ("alpha=0.1,0.1", "a value twice"),
        ("alpha=0.2,0.1", "numbers ascend"),
        (f"alpha={','.join(map(str, range(1001)))}", "1,001 points"),
    ],
)
def test_a_grid_that_means_nothing_is_wrong_usage(option: str, says: str) -> None:
    with pytest.raises(WrongUsage, match=re.escape(says)):
        parse_grid([option])


def test_a_shipped_choice_is_made_again(tmp_path: Path, xdr: Terminal) -> None:
    recorded = read_tuning(ROOT / "systems/tuning/mini-xdr-xqg.json")
    out = tmp_path / "new/tuning.json"
    done = xdr("tune", "mini-xdr-xqg", "--track", "mini-dev", "--grid", "fusion.alpha=0,0.2", "--out", str(out))
    assert done.status == 0, done.err
    again = read_tuning(out)
    by_alpha = {point.parameters["fusion.alpha"]: point for point in recorded.points}
    assert [point.values for point in again.points] == [by_alpha[alpha].values for alpha in (0, 0.2)]
    assert (again.rule, again.measure, again.at_edge) == ("one standard error", "R@500t", ("fusion.alpha",))
    assert done.out == as_markdown(again)
    assert "a better one may lie beyond" in done.out


def test_what_cannot_be_tuned_is_said_before_anything_runs(tmp_path: Path, xdr: Terminal) -> None:
    write_track(tmp_path)
    own = ("--track", str(tmp_path / "track.toml"), "--out", str(tmp_path / "tuning.json"))
    for status, says, arguments in (
        (2, "a row of track mini", ("mini-xdr-xqg", "--track", "mini", "--grid", "fusion.alpha=0,0.2")),
        (1, "alhpa", ("mini-xdr-xqg", "--track", "mini-dev", "--grid", "fusion.alhpa=0,0.2")),
        (1, "less than or equal to 1", ("mini-xdr-xqg", "--track", "mini-dev", "--grid", "fusion.alpha=0,2")),
        (2, "did you mean", ("bm25", *own, "--grid", "k1=1.0,2.0", "--rule", "one standard errors")),
        (2, "unknown measure", ("bm25", *own, "--grid", "k1=1.0,2.0", "--measure", "Recal")),
        (2, "is a folder", ("bm25", *own[:2], "--grid", "k1=1.0,2.0", "--out", str(tmp_path))),
    ):
        done = xdr("tune", *arguments)
        assert (done.status, says in done.err) == (status, True), done.err
    assert not (tmp_path / "tuning.json").exists()


def test_a_file_that_is_no_tuning_is_refused(tmp_path: Path) -> None:
    content = json.loads(SHIPPED[0].read_text("utf-8"))
    path = tmp_path / "tuning.json"
    for text, says in (
        ("[1", "not a file of tuning"),
        ("{}", "points"),
        (json.dumps({**content, "chosen": 99}), "places among"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidInput, match=says):
            read_tuning(path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_choices_follow_from_their_tables(path: Path) -> None:
    tuning = read_tuning(path)
    assert tuning.rule in RULES
    means, errors = zip(*((point.macro, point.standard_error) for point in tuning.points), strict=True)
    assert choose(means, errors, tuning.rule) == (tuning.best, tuning.chosen)
    assert tuning.at_edge == ()
    [(name, tried)] = tuning.grid.items()
    assert [point.parameters[name] for point in tuning.points] == list(tried)
    for point in tuning.points:
        assert point.macro == pytest.approx(sum(point.values.values()) / 7, abs=1e-12)
    card = load_card(tuning.card).card
    said: Any = card.parameters
    for key in name.split("."):
        said = said[key]
    assert tuning.points[tuning.chosen].parameters == {name: said}
    assert f"systems/tuning/{path.name}" in card.description
    assert as_markdown(tuning) in (ROOT / "docs/tune.md").read_text("utf-8")


def test_the_controls_have_the_weight_of_the_tuned_card() -> None:
    tuned, english, shuffled = (
        load_card(f"mini-xdr-{name}").card.parameters for name in ("xqg", "english", "shuffled")
    )
    assert shuffled["fusion"] == tuned["fusion"]
    weights = []
    for card in (tuned, english):
        count = card["per_language"] * len(card["languages"])
        weights.append(count * card["fusion"]["alpha"] / (1 - card["fusion"]["alpha"]))
    assert weights[0] == pytest.approx(weights[1], rel=1e-3)
