"""Hold every measure that ir-measures names against ir-measures itself, on raw files, and write the table of docs/measures.md.

python benchmarks/provider_measures.py [--output docs/measures.md] [--runs 40]

Each measure is tried with all combinations of a few values of its parameters, on the recorded runs of `mini` and on random runs
with awkward ids, ties, grades from -1 to 3, questions without a ranking and passages without a judgement.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ir_measures

from harness.errors import WrongUsage
from harness.files.writing import write_text
from harness.measures import Judged, parse, score_all
from harness.measures.from_qrels import FromQrels
from harness.measures.names import provider_of
from harness.records import Query
from harness.runs.trec import Expected, read_run

BEGIN, END = "<!-- written by benchmarks/provider_measures.py -->", "<!-- end -->"
NEAR = 1e-12
_VALUES: dict[str, tuple[Any, ...]] = {
    "cutoff": (None, 1, 5, 100),
    "rel": (None, 0, 2),
    "judged_only": (None, True),
    "dcg": (None, "exp-log2"),
    "gains": (None, {1: 3, 2: 7}),
    "p": (None, 0.5),
    "normalize": (None, False),
    "beta": (None, 0.5),
    "relative": (None, True),
    "recall": (0.0, 0.1, 0.55, 1.0),
    "max_rel": (3,),
}
# Where these break ties, they break them in another way than trec_eval, by whose rule runs are ordered here.
_OWN_TIES = {"compat", "judged", "msmarco", "gdeval"}
_AWKWARD_QUERIES = (
    "q0",
    "ar-001",
    "001",
    "1",
    "-2745676532874802308",
    "5a7b0e1f",
    "вопрос/7",
    "a--1",
    "質問-2",
    "0x1f",
    "amean",
)
_AWKWARD_DOCS = ("d0", "10", "9", "-1", "Doc/α#1", "doc-2", "ﬁ", "d0:0", "Q0", "日本-3", "z", "0", "1e5", "nan", "%41")


@dataclass(frozen=True)
class Case:
    """A run file and the judgements that it is scored by; ``queries`` are all of the part's, judged or not."""

    queries: tuple[str, ...]
    qrels: Mapping[str, Mapping[str, int]]
    docs: frozenset[str]
    run: Path
    depth: int


@dataclass
class Outcome:
    """What became of the forms of one measure."""

    computed_by: dict[str, None] = field(default_factory=dict)
    equal: int = 0
    unequal: int = 0
    undefined: int = 0
    forms: int = 0
    refused: dict[str, list[str]] = field(default_factory=dict)


def forms() -> dict[str, list[str]]:
    """All forms of every measure that ir-measures names, with valid parameters, by its name there."""
    found: dict[str, list[str]] = {}
    for name, measure in sorted(ir_measures.measures.registry.items()):
        if name != measure.NAME and not measure.params:
            continue  # another name of a measure
        keys = [key for key in measure.SUPPORTED_PARAMS if key not in measure.params]
        for chosen in itertools.product(*(_VALUES.get(key, (None,)) for key in keys)):
            given = {key: value for key, value in zip(keys, chosen, strict=True) if value is not None}
            try:
                measure(**given).validate_params()
            except AssertionError:
                continue
            at = f"@{given.pop(measure.AT_PARAM)}" if measure.AT_PARAM in given else ""
            inner = ", ".join(f"{key}={value!r}" for key, value in given.items())
            found.setdefault(name, []).append(f"{name}({inner}){at}" if inner else f"{name}{at}")
    return found


def random_case(seed: int, folder: Path) -> Case:
    """A run and judgements that hold whatever is allowed, and that somebody's tool trips over."""
    rng = random.Random(seed)
    queries = rng.sample(_AWKWARD_QUERIES, rng.randrange(3, len(_AWKWARD_QUERIES) + 1))
    qrels = {
        q: {d: rng.choice((-1, 0, 0, 1, 1, 2, 3)) for d in rng.sample(_AWKWARD_DOCS, rng.randrange(1, 9))}
        for q in queries
    }
    for grades in qrels.values():
        if max(grades.values()) < 0:  # pytrec_eval would overwrite foreign memory
            grades[next(iter(grades))] = 0
    unjudged = qrels.pop(queries[0])
    qrels = {**qrels, "of another part": unjudged} if seed % 2 else qrels
    lines = []
    for query in queries[: -1 if seed % 3 else None]:  # now and then all have a ranking
        ranked = rng.sample(_AWKWARD_DOCS, rng.randrange(1, len(_AWKWARD_DOCS) + 1))
        # Coarse scores are ties; the last two are equal as 32-bit floats alone.
        scores = [rng.choice((-2.5, 0.0, 1.0, 1.0, 3.25, 16777216.0, 16777217.0)) for _ in ranked]
        lines += [
            f"{query} Q0 {doc} {rank} {score} run\n"
            for rank, (doc, score) in enumerate(zip(ranked, scores, strict=True))
        ]
    path = folder / f"random-{seed}.trec"
    path.write_text("".join(lines), "utf-8")
    return Case(tuple(queries), qrels, frozenset(_AWKWARD_DOCS), path, len(_AWKWARD_DOCS))


def cases_of_mini(root: Path, systems: Sequence[str] = ()) -> Iterator[Case]:
    """The recorded runs of the embedded track, of some systems or of all."""
    from harness.runs.score import judged_part
    from harness.tracks import load_track

    track = load_track("mini")
    for part in track.parts:
        judged = judged_part(part)
        docs = frozenset(judged.docs.ids)
        for system in systems or track.systems:
            run = root / "runs" / track.name / system / f"{part.name}.trec.gz"
            yield Case(judged.query_ids, dict(judged.collection.qrels or {}), docs, run, track.depth)


def ours(names: Sequence[str], case: Case) -> dict[str, dict[str, float]]:
    """Values by measure and query, the way a track is scored: the file is read, ordered, and handed to the measures."""
    run, _ = read_run(case.run, Expected(list(case.queries), case.docs, case.depth))
    collection: Any = SimpleNamespace(
        qrels=case.qrels, answers=None, queries=[Query(query, "?", "xx", query) for query in case.queries]
    )
    rankings = {query: ranked.doc_ids for query, ranked in run.rankings.items()}
    return score_all([parse(name) for name in names], Judged(collection), rankings)


def of_ir_measures(name: str, case: Case) -> dict[str, float]:
    """Values by query of ir-measures alone, from the raw file.

    Providers that break ties in their own way read the file with its order, trec_eval's, as scores; gdeval, which knows no
    other ids, with numbered queries.
    """
    measure = ir_measures.parse_measure(name)
    provider = provider_of(measure).NAME
    qrels = {query: dict(case.qrels[query]) for query in case.queries if query in case.qrels}
    run = list(ir_measures.read_trec_run(str(case.run)))
    if provider in _OWN_TIES:
        run = _without_ties(run)
    numbers = {query: str(number) if provider == "gdeval" else query for number, query in enumerate(qrels, 7)}
    numbered = [scored._replace(query_id=numbers[scored.query_id]) for scored in run if scored.query_id in numbers]
    found = ir_measures.iter_calc([measure], {numbers[query]: grades for query, grades in qrels.items()}, numbered)
    names = {number: query for query, number in numbers.items()}
    return {names[metric.query_id]: float(metric.value) for metric in found}


def _without_ties(run: Sequence[Any]) -> list[Any]:
    import numpy as np

    ordered = sorted(run, key=lambda row: (float(np.float32(row.score)), row.doc_id.encode()))
    return [row._replace(score=place) for place, row in enumerate(ordered, 1)]


def compare(cases: Sequence[Case]) -> dict[str, Outcome]:
    """Every form of every measure on all cases, by the measure's name."""
    outcomes = {}
    for name, its_forms in forms().items():
        outcome = outcomes[name] = Outcome()
        usable = []
        for form in its_forms:
            try:
                measure = parse(form)
            except WrongUsage as error:
                outcome.refused.setdefault(error.message.partition("cannot be used: ")[2], []).append(form)
                continue
            usable.append(form)
            provider = provider_of(ir_measures.parse_measure(form)).NAME
            outcome.computed_by[provider if isinstance(measure, FromQrels) else f"here, as {provider}"] = None
        outcome.forms = len(usable)
        for case in cases if usable else ():
            values = ours(usable, case)
            for form in usable:
                expected = of_ir_measures(form, case)
                undefined = sum(math.isnan(value) for value in expected.values())
                outcome.undefined += undefined
                expected = {query: 0.0 if math.isnan(value) else value for query, value in expected.items()}
                same = sum(abs(values[form].get(q, math.nan) - value) <= NEAR for q, value in expected.items())
                outcome.equal += same
                outcome.unequal += max(len(expected), len(values[form])) - same
    return outcomes


def table(outcomes: Mapping[str, Outcome], random_runs: int, runs_of_mini: int) -> str:
    """The two tables of the page, of what is used and of what is refused."""
    lines = [
        BEGIN,
        f"`python benchmarks/provider_measures.py --runs {random_runs}`: {random_runs} random runs with awkward ids and "
        f"{runs_of_mini} run files of `mini`; ir-measures {metadata.version('ir-measures')}, pytrec_eval-terrier "
        f"{metadata.version('pytrec-eval-terrier')}. A value is unequal if it differs by more than {NEAR:g}. "
        f"Where ir-measures returns no number ({sum(outcome.undefined for outcome in outcomes.values()):,} values of precision "
        "at a recall, among judged passages, where a ranking holds none), the value here is 0.",
        "",
        "| measure | forms | computed by | values compared | unequal |",
        "|---|---:|---|---:|---:|",
    ]
    for name, outcome in outcomes.items():
        if outcome.forms:
            who = "; ".join(sorted(outcome.computed_by))
            lines.append(
                f"| {_with_aliases(name)} | {outcome.forms} | {who} | {outcome.equal + outcome.unequal:,} | {outcome.unequal} |"
            )
    by_reason: dict[str, list[str]] = {}
    for name, outcome in outcomes.items():
        for reason, refused in outcome.refused.items():
            forms_of_it = name if not outcome.forms and len(outcome.refused) == 1 else f"{name} (as in `{refused[0]}`)"
            by_reason.setdefault(reason, []).append(forms_of_it)
    lines += ["", "Refused, with the reason that the error gives:", "", "| measures | reason |", "|---|---|"]
    lines += [f"| {', '.join(names)} | {reason} |" for reason, names in by_reason.items()]
    return "\n".join([*lines, END])


def _with_aliases(name: str) -> str:
    registry = ir_measures.measures.registry
    aliases = [other for other, measure in registry.items() if other != name and measure is registry[name]]
    return f"{name} ({', '.join(aliases)})" if aliases else name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/measures.md"))
    parser.add_argument("--runs", type=int, default=40, help="random runs")
    arguments = parser.parse_args()
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        mini = list(cases_of_mini(root))
        cases = [random_case(seed, Path(folder)) for seed in range(arguments.runs)] + mini
        outcomes = compare(cases)
    text = arguments.output.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[-1]
    write_text(arguments.output, before + table(outcomes, arguments.runs, len(mini)) + after)
    return 1 if any(outcome.unequal for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
