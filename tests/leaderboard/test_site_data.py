"""What pages are made of: packed numbers, numbered passages, ends of tokens, charts, extremes, trec_eval's options."""

from __future__ import annotations

import base64
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from site_pages import Pages

from harness.collections.view import Docs
from harness.compare.records import MACRO
from harness.leaderboard.site.charts import Measurement, Point, axis_of, line_chart, scatter_chart, undominated
from harness.leaderboard.site.evidence import slug
from harness.leaderboard.site.packing import packed, packed_numbers, packed_scores, to_json, write_data
from harness.leaderboard.site.pools import FILE_PASSAGES, TEXT_BUDGET, Pool, differences
from harness.leaderboard.site.questions import SHOWN, most_different
from harness.leaderboard.site.token_ends import token_ends
from harness.measures.names import trec_eval_option
from harness.measures.tokens import word_tokenize
from harness.records import Doc
from harness.runs.track_runs import TrackRuns

_CHARACTERS = "ab .,'\"`\u201c\u201d?!()[]<>&%$-\u2028\n\té\U0001f600متى1٢"
NASTY = st.lists(st.sampled_from([*_CHARACTERS, "``", "''", "can't", "..."])).map("".join)


def read_numbers(found: dict[str, str]) -> list[int]:
    raw, width = base64.b64decode(found["numbers"]), int(found["width"])
    return [int.from_bytes(raw[place : place + width], "little") for place in range(0, len(raw), width)]


@given(st.lists(st.integers(0, 2**32 - 1)))
@example([])
@example([255])
@example([256])
@example([65536])
def test_numbers_come_back_in_as_few_bytes_as_the_largest_needs(values: list[int]) -> None:
    found = packed_numbers(np.array(values, dtype=np.int64))
    assert read_numbers(found) == values
    assert int(found["width"]) == max(1, math.ceil(max(values, default=0).bit_length() / 8))


@given(st.lists(st.sampled_from([0.0, 1.0])))
def test_hits_and_misses_are_bits(values: list[float]) -> None:
    raw = base64.b64decode(packed_scores(np.array(values))["bits"])
    assert [float(raw[i // 8] >> (i % 8) & 1) for i in range(len(values))] == values


@given(st.lists(st.floats(0, 1), min_size=1))
def test_other_scores_keep_what_a_page_shows(values: list[float]) -> None:
    found = packed_scores(np.array(values))
    if "floats" in found:
        raw = base64.b64decode(found["floats"])
        assert np.frombuffer(raw, "<f4").tolist() == pytest.approx(values, abs=1e-7)
    else:
        assert set(values) <= {0.0, 1.0}


@given(st.lists(st.floats(allow_nan=False)))
def test_packed_floats_are_little_endian_whatever_the_machine(values: list[float]) -> None:
    for order in "<>":
        raw = base64.b64decode(packed(np.array(values, dtype=f"{order}f8")))
        assert np.frombuffer(raw, "<f8").tolist() == values


@given(st.text() | NASTY)
@example("</script><script>alert(1)</script><!-- \u2028\u2029 &amp; ]]>")
@example("\ud800")
def test_no_text_can_end_the_script_that_holds_it(text: str) -> None:
    found = to_json({"text": text})
    assert json.loads(found) == {"text": text}
    assert not set(found) & {"<", ">", "&", "\u2028", "\u2029", "\n", "\r"}


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json([float("nan")])


def test_a_data_file_is_one_call(tmp_path: Path) -> None:
    write_data(tmp_path, "scores/a", {"x": "</script>"})
    text = (tmp_path / "data" / "scores" / "a.js").read_text("utf-8")
    assert text == 'xdr.receive("scores/a",{"x":"\\u003c/script\\u003e"});\n'


def pool_of(count: int, text: str = "some text") -> Pool:
    return Pool("0", Docs(Doc(f"d{i}", f"T{i}", text) for i in range(count)))


def entries(folder: Path, place: int) -> list[list[object]]:
    text = (folder / "data" / "passages" / f"0-{place}.js").read_text("utf-8")
    return list(json.loads(text.split(",", 1)[1].removesuffix(");\n")))


@given(st.lists(st.lists(st.sampled_from([f"d{i}" for i in range(9)]), max_size=5)))
def test_passages_are_numbered_in_the_order_of_their_first_use(asked: list[list[str]]) -> None:
    pool = pool_of(9)
    flat = list(dict.fromkeys(doc_id for group in asked for doc_id in group))
    assert [pool.numbers_of(group) for group in asked] == [[flat.index(doc_id) for doc_id in group] for group in asked]
    assert dict(pool.shown) == {name: sum(group.count(name) for group in asked) for name in flat}


def test_passages_lie_in_files_by_their_number(tmp_path: Path) -> None:
    pool = pool_of(FILE_PASSAGES + 2)
    pool.numbers_of([f"d{i}" for i in reversed(range(FILE_PASSAGES + 2))])
    pool.write(tmp_path, with_tokens=True)
    assert len(entries(tmp_path, 0)) == FILE_PASSAGES
    assert entries(tmp_path, 1) == [["d1", "T1", "some text", [4, 5]], ["d0", "T0", "some text", [4, 5]]]


def test_texts_beyond_the_budget_are_left_out_those_shown_most_kept(tmp_path: Path) -> None:
    pool = pool_of(3, "x" * (TEXT_BUDGET // 2))
    pool.numbers_of(["d0", "d1", "d2", "d2", "d1"])
    pool.write(tmp_path, with_tokens=False)
    assert [len(entry) for entry in entries(tmp_path, 0)] == [2, 3, 3]


@given(NASTY)
@example("He said \"no\". ``Yes'' he can't... \u201cOK\u201d")
def test_token_ends_ascend_and_a_text_up_to_one_has_the_tokens_before_it(text: str) -> None:
    tokens = word_tokenize(text)
    ends = token_ends(text, tokens)
    assert len(ends) == len(tokens)
    assert ends == sorted(ends)
    assert all(0 <= end <= len(text) for end in ends)
    steps = differences(ends)
    assert [sum(steps[: place + 1]) for place in range(len(steps))] == ends
    spelled = {"``": '"', "''": '"'}
    for token, before, end in zip(tokens, [0, *ends], ends, strict=False):
        # A token that the tokenizer made up ends where the one before it did.
        assert end == before or text[:end].endswith((token, spelled.get(token, token)))


def test_a_plain_text_cut_after_a_token_tokenizes_to_its_beginning() -> None:
    text = 'In 1889, he said "it can\'t be", and left (for good). Later on, they came back.'
    tokens = word_tokenize(text)
    for place, end in enumerate(token_ends(text, word_tokenize(text)), 1):
        # A full stop is a token of its own at the end of a text alone.
        if not text[:end].endswith("."):
            assert word_tokenize(text[:end])[: place - 1] == tokens[: place - 1]


@pytest.mark.parametrize("most", [1, 40])
@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), max_size=6), st.booleans())
def test_an_axis_holds_all_its_intervals(most: float, limits: list[tuple[float, float]], around_zero: bool) -> None:
    """Those of a measure whose values lie beyond [0, 1] as well."""
    values = [(most * one, most * two) for one, two in limits]
    axis = axis_of(values, around_zero)
    assert all(-1e-9 <= axis.place(value) <= 100 + 1e-9 for pair in values for value in pair)
    assert axis.high - axis.low >= 10
    if axis.zero is not None:
        assert axis.place(0.0) == pytest.approx(axis.zero)
    if around_zero:
        assert axis.zero == 50.0


@pytest.mark.parametrize(("limits", "ends"), [((0.2, 1 + 3e-16), (20, 100)), ((-3e-16, 0.31), (0, 40))])
def test_the_noise_of_sums_takes_no_further_step(limits: tuple[float, float], ends: tuple[float, float]) -> None:
    axis = axis_of([limits])
    assert (axis.low, axis.high, axis.zero) == (*ends, None)


@pytest.mark.parametrize("extremes", [(-1.0, 1.0), (0.0, 40.0), (-3.0, 2.5)])
def test_charts_hold_values_of_any_measure(extremes: tuple[float, float]) -> None:
    scattered = scatter_chart([Point("a", 1.0, value, value, value) for value in extremes])
    lines = line_chart([("a", [Measurement(str(value), value) for value in extremes])])
    for heights in ([dot.y for dot in scattered.dots], [mark.y for mark in lines.lines[0].marks]):
        assert 0 <= heights[1] < heights[0] <= scattered.bottom == lines.bottom
    assert 3 <= len(scattered.y_ticks) == len(lines.y_ticks) <= 8


POINTS = st.lists(st.tuples(st.floats(1e-3, 1e13), st.floats(0, 1) | st.floats(-1, 40)), min_size=1, max_size=8).map(
    lambda found: [Point(f"system {n}", cost, value, value, value) for n, (cost, value) in enumerate(found)]
)


@given(POINTS, st.sampled_from([330, 640]))
def test_points_of_cost_stand_inside_their_chart_in_their_order(points: list[Point], width: int) -> None:
    chart = scatter_chart(points, width)
    for dot in chart.dots:
        assert chart.left - 1e-6 <= dot.x <= chart.right + 1e-6
        assert 0 <= dot.y <= chart.bottom + 1e-6
    for one, first in zip(chart.dots, points, strict=True):
        for two, second in zip(chart.dots, points, strict=True):
            if first.cost < second.cost:
                assert one.x <= two.x
            if first.value < second.value:
                assert one.y >= two.y


@given(POINTS)
def test_on_the_line_is_what_no_other_system_beats(points: list[Point]) -> None:
    found = undominated(points)
    for place, point in enumerate(points):
        beaten = any(
            (other.cost <= point.cost and other.value > point.value)
            or (other.cost < point.cost and other.value >= point.value)
            for other in points
        )
        twin = any((points[i].cost, points[i].value) == (point.cost, point.value) and i != place for i in found)
        assert (place in found) == (not beaten and not twin)


@given(POINTS, st.sampled_from([330, 640]))
def test_labels_do_not_lie_on_one_another(points: list[Point], width: int) -> None:
    chart = scatter_chart(points, width)
    labelled = [dot for dot in chart.dots if dot.text]
    assert {dot.label for dot in labelled} == {points[place].label for place in undominated(points)}
    for one, two in itertools.combinations(labelled, 2):
        (a, b), (c, d) = (
            (dot.x - 10 - 7 * len(dot.text), dot.x - 10)
            if dot.is_left
            else (dot.x + 10, dot.x + 10 + 7 * len(dot.text))
            for dot in (one, two)
        )
        assert b <= c or d <= a or abs(one.text_y - two.text_y) >= 15 - 1e-9


def test_points_of_a_chart_stand_beside_each_other_at_their_label_with_their_intervals() -> None:
    chart = line_chart(
        [
            ("a", [Measurement("0", 0.1, 0.05, 0.15), Measurement("1", 0.2, 0.1, 0.3)]),
            ("b", [Measurement("1", 0.4, 0.3, 0.5)]),
        ]
    )
    first, second = chart.lines[0].marks[1].x, chart.lines[1].marks[0].x
    assert first < second
    assert (first + second) / 2 == pytest.approx(chart.x_ticks[1].place)
    whole = chart.lines[0].marks[0]
    assert whole.limits == (5, 15)
    assert whole.low > whole.y > whole.high
    assert [tick.label for tick in chart.x_ticks] == ["0", "1"]
    assert chart.is_joined


def test_points_without_intervals_stand_at_their_label() -> None:
    chart = line_chart([("a", [Measurement("0", 0.1)]), ("b", [Measurement("0", 0.4)])])
    assert {line.marks[0].x for line in chart.lines} == {chart.x_ticks[0].place}
    assert chart.lines[0].marks[0].limits is None


def test_categories_are_not_joined_by_lines() -> None:
    assert not line_chart([("a", [Measurement("none", 0.1), Measurement("own", 0.2)])]).is_joined


@pytest.mark.parametrize(
    ("measure", "option"),
    [
        ("RR", "-c -m recip_rank"), ("RR@10", "-c -M 10 -m recip_rank"), ("P@5", "-c -m P.5"), ("R@100", "-c -m recall.100"),
        ("nDCG", "-c -m ndcg"), ("nDCG@10", "-c -m ndcg_cut.10"), ("AP", "-c -m map"), ("AP@100", "-c -m map_cut.100"),
        ("Success@1", "-c -m success.1"), ("nDCG(dcg='exp-log2')@10", ""), ("RR(rel=2)@10", ""), ("R@500t", ""), ("ERR@20", ""),
    ],
)  # fmt: skip
def test_options_of_trec_eval(measure: str, option: str) -> None:
    assert trec_eval_option(measure) == option


@given(st.lists(st.text(min_size=1), unique=True, max_size=6))
def test_slugs_of_different_measures_differ_and_are_plain(names: list[str]) -> None:
    slugs = [slug(name.replace("@", "")) for name in names if "@" not in name]
    assert len(set(slugs)) == len(slugs)
    assert all(c.isascii() and (c.isalnum() or c in "-_") for found in slugs for c in found)


def test_extremes_are_the_largest_differences_and_all_are_counted(mini: Pages, parallel: Pages) -> None:
    from harness.leaderboard.site.evidence import Site

    for pages in (mini, parallel):
        site = Site(pages.board, pages.scores, TrackRuns(pages.track, pages.runs), pages.own)
        primary, baseline = pages.track.primary, pages.score(pages.track.baseline)
        for score in pages.scores:
            if score.system == baseline.system:
                continue
            gaps = {
                (part, query_id): value - baseline.values[part, name][query_id]
                for (part, name), values in score.values.items()
                if name == primary and part in pages.track.macro_parts
                for query_id, value in values.items()
            }
            found = most_different(site, score.system)
            assert found.gains == sum(gap > 0 for gap in gaps.values())
            assert found.losses == sum(gap < 0 for gap in gaps.values())
            (row,) = [row for row in pages.board.rows if row.system == score.system]
            macro = row.cells[primary][MACRO]
            if macro.difference is not None:
                assert (found.gains, found.losses) == (macro.wins, macro.losses)
            for shown, sign in ((found.gained, 1), (found.lost, -1)):
                largest = sorted((sign * gap for gap in gaps.values() if sign * gap > 0), reverse=True)[:SHOWN]
                assert [sign * gaps[one.part, one.query_id] for one in shown] == pytest.approx(largest)
                assert all(one.value - one.baseline == gaps[one.part, one.query_id] for one in shown)
