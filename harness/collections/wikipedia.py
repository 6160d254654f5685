"""The two English Wikipedias cut into passages of 100 words, which are often taken for one another and never mixed here.

- ``2019-02-01``: XOR-TyDi's, enwiki_20190201_w100.tsv, about 18.2 million passages. Source: github.com/AkariAsai/XORQA.
- ``dpr-2018``: DPR's of December 2018, psgs_w100.tsv, 21,015,324 passages. Source: github.com/facebookresearch/DPR. (The
  ``dpr-w100`` of ir_datasets has the same passages with the quotation marks of the TSV left in their texts.)

Both are in DPR's TSV. How many passages a file has tells which of the two it is; its digest, whether it is the one of before.
"""

from __future__ import annotations

import functools
import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.collections.formats.passage_files import DprTsv
from harness.collections.handlers import LargeDocs
from harness.collections.storage.docstore import StoredDocs, open_docs
from harness.collections.storage.pinned import verified_path
from harness.errors import InvalidInput
from harness.files.derived import Derived, Made
from harness.files.known_digests import known_sha256
from harness.files.writing import atomic_write


@dataclass(frozen=True)
class Dump:
    """A dump by its pinned file; ``fewest`` and ``most``: numbers of passages that it can have and the others cannot."""

    about: str
    file: str
    fewest: int
    most: int


DUMPS = {
    "2019-02-01": Dump(
        "XOR-TyDi's English Wikipedia of 2019-02-01, about 18.2 million passages",
        "enwiki-2019/enwiki_20190201_w100.tsv",
        17_500_000,
        19_000_000,
    ),
    "dpr-2018": Dump(
        "DPR's English Wikipedia of December 2018, 21,015,324 passages",
        "enwiki-2018-dpr/psgs_w100.tsv.gz",
        21_015_324,
        21_015_324,
    ),
}


@functools.cache
def docs(name: str) -> LargeDocs:
    """The handler of a dump: its file is looked for, and read, when passages are first asked for."""
    return LargeDocs(lambda: read(name), "en")


def read(name: str) -> StoredDocs:
    """The passages of a dump. Raises ``InvalidInput`` when the file is absent, damaged, or the other dump."""
    dump = DUMPS[name]
    path = verified_path(dump.file)
    plain = unpacked(path) if path.suffix == ".gz" else path
    found = open_docs(plain, DprTsv(), plain.with_name(f"{plain.name}.index"))
    if not dump.fewest <= len(found) <= dump.most:
        others = [other.about for other in DUMPS.values() if other.fewest <= len(found) <= other.most]
        what = f"that is the number of {others[0]}" if others else "no dump known here has that many"
        raise InvalidInput(
            f"{plain} should be {dump.about}, but has {len(found):,} passages; {what}. Results on one are not comparable with "
            f"results on the other: remove {path}, then `xdr data fetch {dump.file}`"
        )
    return found


def unpacked(path: Path) -> Path:
    """A gzip file's content beside it, unpacked again only when the file has changed."""
    plain = path.with_suffix("")

    def unpack() -> Made:
        try:
            with gzip.open(path, "rb") as reader, atomic_write(plain) as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
        except (EOFError, gzip.BadGzipFile) as error:
            raise InvalidInput(f"{path} is not a whole gzip file: {error}") from error
        return Made([plain])

    Derived(plain.with_name(f"{plain.name}.seal"), known_sha256(path), known_sha256).made(unpack)
    return plain
