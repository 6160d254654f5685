"""Render a large synthetic track, and measure how long it takes, how large it is, and how fast it opens and answers.

python benchmarks/large_site.py [--systems 200] [--languages 12] [--queries 2000] [--folder DIR] [--profile]

Scores, tests and rankings are made up directly, without systems: what is measured is the site alone.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.adapters.card import Card
from harness.compare.records import MACRO, Bounds, Standing
from harness.files.writing import write_text
from harness.leaderboard.site.evidence import HEAD, Site, pools_of, write_questions
from harness.leaderboard.site.render import write_pages
from harness.leaderboard.table import Cell, Column, Leaderboard, Row
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.tracks import Track, load_track

LANGUAGES = ("ar", "bn", "de", "en", "es", "fi", "hi", "ja", "ko", "ru", "te", "zh", "fa", "fr", "sw", "th")
MEASURES = ("R@2kt", "Success@10", "RR@10")
WORDS = ("river", "built", "the", "in", "was", "1889", "city", "of", "queen", "north", "opened", "bridge", "and", "by")


@dataclass(frozen=True)
class Size:
    systems: int
    languages: int
    queries: int
    passages: int

    @property
    def names(self) -> list[str]:
        return [f"system-{place:03d}" for place in range(self.systems)]


class SyntheticSite(Site):
    """A site whose rankings are drawn instead of read, and whose systems stand on no others."""

    def rankings(self, system: str, part: str) -> Mapping[str, Sequence[str]]:
        collection = self.track.part(part).collection
        ids = collection.docs.ids
        words = np.random.default_rng([self.track.parts.index(self.track.part(part)), int(system[-3:])])
        drawn = words.integers(0, len(ids), (len(collection.queries), HEAD)).tolist()
        return {
            query.query_id: tuple(ids[place] for place in places)
            for query, places in zip(collection.queries, drawn, strict=True)
        }

    def stands_on(self, system: str) -> Sequence[str]:
        return ()


def make_track(folder: Path, size: Size) -> Track:
    words = np.random.default_rng(7)
    langs = LANGUAGES[: size.languages]
    data = folder / "data"
    data.mkdir(parents=True)
    vocabulary = np.array(WORDS)
    texts = [" ".join(vocabulary[words.integers(0, len(WORDS), 40)]) + "." for _ in range(size.passages)]
    docs = ({"doc_id": f"d{i}", "title": f"Passage {i}", "text": text} for i, text in enumerate(texts))
    ids = [(lang, f"{lang}-{i}") for lang in langs for i in range(size.queries)]
    queries = ({"query_id": name, "lang": lang, "text": f"{lang} question {name}?"} for lang, name in ids)
    answers = ({"query_id": name, "answers": ["1889"]} for _, name in ids)
    for file, rows in (("docs", docs), ("queries", queries), ("answers", answers)):
        (data / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    gold = words.integers(0, size.passages, len(ids))
    (data / "qrels.txt").write_text("".join(f"{name} 0 d{doc} 1\n" for (_, name), doc in zip(ids, gold, strict=True)))
    parts = ", ".join(f'{{name = "{lang}", dataset = "folder({lang}):data", lang = "{lang}"}}' for lang in langs)
    (folder / "track.toml").write_text(
        'schema_version = 1\nname = "large"\nversion = 1\ntitle = "Large"\ndescription = "A synthetic track."\n'
        f'measures = {json.dumps(MEASURES)}\nprimary = "{MEASURES[0]}"\ndepth = {HEAD}\nbaseline = "{size.names[0]}"\n'
        f"parts = [{parts}]\n"
    )
    return load_track(str(folder / "track.toml"))


def make_scores(track: Track, size: Size) -> list[ScoreFile]:
    """Systems of rising skill; hits and misses for the recalls, reciprocal ranks for the rest."""
    words = np.random.default_rng(11)
    query_ids = {part.name: [query.query_id for query in part.collection.queries] for part in track.parts}
    units = {(part, query_id): (query_id, query_id) for part, ids in query_ids.items() for query_id in ids}
    found = []
    for place, system in enumerate(size.names):
        values: dict[tuple[str, str], Mapping[str, float]] = {}
        for part, ids in query_ids.items():
            hits = words.random((len(track.measures), len(ids))) < 0.3 + 0.4 * place / size.systems
            reciprocal = hits[-1] / words.integers(1, 11, len(ids))
            for measure, drawn in zip(track.measures, [*hits[:-1].astype(float), reciprocal], strict=True):
                values[part, measure] = dict(zip(ids, drawn.tolist(), strict=True))
        rankings = dict.fromkeys(query_ids, "0" * 64)
        data = {part: track.part(part).collection.digests.as_dict() for part in query_ids}
        context = {"measures": dict.fromkeys(track.measures, "1"), "data": data, "rankings": rankings, "ties": {}}
        found.append(ScoreFile(system, values, units, {part.name: part.lang for part in track.parts}, context))
    return found


def _pairs(track: Track, column: str, rows: Sequence[Row]) -> dict[str, object]:
    """As many counts as there are pairs; what they are matters to no page."""
    systems = [row.system for row in rows]
    counts = np.random.default_rng(len(column)).integers(0, 10_000, len(systems) * (len(systems) - 1) // 2).tolist()
    own: dict[str, object] = {"measure": track.primary, "column": column, "systems": systems}
    return {**own, "resamples": 10_000, "exact": False, "at_least": counts}


def make_board(track: Track, scores: Sequence[ScoreFile]) -> Leaderboard:
    baseline = next(score for score in scores if score.system == track.baseline)
    rows = sorted((_row(track, score, baseline) for score in scores), key=lambda row: -_macro(track, row))
    families = [
        {
            "name": name,
            "measure": track.primary,
            "size": size,
            "correction": "holm",
            "smallest_adjusted_p": 0.001,
            "resamples": 10000,
            "undecided": 0,
        }
        for name, size in (
            ("macro", len(rows) - 1),
            ("per language", (len(rows) - 1) * len(track.parts)),
            ("all pairs", 0),
        )
    ]
    comparison = {
        "schema_version": 1, "track": {"name": track.name, "version": 1}, "baseline": track.baseline, "unit": "topic",
        "test": "two-sided paired randomization test, units flipped as a whole", "alpha": 0.05, "resamples": 100000,
        "all_pairs_resamples": 10000, "seed": 1, "systems": [row.system for row in rows], "families": families, "scores": {},
        "warnings": [], "pairs": [_pairs(track, column, rows) for column in (MACRO, *(part.name for part in track.parts))],
    }  # fmt: skip
    return Leaderboard(
        schema_version=1,
        track=track.model_dump(mode="json", exclude={"parts": {"__all__": {"location"}}}),
        columns=tuple(
            Column(
                part=part.name,
                lang=part.lang,
                dataset=part.dataset,
                in_macro=True,
                queries={name: len(baseline.values[part.name, name]) for name in track.measures},
                ceiling=dict.fromkeys(track.measures, 1.0),
                random=dict.fromkeys(track.measures, 0.01),
            )
            for part in track.parts
        ),
        rows=tuple(row.model_copy(update={"rank": place}) for place, row in enumerate(rows, 1)),
        comparison=comparison,
    )


def _row(track: Track, score: ScoreFile, baseline: ScoreFile) -> Row:
    cells: dict[str, dict[str, Cell]] = {}
    for measure in track.measures:
        own = {part.name: score.mean(part.name, measure) for part in track.parts}
        theirs = {part.name: baseline.mean(part.name, measure) for part in track.parts}
        own[MACRO], theirs[MACRO] = (one.macro(track.macro_parts, measure) for one in (score, baseline))
        cells[measure] = {name: _cell(value or 0.0, theirs[name] or 0.0) for name, value in own.items()}
    columns = (MACRO, *(part.name for part in track.parts))
    title = f"System {score.system[-3:]} with a name of some length"
    card = Card(schema_version=1, name=score.system, title=title, adapter="dummy", description="Synthetic.")
    return Row(
        status="submitted",
        reproduced=None,
        system=score.system,
        title=title,
        kind="other",
        rank=1,
        is_baseline=score.system == track.baseline,
        description="Synthetic.",
        cells=cells,
        micro=dict.fromkeys(track.measures, 0.5),
        warnings=(),
        standings={
            name: Standing(system=score.system, column=name, letters=("a", "b"), best_rank=1, worst_rank=9)
            for name in columns
        },
        isolation="none",
        card=card.model_dump(mode="json"),
        provenance={
            "git": {},
            "software": {"python": "3", "libraries": {"numpy": "2"}},
            "hardware": {"cpu": {"model": "made up"}},
            "execution": {
                "device": "cpu",
                "isolation": "none",
                "stages": [{"name": "search", "seconds": 12.5, "bytes": 1 << 20}],
            },
            "rankings": dict.fromkeys(score.langs, "0" * 64),
        },
    )


def _cell(value: float, baseline: float) -> Cell:
    bounds = Bounds(lower=value - 0.02, upper=value + 0.02, method="made up")
    difference = value - baseline
    around = Bounds(lower=difference - 0.03, upper=difference + 0.03, method="made up")
    tests = {"p": 0.01, "p_adjusted": 0.04, "significant": difference > 0.03, "effect": 0.2, "t_p": 0.01}
    return Cell(value=value, difference=difference, interval=bounds, difference_interval=around, wins=9, **tests)


def _macro(track: Track, row: Row) -> float:
    return row.cells[track.primary][MACRO].value or 0.0


@contextmanager
def measured(label: str, profile: bool) -> Iterator[None]:
    profiler = cProfile.Profile()
    start, processor = time.perf_counter(), time.process_time()
    if profile:
        profiler.enable()
    yield
    profiler.disable()
    passed, busy = time.perf_counter() - start, time.process_time() - processor
    print(f"{label}: {passed:.1f} s, {busy:.1f} s of processor time", flush=True)
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(18)


def bytes_in(*paths: Path) -> int:
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    return sum(file.stat().st_size for file in files)


def in_browser(folder: Path, repeats: int) -> None:
    """Seconds until the main page is ready, and milliseconds from a click to the next frame; medians."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opening, page = [], browser.new_page()
        for _ in range(repeats):
            page.close()
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            start = time.perf_counter()
            page.goto((folder / "index.html").as_uri())
            page.wait_for_selector("body[data-ready=yes]")
            opening.append(time.perf_counter() - start)
        print(f"main page ready: {statistics.median(opening):.2f} s (largest {max(opening):.2f} s)")
        clicks: dict[str, Callable[[int], str]] = {
            "sort": lambda place: f"th[data-column='{LANGUAGES[place % 4]}'] button.sort",
            "language choice": lambda place: f"#language-{LANGUAGES[place]}",
        }
        for label, selector in clicks.items():
            taken = []
            for place in range(repeats):
                taken.append(page.evaluate(_CLICK, selector(place)))
                # The rows below the screen follow: a reader's next click comes after them.
                page.wait_for_selector("body[data-ready=yes]")
            print(f"{label}: {statistics.median(taken):.0f} ms (largest {max(taken):.0f} ms)")
        browser.close()


# A click, what it changes, and the layout of the page after it.
_CLICK = """(selector) => new Promise((done) => {
    const start = performance.now(), box = document.querySelector(selector), notice = document.getElementById("notice");
    const before = notice.textContent;
    const finish = () => { document.body.getBoundingClientRect(); done(performance.now() - start); };
    if (box.type === "checkbox") {
        const watch = new MutationObserver(() => { if (notice.textContent !== before) { watch.disconnect(); finish(); } });
        watch.observe(notice, { childList: true, characterData: true, subtree: true });
        box.click();
    } else { box.click(); setTimeout(finish, 0); }
})"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--languages", type=int, default=12, choices=range(5, len(LANGUAGES) + 1))
    parser.add_argument("--queries", type=int, default=2000, help="per language")
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=None, help="where the pages stay; default: a temporary folder")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    size = Size(options.systems, options.languages, options.queries, options.passages)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        track = make_track(folder / "track", size)
        scores = make_scores(track, size)
        board = make_board(track, scores)
        by_name = {score.system: score for score in scores}
        for system in size.names:
            write_text(folder / "runs" / track.name / system / "manifest.yaml", "schema_version: 1\n")
        own = folder / "reports" / track.name
        site = SyntheticSite(
            board, tuple(by_name[row.system] for row in board.rows), TrackRuns(track, folder / "runs"), own
        )
        print(f"{size.systems} systems, {size.languages} languages, {size.queries} queries each", flush=True)
        pools = pools_of(track)
        with measured("pages, with the statistics of all pairs", options.profile):
            write_pages(site, pools)
        with measured("data of single questions", options.profile):
            write_questions(site, pools)
        assets = folder / "reports" / "assets"
        loaded = (assets / name for name in ("style.css", "xdr.js", "table.js", "icon.svg"))
        first = bytes_in(own / "index.html", *loaded, own / "data" / "board.js")
        print(f"all files: {bytes_in(folder / 'reports') / 1e6:.1f} MB; first view: {first / 1e3:.0f} kB")
        for name in sorted(path.name for path in (own / "data").iterdir()):
            print(f"  data/{name}: {bytes_in(own / 'data' / name) / 1e6:.1f} MB")
        in_browser(own, repeats=min(9, size.languages - 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
