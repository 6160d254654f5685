"""Links between the guide's pages lead to pages of the guide: its site is built strictly, of the folder docs alone."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def test_every_relative_link_of_the_guide_leads_to_a_file_in_its_folder() -> None:
    links = [(page, target) for page in DOCS.rglob("*.md") for target in LINK.findall(page.read_text("utf-8"))]
    assert len(links) > 100
    lost = []
    for page, target in links:
        place = (page.parent / target).resolve()
        if not place.is_file() or not place.is_relative_to(DOCS):
            lost.append(f"{page.name}: {target}")
    assert not lost
