"""Files that are made of others, and kept: when they are opened they are verified, or made again.

Beside what was made lies its seal, one line with a checksum: in which form, of what, the digests of the files, and what
is small enough to need no file of its own. What was cut off or damaged, is of other sources, or was written in another form
is not there. Digests are against disks and kills, not against forgers: XXH3 takes a hundredth of the time that reading takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import xxhash

from harness.errors import WrongUsage
from harness.files.limits import LINE_BYTES
from harness.files.sealed_lines import sealed_line, unsealed
from harness.files.writing import atomic_write, folder_lock

FORM = "derived 1"
_CHUNK = 1 << 20


class Made(NamedTuple):
    """``files``: below the folder of the seal. ``value``: what JSON can hold."""

    files: Sequence[Path] = ()
    value: Mapping[str, Any] = MappingProxyType({})


def xxh3_of_file(path: Path) -> str:
    digest, buffer = xxhash.xxh3_128(), bytearray(_CHUNK)
    with path.open("rb", buffering=0) as file, memoryview(buffer) as view:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()


@dataclass(frozen=True)
class Derived:
    """What was made of ``made_of``: digests of sources, settings and versions, all on which it depends, as JSON has it.

    ``digest``: of a file of it, or of a folder; one that is remembered by the file's stamp spares reading what is too large.
    """

    seal: Path
    made_of: Any
    digest: Callable[[Path], str] = xxh3_of_file

    def kept(self) -> dict[str, Any] | None:
        """The value, where that and the files are as they were made, of this; else None."""
        sealed = self._sealed()
        if sealed is None:
            return None
        files, value = sealed
        try:
            is_whole = all(self.digest(self.seal.parent / name) == digest for name, digest in files.items())
        except (OSError, WrongUsage):
            return None
        return value if is_whole else None

    def keep(self, made: Made) -> None:
        """Seal what was made. The files must be nobody else's to replace meanwhile, as they are within ``made``.

        Raises ``InvalidInput`` where that cannot be written.
        """
        files = {path.relative_to(self.seal.parent).as_posix(): self.digest(path) for path in made.files}
        with atomic_write(self.seal) as file:
            file.write(sealed_line([FORM, self.made_of, files, dict(made.value)]))

    def made(self, make: Callable[[], Made]) -> dict[str, Any]:
        """The value, its files being whole; ``make`` makes them if need be, while other processes wait.

        Raises ``InvalidInput`` where that cannot be written, and whatever ``make`` raises: nothing is believed then.
        """
        if (found := self.kept()) is not None:
            return found
        with folder_lock(self.seal.parent):
            # Made by another process meanwhile?
            if (found := self.kept()) is not None:
                return found
            self.seal.unlink(missing_ok=True)  # before anything that it vouches for is replaced
            made = make()
            self.keep(made)
            return dict(made.value)

    @property
    def is_sealed(self) -> bool:
        """Whether the seal still is of this: files that were opened since they were verified are the verified ones then."""
        return self._sealed() is not None

    def _sealed(self) -> tuple[dict[str, str], dict[str, Any]] | None:
        try:
            with self.seal.open("rb") as file:
                form, made_of, files, value = unsealed(file.read(LINE_BYTES))
        except (OSError, ValueError, TypeError):
            return None
        if form != FORM or made_of != json.loads(json.dumps(self.made_of)):
            return None
        return files, value
