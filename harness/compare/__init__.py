"""Scores in, decisions out: is a difference between two systems more than chance? See docs/comparison.md."""

from __future__ import annotations

from harness.compare.compare import compare_systems
from harness.compare.records import Comparison, read_comparison, write_comparison

__all__ = ["Comparison", "compare_systems", "read_comparison", "write_comparison"]
