"""The committed page of robustness is what the command makes of the recorded comparisons."""

from __future__ import annotations

import json
from pathlib import Path

import robustness

from harness.compare.records import read_comparison
from harness.tracks import load_track

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_of_the_recorded_comparisons() -> None:
    pairs = json.loads((ROOT / "runs/paws-x-drop/pairs.json").read_text("utf-8"))
    assert robustness.page(ROOT / "runs", pairs) == (ROOT / "docs/robustness.md").read_text("utf-8")


def test_a_control_is_called_one_and_no_smaller_drop_of_what_finds_less_stands_alone() -> None:
    found = read_comparison(ROOT / "runs/paws-x-sample/comparison.json")
    told = {one.system: robustness.answer_to(load_track("paws-x-sample"), one, found) for one in found.drop_differences}
    assert told["mini-xdr-paws-shuffled"].startswith("**mini-xdr-paws-shuffled (control) against mini-xdr, ")
    assert told["mini-xdr-paws-shuffled"].endswith("; it has fewer to lose (clean 1.8 against 80.3).")
    assert told["mini-xdr-paws-english"].endswith("; it has fewer to lose (clean 65.3 against 80.3).")
    assert "(control)" not in told["mini-xdr-paws-xqg"]
    assert "fewer to lose" not in told["mini-xdr-paws-xqg"]
    (shuffled,) = [one for one in found.drop_differences if one.system == "mini-xdr-paws-shuffled"]
    as_good = tuple(drop.model_copy(update={"clean": 0.9}) for drop in found.drops)
    assert found.fewer_to_lose(shuffled) is not None
    assert found.model_copy(update={"drops": as_good}).fewer_to_lose(shuffled) is None, "it has as much to lose"


def test_a_difference_that_has_no_verdict_has_no_mark() -> None:
    """The training of me5-small-q4 may have held XQuAD, that of its baseline has not."""
    track, file = load_track("xquad-perturbed"), ROOT / "runs/xquad-perturbed/comparison.json"
    found = read_comparison(file)
    assert any(one.significant for one in found.drop_differences)
    assert not any(robustness.has_a_verdict(track, one, found) for one in found.drop_differences)
    own = load_track("paws-x-sample")
    sample = read_comparison(ROOT / "runs/paws-x-sample/comparison.json")
    (xqg,) = [one for one in sample.drop_differences if one.system == "mini-xdr-paws-xqg"]
    assert robustness.has_a_verdict(own, xqg.model_copy(update={"significant": True}), sample)
    assert not robustness.has_a_verdict(own, xqg, sample)


def test_what_is_not_recorded_is_not_answered(tmp_path: Path) -> None:
    pairs = json.loads((ROOT / "runs/paws-x-drop/pairs.json").read_text("utf-8"))
    text = robustness.page(tmp_path, pairs)
    assert text.count("Not answered: no comparison") == len(robustness.TRACKS)
    assert "xdr attack" not in text
    assert "chosen against a system" not in text


def test_the_caption_counts_the_family_as_it_was_declared() -> None:
    found = read_comparison(ROOT / "runs/xquad-perturbed/comparison.json")
    (size,) = [family.size for family in found.families if family.name == "drops"]
    here = sum(drop.p_adjusted is not None for drop in found.drops)
    text = robustness.section(load_track("xquad-perturbed"), ROOT / "runs/xquad-perturbed/comparison.json")
    less = f", of which {here} are here" if here < size else ""
    assert f"Macro averages, {size} planned tests{less}; in brackets" in text


def test_a_recorded_attack_lies_in_a_folder_that_its_key_names() -> None:
    for made in robustness.ATTACKS:
        key = json.loads((ROOT / "runs" / made / "attack.json").read_text("utf-8"))["key"]
        assert made.endswith(f"-attacked-{key[:8]}")
        assert read_comparison(ROOT / "runs" / made / "comparison.json").track["name"] == made
