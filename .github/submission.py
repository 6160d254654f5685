"""What a pull request that adds runs goes through: its rows are validated, scored and shown, by the code of the base branch.

    python .github/submission.py check PULL_REQUEST OUT       data files only; nothing of the pull request is executed
    python .github/submission.py reproduce PULL_REQUEST OUT   runs the systems of the rows: only after a maintainer's label

PULL_REQUEST is a checkout of the pull request, the current folder one of the base branch. OUT gets summary.md, the rendered
pages and, of ``reproduce``, the reproduction records. Exits 1 when a row is not in order, or differs.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from harness.consent import Consent
from harness.errors import XdrError
from harness.exports.markdown import to_markdown
from harness.files import cache_home, write_text
from harness.leaderboard import Leaderboard
from harness.manifest import FILE_NAME, read_manifest
from harness.pipeline import build_leaderboard, compare_all, score_all
from harness.reproduce import OWN_FILES, reproduce
from harness.reproductions import FOLDER, read_reproductions, write_reproduction
from harness.runs import read_run
from harness.score import expected_of, judged_part, score_system
from harness.site import render
from harness.system import Context
from harness.tracks import Track, load_track, track_names

RUNS = Path("runs")
MAX_BYTES = 50_000_000
MAX_UNPACKED = 1_000_000_000
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}")
_DATA = re.compile(r"[a-z0-9-]+\.trec\.gz|manifest\.yaml")
_TABLES = {"comparison.json", "leaderboard.json", "leaderboard.csv", "leaderboard.md", "ablations.json"}


class Refused(XdrError):
    """A row whose files are not even looked into."""


def changed_rows(pull_request: Path) -> Iterator[tuple[str, str]]:
    """Track and name of every row that is new in the pull request, or not as it is in the base branch."""
    for folder in sorted((pull_request / RUNS).glob("*/*/")):
        track, system = folder.parent.name, folder.name
        if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
            continue
        files = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
        if any(_differs(path, RUNS / track / system / path.relative_to(folder)) for path in files):
            yield track, system


def _differs(path: Path, base: Path) -> bool:
    return path.is_symlink() or not base.is_file() or path.read_bytes() != base.read_bytes()


def copy_row(source: Path, target: Path, *, with_system: bool) -> None:
    """Copy a row's run files and manifest, and the system's own files where it is to be run.

    Scores are not copied: they are computed here. Reproduction records are not, either: the base's stay, since nobody
    vouches for a row of his own. Raises ``Refused`` with every file that is not one of a row.
    """
    problems = []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        kept = bool(_DATA.fullmatch(str(name))) or name.parts[0] == FOLDER or name.parts[0] == OWN_FILES
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            problems.append(f"{name!s:.100}: not a regular file")
        elif path.is_file() and not kept and str(name) != "scores.parquet":
            problems.append(f"{name!s:.100}: not a file of a row")
        elif path.is_file() and path.stat().st_size > MAX_BYTES:
            problems.append(f"{name!s:.100}: larger than {MAX_BYTES} bytes")
        elif path.name.endswith(".gz") and not _unpacks(path):
            problems.append(f"{name!s:.100}: damaged, or larger than {MAX_UNPACKED} bytes unpacked")
    if problems:
        raise Refused("\n".join(problems))
    for path in target.iterdir() if target.is_dir() else ():
        if path.is_file():
            path.unlink()
    shutil.rmtree(target / OWN_FILES, ignore_errors=True)
    for path in source.rglob("*"):
        name = path.relative_to(source)
        if path.is_file() and (_DATA.fullmatch(str(name)) or (with_system and name.parts[0] == OWN_FILES)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name)


def new_records(pull_request: Path, folder: Path) -> list[str]:
    """A warning for every reproduction record that the pull request brings along."""
    found = sorted(path.name for path in (pull_request / folder / FOLDER).glob("*"))
    news = [name for name in found if not (folder / FOLDER / name).is_file()]
    return [f"{FOLDER}/{name}: a record of a reproduction, which a maintainer adds; not counted here" for name in news]


def _unpacks(path: Path) -> bool:
    total = 0
    try:
        with gzip.open(path) as file:
            while chunk := file.read(1 << 20):
                total += len(chunk)
                if total > MAX_UNPACKED:
                    return False
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return True


def check_row(track: Track, folder: Path) -> list[str]:
    """Warnings about a row. Raises ``XdrError`` when it is not in order."""
    manifest = read_manifest(folder)
    scores = score_system(track, folder)
    warnings = [f"{part}: {text}" for part, texts in scores.context["warnings"].items() for text in texts]
    for name in manifest.data:
        run, _ = read_run(
            folder / f"{name}.trec.gz", expected_of(judged_part(track.part(name)).collection, track.depth)
        )
        if run.rankings and run.tag != manifest.tag:
            warnings.append(f"{name}: run tag {run.tag}, but the row is {manifest.tag}")
    read_reproductions(folder)
    return warnings


def reproduce_row(track: Track, folder: Path, out: Path) -> tuple[str, bool]:
    """Make the row again; the record goes to the row and to ``out``."""
    # The label is the maintainer's consent: he has read what runs here.
    context = Context(cache=cache_home(), work=cache_home() / "work", consent=Consent(code=True))
    record = reproduce(track, folder, context)
    path = write_reproduction(folder, record)
    target = out / folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
    return f"**{record.verdict}** on {record.platform_in_words}", record.confirms


def preview(track: Track, out: Path) -> Leaderboard:
    scores = score_all(track, RUNS)
    board = build_leaderboard(track, RUNS, scores, compare_all(track, RUNS, scores))
    render(track, board, scores, RUNS, out / "reports")
    return board


def main(mode: str, pull_request: Path, out: Path) -> int:
    lines, tracks, failed = ["## Submission", ""], {}, False
    rows = list(changed_rows(pull_request))
    for track_name, system in rows:
        lines.append(f"### `{_plain(track_name)}` / `{_plain(system)}`\n")
        folder = RUNS / track_name / system
        try:
            if track_name not in track_names() or not _SYSTEM.fullmatch(system) or system in _TABLES:
                raise Refused("no track of this name, or no possible name of a system")
            track = load_track(track_name)
            copy_row(pull_request / folder, folder, with_system=mode == "reproduce")
            if not (folder / FILE_NAME).is_file():
                raise Refused(f"no {FILE_NAME}; `xdr submit` writes one")
            warnings = [*check_row(track, folder), *new_records(pull_request, folder)]
            lines += [
                "Valid." if not warnings else "Valid, with warnings:",
                *(f"- {_plain(text)}" for text in warnings),
                "",
            ]
            tracks[track_name] = track
            if mode == "reproduce":
                words, confirmed = reproduce_row(track, folder, out)
                lines += [f"Made again: {_plain(words)}", ""]
                failed |= not confirmed
        except XdrError as error:
            failed = True
            shutil.rmtree(folder, ignore_errors=True)
            lines += ["Not in order:", "", "```", str(error).replace("```", "'''")[:10_000], "```", ""]
    if not rows:
        lines.append("No row of runs/ was added or changed.")
    for name, track in tracks.items():
        board = preview(track, out)
        lines += [f"### Table of `{name}` with the changed rows", "", to_markdown(board)]
    if tracks:
        lines.append("The pages are in the artifact of this check: open `reports/index.html`.")
    write_text(out / "summary.md", "\n".join(lines) + "\n")
    return int(failed)


def _plain(text: str) -> str:
    """Text of a stranger on one line, without what Markdown or a mention could make of it."""
    return re.sub(r"[\x00-\x1f`<>@\[\]|]", " ", text)[:500]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
