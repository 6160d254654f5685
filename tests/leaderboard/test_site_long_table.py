"""A table of more rows than a screen shows: what is seen is set in order first, and in the end all of it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from site_pages import opened, settled, until

from harness.files.writing import write_text
from harness.leaderboard.site.evidence import pools_of
from harness.leaderboard.site.render import write_pages
from harness.leaderboard.table import Leaderboard
from harness.runs.track_runs import TrackRuns

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SYSTEMS, LANGUAGES = 65, 5
ORDER = "Array.from(document.querySelectorAll('#table tbody tr:not([hidden])'), row => row.dataset.system)"


@pytest.fixture(scope="module")
def long_table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Leaderboard]]:
    """The page of a synthetic track, and its board."""
    folder = tmp_path_factory.mktemp("long")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import large_site as synthetic

        size = synthetic.Size(SYSTEMS, LANGUAGES, 4, 10)
        track = synthetic.make_track(folder / "track", size)
        scores = synthetic.make_scores(track, size)
        board = synthetic.make_board(track, scores)
        by_name = {score.system: score for score in scores}
        for system in size.names:
            write_text(folder / "runs" / track.name / system / "manifest.yaml", "schema_version: 1\n")
        own = folder / "reports" / track.name
        ordered = tuple(by_name[row.system] for row in board.rows)
        write_pages(synthetic.SyntheticSite(board, ordered, TrackRuns(track, folder / "runs"), own), pools_of(track))
        yield own / "index.html", board


def by_column(board: Leaderboard, column: str, *, descending: bool) -> list[str]:
    measure = str(board.track.primary)
    rows = sorted(board.rows, key=lambda row: (row.cells[measure][column].value or 0) * (-1 if descending else 1))
    return [row.system for row in rows]


def test_all_rows_are_in_order_soon_and_those_on_the_screen_at_once(browser: Any, long_table: Any) -> None:
    path, board = long_table
    with opened(browser, path) as found:
        found.page.locator("th[data-column=bn] button.sort").click()
        settled(found.page)
        expected = by_column(board, "ar", descending=True)
        at_once = found.page.evaluate(f'document.querySelector("th[data-column=ar] button.sort").click(), {ORDER}')
        assert at_once[:18] == expected[:18]
        until(found.page, f"wanted => String({ORDER}) === String(wanted)", expected)
        assert found.troubles == []


def test_of_clicks_that_overtake_each_other_the_last_one_counts(browser: Any, long_table: Any) -> None:
    path, board = long_table
    with opened(browser, path) as found:
        page = found.page
        page.evaluate(
            "for (const column of ['ar', 'bn', 'de', 'bn']) "
            "document.querySelector(`th[data-column=${column}] button.sort`).click()"
        )
        until(page, f"wanted => String({ORDER}) === String(wanted)", by_column(board, "bn", descending=True))
        # Each choice loads a file of its own; the first may come last.
        systems = [row.system for row in board.rows[:4]]
        page.evaluate(
            "systems => { const box = document.getElementById('reference');"
            " for (const system of systems) { box.value = system; box.dispatchEvent(new Event('change')); } }",
            systems,
        )
        until(page, "title => document.getElementById('notice').textContent.includes(title)", board.rows[3].title)
        page.wait_for_timeout(200)
        reference = "Array.from(document.querySelectorAll('#table tbody tr'))"
        shown = page.evaluate(
            f"{reference}.filter(row => row.cells[3].textContent === 'reference').map(row => row.dataset.system)"
        )
        assert shown == [systems[3]]
        assert page.locator("#reference").input_value() == systems[3]
        assert page.evaluate(f"{reference}.every(row => row.cells[3].textContent !== '')")
        assert found.troubles == []


def test_a_filter_keeps_what_fits_in_order_while_rows_still_move(browser: Any, long_table: Any) -> None:
    path, board = long_table
    with opened(browser, path) as found:
        found.page.evaluate(
            "document.querySelector('th[data-column=ar] button.sort').click();"
            "const box = document.getElementById('filter'); box.value = 'System 04'; box.dispatchEvent(new Event('input'))"
        )
        wanted = [name for name in by_column(board, "ar", descending=True) if name.startswith("system-04")]
        until(found.page, f"wanted => String({ORDER}) === String(wanted)", wanted)
        found.page.get_by_role("button", name="Reset").click()
        until(found.page, f"wanted => String({ORDER}) === String(wanted)", [row.system for row in board.rows])
