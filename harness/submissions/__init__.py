"""Rows of others: taking them in, making them again, comparing runs."""
