"""Drop generated queries that are nearly a test or development question, and say how many were dropped.

    python -m harness.collections.mini.near_duplicates [FILE]

The rule: character-trigram Jaccard similarity above 0.7 with a question of the same language.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.collections.folder import Folder
from harness.collections.mini import GENERATED, HOME
from harness.files import write_text
from harness.generate.texts import GeneratedText, read_json_lines
from harness.text_similarity import similar_pairs

THRESHOLD = 0.7
NGRAM = 3


def near_duplicates(texts: Sequence[GeneratedText]) -> set[int]:
    """Places in ``texts`` of the queries that are too close to a question of their language."""
    questions = [query for split in ("test", "dev") for query in Folder(HOME / split).queries]
    close: set[int] = set()
    for lang in sorted({query.lang for query in questions}):
        places = [i for i, text in enumerate(texts) if text.lang == lang]
        pairs = similar_pairs(
            [texts[i].text for i in places], [query.text for query in questions if query.lang == lang], NGRAM, THRESHOLD
        )
        close.update(places[i] for i, _, _ in pairs)
    return close


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else GENERATED
    texts = read_json_lines(path)
    close = near_duplicates(texts)
    kept = [text for i, text in enumerate(texts) if i not in close]
    write_text(path, "".join(json.dumps(text._asdict(), ensure_ascii=False) + "\n" for text in kept))
    by_language = Counter(texts[i].lang for i in close)
    print(
        f"{len(close)} of {len(texts)} generated queries dropped {dict(sorted(by_language.items()))}; {len(kept)} kept"
    )


if __name__ == "__main__":
    main()
