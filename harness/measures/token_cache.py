"""Tokens of passages, kept in memory and on disk: tokenizing a passage costs more than all the rest of R@<n>t.

One SQLite file for each docs digest and tokenizer version, in the cache folder, with a row for each doc id. SQLite makes
writing atomic and lets processes share the file. Every row carries a checksum of the passage and its tokens and counts for
nothing without it, so a damaged row is tokenized again; a file that SQLite cannot read is made anew. What is read is never
run. Where the folder cannot be written, or another process holds the file, passages are tokenized and the scores are the same.

It is no derived file (``harness.files.derived``), which is verified as a whole: of the few passages asked for among millions,
each is held against its own checksum, and many processes add to the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.files.writing import cache_home
from harness.files.yaml_records import digest_of
from harness.measures.tokens import tokenizer_version, word_tokenize
from harness.records import Doc

_TABLE = "CREATE TABLE IF NOT EXISTS passages (doc_id BLOB PRIMARY KEY, joined BLOB, checksum BLOB) WITHOUT ROWID"
# Damage may turn one type into another; as bytes, whatever is there can be held against its checksum.
_LOOKUP = "SELECT CAST(joined AS BLOB), CAST(checksum AS BLOB) FROM passages WHERE doc_id = ?"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # the last: another table
_IN_MEMORY = 100_000  # passages of 100 words: about 100 MB
_UNWRITTEN = 10_000
_SECONDS_TO_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A tokenized passage, kept as one string, since nearly all uses take it whole."""

    joined: str
    length: int

    @property
    def words(self) -> list[str]:
        return self.joined.split(" ") if self.joined else []


def passage_of(joined: str) -> Passage:
    # No token holds a blank.
    return Passage(joined, joined.count(" ") + 1 if joined else 0)


@lru_cache(maxsize=_IN_MEMORY)
def tokenized(text: str) -> Passage:
    return passage_of(" ".join(word_tokenize(text)))


class TokenCache:
    """Tokenizes passages of one collection, each once for all processes.

    Lookups go to the file within an ``opened`` block alone, at whose end new tokens are written; it is not held in between.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._usable = False
        self._connection: sqlite3.Connection | None = None
        self._new: list[tuple[bytes, bytes, bytes]] = []
        self.tokens = lru_cache(maxsize=_IN_MEMORY)(self._tokens)

    @contextlib.contextmanager
    def opened(self) -> Iterator[TokenCache]:
        """Use the file within the block. Blocks of one object must not overlap."""
        self._usable = True
        try:
            yield self
        finally:
            self._write()
            self._close()

    def _tokens(self, doc: Doc) -> Passage:
        if self._usable and self._connection is None:
            self._connection = self._connect()
            self._usable = self._connection is not None
        joined = self._read(doc)
        if joined is None:
            joined = " ".join(word_tokenize(doc.text))
            if self._usable:
                data = _as_bytes(joined)
                self._new.append((_as_bytes(doc.doc_id), data, _checksum(doc, data)))
                if len(self._new) >= _UNWRITTEN:
                    self._write()
        return passage_of(joined)

    def _read(self, doc: Doc) -> str | None:
        """The joined tokens on disk; None when there are none that can be trusted."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute(_LOOKUP, (_as_bytes(doc.doc_id),)).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        if row is None or row[0] is None or row[1] != _checksum(doc, row[0]):
            return None
        return bytes(row[0]).decode("utf-8", "surrogatepass")

    def _write(self) -> None:
        rows, self._new = self._new, []
        if self._connection is None or not rows:
            return
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO passages VALUES (?, ?, ?)", rows)
            # In a tree whose order is damaged, rows can be written without an error and not be found again.
            found = all(self._connection.execute(_LOOKUP, row[:1]).fetchone() == row[1:] for row in rows)
        except sqlite3.Error as error:
            self._give_up(error)
        else:
            if not found:
                self._close()
                self._remove()

    def _connect(self) -> sqlite3.Connection | None:
        """The file, made anew if it is damaged; None if it cannot be used."""
        for _ in range(2):
            connection = None
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self._path, timeout=_SECONDS_TO_WAIT)
                # A killed process leaves whole transactions; what a power failure may leave, the checks recognise.
                connection.execute("PRAGMA synchronous = OFF")
                with connection:
                    connection.execute(_TABLE)
                    connection.execute(_LOOKUP, (b"",))
            except (sqlite3.Error, OSError) as error:
                if connection is not None:
                    connection.close()
                if not self._removed_if_damaged(error):
                    return None
            else:
                return connection
        return None

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without the file until it is opened again, then with a new one if this one is damaged."""
        self._close()
        self._removed_if_damaged(error)

    def _removed_if_damaged(self, error: Exception) -> bool:
        """Whether the error says that the file is damaged, not locked, say, or the disk full; it is gone then."""
        code = getattr(error, "sqlite_errorcode", None)
        if code is None or (code != sqlite3.SQLITE_IOERR_SHORT_READ and code & 0xFF not in _DAMAGED):
            return False
        return self._remove()

    def _remove(self) -> bool:
        try:
            for suffix in ("", "-journal"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _close(self) -> None:
        self._usable = False
        self._new = []
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def token_cache(docs_digest: str) -> TokenCache:
    """The cache of a collection's passages, one object per process."""
    content = digest_of({"docs": docs_digest, "tokenizer": tokenizer_version()})
    return _cache_at(cache_home() / "tokens" / f"{content[:32]}.sqlite")


@lru_cache(maxsize=4)
def _cache_at(path: Path) -> TokenCache:
    return TokenCache(path)


def _checksum(doc: Doc, joined: bytes) -> bytes:
    digest = hashlib.blake2b(joined, digest_size=16)
    for part in (_as_bytes(doc.doc_id), _as_bytes(doc.text)):
        digest.update(len(part).to_bytes(8) + part)
    return digest.digest()


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
