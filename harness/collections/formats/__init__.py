"""Formats in which collections come."""
