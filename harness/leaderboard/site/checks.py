"""The commands of a page's boxes: ours that make it again, and others' that check it without our code."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from harness.leaderboard.site.evidence import Site
from harness.measures import parse
from harness.measures.from_qrels import OfJudgements
from harness.runs.score_file import ScoreFile
from harness.tracks import Part

OFFICIAL_BUDGETS = frozenset({2000, 5000})
_TREC_EVAL = {"RR": "recip_rank", "P": "P", "R": "recall", "Success": "success", "AP": "map", "nDCG": "ndcg"}
_CUT = {"P": "P", "R": "recall", "Success": "success", "nDCG": "ndcg_cut", "AP": "map_cut"}
_NAME = re.compile(r"([A-Za-z]+)(?:@([0-9]+))?")


class Check(NamedTuple):
    """One tool's commands, and what its numbers are to be held against."""

    tool: str
    says: str
    commands: tuple[str, ...]


def checks_of(site: Site, score: ScoreFile, part: str = "") -> list[Check]:
    """Checks of one system's run, on the named part, or on the first where ties do not leave the order to the tools."""
    return [*_ranking_checks(site, score, part), *_official_check(site, score)]


def first_checks(site: Site, part: str = "") -> list[Check]:
    """Checks of the highest row for which there are most of them."""
    found = [checks_of(site, score, part) for score in site.scores]
    return max(found, key=len, default=[])


def _ranking_checks(site: Site, score: ScoreFile, wanted: str) -> list[Check]:
    measures = [name for name in site.track.measures if isinstance(parse(name), OfJudgements)]
    part = _part_without_ties(site, score, wanted)
    if not measures or part is None:
        return []
    export = site.commands.export_data(part, "exported")
    run = shlex.quote(f"{site.commands.run_folder(score.system)}/{part.name}.trec.gz")
    says = f"{', '.join(measures)} on {part.name}"
    checks = [Check("ir_measures", says, (export, f"ir_measures exported/qrels.txt {run} {' '.join(measures)}"))]
    options = {name: option for name in measures if (option := trec_eval_option(name))}
    if options:
        says = f"{', '.join(options)} on {part.name}"
        # trec_eval reads no gzip, and its cutoff of the reciprocal rank holds for a whole call.
        lines = [
            f"gunzip -c {run} > run.trec",
            *(f"trec_eval {option} exported/qrels.txt run.trec" for option in options.values()),
        ]
        checks.append(Check("trec_eval", says, (export, *lines)))
    return checks


def trec_eval_option(measure: str) -> str:
    """trec_eval's options for a measure of ir-measures; empty where there are none. -c counts missing queries as 0.

    >>> trec_eval_option("RR@10"), trec_eval_option("nDCG@10"), trec_eval_option("RBP")
    ('-c -M 10 -m recip_rank', '-c -m ndcg_cut.10', '')
    """
    match = _NAME.fullmatch(measure)
    if match is None:
        return ""
    name, cutoff = match[1], match[2]
    if name == "RR" and cutoff:
        return f"-c -M {cutoff} -m recip_rank"
    if cutoff:
        return f"-c -m {_CUT[name]}.{cutoff}" if name in _CUT else ""
    return f"-c -m {_TREC_EVAL[name]}" if name in _TREC_EVAL else ""


def _part_without_ties(site: Site, score: ScoreFile, wanted: str) -> Part | None:
    for part in site.track.parts:
        if (
            wanted in ("", part.name)
            and part.name in score.context["rankings"]
            and part.name not in score.context["ties"]
        ):
            return part
    return None


def _official_check(site: Site, score: ScoreFile) -> list[Check]:
    budgets = [name for name, budget in site.budgets.items() if budget in OFFICIAL_BUDGETS]
    if not budgets:
        return []
    return [
        Check(
            "the official script of XOR-Retrieve",
            f"{', '.join(budgets)} of every language",
            (
                site.commands.export_predictions(score.system, "predictions.json", "questions.jsonl"),
                "python eval_xor_retrieve.py --data_file questions.jsonl --pred_file predictions.json",
            ),
        )
    ]
