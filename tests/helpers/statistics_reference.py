"""Second implementations, for tests, of every number that is tested: slow, exact where that is possible, without NumPy.

Each is written from the definition in the literature, not from the code under test.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

_MASK = (1 << 64) - 1


def philox_words(key: int, count: int) -> list[int]:
    """The first 64-bit words of Philox4x64-10 (Salmon et al., SC 2011), counter from 1 as NumPy's, key of 128 bits."""
    words: list[int] = []
    for counter in itertools.count(1):
        if len(words) >= count:
            return words[:count]
        state = [(counter >> 64 * i) & _MASK for i in range(4)]
        key_low, key_high = key & _MASK, key >> 64
        for _ in range(10):
            one, two = 0xD2E7470EE14C6C93 * state[0], 0xCA5A826395121157 * state[2]
            state = [(two >> 64) ^ state[1] ^ key_low, two & _MASK, (one >> 64) ^ state[3] ^ key_high, one & _MASK]
            key_low, key_high = (key_low + 0x9E3779B97F4A7C15) & _MASK, (key_high + 0xBB67AE8584CAA73B) & _MASK
        words += state
    raise AssertionError("unreachable")


def unit_signs(unit: str, resamples: int, seed: int) -> list[int]:
    """One unit's signs: bits of the words' little-endian bytes, the most significant bit of each byte first."""
    key = int.from_bytes(hashlib.blake2b(f"{seed}\0{unit}".encode(), digest_size=16).digest(), "little")
    stream = b"".join(word.to_bytes(8, "little") for word in philox_words(key, math.ceil(resamples / 64)))
    bits = "".join(f"{byte:08b}" for byte in stream)
    return [1 if bit == "1" else -1 for bit in bits[:resamples]]


def resampled_p(contributions: Mapping[str, Fraction], resamples: int, seed: int) -> float:
    """(b + 1) / (B + 1) of the two-sided test that flips the units, in exact arithmetic."""
    observed = abs(sum(contributions.values(), Fraction()))
    totals = [Fraction()] * resamples
    for unit, share in contributions.items():
        for b, sign in enumerate(unit_signs(unit, resamples, seed)):
            totals[b] += sign * share
    return float(Fraction(1 + sum(abs(total) >= observed for total in totals), resamples + 1))


def exact_p(contributions: Sequence[Fraction]) -> float:
    """The share of all 2^n assignments of signs whose absolute sum reaches the observed one."""
    observed = abs(sum(contributions, Fraction()))
    assignments = itertools.product((1, -1), repeat=len(contributions))
    reached = sum(
        abs(sum((s * c for s, c in zip(signs, contributions, strict=True)), Fraction())) >= observed
        for signs in assignments
    )
    return float(Fraction(reached, 2 ** len(contributions)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of Holm's step-down procedure (1979): running maximum of (m - i) p_(i), at most 1."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, (len(p_values) - place) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return adjusted


Grades = Mapping[str, int]


def success(ranking: Sequence[str], grades: Grades, cutoff: int) -> float:
    return float(any(grades.get(doc, 0) > 0 for doc in ranking[:cutoff]))


def reciprocal_rank(ranking: Sequence[str], grades: Grades, cutoff: int | None = None) -> float:
    for rank, doc in enumerate(ranking[:cutoff], 1):
        if grades.get(doc, 0) > 0:
            return 1 / rank
    return 0.0


def recall(ranking: Sequence[str], grades: Grades, cutoff: int) -> float:
    relevant = [doc for doc, grade in grades.items() if grade > 0]
    return sum(doc in relevant for doc in ranking[:cutoff]) / len(relevant) if relevant else 0.0


def average_precision(ranking: Sequence[str], grades: Grades) -> float:
    relevant = [doc for doc, grade in grades.items() if grade > 0]
    found, total = 0, 0.0
    for rank, doc in enumerate(ranking, 1):
        if doc in relevant:
            found += 1
            total += found / rank
    return total / len(relevant) if relevant else 0.0


def ndcg(ranking: Sequence[str], grades: Grades, cutoff: int) -> float:
    """With trec_eval's linear gains and the discount log2(rank + 1)."""
    gains = [max(0, grades.get(doc, 0)) for doc in ranking[:cutoff]]
    ideal = sorted((max(0, grade) for grade in grades.values()), reverse=True)[:cutoff]
    best = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(ideal, 1))
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1)) / best if best else 0.0
