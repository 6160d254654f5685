"""Collections of ir_datasets' own: their passages go, once, through a file of ours into an offset docstore.

ir_datasets checks the hash of what it downloads. Its docstores are pickles, and its readers keep the order of the source; what
this project needs is the order of ids, a digest, and memory that does not grow with the collection.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import progress
from harness.collections.formats.passage_files import JsonLines
from harness.collections.storage.docstore import StoredDocs, open_docs
from harness.errors import InvalidInput, XdrError
from harness.files.derived import Derived, Made
from harness.files.known_digests import known_sha256
from harness.files.stamps import look_at
from harness.files.writing import atomic_write, cache_home
from harness.records import Doc


def docs(dataset_id: str, handler: Any, read: Callable[[], Iterable[Doc]]) -> StoredDocs:
    """The passages that ``read`` gives, from our file of them if that was written from the same source."""
    name = namespace(dataset_id, handler)
    home = cache_home() / "passages" / hashlib.sha256(name.encode()).hexdigest()[:24]
    # How many there are, ir_datasets would say only after it has built a docstore of its own.
    with progress.task(f"read the passages of {name}", None, "passages") as advance:
        with reading(name):
            content = _digest_of_source(handler)
        source = {"name": name, "ir_datasets": metadata.version("ir_datasets"), "file": content}
        spooled = spool(home, source, lambda: progress.counted(_guarded(name, read), advance))
    return open_docs(spooled, JsonLines(), home / "index")


def spool(home: Path, source: object, read: Callable[[], Iterable[Doc]]) -> Path:
    """Write passages as JSON lines, unless that was done already for this ``source``, which tells one content from another."""
    path = home / "docs.jsonl"

    def write() -> Made:
        with atomic_write(path) as file:
            file.writelines(map(_line, read()))
        return Made([path])

    Derived(home / "docs.seal", source, known_sha256).made(write)
    return path


def _line(doc: Doc) -> bytes:
    """Raises ``InvalidInput`` for a text with a lone surrogate, which no reader of ours takes."""
    try:
        return json.dumps(doc._asdict(), ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"passage {doc.doc_id!a} holds a lone surrogate (half of a UTF-16 pair), which is no text"
        ) from error


def namespace(dataset_id: str, handler: Any) -> str:
    """What ir_datasets calls the passages, which several datasets may share; the dataset's own id where it cannot say."""
    try:
        return str(handler.docs_namespace() or dataset_id)
    except Exception:
        # Some of its collections have a method that takes no self, or one that is still to be written.
        return dataset_id


def _guarded(name: str, read: Callable[[], Iterable[Doc]]) -> Iterator[Doc]:
    """The passages, with ir_datasets' own errors in our words, and those of whoever takes the passages as they are."""
    with reading(name):
        docs = iter(read())
    end = object()
    while True:
        with reading(name):
            doc = next(docs, end)
        if doc is end:
            return
        yield doc  # type: ignore[misc]


def _digest_of_source(handler: Any) -> object:
    """SHA-256 of the file that ir_datasets reads, where it reads one; of a folder, its stamp."""
    if not hasattr(handler, "docs_path"):
        return None
    path = Path(handler.docs_path())
    return known_sha256(path) if path.is_file() else look_at([path]).stamps


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn whatever ir_datasets raises into an error that says what to do; our own errors pass."""
    try:
        yield
    except XdrError:
        raise
    except Exception as error:
        reason = " ".join(str(error).partition(":")[0].split())[:200]
        # A word alone, as of a missing key, says nothing without the kind of the error.
        said = reason if " " in reason else f"{type(error).__name__} {reason}".strip()
        raise InvalidInput(
            f"ir_datasets cannot read {name} ({said}); check the network and the terms of the collection's publisher, or put "
            f"the files where `ir_datasets` looks for copies: https://ir-datasets.com/{name.partition('/')[0]}.html"
        ) from error
