from pathlib import Path

from harness.reproductions import FOLDER, read_reproductions

SUFFIX = ".yaml"


def read(path: Path) -> None:
    folder = path.parent / FOLDER
    folder.mkdir(exist_ok=True)
    path.rename(folder / path.name)
    for record in read_reproductions(path.parent):
        assert record.platform_in_words
