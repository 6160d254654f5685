"""What a row rests on, beside its page: its manifest, and its run files where those of all rows are no burden."""

from __future__ import annotations

from pathlib import Path

from harness.files.writing import atomic_write, write_text
from harness.leaderboard.site.evidence import Site
from harness.leaderboard.table import Row

RUN_BYTES = 64 << 20
"""So many bytes of run files stand beside the pages of a track; of larger ones the pages say where they lie."""


def are_runs_small(site: Site) -> bool:
    return sum(path.stat().st_size for row in site.board.rows for path in _files(site, row)) <= RUN_BYTES


def write_evidence(site: Site, row: Row, *, everything: bool) -> list[str]:
    """Copy the row's manifest, and with ``everything`` its run files, into ``evidence/SYSTEM``; returns these files' names."""
    folder = site.folder / "evidence" / row.system
    manifest = site.runs.run(row.system).manifest_file
    write_text(folder / manifest.name, manifest.read_text("utf-8"), durable=False)
    copied = _files(site, row) if everything else []
    for path in copied:
        with atomic_write(folder / path.name, durable=False) as file:
            file.write(path.read_bytes())
    return [path.name for path in copied]


def _files(site: Site, row: Row) -> list[Path]:
    run = site.runs.run(row.system)
    return [path for part in row.provenance.rankings if (path := run.run_file(part)).is_file()]
