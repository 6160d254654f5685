"""Training questions that are, or nearly are, questions of a track."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness.collections import load
from harness.collections.text_similarity import near_duplicates
from harness.errors import InvalidInput
from harness.files.dataset_paths import clean_id
from harness.files.limits import COLLECTION_BYTES
from harness.files.reading import NotText, decoded, parse_json, read_bytes
from harness.records import Query
from harness.tracks import Part, load_track


class Overlap(NamedTuple):
    line: int
    text: str
    part: str
    query_id: str
    similarity: float


def overlap_with_track(train_file: Path, track_name: str) -> list[Overlap]:
    """Lines of a training file whose question is one of the track's, or is that of it but for a few letters.

    The rule is that of ``harness.collections.text_similarity.near_duplicates``, as in training. A perturbed collection's
    questions are compared as they are asked and as they were: who has trained on the clean ones knows them.
    """
    track = load_track(track_name)
    lines = read_questions(train_file)
    questions = [(part.name, query) for part in track.parts for query in _versions(part)]
    pairs = near_duplicates([text for _, text in lines], [query.text for _, query in questions])
    return [
        Overlap(lines[i][0], lines[i][1], questions[j][0], questions[j][1].query_id, round(similarity, 4))
        for i, j, similarity in sorted(pairs)
    ]


def _versions(part: Part) -> list[Query]:
    """A part's questions, and those of the clean collection that differ; one that is asked as it was stands here once."""
    clean = clean_id(part.dataset_id)
    return list(dict.fromkeys([*part.collection.queries, *(load(clean).queries if clean != part.dataset_id else ())]))


def read_questions(path: Path) -> list[tuple[int, str]]:
    """Line numbers and questions of a text file, or of JSON lines; gzip or plain.

    A line's question stands under the key ``question``, ``query``, ``query_text`` or ``text``.
    """
    try:
        content = decoded(read_bytes(path, COLLECTION_BYTES))
    except NotText as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error
    lines = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    if not Path(path.name.removesuffix(".gz")).suffix.startswith(".json"):
        return lines
    questions = []
    for number, line in lines:
        try:
            row = parse_json(line)
            text = next(
                row[key] for key in ("question", "query", "query_text", "text") if isinstance(row.get(key), str)
            )
        except (ValueError, AttributeError, StopIteration):
            raise InvalidInput(
                f"{path}:{number}: no JSON object with a text `question`, `query`, `query_text` or `text`"
            ) from None
        questions.append((number, text))
    return questions
