"""What the pages' scripts load when a reader asks for it: questions, scores by system, rankings' heads, passages, forms."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import progress
from harness.adapters.card import speaking_of
from harness.compare.records import MACRO, Standing, planned_family
from harness.compare.subsets import (
    MOST_LANGUAGES_FOR_ALL_SUBSETS,
    SubsetStatistics,
    forms_of_all,
    randomization_counts,
    subset_statistics,
)
from harness.languages import language
from harness.leaderboard.site.packing import packed, packed_numbers, packed_scores, write_data
from harness.leaderboard.site.pools import FILE_PASSAGES, Pool
from harness.leaderboard.table import Leaderboard
from harness.progress import Advance
from harness.records import Passages
from harness.runs.commands import Commands
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.tracks import Part, Track

HEAD = 10
SHOULD = 3
"""So many of a question's relevant passages are shown with their rank, whoever found them."""
BOUNDS = {"ceiling": "Ceiling", "random": "Random ranking"}
"""What stands in a table's foot, in its order: fields of a leaderboard's column, and their names for people."""


@dataclass(frozen=True)
class Site:
    """What a track's pages are made of; ``scores`` stand in the order of the board's rows, ``folder`` is the track's own."""

    board: Leaderboard
    scores: tuple[ScoreFile, ...]
    runs: TrackRuns
    folder: Path

    @property
    def track(self) -> Track:
        return self.runs.track

    @property
    def commands(self) -> Commands:
        return Commands(self.track, self.runs.root, public=True)

    @property
    def budgets(self) -> dict[str, int]:
        """Token budget of each measure that has one."""
        budgets = {name: self.track.measure(name).token_budget for name in self.track.measures}
        return {name: budget for name, budget in budgets.items() if budget is not None}

    def score(self, system: str) -> ScoreFile:
        return self._by_name[system]

    @functools.cached_property
    def _by_name(self) -> dict[str, ScoreFile]:
        return {score.system: score for score in self.scores}

    def rankings(self, system: str, part: str) -> Mapping[str, Sequence[str]]:
        """The system's rankings to the track's depth, by query id; none where the part was not run."""
        return self.runs.run(system).heads(part, self.track.depth)

    def stands_on(self, system: str) -> Sequence[str]:
        """The rows whose runs the system's own run was made of."""
        return self.runs.run(system).manifest.rows

    def measure_page(self, measure: str) -> str:
        """File name of a measure's table: the primary one's is the track's own page."""
        return "index.html" if measure == self.track.primary else f"measure-{slug(measure)}.html"


def slug(measure: str) -> str:
    """A measure's name as part of a file name, different for different names.

    >>> slug("R@500t"), slug("nDCG(dcg='exp-log2')@10")
    ('R-at-500t', 'nDCG_28dcg_3D_27exp-log2_27_29-at-10')
    """
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-@") else f"_{ord(c):02X}" for c in measure)
    return safe.replace("@", "-at-")


def write_statistics(site: Site, pools: Mapping[str, Pool], costs: Mapping[str, Sequence[str]]) -> None:
    """Write what the tables' scripts need: the board, and the forms of every measure; ``costs``: of a system, in words."""
    parts = [part.name for part in site.track.clean_parts]
    measures = []
    total = len(site.track.measures) * len(site.scores)
    with progress.task("compute the pages' statistics", total, "tables") as advance:
        for measure in site.track.measures:
            # One measure at a time: the shares of units are by far the largest arrays of the site.
            statistics = subset_statistics(site.scores, parts, measure)
            _write_forms(site, measure, statistics, advance)
            measures.append(_measure_data(site, measure, statistics))
            # Float64, systems x parts, nan for a dash; apart, since a page shows one measure.
            write_data(site.folder, f"means/{slug(measure)}", packed(statistics.means))
    _write_board(site, pools, measures)
    _write_rows(site, costs)
    _write_planned(site)


def write_questions(site: Site, pools: Mapping[str, Pool]) -> None:
    """Write what belongs to single questions: their texts, every system's scores and rankings' heads, passages."""
    relevant = {part.name: relevant_of(part) for part in site.track.clean_parts}
    for part in site.track.clean_parts:
        _write_questions(site, part, pools[part.name], relevant[part.name])
    with progress.task("write the pages' scores", len(site.scores), "systems") as advance:
        for score in site.scores:
            _write_scores(site, score, pools, relevant)
            advance(1)
    for pool in {pool.name: pool for pool in pools.values()}.values():
        pool.write(site.folder, with_tokens=bool(site.budgets))


def pools_of(track: Track) -> dict[str, Pool]:
    """One pool for all parts that search the same passages."""
    by_digest: dict[str, Pool] = {}
    pools = {}
    for part in track.clean_parts:
        collection = part.collection
        digest = collection.digests.docs
        pools[part.name] = by_digest.setdefault(digest, Pool(str(len(by_digest)), collection.docs))
    return pools


def _write_board(site: Site, pools: Mapping[str, Pool], measures: Sequence[Mapping[str, Any]]) -> None:
    """Names of all that other data files hold, in their order, and what is tested with any choice of languages."""
    write_data(
        site.folder,
        "board",
        {
            "track": site.track.title,
            "primary": site.track.primary,
            "baseline": site.track.baseline,
            "alpha": site.track.families.alpha,
            "resamples": site.track.families.resamples,
            "measures": measures,
            "parts": [
                {
                    "name": part.name,
                    "language": language(part.lang).name,
                    "code": part.lang,
                    "direction": language(part.lang).direction,
                    "pool": pools[part.name].name,
                    "inMacro": part.name in site.track.macro_parts,
                }
                for part in site.track.clean_parts
            ],
            "systems": [
                {
                    "name": row.system,
                    "title": row.title,
                    "kind": row.kind,
                    "training": list(row.card.training_data),
                    "seen": [
                        place
                        for place, part in enumerate(site.track.clean_parts)
                        if speaking_of(part.dataset, row.may_have_seen)
                    ],
                    "status": row.status,
                    "withdrawn": row.withdrawn is not None,
                }
                for row in site.board.rows
            ],
            "filePassages": FILE_PASSAGES,
            "depth": site.track.depth,
            "should": SHOULD,
        },
    )


def _write_rows(site: Site, costs: Mapping[str, Sequence[str]]) -> None:
    """What the main table shows of its rows only when asked: possible ranks in each column, and costs in words."""
    columns = (MACRO, *(part.name for part in site.track.clean_parts))
    standings = {name: [_possible_ranks(row.standings.get(name)) for row in site.board.rows] for name in columns}
    write_data(
        site.folder, "rows", {"standings": standings, "costs": [costs.get(row.system) for row in site.board.rows]}
    )


def _possible_ranks(standing: Standing | None) -> list[int] | None:
    return [standing.best_rank, standing.worst_rank] if standing is not None else None


def _write_planned(site: Site) -> None:
    """What the declared tests say of any pair: by column, adjusted for all pairs, and against the baseline as planned.

    A file for each system: a page shows two of them, and all pairs together would be more than it can load.
    """
    comparison, primary = site.board.comparison, site.track.primary
    systems = [row.system for row in site.board.rows]
    counts = {found.column: found.counts_among(systems) for found in comparison.pairs}
    for place, row in enumerate(site.board.rows):
        write_data(
            site.folder,
            f"planned/{row.system}",
            {
                "pairs": {
                    found.column: {
                        "resamples": found.resamples,
                        "exact": found.exact,
                        "atLeast": counts[found.column][place].tolist(),
                    }
                    for found in comparison.pairs
                },
                "against": {
                    column: {"p": cell.p_adjusted, "floor": comparison.smallest_p(planned_family(column))}
                    for column, cell in row.cells[primary].items()
                    if cell.p_adjusted is not None
                },
            },
        )


def _measure_data(site: Site, measure: str, statistics: SubsetStatistics) -> dict[str, Any]:
    """Topics of each part, and units by the parts they stand in."""
    return {
        "name": measure,
        "slug": slug(measure),
        "page": site.measure_page(measure),
        "budget": site.budgets.get(measure),
        "topics": statistics.topics.tolist(),
        "hits": bool(statistics.hits),
        "patterns": [[_members(key), count] for key, count in statistics.patterns().items() if key],
        "pairs": statistics.pairs_of_parts,
        # Ceiling and random ranking of each part: the table's foot follows the choice of languages as its body does.
        "bounds": [[getattr(column, kind)[measure] for column in site.board.columns] for kind in BOUNDS],
    }


def _members(bits: int) -> list[int]:
    return [place for place in range(bits.bit_length()) if bits >> place & 1]


def _write_questions(site: Site, part: Part, pool: Pool, relevant: Sequence[Sequence[str]]) -> None:
    collection = part.collection
    answers = collection.answers or {}
    write_data(
        site.folder,
        f"questions/{part.name}",
        {
            "ids": [query.query_id for query in collection.queries],
            "texts": [query.text for query in collection.queries],
            "answers": [list(answers.get(query.query_id, ())) for query in collection.queries],
            "relevant": [pool.numbers_of(doc_ids) for doc_ids in relevant],
            "titles": [_title(collection.docs, doc_ids) for doc_ids in relevant],
            **_in_english(site.track, part),
            **_perturbed(site.track, part),
        },
    )


def _title(docs: Passages, doc_ids: Sequence[str]) -> str:
    """Of the first relevant passage, for a search in titles; empty where there is none in the collection."""
    return docs.get(doc_ids[0]).title if doc_ids and doc_ids[0] in docs else ""


def _in_english(track: Track, part: Part) -> dict[str, list[str]]:
    """The same questions in English, where the track asks them too: those of one topic are versions of one another."""
    english = next((other for other in track.clean_parts if other.lang == "en"), None)
    if english is None or english.name == part.name:
        return {}
    versions = {query.topic: query.text for query in english.collection.queries}
    texts = [versions.get(query.topic, "") for query in part.collection.queries]
    return {"english": texts} if any(texts) else {}


def _perturbed(track: Track, part: Part) -> dict[str, list[Any]]:
    """The questions as the part's perturbed forms ask them, each with what was done; nothing where passages are changed."""
    found = []
    for perturbation, draws in track.draws_of(part.name).items():
        for number, draw in enumerate(draws, 1):
            texts = {query.query_id: query.text for query in draw.collection.queries}
            changed = [
                "" if texts[query.query_id] == query.text else texts[query.query_id]
                for query in part.collection.queries
            ]
            if any(changed):
                found.append({"what": f"{perturbation}, draw {number}", "texts": changed})
    return {"perturbed": found} if found else {}


def _write_scores(
    site: Site, score: ScoreFile, pools: Mapping[str, Pool], relevant: Mapping[str, Sequence[Sequence[str]]]
) -> None:
    """A file for each part, since a page about one question needs one language; null for a part that is not served."""
    for part in site.track.clean_parts:
        found = None
        if part.name in score.langs:
            query_ids = [query.query_id for query in part.collection.queries]
            rankings = site.rankings(score.system, part.name)
            found = {
                "scores": [_scores_of(score, part.name, measure, query_ids) for measure in site.track.measures],
                **_heads(rankings, query_ids, pools[part.name]),
                "ranks": _ranks(rankings, query_ids, relevant[part.name]),
            }
        write_data(site.folder, f"scores/{score.system}/{part.name}", found)


def _ranks(
    rankings: Mapping[str, Sequence[str]], query_ids: Sequence[str], relevant: Sequence[Sequence[str]]
) -> dict[str, str]:
    """Of the first relevant passages of every question, one after the other, its rank; 0 where it was not found."""
    found = []
    for query_id, wanted in zip(query_ids, relevant, strict=True):
        doc_ids = rankings.get(query_id, ())
        found += [doc_ids.index(doc_id) + 1 if doc_id in doc_ids else 0 for doc_id in wanted[:SHOULD]]
    return packed_numbers(np.array(found, dtype=np.int64))


def relevant_of(part: Part) -> list[list[str]]:
    """Relevant passages of every question, in the order of the questions, those of the highest grade first."""
    qrels = part.collection.qrels or {}
    judged = [qrels.get(query.query_id, {}) for query in part.collection.queries]
    return [
        sorted((doc_id for doc_id, grade in grades.items() if grade > 0), key=lambda doc_id: (-grades[doc_id], doc_id))
        for grades in judged
    ]


def _scores_of(score: ScoreFile, part: str, measure: str, query_ids: Sequence[str]) -> dict[str, Any]:
    """Scores in the order of the questions; questions outside the denominator are listed, and have 0 here."""
    own = score.scored(part, measure)
    if own is not None and own.queries.ids == tuple(query_ids):
        return packed_scores(own.array)
    by_id = dict(own or {})
    found = packed_scores(np.array([by_id.get(query_id, 0.0) for query_id in query_ids]))
    if len(by_id) == len(query_ids):
        return found
    return {**found, "unscored": [place for place, query_id in enumerate(query_ids) if query_id not in by_id]}


def _heads(rankings: Mapping[str, Sequence[str]], query_ids: Sequence[str], pool: Pool) -> dict[str, Any]:
    """The first passages of every ranking, one after the other, and how many each ranking has of them."""
    ordered = [rankings.get(query_id, ())[:HEAD] for query_id in query_ids]
    numbers = pool.numbers_of(list(itertools.chain.from_iterable(ordered)))
    lengths = np.array([len(head) for head in ordered], dtype=np.int64)
    return {"lengths": packed_numbers(lengths), "heads": packed_numbers(np.array(numbers, dtype=np.int64))}


def _write_forms(site: Site, measure: str, statistics: SubsetStatistics, advance: Advance) -> None:
    """For every system as the reference the forms of all others; for the baseline the randomization test of all subsets."""
    families = site.track.families
    for place, (system, own) in enumerate(zip(statistics.systems, forms_of_all(statistics), strict=True)):
        value: dict[str, Any] = {"forms": packed(own)}
        if system == site.track.baseline and len(statistics.parts) <= MOST_LANGUAGES_FOR_ALL_SUBSETS:
            counts = randomization_counts(statistics, place, families.resamples, families.seed)
            value["counts"] = packed(counts)
        write_data(site.folder, f"forms/{slug(measure)}/{system}", value)
        advance(1)
