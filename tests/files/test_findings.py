"""Findings of several files told together: one line for each kind, each part with its count, and nothing lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Finding
from harness.files.findings import Findings, told_together

KINDS = ("ties", "missing queries", "short rankings")


@given(st.dictionaries(st.sampled_from(["ar", "fi", "ja"]), st.lists(st.sampled_from(KINDS), unique=True)))
def test_every_part_stands_in_the_line_of_each_of_its_kinds(kinds: dict[str, list[str]]) -> None:
    found = {
        part: [Finding("warning", f"{part}.trec.gz", f"{len(part) + n} of 80 rankings", "", "so", kind)
               for n, kind in enumerate(own)]
        for part, own in kinds.items()
    }  # fmt: skip
    lines = told_together(found)
    assert len(lines) == len({kind for own in kinds.values() for kind in own})
    for part, own in kinds.items():
        for n, kind in enumerate(own):
            (line,) = [line for line in lines if line.startswith(f"{kind}: ")]
            assert f"{part} {len(part) + n} of 80" in line
            assert line.endswith("; so")


def test_what_has_no_kind_is_told_as_it_is() -> None:
    one = Finding("warning", "ar.trec.gz:7", "rank column contradicts the scores", "", "scores decide")
    assert told_together({"ar": [one]}) == ["ar: ar.trec.gz:7: rank column contradicts the scores; scores decide"]


def test_warnings_of_a_file_carry_their_kind() -> None:
    findings = Findings("ar.trec.gz")
    findings.add("warning", 0, "ties", "8 of 23 rankings have tied scores", "distinct scores", "by doc id")
    assert told_together({"ar": findings.result()}) == ["ties: ar 8 of 23; by doc id"]
