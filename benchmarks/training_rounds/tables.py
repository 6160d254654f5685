"""Tables of a study's figures, in Markdown: scores, trainings, differences of the family, and what is said of all studies."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from harness.numbers import percent, probability
from training_rounds.judging import LEVEL

Figures = dict[str, Any]

WIDTH = 132
SIGNS = 5 / 7
"""A difference is called one if it is significant in its family and has one sign in so many of the languages."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    alignment = [":---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, alignment, *rows))


def share(counts: Sequence[int]) -> str:
    right, total = counts
    return f"{percent(right / total)}% of {total:,}" if total else "none kept"


def scores(figures: Figures, measure: str = "") -> str:
    """Macro average, that of each seed, and by language, in percent; of the first measure, or of another one without seeds."""
    languages, first = figures["languages"], figures["measures"][0]

    def rows() -> Iterator[Sequence[str]]:
        for name, row in figures["rows"].items():
            own = row["scores"][measure or first]
            by_seed = [", ".join(map(percent, row["by_seed"])) or "-"] if measure in ("", first) else []
            yield figures["titles"][name], percent(own["macro"]), *by_seed, *(percent(own[lang]) for lang in languages)

    seeds = ["by seed"] if measure in ("", first) else []
    return table(("row", "macro", *seeds, *languages), rows())


def trainings(figures: Figures, *more: tuple[str, Callable[[list[dict[str, Any]]], str]]) -> str:
    """Cost and size of every training, means over seeds. ``more``: further columns, of what was noted for each seed."""

    def rows() -> Iterator[Sequence[str]]:
        for name, row in figures["rows"].items():
            made, own = row["training"], [show(row["noted"]) for _, show in more]
            numbers = ["-"] * 5
            if made is not None:
                numbers = [
                    f"{made['steps']:,.0f}",
                    f"{made['candidates']:.0f}",
                    f"{made['tokens']:,.0f}",
                    f"{made['seconds']:.0f}",
                    f"{made['peak_memory'] / 1e6:,.0f}",
                ]
            yield figures["titles"][name], *own, *numbers

    header = ("row", *(name for name, _ in more), "steps", "candidates", "tokens", "seconds", "peak memory, MB")
    return table(header, rows())


def differences(figures: Figures) -> str:
    def rows() -> Iterator[Sequence[str]]:
        titles = figures["titles"]
        for one in figures["differences"]:
            ordered = sorted(one["by_part"].items(), key=lambda part: part[1])
            ends = [f"{lang} {percent(value, signed=True)}" for lang, value in (ordered[-1], ordered[0])]
            names = titles[one["row"]], titles[one["other"]]
            found = percent(one["difference"], signed=True), interval(one), p_of(one), verdict(one)
            yield *names, *found, detectable(one), *ends

    header = ("row", "less", "difference", "95% interval", "p (Holm)", "verdict", "could find")
    return table((*header, "best language", "worst language"), rows())


def interval(one: Figures) -> str:
    return " to ".join(percent(limit, signed=True) for limit in one["interval"]) if one["interval"] else "unknown"


def p_of(one: Figures) -> str:
    return "-" if one["p"] is None else probability(one["p"])


def detectable(one: Figures) -> str:
    """Blank where figures were made before it was."""
    return percent(one["detectable"]) if one.get("detectable") is not None else ""


def verdict(one: Figures) -> str:
    """By the rule that stood before the runs: significant in the family, and of one sign in five of seven languages."""
    if one["p"] is None:
        return "exploratory"
    sign = math.copysign(1, one["difference"])
    agreeing = sum(value * sign > 0 for value in one["by_part"].values())
    if one["p"] >= LEVEL or agreeing < SIGNS * len(one["by_part"]):
        return "none shown"
    return "gain" if sign > 0 else "loss"


def how_judged(figures: Figures) -> str:
    seeds = len(figures["seeds"])
    if any(one["p"] is not None for one in figures["differences"]):
        return f"Scores are each question's mean over {seeds} seeds."
    return f"With {seeds} seed{'s' * (seeds > 1)} all of it is exploratory: differences have intervals and no marks."


def budget(figures: Figures, chosen: str = "") -> str:
    """``chosen``: how the learning rate was, where it was chosen at all."""
    own = figures["budget"]
    epochs = f"{own['epochs']} epoch{'s' * (own['epochs'] != 1)}"
    length = epochs if own["steps"] is None else f"{own['steps']} steps"
    text = (
        f"Every training has {length} of batches of at most {own['batch_size']} rows, the learning rate "
        f"{chosen or own['learning_rate']}, the same start, and leaves out {percent(own['token_dropout'], 0)}% of each text's "
        f"pieces. {'' if chosen else 'One setting was tried, and nothing was chosen on any question. '}{how_judged(figures)}"
    )
    return textwrap.fill(text, WIDTH)


def summary(studies: dict[str, Figures], headlines: Sequence[tuple[str, str, str]]) -> str:
    """Of each study what it was about: a row, what it is held against, their scores, the test, and what it costs."""

    def rows() -> Iterator[Sequence[str]]:
        for study, name, other in headlines:
            figures = studies.get(study)
            if figures is None or not figures["rows"].keys() >= {name, other}:
                continue
            found = figures["rows"]
            (tested,) = [one for one in figures["differences"] if (one["row"], one["other"]) == (name, other)]
            made = found[name]["training"]
            macro = [percent(found[row]["scores"][figures["measures"][0]]["macro"]) for row in ("start", other, name)]
            cost = (f"{made['steps']:,.0f}", f"{made['seconds']:.0f}", f"{made['peak_memory'] / 1e6:,.0f}")
            difference = f"{percent(tested['difference'], signed=True)} ({interval(tested)})"
            names = figures["titles"][name], figures["measures"][0], figures["titles"][other]
            yield *names, *macro, difference, p_of(tested), *cost

    header = ("recipe", "measure", "held against", "start", "that", "recipe's", "difference (95%)", "p (Holm)")
    return table((*header, "steps", "seconds", "MB"), rows())
