"""The benchmark of whole commands: its track, its ratios, what it keeps, and that both sides must find the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from end_to_end import MTEB, Sides, Turn, differing, table, track_of

from harness.adapters.card import load_card
from harness.errors import XdrError
from harness.tracks import load_track

OURS = "xdr leaderboard, torch"


def turn(side: str, number: int, seconds: float, mean: float = 0.9) -> Turn:
    return Turn(side, number, seconds, 2 * seconds, 10**9, seconds / 2, {"ar": mean}, 1.0)


def test_the_shortest_round_of_each_side_counts() -> None:
    found = table([turn(MTEB, 0, 50.0), turn(OURS, 0, 21.0), turn(MTEB, 1, 40.0), turn(OURS, 1, 20.0)]).splitlines()
    assert found[2] == "| mteb | 40.0 | 50% | 80.0 | 1,000 | 1.00x | 1.00x |"
    assert found[3] == "| xdr leaderboard, torch | 20.0 | 50% | 40.0 | 1,000 | 2.00x | 2.00x |"
    assert len(found) == 4


def test_a_side_that_finds_something_else_is_named() -> None:
    assert differing([turn(MTEB, 0, 1.0), turn(OURS, 0, 1.0, mean=0.904)]) == []
    assert differing([turn(MTEB, 0, 1.0), turn(OURS, 0, 1.0, mean=0.91)]) == [
        f"{OURS}, ar: R@10 is 0.9100, that of mteb 0.9000"
    ]


def test_the_track_asks_for_the_parts_and_for_no_other_system(tmp_path: Path) -> None:
    xquad = load_track("xquad")
    path = tmp_path / "track.toml"
    path.write_text(track_of(xquad, ["de", "ar"], "mini-xdr"), "utf-8")
    own = load_track(str(path))
    assert [(part.name, part.dataset) for part in own.parts] == [("de", "xquad/de"), ("ar", "xquad/ar")]
    assert own.systems == ()
    assert set(own.measures) == {*xquad.measures, "R@10"}
    assert (own.primary, own.depth, own.unit) == (xquad.primary, xquad.depth, xquad.unit)
    with pytest.raises(XdrError, match="track xquad has no part sw; its parts are ar, de"):
        track_of(xquad, ["sw"], "mini-xdr")


def test_each_kernel_is_a_card_and_what_is_done_stays_done(tmp_path: Path) -> None:
    sides = Sides(load_track("xquad"), ["ar"], load_card("mini-xdr"), ["torch"], tmp_path)
    assert list(sides.commands) == [MTEB, "xdr leaderboard, the card as it is", OURS]
    card = load_card(sides.commands[OURS][-1])
    shipped = load_card("mini-xdr").card.parameters
    assert {**card.card.parameters, "model": ""} == {**shipped, "model": "", "kernel": "torch"}
    assert list(card.system().missing()) == []  # type: ignore[attr-defined]
    kept = turn(OURS, 0, 3.0)
    (folder,) = tmp_path.iterdir()
    (folder / "turns.jsonl").write_text(json.dumps(vars(kept)) + '\n{"side": "mteb", "rou')
    assert sides.turn(OURS, 0) == kept
    assert sides._turns() == [kept], "a line that a kill has cut off is none"
    assert Sides(load_track("xquad"), ["de"], load_card("mini-xdr"), ["torch"], tmp_path)._turns() == [], (
        "other questions"
    )


def test_another_side_begins_each_round(tmp_path: Path) -> None:
    sides = Sides(load_track("xquad"), ["ar"], load_card("mini-xdr"), ["torch"], tmp_path)
    assert [sides.in_round(number)[0] for number in range(4)] == [*sides.commands, MTEB]
    assert all(sorted(sides.in_round(number)) == sorted(sides.commands) for number in range(4))
