"""Sites for tests: the embedded track, one of hostile strings, one of parallel questions; and how a browser opens them."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from recorded import copy_recorded_runs

from harness.adapters.card import Card, LoadedCard, load_card
from harness.adapters.contract import Context
from harness.leaderboard.pipeline import build_leaderboard, compare_all, score_all
from harness.leaderboard.site import render
from harness.leaderboard.table import Leaderboard, read_leaderboard
from harness.runs.execute import run_system
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.tracks import Track, load_track

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>document.title='owned'</script></script>\u202e\u2028\U0001f600 & \"quotes\" 'x' {{ 7 * 7 }}"
HOSTILE_CARD = HOSTILE.replace("\u202e\u2028", "")  # a card's check takes no controls
HOSTILE_ID = "<q>&\"1'</script>"
LONG = "متى " + "\U0001f600ن" * 5000
PAPER = "javascript:document.title='owned'"


@dataclass(frozen=True)
class Pages:
    """A rendered site: its folder, and what it was rendered from."""

    folder: Path
    track: Track
    board: Leaderboard
    scores: tuple[ScoreFile, ...]
    runs: Path

    @property
    def own(self) -> Path:
        """The folder of the track's own pages."""
        return self.folder / self.track.name

    @property
    def files(self) -> list[str]:
        """All pages, as paths from the site's folder."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.html"))

    def score(self, system: str) -> ScoreFile:
        return next(score for score in self.scores if score.system == system)


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """``make`` fills the folder in the first process that asks; the others wait for it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def pages_in(folder: Path, track: Track) -> Pages:
    runs = folder / "runs"
    scores = score_all(TrackRuns(track, runs))
    return Pages(folder / "reports", track, read_leaderboard(runs / track.name), tuple(scores), runs)


def mini_track() -> Track:
    """The embedded track, with as few resamples as its families allow: tests wait less, pages are made the same way."""
    track = load_track("mini")
    fewer = {"resamples": 10000, "all_pairs_resamples": 1000}
    return track.model_copy(update={"families": track.families.model_copy(update=fewer)})


def make_mini(folder: Path) -> None:
    copy_recorded_runs(folder)
    rendered(mini_track(), folder)


def make_hostile(folder: Path) -> None:
    """Two languages, one from right to left; every string that a stranger can choose is hostile."""
    data = folder / "data"
    docs = [{"doc_id": "d<1>&", "title": HOSTILE, "text": f"In 1889 {HOSTILE}. Again in 1889."}]
    docs += [{"doc_id": f"d{i}", "title": "", "text": f"Passage {i} of \U0001f600 more. " * 3} for i in range(8)]
    queries = [
        {"query_id": HOSTILE_ID, "lang": "ar", "text": f"متى {HOSTILE}؟ 1889"},
        {"query_id": "long", "lang": "ar", "text": LONG},
        *({"query_id": f"fi{i}", "lang": "fi", "text": f"Milloin {i}? {HOSTILE if i == 1 else ''}"} for i in range(4)),
    ]
    qrels = [(HOSTILE_ID, "d<1>&"), ("long", "d2"), *((f"fi{i}", f"d{i}") for i in range(4))]
    answers = {HOSTILE_ID: ["1889", HOSTILE], "long": ["Passage 2"], **{f"fi{i}": [f"Passage {i}"] for i in range(4)}}
    write_collection(data, docs, queries, qrels, answers)
    (folder / "track.toml").write_text(
        'schema_version = 1\nname = "hostile"\nversion = 1\ntitle = "T <script>1</script>"\ndescription = "<img src=x>"\n'
        'measures = ["Success@1", "R@10t", "RR@3"]\nprimary = "R@10t"\ndepth = 3\nbaseline = "bm25"\n'
        'parts = [{name = "ar", dataset = "folder(ar):data", lang = "ar"}, '
        '{name = "fi", dataset = "folder(fi):data", lang = "fi"}]\n'
        "families = {resamples = 1000, all_pairs_resamples = 1000}\n"
    )
    hostile: dict[str, Any] = {
        **dict.fromkeys(("title", "description", "licence"), HOSTILE_CARD),
        **dict.fromkeys(("authors", "training_data"), (HOSTILE_CARD,)),
    }  # fmt: skip
    cards = [
        load_card("bm25").card.model_copy(update={**hostile, "paper": PAPER}),
        load_card("dummy").card.model_copy(update=hostile),
        load_card("dummy").card.model_copy(
            update={"name": "partial", "languages": ("fi",), "paper": "data:text/html,x"}
        ),
    ]
    make(folder, cards)


def make_parallel(folder: Path, seen: Sequence[str] = ()) -> None:
    """Twelve questions, asked in three languages: topics that languages share. ``seen``: what BM25's card may have seen."""
    docs = [
        {"doc_id": f"d{i}", "title": f"T{i}", "text": f"Passage number {i} holds answer{i} here."} for i in range(12)
    ]
    langs = ("ar", "fi", "ja")
    queries = [
        {"query_id": f"{lang}{i}", "lang": lang, "topic": f"t{i}", "text": f"{lang} {i} answer{i}"}
        for lang in langs
        for i in range(12 if lang != "ja" else 9)
    ]
    qrels = [(str(query["query_id"]), f"d{str(query['topic'])[1:]}") for query in queries]
    write_collection(folder / "data", docs, queries, qrels, {})
    parts = ", ".join(f'{{name = "{lang}", dataset = "folder({lang}):data", lang = "{lang}"}}' for lang in langs)
    (folder / "track.toml").write_text(
        'schema_version = 1\nname = "parallel"\nversion = 1\ntitle = "Parallel"\ndescription = "Parallel questions."\n'
        'measures = ["RR@10", "Success@3"]\nprimary = "RR@10"\ndepth = 10\nbaseline = "one"\n'
        f"parts = [{parts}]\nfamilies = {{resamples = 1000, all_pairs_resamples = 1000}}\n"
    )
    dummy = load_card("dummy").card
    cards = [
        dummy.model_copy(update={"name": name, "title": f"System {name}", "parameters": {"salt": name}})
        for name in ("one", "two", "three")
    ]
    make(folder, [*cards, load_card("bm25").card.model_copy(update={"may_have_seen": tuple(seen)})])


def write_collection(
    folder: Path,
    docs: Sequence[dict[str, Any]],
    queries: Sequence[dict[str, Any]],
    qrels: Sequence[tuple[str, str]],
    answers: dict[str, list[str]],
) -> None:
    folder.mkdir()
    lines = functools.partial(map, lambda row: json.dumps(row) + "\n")
    (folder / "docs.jsonl").write_text("".join(lines(docs)))
    (folder / "queries.jsonl").write_text("".join(lines(queries)))
    (folder / "qrels.txt").write_text("".join(f"{query} 0 {doc} 1\n" for query, doc in qrels))
    rows = ({"query_id": query, "answers": texts} for query, texts in answers.items())
    if answers:
        (folder / "answers.jsonl").write_text("".join(lines(rows)))


def make(folder: Path, cards: Sequence[Card]) -> None:
    """Run the cards, and render their leaderboard."""
    track, runs = load_track(str(folder / "track.toml")), folder / "runs"
    context = Context(cache=folder / "cache", work=folder / "work")
    for card in cards:
        run_system(TrackRuns(track, runs), LoadedCard(card, folder), context)
    rendered(track, folder)


def rendered(track: Track, folder: Path) -> None:
    """Score, compare and render the runs in ``folder/runs``."""
    runs = folder / "runs"
    scores = score_all(TrackRuns(track, runs))
    board = build_leaderboard(TrackRuns(track, runs), scores, compare_all(TrackRuns(track, runs), scores))
    render(TrackRuns(track, runs), board, scores, folder / "reports")


@dataclass
class Opened:
    """A page in the browser, with what it complained of and what it asked for."""

    page: Any
    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def until(page: Any, expression: str, argument: Any = None) -> None:
    """Wait until a JavaScript expression is true; Playwright's own waiting needs eval, which the pages' policy forbids."""
    for _ in range(500):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never true: {expression}")


@dataclass
class Browser:
    """Chromium, and its pages that nobody uses now, by the options of their contexts."""

    chromium: Any
    idle: dict[str, list[Any]] = field(default_factory=dict)


@contextlib.contextmanager
def opened(browser: Browser, address: Path | str, *, width: int = 1280, **context: Any) -> Iterator[Opened]:
    """Open an address in a page that nobody else uses, and wait until its scripts, where it has any, are done.

    A page costs a window and a process or two, which is more than most of what is tested in it. So one is used again after a
    test that passed: our sites keep nothing in the browser, and what the test set up in the page is taken off.
    """
    idle = browser.idle.setdefault(repr(sorted(context.items())), [])
    page = idle.pop() if idle else browser.chromium.new_context(**context).new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.set_default_timeout(10_000)
    found = Opened(page)
    listeners: dict[str, Callable[[Any], None]] = {
        "console": lambda message: found.troubles.append(message.text),
        "pageerror": lambda error: found.troubles.append(str(error)),
        "request": lambda request: found.requests.append(request.url),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        go(page, address, scripts=context.get("java_script_enabled", True))
        yield found
        page.unroute_all()
        page.emulate_media(media="null")
        page.goto("about:blank")
    except BaseException:
        page.context.close()
        raise
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    idle.append(page)


def go(page: Any, address: Path | str, fragment: str = "", *, scripts: bool = True) -> None:
    url = address.as_uri() if isinstance(address, Path) else address
    if page.url.partition("#")[0] == url:
        page.goto("about:blank")  # Else only the fragment changes, and nothing tells when the page has seen it.
    page.goto(url + (f"#{fragment}" if fragment else ""))
    if scripts and page.locator("body[data-page]").count():
        settled(page)


def settled(page: Any) -> None:
    """Wait until the page shows what its address says: a choice may have to load data first."""
    page.wait_for_selector("body[data-ready=yes]")
    # A table's controls are folded at first; nobody can use them before they are opened.
    page.evaluate("for (const box of document.querySelectorAll('#controls details')) box.open = true")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a server of this machine; gives its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Headless Chromium; skips the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `dev` brings playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield Browser(found)
        found.close()


def kinds(pages: Pages) -> list[str]:
    """One page of each kind, and all pages of measures, as paths from the site's folder."""
    kept: dict[str, str] = {}
    for path in pages.files:
        folder = path.rpartition("/")[0]
        kept.setdefault(path if folder in ("", pages.track.name) else folder, path)
    return list(kept.values())
