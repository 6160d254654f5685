"""Inputs of strangers: each ends in an error for the user, whatever is in it. See docs/reliability.md."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.errors import InvalidInput, WrongUsage, XdrError
from harness.files.limits import RUN_BYTES
from harness.files.package import package_root
from harness.files.plain_yaml import FastLoader, PythonLoader
from harness.files.reading import parse_json, parse_toml, parse_yaml, read_bytes, read_lines
from harness.files.writing import gzip_bytes
from harness.runs.execute import run_system
from harness.runs.manifest import read_manifest, run_file
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.score_file import read_scores
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.tracks import load_track
from tests.faults import hostile
from tests.fuzz import contract

LIGHT = [attack for attack in hostile.INPUTS if not attack.heavy]


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A reader that waits for ever fails here, not at the patience of whoever runs the tests."""
    signal.alarm(hostile.SECONDS)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("attack", LIGHT, ids=lambda attack: f"{attack.target}: {attack.name}")
def test_a_hostile_input_ends_in_an_error_that_says_what_is_wrong(tmp_path: Path, attack: hostile.Hostile) -> None:
    target = contract.load(attack.target)
    path = contract.place(target, tmp_path)
    path.write_bytes(attack.data())
    with pytest.raises(XdrError) as caught:
        target.read(path)
    assert attack.told in str(caught.value)
    assert len(str(caught.value)) < 100_000


def test_the_samples_that_the_hostile_ones_are_made_from_are_in_order(tmp_path: Path) -> None:
    for name, data in (
        ("card.toml", hostile.card()),
        ("track.toml", hostile.track()),
        ("manifest.yaml", hostile.manifest()),
        ("scores.parquet", hostile.scores()),
    ):
        (tmp_path / name).write_bytes(data)
    assert load_card(str(tmp_path / "card.toml")).card.name == "mine"
    assert load_track(str(tmp_path / "track.toml")).name == "mine"
    assert read_manifest(tmp_path).tag == "mine"
    assert read_scores(tmp_path / "scores.parquet").mean("ar", "RR@10") == 0.5


@pytest.mark.parametrize("name", contract.TARGETS)
@pytest.mark.parametrize("seed", range(2))
def test_the_seeds_of_the_fuzzers_are_read(tmp_path: Path, name: str, seed: int) -> None:
    seeds = contract.seeds(name)
    target = contract.load(name)
    if seed == 0:
        good = [path for path in seeds if not path.name.startswith("faults")]
        assert good, "a corpus without a good file teaches the fuzzer little"
    for path in seeds[seed::2]:
        contract.hold(target, path.read_bytes(), tmp_path)


def mutated(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """A seed with some of its bytes replaced by others, or by pieces of the seeds."""
    pieces = st.one_of(st.binary(max_size=8), st.sampled_from(seeds).map(lambda seed: seed[: len(seed) // 3]))
    edits = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 20), pieces), min_size=1, max_size=4)

    def apply(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, length, piece in changes:
            start = place % (len(seed) + 1)
            seed = seed[:start] + piece + seed[start + length :]
        return seed

    return st.builds(apply, st.sampled_from(seeds), edits)


@pytest.mark.parametrize("name", contract.TARGETS)
def test_whatever_the_bytes_a_reader_returns_or_says_what_is_wrong(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    target, folder = contract.load(name), tmp_path_factory.mktemp(name)
    seeds = [path.read_bytes() for path in contract.seeds(name)]

    @settings(max_examples=getattr(target, "EXAMPLES", 40))
    @given(st.one_of(mutated(seeds), st.binary(max_size=200)))
    def check(data: bytes) -> None:
        contract.hold(target, data, folder)

    check()


# The parsers


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029\ufeff\ufffe\uffff")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé0", max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_json_that_is_in_order_is_read_as_it_was_written(value: object) -> None:
    import json

    assert parse_json(json.dumps(value)) == parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(VALUES)
@example({"a": "2001-01-01", "b": ["yes", "~", "1e3", "0x1f", "<<", "=", ""]})
def test_yaml_that_is_in_order_is_read_as_it_was_written(value: object) -> None:
    import yaml

    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True)) == value


@given(VALUES, st.sampled_from([None, True, False]))
@example({"a": "2001-01-01", "b": ["yes", "~", "1e3", "0x1f", "<<", "=", "", "\t", "a: b", "#"]}, False)
def test_both_parsers_of_yaml_find_the_same(value: object, flow: bool | None) -> None:
    import yaml

    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=flow)
    assert yaml.load(text, Loader=FastLoader) == yaml.load(text, Loader=PythonLoader)


def test_both_parsers_of_yaml_read_the_recorded_manifests_alike() -> None:
    import yaml

    texts = [path.read_text("utf-8") for path in sorted((package_root() / "runs").glob("*/*/**/*.yaml"))]
    assert texts
    for text in texts:
        assert yaml.load(text, Loader=FastLoader) == yaml.load(text, Loader=PythonLoader)


@pytest.mark.parametrize("depth", [64, 65])
def test_nesting_is_counted_alike_in_all_three(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    for parse, text in ((parse_json, nested), (parse_yaml, nested), (parse_toml, "a = " + nested[1:-1])):
        if depth == 64:
            parse(text)
        else:
            with pytest.raises(ValueError, match="more than 64 deep"):
                parse(text)


@given(
    st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=10), st.booleans(), st.booleans()
)
def test_lines_are_those_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ended: bool, zipped: bool
) -> None:
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    if data[:2] == b"\x1f\x8b":
        return
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(gzip_bytes(data) if zipped else data)
    expected = data.removesuffix(b"\n").split(b"\n") if data else []
    assert [line for _, line in read_lines(path, 1000, 30)] == expected
    size = path.stat().st_size
    assert read_bytes(path, max(size, len(data))) == data
    if data:
        with pytest.raises(InvalidInput, match="too large"):
            read_bytes(path, len(data) - 1)


# What is no file, and what leads elsewhere


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A recorded run of the dummy system on one part of the embedded collection."""
    (tmp_path / "track.toml").write_bytes(hostile.track(name="small", dataset="xdr-mini/ar"))
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    runs = TrackRuns(load_track(str(tmp_path / "track.toml")), tmp_path / "runs")
    return run_system(runs, load_card("dummy"), context).folder


def test_a_pipe_is_not_waited_for_and_a_device_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.trec")
    for path in (tmp_path / "pipe.trec", Path("/dev/zero")):
        with pytest.raises(InvalidInput, match="a pipe or a device, not a file"):
            read_run(path)
        with pytest.raises(InvalidInput, match="a pipe or a device, not a file"):
            read_bytes(path, RUN_BYTES)
    with pytest.raises(WrongUsage, match="is a folder, not a file"):
        read_bytes(tmp_path, RUN_BYTES)
    with pytest.raises(WrongUsage, match="no file"):
        read_bytes(Path("a\0b"), RUN_BYTES)


@pytest.mark.parametrize("linked", ["ar.trec.gz", "manifest.yaml", "scores.parquet", ""])
def test_links_in_a_runs_folder_are_refused_and_nothing_is_written_through_them(
    tmp_path: Path, run_folder: Path, linked: str
) -> None:
    track = load_track(str(tmp_path / "track.toml"))
    path = run_folder / linked if linked else run_folder
    away = tmp_path / "elsewhere"
    if path.exists():
        path.rename(away)
    else:
        away.write_text("precious")
    path.symlink_to(away)
    before = {p: p.read_bytes() for p in [away, *away.rglob("*")] if p.is_file()}
    with pytest.raises(InvalidInput, match="a symbolic link"):
        score_system(RunFolder(track, run_folder))
    with pytest.raises(InvalidInput, match="a symbolic link"):
        run_system(
            TrackRuns(track, tmp_path / "runs"), load_card("dummy"), Context(cache=tmp_path / "c", work=tmp_path / "w")
        )
    assert {p: p.read_bytes() for p in [away, *away.rglob("*")] if p.is_file()} == before


def test_a_part_of_a_manifest_cannot_lead_out_of_its_folder(run_folder: Path) -> None:
    path = run_folder / "manifest.yaml"
    path.write_text(path.read_text().replace("\n  ar:\n", "\n  ../../ar:\n"))
    with pytest.raises(InvalidInput, match="pattern"):
        read_manifest(run_folder)
    assert run_file(run_folder, "ar").is_file()
