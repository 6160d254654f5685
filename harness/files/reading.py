"""Untrusted files and texts: bounded reads, and JSON, TOML and YAML without what only mistakes and attacks contain.

Everything that enters goes through here: only regular files are opened (a pipe would wait for ever), nothing is read past its
limit, and what a parser accepts is plain: no key twice, no NaN or infinity, no lone surrogates, no YAML aliases, tags or
dates, whole numbers of 64 bits, and lists and tables at most ``limits.NESTING`` deep. Text is UTF-8, with or without a byte
order mark, which is never part of it; files that are pinned by a hash are read by their own readers, as they are.
"""

from __future__ import annotations

import codecs
import contextlib
import copy
import functools
import gzip
import json
import math
import re
import stat
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import yaml

from harness import numbers
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.limits import NESTING, WHOLE_NUMBER
from harness.files.plain_yaml import TOO_DEEP, plain_yaml

_GZIP = b"\x1f\x8b"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_bytes(path: Path, limit: int) -> bytes:
    """Bytes of a file, decompressed where it is gzip.

    Raises ``WrongUsage`` when there is no such file, ``InvalidInput`` for a damaged gzip file, one that only bears its name,
    anything that is not a regular file, and more than ``limit`` bytes.
    """
    with opened(path, limit) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise too_large(path, limit)
    return data


def read_lines(path: Path, limit: int, line_limit: int) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their ends, one in memory at a time; errors as in ``read_bytes``, and for a longer line."""
    size, number = 0, 0
    with opened(path, limit) as stream:
        while line := stream.readline(line_limit + 1):
            number += 1
            size += len(line)
            if size > limit:
                raise too_large(path, limit)
            line = line.removesuffix(b"\n")
            if len(line) > line_limit:
                place, most = f"{path.name}:{number}", f"at most {numbers.size(line_limit)}"
                raise InvalidInput(f"{path} cannot be read", [Finding("error", place, "the line is too long", most)])
            yield number, line


@contextlib.contextmanager
def opened(path: Path, limit: int) -> Iterator[IO[bytes]]:
    """A regular file open for reading, decompressed on the way where it is gzip; see ``read_bytes`` for the errors."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            if path.stat().st_size > limit:
                raise too_large(path, limit)
            compressed = file.read(2) == _GZIP
            file.seek(0)
            if path.suffix == ".gz" and not compressed:
                finding = Finding(
                    "error", path.name, "not gzip", "gzip, as the name says", f"run `gzip -n {path.stem}`"
                )
                raise InvalidInput(f"{path} cannot be read", [finding])
            if not compressed:
                yield file
                return
            with gzip.open(file) as stream:
                yield cast(IO[bytes], stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        finding = Finding("error", path.name, f"damaged gzip: {error}", "a complete file", "copy or make it again")
        raise InvalidInput(f"{path} cannot be read", [finding]) from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error


class NotText(ValueError):
    """Bytes that are not UTF-8: where, counted from their beginning, or that they are UTF-16."""

    def __init__(self, byte: int, *, is_utf_16: bool = False) -> None:
        self.byte, self.is_utf_16 = byte, is_utf_16
        self.hint = "save it as UTF-8, as `iconv -f UTF-16 -t UTF-8` does" if is_utf_16 else "convert it to UTF-8"
        super().__init__(f"{self.at(0)}; {self.hint}")

    def at(self, start: int) -> str:
        """What is wrong with a file in which these bytes begin at ``start``."""
        if self.is_utf_16:
            return "UTF-16, as some Windows programs write, and not UTF-8"
        return f"not UTF-8 at byte {start + self.byte}"


def decoded(data: bytes) -> str:
    """The text of a whole file, or of one line, without a byte order mark at its beginning. Raises ``NotText``."""
    if data.startswith(_UTF_16) or b"\0" in data[:2]:
        raise NotText(0, is_utf_16=True)
    text = data.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotText(error.start + len(data) - len(text)) from None


def decoded_lines(lines: Iterable[tuple[int, bytes]], where: str) -> Iterator[tuple[int, str]]:
    """Numbered lines as text, those that are blank left out. Raises ``InvalidInput``, with the byte of the file.

    A byte order mark is taken off every line: files that were joined with ``cat`` have some in their middle.
    """
    read = 0
    for number, data in lines:
        try:
            line = decoded(data)
        except NotText as error:
            raise InvalidInput(f"{where} is {error.at(read)} (line {number}); {error.hint}") from error
        read += len(data) + 1
        if line.strip():
            yield number, line


def check_regular(path: Path) -> None:
    """Raise ``WrongUsage`` where there is no file, ``InvalidInput`` where there is a pipe, a device or a socket."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise WrongUsage(f"no file {path}") from None
    except (OSError, ValueError) as error:
        raise WrongUsage(f"no file {str(path)!r:.200} that can be read: {error_text(error)}") from None
    if stat.S_ISDIR(mode):
        raise WrongUsage(f"{path} is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise InvalidInput(f"{path} is a pipe or a device, not a file; save its content and give that")


def error_text(error: Exception) -> str:
    """What the operating system says, without the path, which may have any length."""
    return (error.strerror or "refused") if isinstance(error, OSError) else str(error)


def too_large(path: Path, limit: int) -> InvalidInput:
    finding = Finding(
        "error", path.name, "too large", f"at most {numbers.size(limit)}, decompressed", "split or shorten it"
    )
    return InvalidInput(f"{path} cannot be read", [finding])


def parse_json(text: str | bytes) -> Any:
    """A JSON value. Raises ``ValueError`` (``json.JSONDecodeError`` with the place, where it is not JSON at all)."""
    if isinstance(text, bytes):
        # json would also take UTF-16 and UTF-32, and lone surrogates in UTF-8.
        text = decoded(text)
    try:
        return _plain(json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant))
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def parse_toml(text: str) -> dict[str, Any]:
    """A TOML document. Raises ``ValueError``."""
    # tomllib takes time quadratic in the number of a key's parts: minutes for a card of 200 KB.
    if _LONG_KEY.search(text):
        raise ValueError(TOO_DEEP)
    try:
        return dict(_plain(tomllib.loads(text)))
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def parse_yaml(text: str) -> Any:
    """A YAML document of null, truth values, numbers, texts, lists and tables alone. Raises ``ValueError``."""
    try:
        return copy.deepcopy(_parsed_yaml(text))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except (RecursionError, OverflowError):
        raise ValueError(TOO_DEEP) from None


# A manifest is asked for by every stage of a leaderboard, and is slow to parse.
@functools.lru_cache(maxsize=64)
def _parsed_yaml(text: str) -> Any:
    return _plain(plain_yaml(text))


_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){%d}""" % NESTING  # noqa: UP031
)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.80} is a duplicate in one object")
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


def _plain(value: Any) -> Any:
    """The value itself, after a look at all that is in it. Without recursion: how deep it is, is one of the questions."""
    waiting = [([value], 1)]
    while waiting:
        items, depth = waiting.pop()
        for item in items:
            if isinstance(item, str):
                if not item.isascii():
                    _check_text(item)
            elif isinstance(item, float):
                if not math.isfinite(item):
                    raise ValueError(f"{item} where a finite number is expected")
            elif isinstance(item, int):
                if not -WHOLE_NUMBER <= item < WHOLE_NUMBER:
                    raise ValueError("a whole number has more than 64 bits")
            elif isinstance(item, Mapping | list):
                if depth > NESTING:
                    raise ValueError(TOO_DEEP)
                waiting.append(([*item.keys(), *item.values()] if isinstance(item, Mapping) else item, depth + 1))
    return value


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"a lone surrogate (half of a UTF-16 pair, \\u{ord(text[error.start]):04x}) in a text"
        ) from None
