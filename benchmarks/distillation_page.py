"""Write docs/recipes.md from what benchmarks/distillation.py measured.

python benchmarks/distillation_page.py distillation.json [--studies WORK/figures] [--records training.json ...]
    [--output docs/recipes.md]

WORK is the folder of benchmarks/mining_recipes.py; --records are training records of recipes that were trained otherwise.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recipes_overview import overview
from training_rounds.pages import STUDIES

from harness.files.writing import write_text
from harness.numbers import percent

UNTRAINED, STUDENT, TEACHERLESS = "mini-distilled-pieces", "mini-distilled", "mini-distilled-contrastive"
DEVELOPMENT = "mini-dev"
WIDTH = 128
UNTRAINED_SETTINGS, TRIAL_TRAININGS = 92, 4
"""How many were tried before the recipes were fixed, by hand from the notes of that day."""
WHAT = {
    UNTRAINED: "the teacher's pieces, no training (control)",
    "mini-distilled": "pieces, then vectors of English sentences: the embedded model",
    "mini-distilled-scores": "pieces, then the teacher's scores",
    "mini-distilled-both": "pieces, then vectors, then scores",
    "mini-distilled-foreign": "as the embedded model, but the teacher reads the other language (control)",
    "mini-distilled-shuffled": "as the embedded model, but the teacher reads another row's sentence (control)",
    TEACHERLESS: "pieces, then the same pairs and steps without a teacher (control)",
}
HEAD = """# Recipes of published kinds

Written by a command from training records and runs. Make it again with

    xdr data fetch multilingual-e5-small-q4 ntrex tatoeba tydiqa-goldp xor-tydi xquad
    python benchmarks/distillation.py --work DIR --seeds {seeds}{rows} --json distillation.json
    python benchmarks/distillation_page.py distillation.json --studies WORK/figures

WORK is the folder of the studies of [mining-recipes.md](mining-recipes.md); `--records` takes the training records of recipes
that were trained by themselves.

{overview}
## DR.DECR-style distillation

DR.DECR (Li et al., NAACL 2022) lets a student that reads questions in any language imitate a teacher that reads their
English translations: first its vectors of parallel sentences, then its scores. Here the student is a static encoder of
{size:.1f} MB and the teacher is multilingual-e5-small with 4-bit weights. It is not their system: theirs is a multi-vector
XLM-R with a ColBERT teacher.

{judged}

{chosen}
"""
JUDGED = """\
Each row is a recipe, the file of its name in `systems/recipes/`, and the untrained table of the teacher's pieces is the
control that each of them is held against: what that table has is not the training's. Scores are means over
seeds, question by question."""
CHOSEN = """\
Settings were chosen on mini's development questions and on the last 397 lines of NTREX (de, es, hi, tr, zh),
which were kept out of those trainings: {untrained} settings of the untrained table and {trainings} trainings
of one seed were tried. {looks} Nothing was chosen by them: the embedded model is seed 42 of its recipe, which
was fixed before. XQuAD is among what the teacher may have seen, and so the student; mini is not."""
TESTED = """\
Seeds that were run: {seeds}; five are the rule for static encoders. The difference to the untrained table is
tested by the paired randomization test of the macro average, whole passages flipped at once, without
correction. An interval that holds zero says which gains are excluded; *could find* is the smallest true difference that such a
test finds in four of five cases, simulated from the units as they vary."""
EXPLORED = """\
Seeds that were run: {seeds}; five are the rule for static encoders. So few are exploratory, and nothing is
tested."""
FEWEST_SEEDS = 3
"""With fewer there are no tests and no intervals."""
GATE = """### Is the teacher better?

A teacher that ranks no better than its student is not worth imitating. On mini's development questions the teacher has
{teacher} {measure} (%), the untrained table {untrained}, the embedded model's recipe {student}: {verdict}."""


HELPED = """### Does the teacher help?

The same pairs and as many steps without a teacher are what imitation has to beat. Macro averages of the embedded model's
recipe, and of that control: {values}. {verdict}"""


def page(figures: dict[str, Any], table: str = "") -> str:
    """``table``: of all recipes."""
    trained, tracks = figures["trained"], figures["tracks"]
    seeds = sorted({run["seed"] for runs in trained.values() for run in runs})
    size = trained[UNTRAINED][0]["bytes"] / 1e6
    said = " ".join(map(str, seeds))
    # What is not trained has one.
    counts = {name: len(runs) for name, runs in trained.items() if any(run["stages"] for run in runs)}
    is_tested = min(counts.values(), default=0) >= FEWEST_SEEDS
    fewer = {name: count for name, count in counts.items() if count < len(seeds)}
    of_fewer = f" (fewer of {', '.join(f'`{name}`: {count}' for name, count in fewer.items())})" if fewer else ""
    judged = f"{JUDGED} {(TESTED if is_tested else EXPLORED).format(seeds=said + of_fewer)}"
    chosen = CHOSEN.format(untrained=UNTRAINED_SETTINGS, trainings=TRIAL_TRAININGS, looks=_looks(tracks))
    absent = [name for name in figures["recipes"] if name not in trained]
    rows = f" --rows {' '.join(trained)}" if absent else ""
    rows += f" --three {' '.join(fewer)}" if fewer else ""
    parts = [
        HEAD.format(seeds=said, rows=rows, size=size, judged=_filled(judged), chosen=_filled(chosen), overview=table)
    ]
    if gate := _gate(tracks):
        parts.append(gate)
    for track, found in tracks.items():
        parts.append("\n".join(_of_track(track, found, is_tested)))
    if helped := _helped(tracks, is_tested):
        parts.append(helped)
    parts.append("\n".join(_made(trained)))
    if absent:
        parts.append(f"Not trained for this page: {', '.join(f'`{name}`' for name in absent)}.")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _filled(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def _looks(tracks: dict[str, Any]) -> str:
    """How often questions that nothing is chosen by were asked: each model asks those of a track once."""
    counts = {
        track: sum(len(row["by_seed"]) for row in found["rows"].values())
        for track, found in tracks.items()
        if track != DEVELOPMENT
    }
    if not counts:
        return "No test question was asked."
    return f"Models that were scored on test questions for this page, each once: {_listed(counts)}."


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} on {track}" for track, count in counts.items())


def _gate(tracks: dict[str, Any]) -> str | None:
    found = tracks.get(DEVELOPMENT)
    if found is None or STUDENT not in found["rows"]:
        return None
    teacher = _macro(found, found["teacher"])
    student, untrained = (found["rows"][row]["macro"] for row in (STUDENT, UNTRAINED))
    verdict = "it is" if teacher > max(student, untrained) else "it is NOT, and nothing below is a distillation"
    values = {"teacher": percent(teacher), "student": percent(student), "untrained": percent(untrained)}
    return GATE.format(**values, measure=found["measure"], verdict=verdict)


def _helped(tracks: dict[str, Any], is_tested: bool) -> str | None:
    pairs = {
        track: (found["rows"][STUDENT]["macro"], found["rows"][TEACHERLESS]["macro"])
        for track, found in tracks.items()
        if {STUDENT, TEACHERLESS} <= found["rows"].keys()
    }
    if not pairs:
        return None
    ahead = [track for track, (own, control) in pairs.items() if own > control]
    verdict = f"With the teacher it is ahead on {', '.join(ahead) or 'none'} of them."
    if not is_tested:
        verdict += " So few seeds decide nothing, but no credit is the teacher's before the control is behind."
    values = "; ".join(f"{track} {percent(own)} and {percent(control)}" for track, (own, control) in pairs.items())
    head, _, text = HELPED.partition("\n\n")
    return f"{head}\n\n{_filled(text.format(values=values, verdict=verdict))}"


def _macro(found: dict[str, Any], values: dict[str, float]) -> float:
    return float(sum(values[part] for part in found["macro"]) / len(found["macro"]))


def _of_track(track: str, found: dict[str, Any], is_tested: bool) -> Iterator[str]:
    names = list(next(iter(found["rows"].values()))["parts"])
    yield f"### {track}, {found['measure']} (%)"
    yield ""
    last = " less untrained (95%) | p | could find | better in |" if is_tested else ""
    yield f"| row | {' | '.join(names)} | macro | seeds |{last}"
    yield f"|:---|{'---:|' * (len(names) + 1)}:---|{':---|---:|---:|---:|' if is_tested else ''}"
    for name, what in WHAT.items():
        if (row := found["rows"].get(name)) is not None:
            values = " | ".join(percent(row["parts"][part]) for part in names)
            spread = " ".join(percent(value) for value in row["by_seed"])
            tested = f" {_tested(row.get('against_untrained'), len(found['macro']))} |" if is_tested else ""
            yield f"| {what} | {values} | {percent(row['macro'])} | {spread} |{tested}"
    teacher = found.get("teacher")
    if teacher is not None:
        values = " | ".join(percent(teacher[part]) for part in names)
        yield f"| the teacher itself | {values} | {percent(_macro(found, teacher))} | |{' | | | |' if is_tested else ''}"
        if "en" in teacher and STUDENT in found["rows"]:
            own = found["rows"][STUDENT]["parts"]
            kept = ", ".join(f"{part} {100 * own[part] / teacher['en']:.0f}%" for part in names)
            yield ""
            yield f"Of the teacher's score with English questions the embedded model keeps: {kept}."


def _tested(found: dict[str, Any] | None, parts: int) -> str:
    if found is None:
        return "| | |"
    low, high = found["interval"] or (float("nan"), float("nan"))
    difference = f"{100 * found['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    could = percent(found["detectable"]) if found.get("detectable") is not None else ""
    return f"{difference} | {found['p']:.2g} | {could} | {found['better']} of {parts}"


def _made(trained: dict[str, Any]) -> Iterator[str]:
    yield "### How they were made"
    yield ""
    yield "Seconds are those of the first seed's training, the comparison with evaluation questions included, and the teacher's"
    yield "vectors where they were not in the cache yet; the load of the machine was not recorded."
    yield ""
    yield "| row | seconds | steps | tokens | last stage's mean loss | peak memory, MB |"
    yield "|:---|---:|---:|---:|---:|---:|"
    for name, what in WHAT.items():
        if name in trained:
            run = trained[name][0]
            stages = run["stages"]
            steps, tokens = (sum(stage[key] for stage in stages) for key in ("steps", "tokens"))
            peak = max((stage["peak_memory_bytes"] or 0 for stage in stages), default=0) / 1e6
            loss = f"{stages[-1]['mean_loss']:.4f}" if stages else ""
            yield f"| {what} | {run['seconds']:,.0f} | {steps:,} | {tokens:,} | {loss} | {peak:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--studies", type=Path, help="folder of the figures of benchmarks/mining_recipes.py")
    parser.add_argument("--records", type=Path, nargs="*", default=[], help="training.json of further recipes")
    parser.add_argument("--output", type=Path, default=Path("docs/recipes.md"))
    asked = parser.parse_args()
    figures = json.loads(asked.figures.read_text("utf-8"))
    files = {study: asked.studies / f"{study}.json" for study in STUDIES} if asked.studies else {}
    studies = {study: json.loads(file.read_text("utf-8")) for study, file in files.items() if file.is_file()}
    write_text(asked.output, page(figures, overview(figures, studies, asked.records)))


if __name__ == "__main__":
    main()
