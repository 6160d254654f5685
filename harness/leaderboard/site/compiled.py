"""Compiled templates, kept where Python keeps the compiled modules of this package, and believed as these are.

Compiling the templates takes as long as all that they are filled with. Jinja compares what it finds with a digest of the
template; here the digest is also of Jinja's version and of the modules that say how templates are compiled. Whoever can write
in that folder could change the modules beside it: no folder of caches, which others may share, would be as good.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Sequence
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from harness.errors import InvalidInput
from harness.files.writing import atomic_write


class CompiledBeside(jinja2.BytecodeCache):
    """Of templates whose environment is made by ``modules``: a change of any of them compiles the templates again."""

    def __init__(self, modules: Sequence[Path]) -> None:
        self._folder = Path(cache_from_source(str(modules[0]))).parent
        self._settings = jinja2.__version__.encode() + b"\0".join(module.read_bytes() for module in modules)

    def get_source_checksum(self, source: str) -> str:
        return hashlib.sha256(self._settings + b"\0" + source.encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            bucket.bytecode_from_string(self._file(bucket).read_bytes())
        except Exception:  # of a damaged file there may be any; it is written again
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Nothing where Python is to write none, or where the package's folder is not to be written."""
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(InvalidInput, OSError), atomic_write(self._file(bucket), durable=False) as file:
            file.write(bucket.bytecode_to_string())

    def _file(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.{sys.implementation.cache_tag}.template"
