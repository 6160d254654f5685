"""The leaderboard as static pages: no server, no script, no other host; what was measured, with its evidence."""

from __future__ import annotations

from harness.leaderboard.site.render import render

__all__ = ["render"]
