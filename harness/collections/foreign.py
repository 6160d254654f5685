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
from harness.collections.docstore import StoredDocs, open_docs
from harness.collections.passage_files import JsonLines
from harness.errors import InvalidInput
from harness.files import atomic_write, cache_home, exclusive, write_text
from harness.records import Doc


def docs(dataset_id: str, handler: Any, read: Callable[[], Iterable[Doc]]) -> StoredDocs:
    """The passages that ``read`` gives, from our file of them if that was written from the same source."""
    name = str(handler.docs_namespace() or dataset_id)
    home = cache_home() / "passages" / hashlib.sha256(name.encode()).hexdigest()[:24]
    # How many there are, ir_datasets would say only after it has built a docstore of its own.
    counting = progress.task(f"read the passages of {name}", None, "passages")
    with reading(name), exclusive(home / "lock"), counting as advance:
        source = {"name": name, "ir_datasets": metadata.version("ir_datasets"), "file": _stamp(handler)}
        spooled = spool(home, source, lambda: progress.counted(read(), advance))
    return open_docs(spooled, JsonLines(), home / "index")


def spool(home: Path, source: object, read: Callable[[], Iterable[Doc]]) -> Path:
    """Write passages as JSON lines, unless that was done already for this ``source``, which tells one content from another."""
    path, note = home / "docs.jsonl", home / "source.json"
    if path.is_file() and note.is_file() and json.loads(note.read_text("utf-8")) == source:
        return path
    note.unlink(missing_ok=True)
    with atomic_write(path) as file:
        for doc in read():
            file.write(_line(doc))
    write_text(note, json.dumps(source))
    return path


def _line(doc: Doc) -> bytes:
    """Raises ``InvalidInput`` for a text with half a character, which no reader of ours takes."""
    try:
        return json.dumps(doc._asdict(), ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"passage {doc.doc_id!a} holds half a character (a lone surrogate), which is no text"
        ) from error


def _stamp(handler: Any) -> object:
    """Size and time stamp of the file that ir_datasets reads, where it reads one."""
    if not hasattr(handler, "docs_path"):
        return None
    path = Path(handler.docs_path())
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what ir_datasets raises when it cannot have a file into an error that says what to do."""
    import requests

    try:
        yield
    except (requests.RequestException, OSError, RuntimeError, EOFError) as error:
        if isinstance(error, FileNotFoundError | FileExistsError):
            raise
        reason = str(error).partition(":")[0] or type(error).__name__
        raise InvalidInput(
            f"ir_datasets cannot read {name} ({reason}); check the network and the terms of the collection's publisher, or put "
            f"the files where `ir_datasets` looks for copies: https://ir-datasets.com/{name.partition('/')[0]}.html"
        ) from error
