"""Scores in, decisions out: is a difference between two systems more than chance? See docs/comparison.md."""
