"""Self-training rounds: pseudo-labels by hand, the page from figures, and the whole command on one language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from training_rounds.pseudo_labels import (
    Labelled,
    Unlabelled,
    first_found,
    given,
    hub_share,
    precision,
    rows_of,
    shuffled,
)

from harness.collections import load

QUESTIONS = [
    Unlabelled("a", "kuka?", "fi", "p1"),
    Unlabelled("b", "mikä?", "fi", "p2"),
    Unlabelled("c", "who?", "sw", "p1"),
    Unlabelled("d", "what?", "sw", "p3"),
]
RANKINGS = {
    "a": {"p1": 0.9, "p2": 0.8},
    "b": {"p1": 0.5, "p2": 0.1},
    "c": {"p3": 0.2, "p1": 0.19},
    "d": {"p3": 0.2, "p1": 0.18},
}


def ids(labels: list[Labelled]) -> dict[str, str]:
    return {label.question.query_id: label.doc_id for label in labels}


def test_the_first_passage_is_the_label() -> None:
    labels = first_found(QUESTIONS, RANKINGS)
    assert ids(labels) == {"a": "p1", "b": "p1", "c": "p3", "d": "p3"}
    assert precision(labels) == {"fi": (1, 2), "sw": (1, 2)}


def test_each_language_keeps_its_own_surest_half() -> None:
    assert ids(first_found(QUESTIONS, RANKINGS, 0.5)) == {"b": "p1", "d": "p3"}
    assert ids(first_found(QUESTIONS, RANKINGS, 0.5, by_language=False)) == {"a": "p1", "b": "p1"}


def test_shuffled_labels_keep_how_often_a_passage_is_one_and_hang_on_the_seed() -> None:
    questions = [Unlabelled(f"q{number}", "?", "fi", f"p{number % 7}") for number in range(70)]
    one, again, other = shuffled(questions, 1), shuffled(questions, 1), shuffled(questions, 2)
    assert one == again != other
    assert sorted(ids(one).values()) == sorted(question.hidden for question in questions)
    assert sum(label.is_right for label in one) < 35
    assert all(label.is_right for label in given(questions))


def test_hub_share_counts_questions_not_passages() -> None:
    assert hub_share(["a", "a", "a", "b", "c", "d"], hubs=2) == pytest.approx(4 / 6)
    assert hub_share(["a", "b"], hubs=5) == 1.0


def test_rows_are_pseudo_labelled_with_whole_passages() -> None:
    collection = load("xdr-mini/fi")
    doc = next(iter(collection.docs))
    [row] = rows_of([Labelled(QUESTIONS[0], doc.doc_id)], collection.docs, "round 1")
    assert (row.query, row.lang, row.label, row.source) == ("kuka?", "fi", "pseudo", "round 1")
    assert row.positives[0].default_text() == doc.default_text()


def test_the_command_makes_the_rounds_goes_on_and_writes_the_page(
    tmp_path: Path, imported_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets", reason='needs the extra `train`: pip install -e ".[train]"')
    import self_training
    from training_rounds import training

    trained: list[str] = []
    train = training.train

    def noted(recipe: Path, *rest: Any) -> Any:
        trained.append(recipe.parent.name)
        return train(recipe, *rest)

    monkeypatch.setattr(training, "train", noted)
    command = [
        "self_training.py",
        "--work",
        str(tmp_path / "work"),
        "--seeds",
        "7",
        "--steps",
        "2",
        "--languages",
        "fi",
    ]

    def written(*options: str) -> str:
        page = tmp_path / "page.md"
        monkeypatch.setattr("sys.argv", [*command, *options, "--output", str(page)])
        assert self_training.main() == 0
        return page.read_text("utf-8")

    # Without seeds labels alone are judged, and nothing is trained.
    monkeypatch.setattr(
        "sys.argv",
        [
            "self_training.py",
            "--work",
            str(tmp_path / "w"),
            "--seeds",
            "--languages",
            "fi",
            "--output",
            str(tmp_path / "labels.md"),
        ],
    )
    assert self_training.main() == 0
    labels = (tmp_path / "labels.md").read_text("utf-8")
    assert "no encoder was trained" in labels
    assert not trained
    assert "## What comes of it" not in labels

    page = written()
    names = ("more-steps", "given", "shuffled", "self-trained-all", "self-trained-1", "self-trained-2")
    assert trained == [f"{name}-7" for name in names]
    figures: dict[str, Any] = json.loads((tmp_path / "work" / "figures.json").read_text("utf-8"))
    assert figures["trained"]["given"]["labels"] == {"fi": [600, 600]}
    assert figures["trained"]["self-trained-1"]["labels"]["fi"][1] == 300
    assert {row["steps"] for row in figures["trained"].values()} == {2}
    recorded = figures["recorded"]
    expected = recorded["mini-xdr"]["fi"] - recorded["mini-xdr-xqg"]["fi"]
    assert figures["differences"]["mini-xdr"]["difference"] == pytest.approx(expected)
    assert "--seeds 7\n" in page
    assert "1 seed all of it is exploratory" in page
    assert "| trained on the questions with their passages | 100.0% of 600 |" in page
    # What is there is not trained again, and the figures alone give the same page.
    assert written() == page
    assert len(trained) == len(names)
    assert written("--figures", str(tmp_path / "work" / "figures.json")) == page
    table = labels[labels.index("| kept") : labels.index("\nOn this page")]
    assert table in page
