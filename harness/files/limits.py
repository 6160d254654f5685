"""How large an input may be. Every bound that a reader holds stands here with its reason.

They are several times what honest files need, and small enough that a hostile file (a gzip bomb, a line of a gigabyte) ends
with a message instead of taking the machine's memory. ``docs/reliability.md`` has the memory and time that the largest
inputs were measured to take.
"""

from __future__ import annotations

RUN_BYTES = 1 << 30
"""A run file, decompressed: MS MARCO's 6,980 questions at depth 1,000 are a third of this."""

RUN_LINES = 10_000_000
"""Lines of a run: the same run has seven million. It bounds the memory of the reader that keeps every line."""

RUN_LINE_BYTES = 4096
"""A line of a run: two ids, two numbers and a tag; the longest ids in use (web addresses) are below 2,048 bytes."""

RANKING_DEPTH = 10_000
"""Passages of a ranking that a track can ask for, and that a measure or a reader can look at."""

FAULTS = 10_000
"""Faults after which a file is read no further: it is another kind of file, and more of the same helps nobody."""

TEXT_BYTES = 1 << 30
"""Generated texts and official predictions, decompressed: 2,100 questions with 100 passages each are a fifth of this."""

COLLECTION_BYTES = 8 << 30
"""A collection's file: the 8.8 million passages of MS MARCO are 3 GiB; larger ones do not fit in memory as a folder."""

LINE_BYTES = 16 << 20
"""A JSON line of a collection or of generated texts: a passage is a paragraph, a long book has 3 MiB."""

RECORD_BYTES = 1 << 20
"""Cards, tracks, manifests: written by hand or by one run; the largest of ours has 20 KiB."""

ANSWER_BYTES = 4 << 20
"""A server's answer with one generated text: some hundred bytes; where a model reasons first, some ten thousand."""

MODEL_JSON_BYTES = 16 << 20
"""A configuration or index of a model: the index of the largest open models has some MiB."""

FOUR_BIT_MODEL_BYTES = 1 << 30
"""A model of 4-bit weights in one file, which is read whole: ours has 72 MB."""

MODEL_FILES = 10_000
"""Files and folders in a model's folder: the largest models come in some hundred; a home folder is no model."""

RESULT_BYTES = 64 << 20
"""Records of studies, ablations and grids: they grow with systems and languages; ours have below 1 MiB."""

TABLE_BYTES = 512 << 20
"""comparison.json and leaderboard.json: they count every pair of systems on every column, ours in below 1 MiB; two thousand
systems, twelve languages and three measures take 430 MiB."""

SCORE_BYTES = 512 << 20
"""A score file, decompressed: that of a million questions and three measures has some 100 MiB."""

SCORE_ROWS = 10_000_000
"""Rows of a score file: 10,000 questions in 100 languages with ten measures."""

NESTING = 64
"""Levels of lists and tables inside each other: no file of ours has more than eight."""

WHOLE_NUMBER = 1 << 63
"""Whole numbers lie below this, as TOML and most JSON readers have it; Python would take numbers of any length."""

EMBEDDINGS_BYTES = 256 << 20
"""A server's answer with vectors: 2,048 texts of 4,096 dimensions, 25 signs a number, are 200 MiB."""
