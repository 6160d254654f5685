"""The page of all studies, written from their figures alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.numbers import percent
from training_rounds.tables import (
    WIDTH,
    Figures,
    budget,
    differences,
    scores,
    share,
    summary,
    table,
    trainings,
)

STUDIES = ("self-training", "mining", "batches", "alignment", "label-efficiency")
HEADLINES = (
    ("self-training", "given", "start-xqg"),
    ("self-training", "self-trained-2", "start-xqg"),
    ("mining", "string-1", "no-mining"),
    ("mining", "string-2", "string-1"),
    ("mining", "reader-1", "string-1"),
    ("batches", "hybrid", "mixed"),
    ("alignment", "generated", "no-term"),
    ("label-efficiency", "generator-2800", "cross-2800"),
)

HEAD = """# Mining, self-training, batches and alignment on a static encoder

Written by a command, from training records and runs:

    pip install --constraint constraints.txt --editable ".[train]"
{commands}
    python benchmarks/mining_recipes.py page --work WORK

Each study trains `mini-xdr` on, a static encoder of a few megabytes, in the manner of a published system, with the controls
that say what a gain is due to. "In the manner of" is meant: no row here is one of these systems. Which rows are held
against which, and that Holm's correction goes over them, stands in the source of each study (`benchmarks/training_rounds`)
and was fixed before it was run. A *verdict* is a gain or a loss where the difference is significant in its family and has
one sign in at least five of seven languages; else none is shown, and what lies outside the interval is excluded. *Could
find* is the smallest true difference, in points, that would be significant in the family's strictest step in four of five
such experiments, simulated from the differences of units as they were found. Nothing was chosen on the questions that are
scored.

DR.DECR-style distillation has a page of its own: [recipes.md](recipes.md); mining of your own runs: [mine.md](mine.md).

"""

SUMMARY = """## At a glance

Scores are macro averages in percent. Seconds are of one training, the comparison with evaluation questions included, on two
shared cores; memory is the most that the process had taken by then.

"""

SELF_TRAINING = """
## Sentri-style self-training on unlabelled questions

With the same generated questions, is it better to *train* an encoder on them or to *fuse* them with the passages? And does
an encoder that labels them itself reach labels without a fault? What is asked here is Sentri-style: in the spirit of "a
single encoder and self-training" (2022.naacl-main.30), whose method we have not read and do not claim to repeat.

The questions are the {questions} of xdr-mini that were generated in its languages, with their passages hidden; the encoder
that labels them first is `mini-xdr`. It ranks the 200 passages for each question, and the first one is the label. A filter
keeps the share in which the first passage leads the second by most, either of each language or of all questions together.
One kind of writer wrote the generated and the test questions of xdr-mini. Labels are hard ones: a soft label would say of
the other passages what the start already thinks of them.

### How clean the labels are

Share of the first round's labels that are the question's own passage, and how many labels there are, by what is kept. The
five passages that are first most often are the labels of {hub}% of the questions.

"""
NOTHING_TRAINED = """
Labels alone were judged: no encoder was trained on them. With seeds the same command trains the rows, two rounds and their
controls.
"""
ROUNDS = """
### What comes of it

One round: the start is trained anew on the surest half of the labels and its own old questions, {old} rows of each language and
kind, so that old and new rows are as many; the new encoder makes the next round's labels.

{budget}

{measure} in percent, macro average and by language:

"""
COSTS = """
*Hubs*: share of the test questions whose first passage is one of the five that are first most often. *Candidates*: passages
that a question is compared with, mean of the steps; many labels of one passage make smaller batches, since two questions of
one passage never share one.

"""
FUSION = """
Against the start that is fused with the same questions; its weight was chosen on development questions, the trained rows
have had no choice, and rows that are fused take the same weight:

"""

MINING = """
## CORA-style rounds of mining

Do passages that a labeller finds teach what gold-labelled data lack, and how clean are the labels? The questions that
`xquad-oracle` does not ask, {questions:,} in {languages} languages, are given with their English answers and without their
passages. The start ranks the 240 paragraphs, a labeller looks at the first {top}, and the start is trained anew on its old
data and on what was labelled: the first positive of each question and {negatives} drawn ones of the passages that were
rejected. The second round labels what the first round's encoder finds. The asked half of the questions is scored. The
recipes are transductive, and say so: they have seen questions about the very passages that are searched, so their rows
stand for no other track. 25 of the 510 nearly repeat, in some language, a question that is asked; they were not left out.

{reader}

{budget}

### How clean the labels are

Share of the rows whose positive is the question's own paragraph, and how many rows there are of {each} questions in each
language; first seed. *Found*: share of the questions whose paragraph is among the first {top} at all, which bounds every
labeller.

"""
CORA = """\
CORA (Asai et al., NeurIPS 2021) labels with a generator, 50 passages of 18 million, and adds answers in other languages;"""
MINED = """
### What comes of it

{measure} in percent, macro average and by language:

"""

BATCHES = """
## Hybrid batches

Each batch is monolingual or cross-lingual (arXiv 2408.10536, of which we know the abstract): is that better than one kind
alone, and is it the rule for batches or the data? Monolingual pairs are TyDi QA's questions in en, ko and sw with their
passages, cross-lingual ones XOR-TyDi's questions in seven languages with their English translations and answers. All rows
see as many pairs; *mixed* sees those of *hybrid*, in batches that hold all kinds.

{budget}

Searched is the pool `xquad/LANG/multilingual`: XQuAD's 240 paragraphs in eight languages, {passages:,} passages, of which
all eight versions of a question's paragraph are relevant ([collections.md](collections.md)).

{measure} in percent, macro average and by language of the question:

"""
BIAS = """
### Which language is preferred

*Entropy*: of the languages of the first eight passages, in bits; 3 where each is another one, 0 where all are one.
*Spread*: ranks between the first and the last version of the relevant paragraph. *Own*, *others*: mean rank of its version
in the question's language, and of the other seven. Means over all questions and seeds. These are no measures of the
evaluator, since more of them is neither better nor worse.

"""

ALIGNMENT = """
## QuiCK-style alignment by generated questions

QuiCK (Ren et al., 2022) has among its losses one that draws a question and a question generated for its passage in another
language together. That term alone is tried here, as InfoNCE beside the start's own data, on the {questions:,} generated
questions of xdr-mini ({dropped} that resemble an evaluation question left out). Its control takes the partner from another
passage, one for each; its ceiling takes as many translations by people. The other half of the system is the generator as a
teacher of scores, of which the next study shows the mechanism.

{budget}

{measure} in percent, macro average and by language:

"""

LABEL_EFFICIENCY = """
## QuiCK-style: how many labels a teacher needs

QuiCK's premise is that a generator of questions is a teacher that needs fewer labels than a cross-encoder. What is shown here
is the mechanism, not their system: both teachers are new networks of one layer and 64 dimensions on the same pieces, trained
for {steps} steps on the same questions with their passages, of the generated questions of xdr-mini. The generator scores a
passage by the mean log-probability of the question, the cross-encoder reads both. Models so small that know nothing before
are expected to be poor teachers, and are.

### As rankers

Questions without a label, {unlabelled} in all, with the first {candidates} passages that the start finds, in the teacher's
order, {measure} in percent. A teacher below the lists as they are is not worth imitating.

"""
TAUGHT = """
Differences of the family:

{differences}
Seconds that a teacher's training took: {seconds}.

### What a student learns of them

The start is taught over those lists by each teacher's scores, whose temperature is the median of their standard deviations in
a list; a student without a teacher is trained on the labels themselves. Learning rates were chosen on the development
questions with all labels and the first seed, {settings} settings in all: teachers {teachers}, students {students}.

{budget}

{measure} in percent, macro average and by language:

"""


def page(studies: dict[str, Figures]) -> str:
    """The whole page in Markdown. ``studies``: figures by the names in ``STUDIES``."""
    sections = {
        "self-training": _self_training,
        "mining": _mining,
        "batches": _batches,
        "alignment": _alignment,
        "label-efficiency": _label_efficiency,
    }
    parts = [HEAD.format(commands="\n".join(_command(name, figures) for name, figures in studies.items()))]
    if any(figures["differences"] for figures in studies.values()):
        parts.append(SUMMARY + summary(studies, HEADLINES))
    for name, figures in studies.items():
        parts += sections[name](figures)
    absent = [name for name in STUDIES if name not in studies]
    return "".join(parts) + (f"\nNot measured for this page: {', '.join(absent)}.\n" if absent else "")


def _command(name: str, figures: Figures) -> str:
    seeds = "".join(f" {seed}" for seed in figures["seeds"])
    reader = " --reader READER" if figures.get("reader") else ""
    return f"    python benchmarks/mining_recipes.py {name} --work WORK --seeds{seeds}{reader}"


def _self_training(figures: Figures) -> Iterator[str]:
    yield SELF_TRAINING.format(questions=f"{figures['questions']:,}", hub=percent(figures["hub"]))
    yield table(("kept", *figures["languages"]), _kept(figures))
    if not figures["rows"]:
        yield NOTHING_TRAINED
        return
    yield ROUNDS.format(old=figures["old"], budget=budget(figures), measure=figures["measures"][0]) + scores(figures)
    right = ("labels right", lambda noted: _all_labels(noted[0]["labels"]))
    hubs = ("hubs", lambda noted: f"{percent(float(np.mean([one['hub'] for one in noted])))}%")
    yield COSTS + trainings(figures, right, hubs)
    yield FUSION + differences(figures)


def _all_labels(labels: dict[str, Sequence[int]]) -> str:
    counts = [sum(side) for side in zip(*labels.values(), strict=True)]
    return share(counts) if counts else "-"


def _kept(figures: Figures) -> Iterator[Sequence[str]]:
    for kept, by_language in figures["labels"].items():
        where, part = kept.split()
        what = "all" if part == "1.0" else f"{percent(float(part), 0)}% of {where}"
        counts = [by_language.get(lang, (0, 0)) for lang in figures["languages"]]
        yield what.replace("each", "each language"), *map(share, counts)


def _mining(figures: Figures) -> Iterator[str]:
    languages, measure = figures["languages"], figures["measures"][0]
    each = figures["questions"] // len(languages)
    yield MINING.format(
        **{key: figures[key] for key in ("questions", "top", "negatives")},
        languages=len(languages),
        reader=textwrap.fill(f"{CORA} here {_reader(figures)}", WIDTH, break_long_words=False, break_on_hyphens=False),
        budget=budget(figures),
        each=each,
    )
    mined = {name: row["noted"][0] for name, row in figures["rows"].items() if row["noted"][0]}

    def labels() -> Iterator[Sequence[str]]:
        for name, noted in mined.items():
            yield f"{figures['titles'][name]}", *(share(noted["labels"][lang]) for lang in languages)
            if figures["reader"] and sum(noted["fallback"].values()):
                by_rule = ((noted["fallback"][lang], noted["labels"][lang][1]) for lang in languages)
                yield "of these rows fallbacks", *map(share, by_rule)
            found = (noted["found"][lang] / noted["questions"][lang] for lang in languages)
            yield f"found, {figures['titles'][name].partition(',')[0]}", *(f"{percent(value)}%" for value in found)

    yield table(("labels", *languages), labels())
    yield MINED.format(measure=measure) + scores(figures)
    yield f"\n{figures['measures'][1]}:\n\n" + scores(figures, figures["measures"][1])
    yield "\nWhat it took:\n\n" + trainings(figures)
    yield "\nDifferences of the family:\n\n" + differences(figures)


def _reader(figures: Figures) -> str:
    if not figures["reader"]:
        return "answer strings are the labeller; with `--reader` a reader labels as well, which was not done."
    right, asked = figures["reader_right"]
    return (
        "answer strings label, and by CORA's rule a reader that marks answers in the English paragraphs, of questions as "
        f"people put them in English ([mine.md](mine.md)). The reader, `{figures['reader']}` ([read.md](read.md)), is a poor "
        f"one: in the questions' own paragraphs it marks the answer of {right} of the {asked} English questions "
        f"({percent(right / asked)}%). Most rows of its rounds are therefore the rule's fallback, the first passage that holds "
        "an answer, and what these rows say is what the rule does with such a reader."
    )


def _batches(figures: Figures) -> Iterator[str]:
    measure = figures["measures"]
    yield BATCHES.format(budget=budget(figures), passages=figures["passages"], measure=measure[0]) + scores(figures)
    yield f"\n{measure[1]}:\n\n" + scores(figures, measure[1])

    def biases() -> Iterator[Sequence[str]]:
        for name, row in figures["rows"].items():
            means = [
                float(np.mean([one[key] for one in row["noted"]])) for key in ("entropy", "spread", "own", "others")
            ]
            yield figures["titles"][name], f"{means[0]:.2f}", *(f"{value:,.0f}" for value in means[1:])

    yield BIAS + table(("row", "entropy", "spread", "own", "others"), biases())
    yield "\nWhat it took:\n\n" + trainings(figures)
    yield "\nDifferences of the family:\n\n" + differences(figures)


def _alignment(figures: Figures) -> Iterator[str]:
    measure: Any = figures["measures"][0]
    yield ALIGNMENT.format(
        questions=figures["questions"], dropped=figures["dropped"] or "none", budget=budget(figures), measure=measure
    ) + scores(figures)
    yield "\nWhat it took:\n\n" + trainings(figures)
    yield "\nDifferences of the family:\n\n" + differences(figures)


def _label_efficiency(figures: Figures) -> Iterator[str]:
    gate = figures["gate"]
    yield LABEL_EFFICIENCY.format(
        steps=figures["teacher_steps"],
        unlabelled=figures["unlabelled"],
        candidates=figures["candidates"],
        measure=gate["measures"][0],
    ) + scores(gate)
    seconds = (f"{gate['titles'][name]} {value:.0f}" for name, value in figures["teacher_seconds"].items())
    chosen = {
        side: ", ".join(f"{name} {rate:g}" for name, rate in found.items()) for side, found in figures["chosen"].items()
    }
    text = TAUGHT.format(
        differences=differences(gate),
        seconds=", ".join(seconds),
        settings=figures["settings"],
        **chosen,
        budget=budget(figures, "of its own"),
        measure=figures["measures"][0],
    )
    yield text + scores(figures)
    yield "\nWhat it took:\n\n" + trainings(figures)
    yield "\nDifferences of the family:\n\n" + differences(figures)
