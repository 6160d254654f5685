"""Derived files: opened, they are what was made of these sources, whatever happened on the disk in between."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InvalidInput
from harness.files import derived, known_digests, stamps
from harness.files.derived import Derived, Made, xxh3_of_file
from harness.files.known_digests import known_sha256, remember_sha256
from harness.files.stamps import Look, Stamp, look_at
from harness.files.writing import atomic_write, sha256_of_file

SOURCE = {"sha256": "12ab", "version": 3}
DATA = {"one.bin": b"the first file", "below/two.bin": bytes(range(64))}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text('aé\n"\\\u2028', max_size=4) | st.floats(0, 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)


class Maker:
    """Writes ``DATA``, and counts how often."""

    def __init__(self, home: Path) -> None:
        self.home, self.times = home, 0

    def __call__(self) -> Made:
        self.times += 1
        for name, data in DATA.items():
            with atomic_write(self.home / name) as file:
                file.write(data)
        return Made([self.home / name for name in DATA], {"digest": "ff", "size": 7})


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "home")


def index(maker: Maker, made_of: Any = SOURCE) -> Derived:
    return Derived(maker.home / "index.seal", made_of)


def test_it_is_made_once_and_found_again(maker: Maker) -> None:
    assert index(maker).kept() is None
    for _ in range(3):
        assert index(maker).made(maker) == {"digest": "ff", "size": 7}
    assert maker.times == 1
    assert index(maker).is_sealed
    assert sorted(path.name for path in maker.home.iterdir()) == ["below", "index.seal", "one.bin"], (
        "nothing else is left"
    )


@given(value=st.dictionaries(st.text("ab", max_size=2), JSON, max_size=3), made_of=JSON, other=JSON)
def test_a_value_comes_back_as_json_has_it_and_only_for_what_it_was_made_of(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any], made_of: Any, other: Any
) -> None:
    seal = tmp_path_factory.getbasetemp() / "value.seal"
    Derived(seal, made_of).keep(Made(value=value))
    assert Derived(seal, made_of).kept() == value
    same = json.dumps(other, sort_keys=True) == json.dumps(made_of, sort_keys=True)
    if not same and other != made_of:
        assert Derived(seal, other).kept() is None


def damages(data: bytes) -> Iterator[bytes]:
    """Cut off anywhere, any byte flipped, and something behind the end."""
    for place in range(len(data)):
        yield data[:place]
        yield data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    yield data + b"\0"


@pytest.mark.parametrize("name", ["index.seal", *DATA])
def test_whatever_was_cut_off_or_flipped_is_made_again(maker: Maker, name: str) -> None:
    value = index(maker).made(maker)
    path = maker.home / name
    whole = path.read_bytes()
    for damaged in damages(whole):
        if name == "index.seal" and damaged.startswith(whole):
            continue  # what stands behind a seal's line says nothing
        path.write_bytes(damaged)
        assert index(maker).kept() is None, damaged
    path.unlink()
    before = maker.times
    assert index(maker).made(maker) == value
    assert (maker.times, path.read_bytes()) == (before + 1, whole)


@pytest.mark.parametrize(
    "old", [b"", b"{}", b'{"from": [1, 2]}', b'{"identity": {}, "digest": "ff"}', b"\x80\x04pickle"]
)
def test_notes_of_another_form_are_made_again(maker: Maker, old: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    maker.home.mkdir()
    (maker.home / "index.seal").write_bytes(old)
    index(maker).made(maker)
    assert maker.times == 1
    monkeypatch.setattr(derived, "FORM", "derived 2")
    assert index(maker).kept() is None, "nor is what an earlier version sealed believed by a later one"


def test_other_sources_and_versions_make_it_again(maker: Maker) -> None:
    for number, made_of in enumerate([SOURCE, {**SOURCE, "version": 4}, {**SOURCE, "sha256": "12ac"}, [SOURCE]], 1):
        index(maker, made_of).made(maker)
        assert maker.times == number
        assert not number > 1 or not index(maker).is_sealed


def test_what_ends_with_an_error_is_not_believed(maker: Maker) -> None:
    index(maker).made(maker)

    def fails() -> Made:
        (maker.home / "one.bin").write_bytes(b"half")
        raise InvalidInput("no more")

    with pytest.raises(InvalidInput, match="no more"):
        index(maker, "other").made(fails)
    assert index(maker, "other").kept() is None
    assert index(maker).kept() is None


def _make_slowly(home: Path, made_of: str, log: Path) -> None:
    """Both files hold what they are made of; they are checked as they are opened, as a reader would."""

    def make() -> Made:
        with log.open("a") as file:
            file.write(f"{made_of}\n")
        for name in ("a", "b"):
            with atomic_write(home / name) as file:
                file.write(made_of.encode())
            time.sleep(0.02)
        return Made([home / "a", home / "b"], {"of": made_of})

    own = Derived(home / "seal", made_of)
    while True:
        value = own.made(make)
        opened = [(home / name).read_bytes() for name in ("a", "b")]
        if own.is_sealed:
            break
    if value != {"of": made_of} or opened != [made_of.encode()] * 2:
        os._exit(3)


@pytest.mark.parametrize(("sources", "most"), [("xxxxxx", 1), ("xyxyxy", 60)])
def test_makers_side_by_side_have_each_what_is_theirs(tmp_path: Path, sources: str, most: int) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    processes = [context.Process(target=_make_slowly, args=(tmp_path / "home", of, log)) for of in sources]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(sources)
    assert len(set(sources)) <= len(log.read_text().split()) <= most


def test_the_digest_of_a_file_is_xxh3_of_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xxhash

    monkeypatch.setattr(derived, "_CHUNK", 7)
    for size in (0, 1, 6, 7, 8, 100):
        (tmp_path / "file").write_bytes(bytes(range(size)))
        assert xxh3_of_file(tmp_path / "file") == xxhash.xxh3_128(bytes(range(size))).hexdigest()


# Stamps, and the digests that are remembered by them


def stamp(modified: int, changed: int = 0, size: int = 5, inode: int = 1) -> Stamp:
    return Stamp("file", size, modified, changed, inode)


@given(
    st.lists(st.integers(0, 10 * stamps.SETTLED_NS), min_size=1, max_size=4),
    st.integers(0, 12 * stamps.SETTLED_NS),
)
def test_a_look_holds_only_if_every_later_change_would_show(changes: list[int], at: int) -> None:
    """A change right after the look could have a stamp as coarse as two seconds: it must differ from the one seen."""
    look = Look(tuple(stamp(changed) for changed in changes), at)
    granule = stamps.SETTLED_NS
    is_ambiguous = any(at // granule == changed // granule for changed in changes) or at < max(changes)
    assert not (look.holds(look) and is_ambiguous)
    assert look.holds(look) == (at > max(changes) + granule)


@pytest.mark.parametrize("other", [stamp(2), stamp(1, 1), stamp(1, size=6), stamp(1, inode=2)])
def test_a_look_does_not_hold_for_another_stamp(other: Stamp) -> None:
    late = 10 * stamps.SETTLED_NS
    look = Look((stamp(1),), late)
    assert look.holds(Look((stamp(1),), late + 1))
    assert not look.holds(Look((other,), late + 1))
    assert not look.holds(Look((), late + 1))


def test_a_file_that_is_gone_has_no_stamp(tmp_path: Path) -> None:
    assert look_at([tmp_path / "none", tmp_path / "\0"]).stamps == ()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The files that were hashed; small ones are remembered, too."""
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(known_digests, "REMEMBERED_BYTES", 0)
    paths: list[Path] = []
    real: Callable[..., str] = known_digests.sha256_of_file
    monkeypatch.setattr(known_digests, "sha256_of_file", lambda path, *more: paths.append(path) or real(path, *more))
    return paths


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had been changed long ago."""
    monkeypatch.setattr(stamps, "SETTLED_NS", -(10**9))


def test_a_digest_is_remembered_while_the_file_is_not_touched(
    tmp_path: Path, hashed: list[Path], settled: None
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert {known_sha256(path) for _ in range(3)} == {sha256_of_file(path)}
    assert len(hashed) == 1
    status = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if path.stat().st_ctime_ns != status.st_ctime_ns:
        assert known_sha256(path) == sha256_of_file(path), "size and time of change were set back"
    other = tmp_path / "other"
    other.write_bytes(b"six")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert known_sha256(path) == sha256_of_file(path), "another file of the same size and time in its place"


def test_a_file_that_changed_just_now_is_hashed_each_time(tmp_path: Path, hashed: list[Path]) -> None:
    """Within the same tick of the clock a change shows in no stamp."""
    path = tmp_path / "file"
    for content in (b"one", b"two", b"six"):
        path.write_bytes(content)
        assert known_sha256(path) == sha256_of_file(path)
    assert len(hashed) == 3
    assert not (tmp_path / "home").exists(), "nothing is remembered"


def test_a_note_that_was_damaged_is_no_digest(tmp_path: Path, hashed: list[Path], settled: None) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    expected = known_sha256(path)
    (note,) = (tmp_path / "home" / "digests").iterdir()
    whole = note.read_bytes()
    for damaged in damages(whole):
        note.write_bytes(damaged)
        assert known_sha256(path) == expected


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, hashed: list[Path], settled: None) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert [known_sha256(path), known_sha256(path)] == [sha256_of_file(path)] * 2
    assert len(hashed) == 2


def test_what_its_maker_knows_is_remembered_once_it_has_settled(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "SETTLED_NS", 50_000_000)
    path = tmp_path / "file"
    path.write_bytes(b"one")
    remember_sha256(path, sha256_of_file(path))
    assert known_sha256(path) == sha256_of_file(path)
    assert hashed == []
