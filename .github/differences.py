"""What a pull request changes: two trees of git in, every path that is added, changed or removed out.

Read from git's objects, never from a checkout: names are any bytes, links are links, and no attribute or filter of a pull
request has a say in what its files hold.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_KINDS = {"120000": "a symbolic link", "160000": "a repository of its own"}


@dataclass(frozen=True)
class Entry:
    """A file of a tree: git's mode and object, and its size in bytes (0 of what is not a file)."""

    mode: str
    blob: str
    size: int

    @property
    def strange_kind(self) -> str:
        """What it is, where it is no regular file; else empty."""
        return "" if self.mode in ("100644", "100755") else _KINDS.get(self.mode, f"of mode {self.mode}")


Tree = Mapping[str, Entry]


@dataclass(frozen=True)
class Change:
    path: str
    base: Entry | None
    head: Entry | None

    @property
    def kind(self) -> Literal["adds", "changes", "removes"]:
        return "adds" if self.base is None else "removes" if self.head is None else "changes"


def _git(checkout: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(checkout), *words], check=check, capture_output=True)


def tree_of(checkout: Path, commit: str = "HEAD") -> dict[str, Entry]:
    """All files of a commit, by path; bytes of a path that are not UTF-8 stand as ``os.fsdecode`` gives them."""
    found = {}
    for line in _git(checkout, "ls-tree", "-r", "-l", "-z", "--full-tree", commit).stdout.split(b"\0"):
        if line:
            fields, _, path = line.partition(b"\t")
            mode, _, blob, size = fields.decode().split()
            found[os.fsdecode(path)] = Entry(mode, blob, int(size) if size.isdigit() else 0)
    return found


def content_of(checkout: Path, entry: Entry) -> bytes:
    return _git(checkout, "cat-file", "blob", entry.blob).stdout


def forked_at(pull_request: Path, base: Path) -> str | None:
    """The commit from which the pull request started, so that what the base has got since is not taken for removed.

    None where the two have none in common, or where that cannot be told.
    """
    tip = _git(base, "rev-parse", "HEAD").stdout.decode().strip()
    _git(pull_request, "fetch", "--quiet", "--no-write-fetch-head", str(base.resolve()), "HEAD", check=False)
    found = _git(pull_request, "merge-base", "HEAD", tip, check=False)
    return found.stdout.decode().strip() or None


def changes_between(base: Tree, head: Tree) -> list[Change]:
    return [
        Change(path, base.get(path), head.get(path))
        for path in sorted({*base, *head})
        if base.get(path) != head.get(path)
    ]


def moved(changes: list[Change]) -> dict[str, str]:
    """Which of the removed paths stand, with the same bytes, at which of the added ones."""
    added = {change.head.blob: change.path for change in changes if change.head and change.base is None}
    return {c.path: added[c.base.blob] for c in changes if c.base and c.head is None and c.base.blob in added}
