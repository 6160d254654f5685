import shutil
from pathlib import Path

from harness.recipes.generate.augmented import read_augmented

SUFFIX = ".jsonl"


def read(path: Path) -> None:
    """The published generated queries of one shard, or, where there is no such key, the list of the shards."""
    if b'"sha256"' in path.read_bytes()[:4096]:
        path = path.rename(path.with_name("shards.json"))
    shutil.rmtree(path.with_name(f"{path.name}.index"), ignore_errors=True)
    texts = read_augmented(path)
    for doc_id in texts.ids():
        assert all(isinstance(text, str) for found in texts.of(doc_id).values() for text in found)
