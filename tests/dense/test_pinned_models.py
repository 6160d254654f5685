"""Models out of pinned files: converted once, checked ever after, identified by the pin alone."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import four_bit_files
import pytest

from harness.adapters.card import Card, LoadedCard
from harness.adapters.contract import Pin, inputs_of, missing_of
from harness.collections.storage import pinned
from harness.collections.storage.pinned import PinnedFile
from harness.dense import four_bit, pinned_models
from harness.dense.model_places import local_folder, model_folder, model_input
from harness.dense.pinned_models import CONVERSIONS, Conversion
from harness.errors import InvalidInput
from harness.files.two_values import PINNED
from harness.files.writing import sha256_of_tree
from harness.runs.identity import input_digests, versions_of

DATA = four_bit_files.made().data
MODEL = "pinned:toy"
REAL = "pinned:multilingual-e5-small-q4"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own with a small pinned model in it."""
    monkeypatch.setenv("XDR_HOME", str(tmp_path))
    file = PinnedFile("toy/model.bin", "CC0", sha256=hashlib.sha256(DATA).hexdigest())
    monkeypatch.setattr(pinned, "pinned_files", lambda: {file.name: file})
    monkeypatch.setattr(pinned_models, "pinned_files", lambda: {file.name: file})
    monkeypatch.setitem(CONVERSIONS, "toy", Conversion(file.name, 7, four_bit.convert))
    monkeypatch.setattr(pinned_models, "_checked", set())
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(DATA)
    return tmp_path


def place(home: Path) -> Path:
    return home / "models" / f"toy-{hashlib.sha256(DATA).hexdigest()[:16]}-7" / "toy"


def test_it_is_converted_once_and_not_needed_any_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model_folder(MODEL, None, Path())
    assert folder == place(home)
    before = sha256_of_tree(folder)
    shutil.rmtree(home / "data")
    monkeypatch.setattr(pinned_models, "_checked", set())
    assert model_folder(MODEL, None, Path()) == folder
    assert sha256_of_tree(folder) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["converted.seal", "toy"]


@pytest.mark.parametrize("damage", ["weights", "gone", "seal"])
def test_what_is_damaged_is_converted_again(home: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    folder = model_folder(MODEL, None, Path())
    before = sha256_of_tree(folder)
    if damage == "weights":
        with (folder / "model.safetensors").open("r+b") as file:
            file.seek(-4, os.SEEK_END)
            file.write(b"abcd")
    elif damage == "gone":
        (folder / "modules.json").unlink()
    else:
        (folder.parent / "converted.seal").write_text("[")
    monkeypatch.setattr(pinned_models, "_checked", set())
    assert sha256_of_tree(model_folder(MODEL, None, Path())) == before


def test_a_file_that_is_not_the_pinned_one_is_refused_and_nothing_is_left(home: Path) -> None:
    (home / "data/toy/model.bin").write_bytes(DATA[:-1])
    with pytest.raises(InvalidInput, match="not the published one"):
        model_folder(MODEL, None, Path())
    assert not place(home).exists()


def test_a_conversion_that_fails_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(file: Path, folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise InvalidInput("no more")

    monkeypatch.setitem(CONVERSIONS, "toy", Conversion("toy/model.bin", 7, fails))
    with pytest.raises(InvalidInput, match="no more"):
        model_folder(MODEL, None, Path())
    assert list(place(home).parent.iterdir()) == []


def _slowly(mark: Path) -> None:
    def convert(file: Path, folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        mark.touch()
        time.sleep(60)

    CONVERSIONS["toy"] = Conversion("toy/model.bin", 7, convert)
    model_folder(MODEL, None, Path())


def test_a_killed_conversion_is_made_again(home: Path) -> None:
    mark = home / "begun"
    process = multiprocessing.get_context("fork").Process(target=_slowly, args=(mark,))
    process.start()
    while not mark.exists():
        assert process.is_alive()
        time.sleep(0.01)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert [path.name for path in place(home).parent.iterdir()] == [".toy.tmp"]
    folder = model_folder(MODEL, None, Path())
    assert not (folder / "half").exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["converted.seal", "toy"]


def card(**parameters: str) -> LoadedCard:
    fields = {"schema_version": 1, "name": "one", "title": "One", "adapter": "dense", "parameters": parameters}
    return LoadedCard(Card.model_validate(fields), Path())


def test_a_run_is_identified_by_the_pin_whether_or_not_the_model_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path))
    digest = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
    assert model_input(REAL, None, Path()) == Pin(digest)
    system = card(model=REAL).system()
    assert inputs_of(system) == {"model": Pin(digest)}
    assert input_digests(system) == {"model": f"{PINNED}{digest}"}
    assert versions_of(system)["conversion"] == four_bit.CONVERSION_VERSION
    assert list(tmp_path.iterdir()) == [], "nothing is fetched or made to know that"


def test_a_folder_of_that_name_is_not_taken_for_the_pinned_one(tmp_path: Path) -> None:
    (tmp_path / REAL).mkdir()
    assert local_folder(REAL, tmp_path) is None
    assert isinstance(model_input(REAL, None, tmp_path), Pin)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"model": "pinned:multilingual-e5-smal-q4"}, "did you mean 'multilingual-e5-small-q4'"),
        ({"model": REAL, "revision": "0" * 40}, "pinned by its hash and has no revision"),
    ],
)
def test_a_card_with_another_name_or_a_revision_is_refused(parameters: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        card(**parameters).system()
    assert said in "; ".join(str(finding) for finding in caught.value.findings)


def test_what_is_missing_says_how_to_get_it(home: Path) -> None:
    shutil.rmtree(home / "data")
    (missing,) = missing_of(card(model=MODEL).system())
    assert "toy/model.bin is not in the cache" in missing
    assert "xdr data import DIR" in missing
