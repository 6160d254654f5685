"""Texts of every script of the collections, random choices, and what two texts differ by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from harness.collections.perturbed import typos
from harness.collections.perturbed.draws import Draws

# Words of every script of the collections; XQuAD and TyDi QA have those that mini lacks.
WORDS = [
    "Volga", "pitkä", "Ääni", "straße", "İzmir", "ırmak", "Tiếng", "Волга", "ёжик", "Βόλγας", "نهر", "تُسمى",
    "ভোলগা", "नमस्ते", "क्षेत्र", "వోల్గా", "నదులు", "볼가강", "แม่น้ำ", "ボルガ川は", "伏尔加河", "6,650", "1883లో", "B52",
    "O'Neill", "e\u0301te\u0301", "👨‍👩‍👧", "?", "—", "。",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
LETTERS = typos.alphabets_of(WORDS)
DRAWS = st.builds(Draws, st.integers(0, 5), st.just("recipe"), st.text(max_size=3))


def edit_distance(one: Sequence[str], two: Sequence[str]) -> int:
    """Insertions, deletions, substitutions and exchanges of neighbours (optimal string alignment, Boytsov 2011), O(nm)."""
    table = [[i + j if not (i and j) else 0 for j in range(len(two) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(two) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (one[i - 1] != two[j - 1])
            )
            if i > 1 and j > 1 and one[i - 1] == two[j - 2] and one[i - 2] == two[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


def written(folder: Path, texts: dict[str, str], answers: dict[str, str] | None = None) -> str:
    folder.mkdir(exist_ok=True)
    rows = [{"doc_id": "d1", "title": "Nile", "text": "Nile rises. It is 6,650 km, Volga 3,530 km."}]
    (folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"query_id": name, "text": text, "lang": "en"}) + "\n" for name, text in texts.items())
    )
    (folder / "qrels.txt").write_text("".join(f"{name} 0 d1 1\n" for name in texts))
    if answers:
        lines = (json.dumps({"query_id": name, "answers": [text]}) + "\n" for name, text in answers.items())
        (folder / "answers.jsonl").write_text("".join(lines))
    return f"folder(en):{folder}"
