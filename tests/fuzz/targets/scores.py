from pathlib import Path

from harness.runs.score_file import read_scores

SUFFIX = ".parquet"


def read(path: Path) -> None:
    scores = read_scores(path)
    for part in scores.parts:
        for measure in scores.context["measures"]:
            scores.mean(part, measure)
