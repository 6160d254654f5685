import zlib
from pathlib import Path

from harness.files.shards import Shards

SUFFIX = "blocks.journal"


def read(path: Path) -> None:
    """Lines of a journal, sealed here, in a folder whose first shard holds eight bytes."""
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"".join(b"%08x %b\n" % (zlib.crc32(line), line) for line in lines))
    (path.parent / "shard-00000").write_bytes(b"8 bytes.")
    blocks = Shards(path.parent).blocks
    assert Shards(path.parent).blocks == blocks
