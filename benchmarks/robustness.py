"""Write the page of robustness from recorded comparisons and the figures of pairs; nothing is run or computed here.

python benchmarks/robustness.py --runs runs --pairs pairs.json [--output docs/robustness.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.adapters.card import load_card
from harness.compare.records import MACRO, Comparison, Drop, DropDifference, Transfer, read_comparison
from harness.files.writing import write_text
from harness.leaderboard.exports.table import SEEN
from harness.leaderboard.findings.adversaries import excluded
from harness.leaderboard.seen import seen_columns
from harness.numbers import DASH, interval, percent, probability
from harness.tracks import Track, load_track

ATTACKS = {
    "xquad-perturbed-attacked-63ddc31c": (
        "xquad-perturbed",
        "mini-xdr --recipe typo-swap --budget 10 --to mini-zero-shot --to mini-distilled --to bm25",
    ),
    "mini-attacked-6f83ec31": ("mini", "mini-xdr --recipe typo-swap --budget 10 --to mini-zero-shot --to bm25"),
}
"""By the track that an attack made, the one of which questions were chosen, and the rest of the command."""
TRACKS = ("xquad-perturbed", "paws-x-drop", "paws-x-sample", "paws-x-sample-me5")
HEAD = """# What perturbations and adversaries cost

Written by a command from recorded comparisons:

{commands}
    python benchmarks/robustness.py --runs runs --pairs pairs.json

How drops are tested stands in [perturbed.md](perturbed.md), whether that holds in [statistics.md](statistics.md). Values are
points of {primary}. A † is a system whose training may have held the collection, as its card says: absolute values are
upper bounds; a drop is bounded neither way. A control shows what an effect does not come from. What finds less can lose less:
read no drop without the values that it comes from.
Intervals are 95%, each of one number alone. "Could find" is the smallest drop that the test finds in four of five cases.
"""
SEEN_BEFORE = """
## Seen before declaring

The families stand in the tracks' files and were written before these runs. Some of it had been seen: what one typo, of four
kinds, costs mini-xdr in Success@10 on XQuAD (3 to 6 points in eight languages), what two typos cost it on the Finnish questions
of mini, that shuffling words changes nothing for it, Success@1 of bm25 and mini-xdr on `paws-x/de` and `paws-x/de/clean`, and
the AUC of pairs. Before the attack one on mini had been run, whose choice cost mini-zero-shot 13 points of R@500t beyond
unselected draws, and bm25 one. The ids of twins were changed after a first run of mini-xdr, in which they won all ties.

## What this does not show

- The perturbations are made by rules, not by people; the questions of XQuAD and PAWS-X are translations.
- XQuAD's pool has 240 paragraphs, so that absolute values are far above those on millions.
- Two systems are two systems: nothing here says that their kinds differ.
- A static encoder adds up the vectors of pieces, whatever their order. A twin has the pieces of its passage, so that both
  have one score, and a coin decides: what it loses there is lost by construction.
- The written questions of the sample have one writer, a large language model, and were read by nobody else. Weights are those
  of mini, chosen on its development questions, which flatter questions.
"""
NOT_ANSWERED = "\nNot answered: no comparison of the track `{name}` is recorded.\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("docs/robustness.md"))
    arguments = parser.parse_args()
    write_text(arguments.output, page(arguments.runs, json.loads(arguments.pairs.read_text("utf-8"))))
    return 0


def page(runs: Path, pairs: dict[str, Any]) -> str:
    commands = [f"    xdr leaderboard {name}" for name in TRACKS]
    cards = " ".join(name for name in pairs["systems"] if name != "word Jaccard")
    commands.append(f"    python benchmarks/paws_pairs.py {cards} --figures pairs.json")
    attacks = {made: own for made, own in ATTACKS.items() if (runs / made / "comparison.json").is_file()}
    for name, rest in attacks.values():
        commands += [
            f"    xdr attack {name} {rest} --out {name}-attack",
            f"    xdr leaderboard {name}-attack/track.toml",
        ]
    tracks = [load_track(name) for name in TRACKS]
    sections = [section(track, runs / track.name / "comparison.json") for track in tracks]
    head = HEAD.format(commands="\n".join(commands), primary=tracks[0].primary)
    attacked = [section_of_attack(runs / made, load_track(name)) for made, (name, _) in attacks.items()]
    return "".join([head, *sections, *attacked, section_of_pairs(pairs), SEEN_BEFORE])


def section(track: Track, file: Path) -> str:
    head = f"\n## {track.title}\n"
    if not file.is_file():
        return head + NOT_ANSWERED.format(name=track.name)
    found = read_comparison(file)
    planned = [drop for drop in found.drops if drop.p_adjusted is not None]
    size = size_of(found, "drops")
    lines = ["", *(f"- {answer(track, drop)}" for drop in planned)]
    if absent := [system for system in track.systems if system not in found.systems]:
        lines.append(
            f"- Not answered for {', '.join(absent)}: not run. Of the {size} tests of drops that were declared, "
            f"{len(planned)} are here; p is corrected for all, the others counting as p = 1."
        )
    lines += [*(f"- {answer_to(track, one, found)}" for one in found.drop_differences), ""]
    lines += table(
        ("system", "perturbation", "clean", "perturbed", "drop", "95%", "p, corrected", "could find", "hits kept"),
        [
            (
                named(track, drop.system),
                f"{drop.perturbation} ({drop.draws})",
                percent(drop.clean),
                percent(drop.perturbed),
                percent(drop.drop, 2, signed=True) + "*" * bool(drop.significant),
                interval(drop.interval),
                probability(drop.p_adjusted),
                percent(drop.detectable, 2),
                f"{percent(drop.retention)} {interval(drop.retention_interval, signed=False)}",
            )
            for drop in planned
        ],
    )
    lines += ["", f"Macro averages, {tests(size, len(planned))}; in brackets how many draws.", ""]
    lines += [*by_language(track, found), *differences(track, found)]
    return head + "\n".join(lines) + "\n"


def size_of(found: Comparison, name: str) -> int:
    """How many tests a family was declared with, those of systems included that were not run."""
    return next((family.size for family in found.families if family.name == name), 0)


def tests(size: int, here: int) -> str:
    """
    >>> tests(8, 4), tests(1, 1)
    ('8 planned tests, of which 4 are here', '1 planned test')
    """
    return f"{size} planned test{'s' * (size != 1)}{f', of which {here} are here' * (here < size)}"


def answer(track: Track, drop: Drop) -> str:
    """One sentence: what is lost, or which drops are excluded."""
    who = f"{named(track, drop.system)}, {drop.perturbation}"
    p = f"p {probability(drop.p_adjusted)}"
    if drop.significant:
        verb = "loses" if drop.drop > 0 else "gains"
        share = f", {percent(drop.retention)}% of its hits are kept" if drop.retention is not None else ""
        return f"**{who}**: {verb} {percent(abs(drop.drop), 2)} points {interval(drop.interval)}, {p}{share}."
    excluded = f"drops above {percent(drop.interval.upper, 2)} points are excluded" if drop.interval else "no interval"
    found = f"{percent(drop.drop, 2, signed=True)}, {p}"
    return f"**{who}**: no drop is shown ({found}); {excluded}, and {percent(drop.detectable, 2)} could be found."


def answer_to(track: Track, one: DropDifference, comparison: Comparison) -> str:
    """One sentence: whether it loses more or less than the other, or what is excluded; or that it has fewer to lose."""
    who, p = (
        f"**{named(track, one.system)} against {named(track, one.against)}, {one.perturbation}**",
        probability(one.p_adjusted),
    )
    if one_sided(track, one):
        size = f"{percent(one.difference, 2, signed=True)} points {interval(one.interval)}"
        return f"{who}: {size}, p {p}; no verdict, since the training of one of the two alone may have held the data."
    less = ""
    if fewer := comparison.fewer_to_lose(one):
        less = f"; it has fewer to lose (clean {percent(fewer[0])} against {percent(fewer[1])})"
    if one.significant:
        verb = "more" if one.difference > 0 else "fewer"
        return f"{who}: loses {percent(abs(one.difference), 2)} points {verb} {interval(one.interval)}, p {p}{less}."
    return f"{who}: no difference of drops is shown ({percent(one.difference, 2, signed=True)}, p {p}){excluded(one)}{less}."


def one_sided(track: Track, one: DropDifference) -> bool:
    """Whether the training of one of the two alone may have held the data, so that no verdict rests on the difference."""
    return has_seen(track, one.system) != has_seen(track, one.against)


def has_a_verdict(track: Track, one: DropDifference, comparison: Comparison) -> bool:
    return one.significant and not comparison.fewer_to_lose(one) and not one_sided(track, one)


def by_language(track: Track, found: Comparison) -> list[str]:
    """Clean and perturbed side by side, by kind and language."""
    columns = [part.name for part in track.clean_parts]
    cells = {(d.system, d.perturbation, d.column): d for d in found.drops if d.measure == track.primary}
    rows = []
    for system, perturbation in dict.fromkeys((system, kind) for system, kind, _ in cells):
        own = [cells.get((system, perturbation, column)) for column in columns]
        rows.append(
            (
                named(track, system),
                perturbation,
                *(f"{percent(d.clean)} → {percent(d.perturbed)}" if d else DASH for d in own),
            )
        )
    head = ("system", "perturbation", *columns)
    return ["By language, clean → perturbed (exploratory):", "", *table(head, rows), ""]


def differences(track: Track, found: Comparison) -> list[str]:
    if not found.drop_differences:
        return []
    size = size_of(found, "differences of drops")

    def cells(one: DropDifference) -> tuple[str, ...]:
        both = (
            "-"
            if one.conditioned is None
            else f"{percent(one.conditioned, 2, signed=True)} {interval(one.conditioned_interval)}"
        )
        return (
            named(track, one.system),
            one.perturbation,
            percent(one.difference, 2, signed=True) + "*" * has_a_verdict(track, one, found),
            interval(one.interval),
            probability(one.p_adjusted),
            both,
            f"{one.conditioned_topics:,}",
        )

    words = (
        f"Drop less that of {named(track, found.baseline)}, {tests(size, len(found.drop_differences))}. *Both hit*: on the "
        "questions that both systems hit cleanly, which is conditioned on a result and tested by nothing. No * where a system "
        "has fewer to lose, or its training alone may have held the data."
    )
    head = ("system", "perturbation", "difference of drops", "95%", "p, corrected", "both hit", "questions")
    return [words, "", *table(head, [cells(one) for one in found.drop_differences])]


def section_of_attack(folder: Path, track: Track) -> str:
    """What questions chosen against one system cost it and others, beside unselected ones."""
    head = f"\n## {track.name}: questions chosen against a system\n"
    found = read_comparison(folder / "comparison.json")
    attack = json.loads((folder / "attack.json").read_text("utf-8"))
    macro = [one for one in found.transfers if one.column == MACRO]
    system, recipe, budget = (
        attack["attack"]["system"]["name"],
        attack["attack"]["recipe"]["name"],
        attack["attack"]["budget"],
    )
    words = f"""
{system} was asked {budget} draws of {recipe} of every question, and the one was kept that it answers worst;
{attack["asked"]:,} texts were asked. What that costs {system} is by construction, and not tested; tested is whether it costs
others more than three draws that nobody selected, macro average of {track.primary}, one family.

"""
    lines = [*(f"- {answer_of_transfer(track, one)}" for one in macro if one.p_adjusted is not None), ""]
    lines += table(
        (
            "system",
            "clean",
            "unselected",
            f"worst of {budget}",
            "loss beyond unselected",
            "95%",
            "p, corrected",
            "could find",
        ),
        [
            (
                named(track, one.system),
                percent(one.clean),
                percent(one.unselected),
                percent(one.found),
                percent(one.loss, 2, signed=True) + "*" * bool(one.significant),
                interval(one.interval),
                "not tested" if one.p_adjusted is None else probability(one.p_adjusted),
                DASH if one.detectable is None else percent(one.detectable, 2),
            )
            for one in sorted(macro, key=lambda one: one.p_adjusted is not None)
        ],
    )
    steps = list(next(iter(attack["parts"].values()))["worst"])
    lines += ["", f"{system}, judged passage first, by budget (% of questions):", ""]
    lines += table(
        ("language", "clean", f"mean of {budget}", *(f"worst of {step}" for step in steps)),
        [
            (name, percent(own["clean"]), percent(own["unselected"]), *(percent(own["worst"][step]) for step in steps))
            for name, own in attack["parts"].items()
        ],
    )
    return head + words + "\n".join(lines) + "\n"


def answer_of_transfer(track: Track, one: Transfer) -> str:
    """One sentence: whether what was chosen against one system costs another more than unselected edits."""
    who, p = f"**{named(track, one.system)}**", f"p {probability(one.p_adjusted)}"
    size = percent(abs(one.loss), 2)
    if one.significant:
        verb = "loses" if one.loss > 0 else "gains"
        return f"{who}: {verb} {size} points beyond the unselected draws {interval(one.interval)}, {p}."
    excluded = f"; losses above {percent(one.interval.upper, 2)} points are excluded" if one.interval else ""
    found = f"{percent(one.loss, 2, signed=True)}, {p}"
    return f"{who}: no transfer is shown ({found}){excluded}, and {percent(one.detectable, 2)} could be found."


def section_of_pairs(pairs: dict[str, Any]) -> str:
    sides = list(dict.fromkeys(side for own in pairs["systems"].values() for side in own))

    def cell(own: dict[str, Any] | None) -> str:
        if own is None:
            return DASH
        lower, upper = own["interval"]
        return f"{own['auc']:.3f} [{lower:.3f}, {upper:.3f}] / {percent(own['accuracy'])}"

    rows = [(name, *(cell(own.get(side)) for side in sides)) for name, own in pairs["systems"].items()]
    best = max((own["auc"], name, side) for name, systems in pairs["systems"].items() for side, own in systems.items())
    text = f"""
## PAWS-X as pairs

Is a similarity a test of paraphrase? {pairs["rows"]:,} pairs with {pairs["first sentences"]:,} different first sentences, whose
label is the same in all files. The highest AUC of any system is {best[0]:.3f} ({best[1]}, {best[2]}); 0.5 is chance. Of the
pairs {percent(pairs["majority"])}% have the more frequent label, which is the accuracy of looking at nothing.

AUC [95%, first sentences resampled] / accuracy in %, ten folds by first sentence, with the threshold that is best on the other
nine. The first sentence is encoded as a question, the second as a passage; columns are their languages.

"""
    return text + "\n".join(table(("system", *sides), rows)) + "\n"


def has_seen(track: Track, system: str) -> bool:
    return bool(seen_columns(track, load_card(system).card.may_have_seen))


def named(track: Track, system: str) -> str:
    """The system with a † where its card says that it may have seen the track's data, and whether it is a control."""
    is_control = load_card(system).card.kind == "control"
    return f"{system}{f' {SEEN}' * has_seen(track, system)}{' (control)' * is_control}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    raise SystemExit(main())
