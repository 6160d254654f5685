"""Data for the pages' scripts: numbers as base64, and files that a page from the disk can load, which fetch cannot.

A data file is a classic script with one call, ``xdr.receive(KEY, VALUE)``; nothing in it can end the script element, begin
another, or break a line where JavaScript would see one.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.files.writing import write_text

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def packed(values: NDArray[Any]) -> str:
    """The array's bytes, little-endian and in C order, as base64."""
    return base64.b64encode(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def packed_scores(values: NDArray[np.float64]) -> dict[str, str]:
    """Scores of one part: one bit each where all are 0 or 1, else float32, since they are shown and not summed."""
    if np.isin(values, (0.0, 1.0)).all():
        return {"bits": packed(np.packbits(values.astype(np.uint8), bitorder="little"))}
    return {"floats": packed(values.astype(np.float32))}


def packed_numbers(values: NDArray[np.int64]) -> dict[str, str]:
    """Numbers from 0 up in as few bytes each as the largest needs, 1 to 4."""
    width = 1
    while values.size and int(values.max()) >> (8 * width):
        width += 1
    raw = values.astype("<u4").reshape(-1, 1).view(np.uint8)[:, :width]
    return {"width": str(width), "numbers": packed(raw)}


def to_json(value: Any) -> str:
    """JSON that can stand inside an HTML script element or a script file."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


def write_data(folder: Path, name: str, value: Any) -> None:
    """Write ``folder/data/name.js``, which gives ``value`` to a page that asks for ``name``."""
    write_text(folder / "data" / f"{name}.js", f"xdr.receive({to_json(name)},{to_json(value)});\n", durable=False)
