"""Every test has a cache of its own; real data comes from the folder that XDR_TEST_DATA names, where there is one."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import site_pages
from hypothesis import settings

from harness.tracks import load_track

# The same cases on every machine, and no opinion on how fast that machine is.
settings.register_profile("deterministic", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("thorough", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("deterministic")

# What is imported for the tests stays until the end: looking through it again and again for garbage takes seconds.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


IN_ONE_WORKER = frozenset(
    {
        "tests/adapters/test_one_process.py",
        "tests/compute/test_ray.py",
        "tests/submissions/test_reproduce_records.py",
        "tests/submissions/test_submitting_places.py",
    }
)
"""Files whose tests share what takes long to make. They come first, so that no worker is left alone with them at the end."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was skipped, and what would run it: nobody takes for tried what was not."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    reasons = Counter(str(place[2]).removeprefix("Skipped: ") for place in skipped if isinstance(place, tuple))
    if reasons:
        terminalreporter.section("skipped, and what they need")
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count:>5}  {reason}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadgroup``: pytest-xdist 3.8 finds no marks of groups where pytest is 9.2 (its issue 1386)."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class FilesInOneWorker(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in IN_ONE_WORKER else nodeid

    return FilesInOneWorker(config, log)


@pytest.fixture(scope="session", autouse=True)
def xdr_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """XDR_HOME, once per worker, so that no test touches the user's cache."""
    home = tmp_path_factory.mktemp("xdr-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDR_HOME", str(home))
        yield home


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_disks() -> Iterator[None]:
    """What a power failure would leave is no question of these tests, and a busy disk takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """ir_datasets keeps every data set that it made once: here all are made anew, and forgotten afterwards."""
    import ir_datasets

    from harness.collections import register_all
    from harness.collections.view import _load, _shared_docs

    registry = type(ir_datasets.registry)()
    register_all(registry)
    monkeypatch.setattr(ir_datasets, "registry", registry)
    monkeypatch.setattr(ir_datasets, "load", registry.__getitem__)
    before = dict(_shared_docs)
    _load.cache_clear()
    yield
    _load.cache_clear()
    _shared_docs.clear()
    _shared_docs.update(before)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("XDR_TEST_DATA")
    if not folder:
        pytest.skip("needs the public data files: set XDR_TEST_DATA to a folder that holds them")
    return Path(folder)


@pytest.fixture(scope="session")
def imported_data(real_data: Path, xdr_home: Path) -> Path:
    """The cache after ``xdr data import`` of the real data; returns where the files lie."""
    from harness.collections.storage.imports import import_folder

    imported = import_folder(real_data)
    assert imported.copied, f"XDR_TEST_DATA={real_data} holds no known data file"
    return xdr_home / "data"


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Where rendered sites lie, once for all workers of a test run."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "sites"


@pytest.fixture(scope="session")
def mini(sites: Path) -> site_pages.Pages:
    """The site of the embedded track, from its committed runs."""
    return site_pages.pages_in(site_pages.once(sites / "mini", site_pages.make_mini), site_pages.mini_track())


@pytest.fixture(scope="session")
def hostile(sites: Path) -> site_pages.Pages:
    """The site of a track whose every string from outside is hostile."""
    folder = site_pages.once(sites / "hostile", site_pages.make_hostile)
    return site_pages.pages_in(folder, load_track(str(folder / "track.toml")))


@pytest.fixture(scope="session")
def parallel(sites: Path) -> site_pages.Pages:
    """The site of a track whose languages share their topics."""
    folder = site_pages.once(sites / "parallel", site_pages.make_parallel)
    return site_pages.pages_in(folder, load_track(str(folder / "track.toml")))


@pytest.fixture(scope="session")
def browser() -> Iterator[site_pages.Browser]:
    with site_pages.launched() as found:
        yield found
