"""A small study of xdr-mini: two languages, one encoder; its track's file as text, and what it finds without a reader."""

from __future__ import annotations

from collections.abc import Sequence

from harness.adapters.contract import Context
from harness.submissions.study.records import StudyResult
from harness.submissions.study.runner import make_study
from harness.tracks import Track

STUDY = """
schema_version = 1
name = "small"
version = 1
title = "A small study"
description = ""
measures = ["RR@10", "Success@1"]
primary = "RR@10"
depth = 10
baseline = "mini-xdr"
unit = "relevant passage"
families = { resamples = 1000, all_pairs_resamples = 1000 }

[[parts]]
name = "bn"
dataset = "xdr-mini/bn"
lang = "bn"

[[parts]]
name = "fi"
dataset = "xdr-mini/fi"
lang = "fi"

[study]
encoders = ["mini-xdr"]
languages = ["bn", "fi"]
weights = [0.3, 0.7]
equal_weight = 0.3
low_resource = ["bn"]
seen_before_declaring = ["Nothing."]
kinds = [
    { name = "questions", title = "queries", texts = "xdr-mini-queries" },
    { name = "own", title = "own", texts = "xdr-mini-passages", text_kind = "passage", languages = "own" },
    { name = "passages", title = "passages", texts = "xdr-mini-passages", text_kind = "passage" },
    { name = "cut", title = "cut passages", texts = "xdr-mini-sentences", text_kind = "passage", per_language = "all" },
    { name = "both", title = "both", of = ["questions", "passages"] },
    { name = "self-copy", title = "copies", texts = "passages" },
]
contrasts = [
    { name = "number", question = "passages", title = "queries less passages", first = "questions", second = "passages" },
]
"""
TWO = STUDY.replace('encoders = ["mini-xdr"]', 'encoders = ["mini-xdr", "mini-zero-shot"]')
ANSWERS = '\nanswers = [{ question = "passages", cutoff = 1, seen_before_declaring = "Nothing." }]\n'
EXPANSIONS = """
expansions = [
    { name = "copies", title = "the question itself", texts = "questions" },
    { name = "versions", title = "versions", texts = "made-up/{lang}" },
    { name = "shuffled", title = "another's versions", texts = "made-up/{lang}", shuffled = true },
]
"""
PERTURBED = 'perturbations = [{ recipe = "typo-swap", draws = 2 }]\n\n[[parts]]'


def run_study(track: Track, context: Context, only: Sequence[str] = ()) -> StudyResult:
    return make_study(track, context, only).result
