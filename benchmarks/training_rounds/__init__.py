"""Recipes of published kinds on a static encoder: rows, controls, and how they are judged."""
