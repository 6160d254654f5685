"""The page of self-training, from the figures of ``benchmarks/self_training.py`` alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.numbers import percent

Figures = dict[str, Any]

HEAD = """# Sentri-style self-training on unlabelled questions

Written by a command, from its training records and runs:

    pip install --constraint constraints.txt --editable ".[train]"
    python benchmarks/self_training.py --work WORK --seeds{seeds}

With the same generated questions, is it better to *train* an encoder on them or to *fuse* them with the passages? And does an
encoder that labels them itself reach labels without a fault? What is asked here is Sentri-style: in the spirit of "a single
encoder and self-training" (2022.naacl-main.30), whose method we have not read and do not claim to repeat.

The questions are the {questions} of xdr-mini that were generated in its languages, with their passages hidden; the encoder that
labels them first is `mini-xdr`. It ranks the 200 passages for each question, and the first one is the label. A filter keeps
the share in which the first passage leads the second by most, either of each language or of all questions together. One kind
of writer wrote the generated and the test questions of xdr-mini.

"""

NOTHING_TRAINED = """
On this page labels alone are judged: no encoder was trained on them. With seeds, `--seeds 1 2 3`, the same command trains the
rows, two rounds and their controls, and writes them here.
"""

TRAINED = """
## How it is trained

One round: the start is trained anew on the surest half of the labels and its own old questions, a part of the pieces left out
of each text (`token_dropout` {token_dropout}), since other noise is little to a static encoder; the new encoder makes the next
round's labels. Every training has {steps} steps of batches of at most {batch_size}, the learning rate {learning_rate} and the
same start. One setting was tried, and nothing was chosen on any question. {how_judged}
"""

LABELS = """## How clean the labels are

Share of the first round's labels that are the question's own passage, and how many labels there are, by what is kept. The
five passages that are first most often are the labels of {hub}% of the questions.

"""

ROWS = """
## What comes of it

{measure}. *Hubs*: share of the test questions whose first passage is one of the five that are first most often. *Candidates*:
passages that a question is compared with, mean of the steps; many labels of one passage make smaller batches, since two
questions of one passage never share one.

"""

DIFFERENCES = """
## Against fusion

{measure} less that of `{reference}`, with the 95% interval; what lies outside of it is excluded. The weight of that row
was chosen on development questions, the trained rows have had no choice. Languages with the largest gain and loss beside.

"""


def page(figures: Figures) -> str:
    """The whole page in Markdown."""
    languages = figures["budget"]["languages"]
    seeds = "".join(f" {seed}" for seed in figures["seeds"])
    head = HEAD.format(seeds=seeds, questions=f"{figures['questions']:,}")
    labels = LABELS.format(hub=percent(figures["hub"])) + _table(("kept", *languages), _labels(figures))
    return head + labels + ("".join(_trained(figures)) if figures["trained"] else NOTHING_TRAINED)


def _trained(figures: Figures) -> Iterator[str]:
    languages, measure = figures["budget"]["languages"], f"{figures['measure']} in percent"
    yield TRAINED.format(**figures["budget"], how_judged=_how_judged(figures))
    yield ROWS.format(measure=f"{measure}, macro average and by language")
    yield _table(("row", "macro", "by seed", *languages), _scores(figures))
    yield "\n"
    yield _table(("row", "labels right", "hubs", "candidates", "tokens", "seconds"), _trainings(figures))
    yield DIFFERENCES.format(measure=measure, reference=figures["reference"])
    header = ("row", "difference", "95% interval", "p (Holm)", "best language", "worst language")
    yield _table(header, _tests(figures))


def _how_judged(figures: Figures) -> str:
    seeds = len(figures["seeds"])
    if any(row["p"] is not None for row in figures["differences"].values()):
        return f"Scores are each question's mean over {seeds} seeds."
    return f"With {seeds} seed{'s' * (seeds > 1)} all of it is exploratory: differences have intervals and no marks."


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    alignment = [":---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, alignment, *rows))


def _share(counts: Sequence[int]) -> str:
    right, total = counts
    return f"{percent(right / total)}% of {total:,}" if total else "none kept"


def _labels(figures: Figures) -> Iterator[Sequence[str]]:
    for kept, by_language in figures["labels"].items():
        where, share = kept.split()
        what = "all" if share == "1.0" else f"{percent(float(share), 0)}% of {where}"
        counts = [by_language.get(lang, (0, 0)) for lang in figures["budget"]["languages"]]
        yield what.replace("each", "each language"), *map(_share, counts)


def _scores(figures: Figures) -> Iterator[Sequence[str]]:
    languages = figures["budget"]["languages"]
    for name, scores in figures["recorded"].items():
        by_language = (percent(scores[lang]) for lang in languages)
        yield f"`{name}`: {figures['titles'][name]}", percent(scores["macro"]), "-", *by_language
    for name, row in figures["trained"].items():
        by_seed, own = ", ".join(map(percent, row["by_seed"])), row["scores"]
        yield figures["titles"][name], percent(own["macro"]), by_seed, *(percent(own[lang]) for lang in languages)


def _trainings(figures: Figures) -> Iterator[Sequence[str]]:
    for name, row in figures["trained"].items():
        counts = [sum(side) for side in zip(*row["labels"].values(), strict=True)] if row["labels"] else None
        numbers = (f"{row['candidates']:.1f}", f"{row['tokens']:,.0f}", f"{row['seconds']:.0f}")
        yield figures["titles"][name], _share(counts) if counts else "-", percent(row["hub"]), *numbers


def _tests(figures: Figures) -> Iterator[Sequence[str]]:
    for name, row in figures["differences"].items():
        interval = (
            " to ".join(percent(limit, signed=True) for limit in row["interval"]) if row["interval"] else "unknown"
        )
        ordered = sorted(row["by_part"].items(), key=lambda part: part[1])
        ends = [f"{lang} {percent(value, signed=True)}" for lang, value in (ordered[-1], ordered[0])]
        p = "-" if row["p"] is None else f"{row['p']:.4f}"
        yield figures["titles"][name], percent(row["difference"], signed=True), interval, p, *ends
