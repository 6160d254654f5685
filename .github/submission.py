"""What a pull request that changes runs/ goes through: it is held against the base branch, by the code of the base branch.

    python .github/submission.py check PULL_REQUEST OUT       data files only; nothing of the pull request is executed
    python .github/submission.py reproduce PULL_REQUEST OUT   runs the systems of the rows: only after a maintainer's label

PULL_REQUEST is a checkout of the pull request, the current folder one of the base branch; of both, git's objects are read.
OUT gets summary.md, always; the rendered pages and, of ``reproduce``, the reproduction records. Exits 1 when anything is not
in order, or differs.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
import sys
import tempfile
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from differences import Change, Entry, Tree, changes_between, content_of, forked_at, moved, tree_of

from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.compare.records import Comparison
from harness.errors import XdrError
from harness.files.writing import cache_home, write_text
from harness.leaderboard.exports.markdown import to_markdown
from harness.leaderboard.freshness import stale_tables
from harness.leaderboard.pipeline import build_leaderboard, compare_all, score_all
from harness.leaderboard.site import render
from harness.leaderboard.table import Leaderboard
from harness.runs.manifest import FILE_NAME, read_manifest
from harness.runs.commands import OWN_FILES
from harness.runs.run_folder import RunFolder
from harness.runs.run_folder import REPRODUCTIONS as RECORDS
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.runs.withdrawal import FILE_NAME as WITHDRAWN
from harness.submissions.reproduce import reproduce
from harness.submissions.reproductions import write_reproduction
from harness.submissions.row_check import row_findings
from harness.tracks import Track, load_track, track_names

RUNS = Path("runs")
SCORES = "scores.parquet"
ABLATIONS = "ablations.json"
SNAPSHOTS = "snapshots"
TABLES = ("comparison.json", "leaderboard.json", "leaderboard.csv", "leaderboard.md")
MAX_BYTES = 50_000_000
MAX_UNPACKED = 1_000_000_000
_SHOWN = 20
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}")
_DATA = re.compile(r"[a-z0-9-]+\.trec\.gz|manifest\.yaml|scores\.parquet")
_RECORD = re.compile(rf"{RECORDS}/[\w.-]+\.yaml", re.ASCII)


class Refused(XdrError):
    """A row that is not even looked into."""


@dataclass
class Report:
    """What is said of a row, or of all that is no row."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    made_again: str = ""

    def lines(self) -> Iterator[str]:
        if self.errors:
            shown = "\n".join(map(_printable, self.errors)).replace("```", "'''")[:10_000]
            yield from ("Not in order:", "", "```", shown, "```")
        if self.warnings:
            yield "To know:" if self.errors else "Valid, with warnings:"
        elif not self.errors:
            yield "Valid."
        yield from (f"- {_plain(_printable(text))}" for text in self.warnings)
        yield from ("", f"Made again: {_plain(self.made_again)}") if self.made_again else ()
        yield ""


@dataclass(frozen=True)
class PullRequest:
    """Both sides, and what differs: by row, (track, system); in each track's generated tables; elsewhere in runs/."""

    checkout: Path
    base: Tree
    head: Tree
    rows: dict[tuple[str, str], list[Change]]
    tables: dict[str, list[Change]]
    elsewhere: Report
    outside: int


def read_pull_request(checkout: Path) -> PullRequest:
    start = forked_at(checkout, Path())
    base, head = tree_of(Path()), tree_of(checkout)
    changes = changes_between(tree_of(checkout, start) if start else base, head)
    rows: dict[tuple[str, str], list[Change]] = {}
    tables: dict[str, list[Change]] = {}
    elsewhere, outside = Report(), 0
    for change in changes:
        place, *names = change.path.split("/")
        if place != str(RUNS):
            outside += 1
        elif len(names) == 2 and names[1] in (*TABLES, ABLATIONS):
            tables.setdefault(names[0], []).append(change)
        elif len(names) < 3 or names[1] == SNAPSHOTS:
            elsewhere.errors.append(f"{change.kind} {change.path}: {_why_no_row(change, names)}")
        else:
            rows.setdefault((names[0], names[1]), []).append(change)
    return PullRequest(checkout, base, head, rows, tables, elsewhere, outside)


def _why_no_row(change: Change, names: list[str]) -> str:
    if change.head and change.head.strange_kind:
        return f"{change.head.strange_kind}, not a file of its own"
    if len(names) > 2:
        return "a snapshot never changes, and a maintainer makes it"
    return "not a file of the runs of record"


def check_changes(request: PullRequest, row: tuple[str, str]) -> Report:
    """What the changes of a row's files are, before anything is read of them."""
    report, prefix = Report(), "/".join((str(RUNS), *row)) + "/"
    changes = request.rows[row]
    existed = prefix + FILE_NAME in request.base
    if row[0] not in track_names() or not _SYSTEM.fullmatch(row[1]):
        report.errors.append("no track of this name, or no possible name of a system")
    if not any(path.startswith(prefix) for path in request.head):
        everything = moved([change for own in request.rows.values() for change in own])
        elsewhere = sorted({everything[c.path].split("/")[2] for c in changes if c.path in everything})
        where = f"; it seems to become {', '.join(elsewhere)}" if elsewhere else ""
        report.errors.append(f"removes the row{where}: rows are withdrawn (`xdr withdraw`), never removed or renamed")
        return report
    for change in changes:
        name = change.path.removeprefix(prefix)
        report.errors += _faults_of(change, name)
        if name == WITHDRAWN and change.kind == "adds":
            report.warnings.append(f"withdraws the row ({WITHDRAWN})")
        if _RECORD.fullmatch(name) and change.kind == "adds":
            report.warnings.append(f"{name}: a record of a reproduction, which a maintainer adds; not counted here")
    if existed:
        said = [f"{change.kind} {change.path.removeprefix(prefix)}" for change in changes]
        more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
        report.warnings.insert(0, f"THIS ROW EXISTS ALREADY; the pull request {', '.join(said[:_SHOWN])}{more}")
    return report


def _is_of_a_system(name: str) -> bool:
    return name.startswith(f"{OWN_FILES}/") and name.isprintable()


def _faults_of(change: Change, name: str) -> Iterator[str]:
    head = change.head
    if head and head.strange_kind:
        yield f"{name:.200}: {head.strange_kind}, not a file of its own"
    elif name.startswith(f"{RECORDS}/") and change.kind != "adds":
        yield f"{change.kind} {name:.200}: a record of a reproduction stays as it was written"
    elif name == WITHDRAWN:
        if change.kind != "adds":
            yield f"{change.kind} {name}: that a row was withdrawn, and why, is for a maintainer to change"
    elif not (_DATA.fullmatch(name) or _is_of_a_system(name) or _RECORD.fullmatch(name)):
        yield f"{change.kind} {name:.200}: not a file of a row"
    elif head and head.size > MAX_BYTES:
        yield f"{name:.200}: larger than {MAX_BYTES} bytes"


def write_row(checkout: Path, tree: Tree, folder: Path, *, with_system: bool) -> None:
    """Make the row's data files those of the tree, and the system's own files where it is to be run.

    Records of reproductions stay those of the base, since nobody vouches for a row of their own, and so does a withdrawal.
    Raises ``Refused`` with every run file that is damaged or grows too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if _DATA.fullmatch(path.name):
            path.unlink()
    shutil.rmtree(folder / OWN_FILES, ignore_errors=True)
    problems = []
    for name, entry in _files_below(tree, folder).items():
        wanted = _DATA.fullmatch(name) or (with_system and _is_of_a_system(name))
        if wanted or (name == WITHDRAWN and not (folder / name).exists()):
            content = content_of(checkout, entry)
            if name.endswith(".gz") and _DATA.fullmatch(name) and not _unpacks(content):
                problems.append(f"{name:.100}: damaged, or larger than {MAX_UNPACKED} bytes unpacked")
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    if problems:
        raise Refused("\n".join(problems))
    if not (folder / FILE_NAME).is_file():
        raise Refused(f"no {FILE_NAME}; `xdr submit` writes one")


def _files_below(tree: Tree, folder: Path) -> dict[str, Entry]:
    prefix = f"{folder.as_posix()}/"
    return {path.removeprefix(prefix): entry for path, entry in tree.items() if path.startswith(prefix)}


def _unpacks(content: bytes) -> bool:
    total = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while chunk := file.read(1 << 20):
                total += len(chunk)
                if total > MAX_UNPACKED:
                    return False
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return True


def check_row(track: Track, folder: Path, report: Report) -> None:
    """Hold a row against its manifest and its scores against its runs."""
    for finding in row_findings(RunFolder(track, folder)):
        (report.errors if finding.severity == "error" else report.warnings).append(str(finding))
    if report.errors:
        return
    manifest = read_manifest(folder)
    for name in manifest.data:
        run, _ = read_run(folder / f"{name}.trec.gz")
        if run.rankings and run.tag != manifest.tag:
            report.warnings.append(f"{name}: run tag {run.tag}, but the row is {manifest.tag}")


def reproduce_row(track: Track, folder: Path, out: Path, report: Report) -> None:
    """Make the row again; the record goes to the row and to ``out``."""
    # The label is the maintainer's consent: they have read what runs here.
    context = Context(cache=cache_home(), work=cache_home() / "work", consent=Consent(code=True))
    record = reproduce(RunFolder(track, folder), context)
    path = write_reproduction(folder / RECORDS / "reproductions", record)
    target = out / folder / RECORDS
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
    report.made_again = f"**{record.verdict}** on {record.platform_in_words}"
    if not record.confirms:
        report.errors.append("the row cannot be made again: the verdict is that it differs")


def submitted(request: PullRequest, row: tuple[str, str], mode: str, out: Path) -> Report:
    """Everything about one row; where it is invalid, the base's row stands in the preview, or none."""
    folder, report = RUNS / row[0] / row[1], Report()
    try:
        report = check_changes(request, row)
        if not report.errors:
            track = load_track(row[0])
            write_row(request.checkout, request.head, folder, with_system=mode == "reproduce")
            check_row(track, folder, report)
            if mode == "reproduce" and not report.errors:
                reproduce_row(track, folder, out, report)
    except Exception as error:
        report.errors += _told(error)
    if report.errors:
        _restore(request, folder)
    return report


def _restore(request: PullRequest, folder: Path) -> None:
    """The row as the base has it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, entry in _files_below(request.base, folder).items():
        if not entry.strange_kind:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content_of(Path(), entry))


def _told(error: Exception) -> list[str]:
    return str(error).splitlines() if isinstance(error, XdrError) else _unforeseen(error)


def _unforeseen(error: BaseException) -> list[str]:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return [
        f"the check itself failed on this: {type(error).__name__}: {str(error)[:500]}",
        f"({Path(place.filename).name}:{place.lineno}; please report it)",
    ]


def preview(track: Track, out: Path) -> tuple[Comparison, Leaderboard]:
    runs = TrackRuns(track, RUNS, keeps_lines=True)
    scores = score_all(runs)
    comparison = compare_all(runs, scores)
    board = build_leaderboard(runs, scores, comparison)
    render(runs, board, scores, out / "reports")
    return comparison, board


def check_tables(request: PullRequest, track: Track, comparison: Comparison, board: Leaderboard) -> Iterator[str]:
    """What is wrong with the generated tables that the pull request brings along."""
    folder, changed = RUNS / track.name, {}
    for change in request.tables.get(track.name, []):
        name = Path(change.path).name
        if name == ABLATIONS:
            yield f"{change.kind} {change.path}: a maintainer measures ablations (`xdr leaderboard --ablations`)"
        elif change.head is None or change.head.strange_kind:
            yield f"{change.kind} {change.path}: {change.head.strange_kind if change.head else 'the table is needed'}"
        elif change.head.size > MAX_BYTES:
            yield f"{change.path}: larger than {MAX_BYTES} bytes"
        else:
            changed[name] = change
    with tempfile.TemporaryDirectory() as place:
        for name, entry in _files_below(request.head, folder).items():
            if name in TABLES and not entry.strange_kind and entry.size <= MAX_BYTES:
                (Path(place) / name).write_bytes(content_of(request.checkout, entry))
        for finding in stale_tables(TrackRuns(track, RUNS), comparison, board, Path(place)):
            name = Path(finding.where).name
            if name in changed:
                yield f"{folder / name}: {finding.what}; {finding.hint} (records that a pull request brings do not count)"


def main(mode: str, pull_request: Path, out: Path) -> int:
    lines = ["## Submission", ""]
    try:
        failed = _check(mode, pull_request, out, lines)
    except BaseException as error:
        failed = True
        lines += ["The check did not come to an end:", "", "```", *_unforeseen(error), "```"]
        if not isinstance(error, Exception):
            raise
    finally:
        text = "\n".join(lines) + "\n"
        write_text(out / "summary.md", text.encode("utf-8", "backslashreplace").decode("utf-8"))
    return int(failed)


def _check(mode: str, pull_request: Path, out: Path, lines: list[str]) -> bool:
    request = read_pull_request(pull_request)
    failed = False
    for row in request.rows:
        lines.append(f"### `{_plain(row[0])}` / `{_plain(row[1])}`\n")
        report = submitted(request, row, mode, out)
        lines += report.lines()
        failed |= bool(report.errors)
    if not request.rows:
        lines += ["No row of runs/ was added or changed.", ""]
    elsewhere, tables = request.elsewhere, []
    for name in sorted({*request.tables, *(track for track, _ in request.rows)} & set(track_names())):
        try:
            track = load_track(name)
            comparison, board = preview(track, out)
            elsewhere.errors += check_tables(request, track, comparison, board)
            tables += [f"### Table of `{name}` with the changed rows", "", to_markdown(board)]
        except Exception as error:
            elsewhere.errors += [f"no table of {name}:", *_told(error)]
    elsewhere.errors += [f"{change.path}: no such track" for name in request.tables.keys() - set(track_names())
                         for change in request.tables[name]]  # fmt: skip
    if elsewhere.errors:
        lines += ["### What is no row\n", *elsewhere.lines()]
    if request.outside:
        lines += [f"{request.outside} files outside of runs/ are changed, too; this check did not look at them.", ""]
    lines += tables
    if tables:
        lines.append("The pages are in the artifact of this check: open `reports/index.html`.")
    return failed or bool(elsewhere.errors)


def _printable(text: str) -> str:
    """One line, where what is no printable character stands as its code."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _plain(text: str) -> str:
    """Text of a stranger on one line, without what Markdown or a mention could make of it."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f`<>@\[\]|]", " ", text)[:500]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
