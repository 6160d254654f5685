"""The commands of a page's boxes: ours that make it again, and others' that check it without our code."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import NamedTuple

from harness.leaderboard.site.evidence import Site
from harness.runs.score_file import ScoreFile
from harness.tracks import Part

TOKEN_SCRIPT = "token_recall.py"


class Check(NamedTuple):
    """One tool's commands, and what its numbers are to be held against; ``expects``: measures, values with four decimals."""

    tool: str
    says: str
    commands: tuple[str, ...]
    expects: tuple[tuple[str, str], ...] = ()


def checks_of(site: Site, score: ScoreFile, part: str = "") -> list[Check]:
    """Checks of one system's run, on the named part, or on the first where ties do not leave the order to the tools."""
    if site.track.is_at_hand:
        return []
    return [*_ranking_checks(site, score, part), *_token_check(site, score, part), *_official_check(site, score)]


def first_checks(site: Site, part: str = "") -> list[Check]:
    """Checks of the highest row for which there are most of them."""
    found = [checks_of(site, score, part) for score in site.scores]
    return max(found, key=len, default=[])


def _ranking_checks(site: Site, score: ScoreFile, wanted: str) -> list[Check]:
    measures = list(_known_to(site, "ir_measures").values())
    part = _part_without_ties(site, score, wanted)
    if not measures or part is None:
        return []
    export = site.commands.export_data(part, "exported")
    run = shlex.quote(f"{site.commands.run_folder(score.system)}/{part.name}.trec.gz")
    says = f"{', '.join(measures)} on {part.name}"
    expects = _expected(score, part.name, _known_to(site, "ir_measures"))
    shown = (export, f"ir_measures exported/qrels.txt {run} {' '.join(measures)}")
    checks = [Check("ir_measures", says, shown, expects)]
    options = _known_to(site, "trec_eval")
    if options:
        says = f"{', '.join(options)} on {part.name}"
        # trec_eval reads no gzip, and its cutoff of the reciprocal rank holds for a whole call.
        lines = [
            f"gunzip -c {run} > run.trec",
            *(f"trec_eval {option} exported/qrels.txt run.trec" for option in options.values()),
        ]
        checks.append(Check("trec_eval", says, (export, *lines), _expected(score, part.name, options)))
    return checks


def _expected(score: ScoreFile, part: str, measures: Iterable[str]) -> tuple[tuple[str, str], ...]:
    means = ((name, score.mean(part, name)) for name in measures)
    return tuple((name, f"{mean:.4f}") for name, mean in means if mean is not None)


def _token_check(site: Site, score: ScoreFile, wanted: str) -> list[Check]:
    """Recall in the first tokens, by a script of a few lines that needs NLTK alone and lies beside the pages."""
    budgets = site.budgets
    part = next(
        (
            part
            for part in site.track.clean_parts
            if wanted in ("", part.name) and part.name in score.context["rankings"]
        ),
        None,
    )
    if not budgets or part is None:
        return []
    run = shlex.quote(f"{site.commands.run_folder(score.system)}/{part.name}.trec.gz")
    asked = " ".join(str(budget) for budget in budgets.values())
    return [
        Check(
            "a script of its own, with NLTK alone",
            f"{', '.join(budgets)} on {part.name}; it lies beside these pages, assets/{TOKEN_SCRIPT}",
            (
                site.commands.export_data(part, "exported"),
                "python -m nltk.downloader punkt_tab",
                f"python {TOKEN_SCRIPT} exported {run} {asked}",
            ),
            _expected(score, part.name, budgets),
        )
    ]


def _known_to(site: Site, tool: str) -> dict[str, str]:
    """The track's measures that a program of others computes too, and what it calls them."""
    measures = {name: site.track.measure(name) for name in site.track.measures}
    return {name: measure.known_as[tool] for name, measure in measures.items() if tool in measure.known_as}


def _part_without_ties(site: Site, score: ScoreFile, wanted: str) -> Part | None:
    for part in site.track.clean_parts:
        if (
            wanted in ("", part.name)
            and part.name in score.context["rankings"]
            and part.name not in score.context["ties"]
        ):
            return part
    return None


def _official_check(site: Site, score: ScoreFile) -> list[Check]:
    measures = _known_to(site, "xor-retrieve")
    if not measures:
        return []
    return [
        Check(
            "the official script of XOR-Retrieve",
            f"{', '.join(measures)} of every language",
            (
                site.commands.export_predictions(score.system, "predictions.json", "questions.jsonl"),
                "python eval_xor_retrieve.py --data_file questions.jsonl --pred_file predictions.json",
            ),
        )
    ]
