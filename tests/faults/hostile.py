"""Inputs that are meant to do harm, by name: what each is, and which reader it is given to.

Every one has to end in an error for the user that says ``told``, within ``SECONDS`` and ``MEMORY_BYTES``.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

SECONDS = 300
MEMORY_BYTES = 4 << 30


class Hostile(NamedTuple):
    """``target``: a reader of ``tests/fuzz/targets``; ``told``: a part of the message; ``heavy``: too long for the tests."""

    name: str
    target: str
    data: Callable[[], bytes]
    told: str
    heavy: bool = False


def bomb(block: bytes, size: int) -> bytes:
    """Gzip that unpacks to ``block`` again and again, ``size`` bytes or a little more."""
    many = block * max(1, (1 << 24) // len(block))
    return gzip.compress(many, mtime=0) * -(-size // len(many))


def manifest(**changes: Any) -> bytes:
    part = {"dataset": "d", "lang": "ar", "docs": "", "queries": "", "query_count": 1, "ranking": ""}
    content: dict[str, Any] = {
        "schema_version": 1,
        "tag": "mine",
        "track": {"name": "mini", "version": 1, "depth": 1},
        "method": {"card": {"schema_version": 1, "name": "mine", "title": "t", "adapter": "dummy"}},
        "data": {"ar": part},
        "implementation": {},
        "platform": {},
        "execution": {"device": "cpu", "isolation": "none"},
        "reuse": {},
    }
    if "part" in changes:
        content["data"] = {changes.pop("part"): part}
    return json.dumps({**content, **changes}).encode()


def card(name: str = "mine", adapter: str = "dummy", more: str = "") -> bytes:
    return f'schema_version = 1\nname = "{name}"\ntitle = "t"\nadapter = "{adapter}"\n{more}\n'.encode()


def track(name: str = "mine", part: str = "ar", dataset: str = "d") -> bytes:
    return (
        f'schema_version = 1\nname = "{name}"\nversion = 1\ntitle = "t"\ndescription = ""\nmeasures = ["RR@1"]\n'
        f'primary = "RR@1"\ndepth = 1\nbaseline = "b"\n[[parts]]\nname = "{part}"\ndataset = "{dataset}"\nlang = "ar"\n'
    ).encode()


def parquet(columns: dict[str, list[Any]], context: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata({"xdr": json.dumps(context)}), buffer)
    return buffer.getvalue()


def scores(value: Any = 0.5, part: Any = "ar", **changes: Any) -> bytes:
    from harness.files.yaml_records import digest_of

    row = (part, "ar", "q", "q", "q", "RR@10", value)
    names = ("part", "lang", "query_id", "topic", "unit", "measure", "value")
    context: dict[str, Any] = {name: {} for name in ("track", "measures", "data", "languages", "warnings", "ties")}
    context |= {"schema_version": 1, "key": "k", "system": "s", "rows": digest_of([row]), **changes}
    return parquet({name: [item] for name, item in zip(names, row, strict=True)}, context)


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
DEEP = 100_000
DOC = '{"doc_id": "d", "text": "%s"}\n'

INPUTS = (
    Hostile("gzip bomb of run lines, 2 GiB", "run", lambda: bomb(b"q 0 d 1 1 t\n", 2 << 30), "at most", heavy=True),
    Hostile(
        "11 million short lines, in gzip",
        "run",
        lambda: bomb(b"q\t0\td\t1\t1\tt\n", 132 << 20),
        "more lines",
        heavy=True,
    ),
    Hostile("gzip bomb of empty lines, 2 GiB", "run", lambda: bomb(b"\n", 2 << 30), "the rest was not read"),
    Hostile("one line of 1 GiB, in gzip", "run", lambda: bomb(b"a ", 1 << 30), "the line is too long"),
    Hostile("one line of 1 GiB, in gzip", "generated", lambda: bomb(b"a", 1 << 30), "the line is too long"),
    Hostile("one line of 1 GiB, in gzip", "jsonl", lambda: bomb(b"a", 1 << 30), "the line is too long"),
    Hostile("2 GiB of blanks, in gzip", "predictions", lambda: bomb(b" ", 2 << 30), "too large", heavy=True),
    Hostile("2 GiB of blanks, in gzip", "squad", lambda: bomb(b" ", 2 << 30), "too large", heavy=True),
    Hostile("2 MiB of comments", "card", lambda: b"#\n" * (1 << 20), "too large"),
    Hostile("2 MiB of comments", "manifest", lambda: b"#\n" * (1 << 20), "too large"),
    Hostile("gzip bomb", "manifest", lambda: bomb(b"#\n", 2 << 30), "too large"),
    Hostile("billion laughs", "manifest", LAUGHS.encode, "an alias"),
    *(
        Hostile("deep nesting", target, data, told)
        for target, data, told in (
            ("squad", lambda: b"[" * DEEP, "deep in each other"),
            ("predictions", lambda: b'{"a":' * DEEP, "deep in each other"),
            ("predictions", lambda: b"[" * 500 + b"]" * 500, "deep in each other"),
            ("comparison", lambda: b"[" * DEEP, "not a comparison"),
            ("leaderboard", lambda: b"[" * DEEP, "not a leaderboard"),
            ("jsonl", lambda: b"[" * DEEP, "deep in each other"),
            ("generated", lambda: b"[" * DEEP, "deep in each other"),
            ("manifest", lambda: b"[" * DEEP, "deep in each other"),
            ("manifest", lambda: b"- " * DEEP, "deep in each other"),
            ("manifest", lambda: b"{a: " * DEEP, "deep in each other"),
            ("card", lambda: card(more="x = " + "[" * DEEP), "deep in each other"),
            ("card", lambda: card(more=".".join(["a"] * DEEP) + " = 1"), "deep in each other"),
            ("track", lambda: b"x = " + b"{a=" * DEEP, "deep in each other"),
        )
    ),
    *(Hostile("not UTF-8", t, lambda: b'\xff\xfe{"a": 1}', "") for t in ("run", "card", "track", "manifest", "jsonl")),
    *(Hostile("not UTF-8", t, lambda: b"\xed\xa0\x80 1", "") for t in ("qrels", "squad", "generated", "predictions")),
    Hostile("UTF-16", "squad", lambda: '{"data": []}'.encode("utf-16"), "not a JSON file"),
    Hostile("a key twice", "squad", lambda: b'{"data": [], "data": []}', "the key 'data' is a duplicate"),
    Hostile("a key twice", "jsonl", lambda: b'{"doc_id": "a", "doc_id": "b", "text": ""}', "is a duplicate"),
    Hostile(
        "a key twice", "predictions", lambda: b'[{"id": "a", "id": "b", "lang": "x", "ctxs": []}]', "is a duplicate"
    ),
    Hostile("a key twice", "manifest", lambda: b"tag: a\ntag: b\n", "the key 'tag' is a duplicate"),
    Hostile("a key twice", "card", lambda: card(more='name = "b"'), "Cannot overwrite a value"),
    Hostile("number of 5,000 digits", "squad", lambda: b"1" * 5000, "not a JSON file"),
    Hostile("number of 4,000 digits", "predictions", lambda: b"1" * 4000, "more than 64 bits"),
    Hostile(
        "number of 5,000 hexadecimal digits", "card", lambda: card(more="x = 0x" + "f" * 5000), "more than 64 bits"
    ),
    Hostile("number of 5,000 digits", "manifest", lambda: b"a: " + b"1" * 5000, "not a YAML file"),
    Hostile("relevance of 5,000 digits", "qrels", lambda: b"q 0 d " + b"1" * 5000, "an integer"),
    Hostile("rank of 5,000 digits", "run", lambda: b"q 0 d " + b"1" * 4000 + b" 1 t", "a whole number"),
    Hostile("NaN", "predictions", lambda: b"[NaN]", "NaN is not a number in JSON"),
    Hostile("1e999", "squad", lambda: b'{"data": [1e999]}', "finite"),
    Hostile("infinity", "card", lambda: card(more="[parameters]\nx = inf"), "finite"),
    Hostile("NaN", "manifest", lambda: b"a: .nan", "finite"),
    Hostile("a lone surrogate", "jsonl", (DOC % "\\ud800").encode, "a lone surrogate"),
    Hostile("a lone surrogate", "generated", lambda: b'{"doc_id": "\\udfff"}', "a lone surrogate"),
    Hostile("a lone surrogate", "passages", (DOC % "\\ud800").encode, "a lone surrogate"),
    Hostile("a lone surrogate", "predictions", lambda: b'["\\ud800"]', "a lone surrogate"),
    Hostile("a lone surrogate", "manifest", lambda: b'a: "\\ud800"', "a lone surrogate"),
    Hostile("a Python object in YAML", "manifest", lambda: b"a: !!python/object/apply:os.getcwd []", "not a YAML file"),
    Hostile("an impossible date", "manifest", lambda: b"a: 2001-99-99", "is invalid"),
    Hostile("a merge key", "manifest", lambda: b"<<: {a: 1}", "a key that is not a text"),
    Hostile("no card", "manifest", lambda: manifest(method={}), "method.card: missing"),
    Hostile("a path as part", "manifest", lambda: manifest(part="../../etc"), "is invalid"),
    Hostile("a path as tag", "manifest", lambda: manifest(tag="../mine"), "is invalid"),
    Hostile("a line end in the tag", "manifest", lambda: manifest(tag="mine\n"), "is invalid"),
    *(
        Hostile("a path or line end as name", "card", lambda name=name: card(name), "is invalid")
        for name in ("../mine", "/etc/passwd", "a/b", "..", "mine\\n", "mine\\u0000", "a" * 65)
    ),
    Hostile("NUL in the adapter", "card", lambda: card(adapter="a/\\u0000"), "is invalid"),
    Hostile("an adapter of 100,000 letters", "card", lambda: card(adapter="a" * 100_000 + ":A"), "is invalid"),
    Hostile("a path as name", "track", lambda: track(name="../mine"), "is invalid"),
    Hostile("a line end in a part", "track", lambda: track(part="ar\\n"), "is invalid"),
    Hostile("NUL in the dataset", "track", lambda: track(dataset="folder:\\u0000"), "is invalid"),
    Hostile(
        "50,000 unknown keys", "card", lambda: card(more="\n".join(f"kez{i} = 1" for i in range(50_000))), "more faults"
    ),
    Hostile("not a file of Parquet", "scores", lambda: b"PAR1" * 100, "not a score file"),
    Hostile("texts as values", "scores", lambda: scores(value="high"), "not a score file"),
    Hostile("NaN as value", "scores", lambda: scores(value=float("nan")), "not a score file"),
    Hostile("no part", "scores", lambda: scores(part=None), "not a score file"),
    Hostile("languages that are a list", "scores", lambda: scores(languages=[1]), "lacks languages"),
    Hostile("changed rows", "scores", lambda: scores(rows="0"), "not as it was written"),
    Hostile("a platform that is a list", "reproduction", lambda: b"schema_version: 1\nplatform: []", "platform: []"),
    Hostile("an alias", "reproduction", lambda: b"a: &a 1\nb: *a", "an alias"),
    Hostile(
        "1,000,000 reasons", "withdrawal", lambda: b"date = 2026-11-25\nreason = '%s'" % (b"a" * 1_000_000), "reason"
    ),
    Hostile(
        "a shard outside the folder", "augmented", lambda: b'{"sha256": {"../other.jsonl": "0"}}', "outside its folder"
    ),
    Hostile("100,000 unknown parts", "query_map", lambda: b"q\tpart\tq\n" * 100_000, "unknown part"),
    Hostile("a line of 17 MiB", "passages", lambda: b"a" * (17 << 20), "the line is too long"),
    Hostile("an object of 17 MiB", "passages", lambda: b'{"a": "' + b"a" * (17 << 20), "the line is too long"),
    Hostile("a quotation without end", "passages", lambda: b'1\t"' + b"a\n" * 100_000, "inside a quotation"),
)
