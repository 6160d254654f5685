"""``xdr data pack``: what a track and cards need, carried to a cache that has nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import four_bit_files
import pytest
import tiny_models
from typer.testing import CliRunner

from harness.adapters.card import Card, LoadedCard
from harness.cli import app
from harness.collections.storage import pinned
from harness.collections.storage.imports import import_folder
from harness.collections.storage.pinned import PinnedFile, files_noted, verified_path
from harness.dense import four_bit, pinned_models
from harness.dense.hub_cache import carried_snapshots, import_snapshots
from harness.dense.model_places import model_folder
from harness.dense.pinned_models import CONVERSIONS, Conversion
from harness.errors import InvalidInput
from harness.runs.pack import pack
from harness.tracks import load_track

DATA = four_bit_files.made().data
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Machines by name, each with caches of its own; on the first lies a small pinned model."""
    file = PinnedFile("toy/model.bin", "CC0", sha256=hashlib.sha256(DATA).hexdigest())
    monkeypatch.setattr(pinned, "pinned_files", lambda: {file.name: file})
    monkeypatch.setattr(pinned_models, "pinned_files", lambda: {file.name: file})
    monkeypatch.setitem(CONVERSIONS, "toy", Conversion(file.name, 1, four_bit.convert))

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def at(machine: str) -> Path:
        monkeypatch.setenv("XDR_HOME", str(tmp_path / machine))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / machine / "hub"))
        monkeypatch.setattr(pinned_models, "_checked", set())
        monkeypatch.setattr(pinned, "_verified", {})
        return tmp_path / machine

    at("first")
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(DATA)
    return at


def card(tmp_path: Path, name: str, adapter: str = "dense", **parameters: object) -> LoadedCard:
    fields = {"schema_version": 1, "name": name, "title": name, "adapter": adapter, "parameters": parameters}
    return LoadedCard(Card.model_validate(fields), tmp_path)


def hub_snapshot(home: Path) -> Path:
    """A model as the hub's cache has it: a folder of links to blobs."""
    snapshot = home / "hub/models--organisation--model/snapshots" / REVISION
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for place, file in enumerate(sorted(tiny_models.shared().plain.iterdir())):
        (blobs / str(place)).write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(blobs / str(place))
    return snapshot


def test_models_are_carried_to_a_machine_without_a_network(caches: Callable[[str], Path], tmp_path: Path) -> None:
    snapshot = hub_snapshot(tmp_path / "first")
    cards = [
        card(tmp_path, "one", model="pinned:toy"),
        card(tmp_path, "two", model="organisation/model", revision=REVISION, pooling="mean"),
    ]
    done = pack(load_track("mini"), cards, tmp_path / "carried")
    place = f"hub/models--organisation--model/snapshots/{REVISION}"
    assert done.files == (place, "toy/model.bin")
    assert done.size_bytes == sum(path.stat().st_size for path in (tmp_path / "carried").rglob("*") if path.is_file())
    assert done.beside == ()

    second = caches("second")
    assert import_folder(tmp_path / "carried").copied == ("toy/model.bin",)
    assert import_snapshots(tmp_path / "carried") == [f"organisation/model@{REVISION}"]
    assert (model_folder("pinned:toy", None, Path()) / "model.safetensors").is_file()
    arrived = second / "hub/models--organisation--model/snapshots" / REVISION
    assert {path.name for path in arrived.iterdir()} == {path.name for path in snapshot.iterdir()}
    assert not any(path.is_symlink() for path in arrived.iterdir())


def test_packing_again_copies_nothing_and_mends_what_is_damaged(caches: Callable[[str], Path], tmp_path: Path) -> None:
    cards, track, copy = (
        [card(tmp_path, "one", model="pinned:toy")],
        load_track("mini"),
        tmp_path / "carried/toy/model.bin",
    )
    pack(track, cards, tmp_path / "carried")
    before = copy.stat().st_ino
    pack(track, cards, tmp_path / "carried")
    assert copy.stat().st_ino == before
    copy.write_bytes(DATA[:-1] + b"x")
    pack(track, cards, tmp_path / "carried")
    assert copy.read_bytes() == DATA


def test_what_rows_below_need_is_carried_as_well(caches: Callable[[str], Path], tmp_path: Path) -> None:
    hub_snapshot(tmp_path / "first")
    place = f"hub/models--organisation--model/snapshots/{REVISION}"
    own = card(tmp_path, "own", model="pinned:toy")
    fused = card(tmp_path, "fused", "fuse", rows=["own", "mini-xdr-bm25"])
    again = card(tmp_path, "again", "rerank", row="fused", model="organisation/model", revision=REVISION)
    done = pack(load_track("mini"), [again, fused, own], tmp_path / "carried")
    assert done.files == (place, "toy/model.bin")
    assert done.below == ("mini-xdr-bm25", "mini-xdr", "bm25")
    assert done.beside == ()


def test_a_row_below_that_nobody_knows_is_told_with_the_card_that_stands_on_it(
    caches: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as caught:
        pack(load_track("mini"), [card(tmp_path, "fused", "fuse", rows=["bm25", "own"])], tmp_path / "carried")
    (finding,) = caught.value.findings
    assert finding.where == "fused"
    assert "own" in str(finding)
    assert not (tmp_path / "carried").exists()


def test_the_command_names_the_rows_that_it_packs_as_well(imported_data: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "pack", "mini", "mini-xdr-bm25", str(tmp_path / "carried")])
    assert done.exit_code == 0, done.output
    for name in ("mini-xdr", "bm25"):
        assert f"{name} is packed as well" in " ".join(done.stderr.split())


def test_what_lies_beside_a_card_is_named_and_not_what_the_package_ships(
    caches: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    shipped = Path(__file__).parents[2] / "systems/models/mini-xdr"
    cards = [card(tmp_path, "one", model="mine"), card(tmp_path, "two", model=str(shipped))]
    done = pack(load_track("mini"), cards, tmp_path / "carried")
    assert (done.files, done.beside) == ((), (tmp_path / "mine",))


def test_all_that_cannot_be_had_is_told_at_once_and_nothing_is_packed(
    caches: Callable[[str], Path], tmp_path: Path
) -> None:
    caches("empty")
    cards = [card(tmp_path, "one", model="pinned:toy"), card(tmp_path, "two", model="pinned:to")]
    with pytest.raises(InvalidInput, match="nothing was packed for track mini") as caught:
        pack(load_track("mini"), cards, tmp_path / "carried")
    assert {finding.where for finding in caught.value.findings} == {"two", "toy/model.bin"}
    assert not (tmp_path / "carried").exists()


def test_files_are_noted_while_they_are_asked_for(caches: Callable[[str], Path]) -> None:
    with files_noted() as names:
        verified_path("toy/model.bin")
    assert names == {"toy/model.bin"}


@pytest.mark.parametrize("name", ["models--a--b/snapshots/main", "models--a--b/snapshots/../up", "snapshots/x"])
def test_only_snapshots_of_a_commit_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    assert list(carried_snapshots(tmp_path)) == []


def test_a_real_track_is_packed_and_imported(
    imported_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None
) -> None:
    from harness.collections import xquad

    for made in (xquad.read, xquad.docs):
        made.cache_clear()
    done = CliRunner().invoke(app, ["data", "pack", "xquad", "bm25", "mini-xdr", str(tmp_path / "carried")])
    assert done.exit_code == 0, done.output
    languages = ("ar", "de", "en", "es", "hi", "ru", "tr", "zh")
    assert done.stdout.splitlines() == [f"xquad/xquad.{lang}.json" for lang in languages]
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    there = CliRunner().invoke(app, ["data", "import", str(tmp_path / "carried")])
    assert there.exit_code == 0
    assert there.stdout.splitlines() == done.stdout.splitlines()
