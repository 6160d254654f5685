from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.adapters.card import card_names, load_card
from harness.collections import dataset_ids
from harness.errors import InvalidInput, WrongUsage
from harness.files.dataset_paths import clean_id
from harness.files.toml_records import checked
from harness.tracks import Track, load_track, track_names

TRACK = """
schema_version = 1
name = "mine"
version = 1
title = "Mine"
description = "One part."
measures = ["RR@10", "R@2kt"]
primary = "RR@10"
depth = 10
baseline = "bm25"

[[parts]]
name = "ar"
dataset = "xdr-mini/ar"
lang = "ar"
"""


CLIRMATRIX = re.compile("clirmatrix/[a-z]{2}/bi139-base/[a-z]{2}/test1")


def track(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", track_names())
def test_every_shipped_track_is_in_order(name: str) -> None:
    import ir_datasets

    known = {*dataset_ids(), *ir_datasets.registry}
    loaded = load_track(name)
    assert loaded.name == name
    assert {loaded.baseline, *loaded.systems} <= set(card_names())
    for part in loaded.parts:
        # What CLIRMatrix has is known to ir_datasets only after a download.
        dataset = clean_id(part.dataset).removesuffix("/clean")
        assert dataset in known or CLIRMATRIX.fullmatch(dataset), part.dataset
        assert part.lang in (*dataset.split("/"), "en")


def test_the_macro_average_is_over_all_parts_unless_the_track_says_which(tmp_path: Path) -> None:
    assert load_track(track(tmp_path, TRACK)).macro_parts == ("ar",)
    english = '\n[[parts]]\nname = "en"\ndataset = "xquad/en"\nlang = "en"\n'
    assert load_track(track(tmp_path, 'macro = ["ar"]\n' + TRACK + english)).macro_parts == ("ar",)


def test_an_unknown_part_is_answered_with_the_known_ones() -> None:
    with pytest.raises(WrongUsage, match=r"unknown part of track mini 'xx'; known: ar, bn, fi,"):
        load_track("mini").part("xx")


def test_an_unknown_track_suggests_known_ones(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"unknown track 'mnii'; did you mean 'mini'\?"):
        load_track("mnii")
    with pytest.raises(WrongUsage, match="no file"):
        load_track(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("depth =", "dept =", "dept: unknown key; did you mean 'depth'?"),
        ('lang = "ar"', 'lnag = "ar"', "parts.0.lnag: unknown key; did you mean 'lang'?"),
        ("[[parts]]", "[families]\nalhpa = 0.1\n[[parts]]", "families.alhpa: unknown key; did you mean 'alpha'?"),
        ("[[parts]]", "[tolerance]\nrsme = 0.1\n[[parts]]", "tolerance.rsme: unknown key; did you mean 'rmse'?"),
        ("[[parts]]", "[families]\nalpha = 1.5\n[[parts]]", "families.alpha: 1.5: "),
        ("depth = 10", "depth = 0", "depth: 0: "),
        ('name = "ar"', 'name = "Ar"', "parts.0.name: 'Ar': "),
        ('primary = "RR@10"', 'primary = "RR@5"', "primary 'RR@5' is not among the measures"),
        ('baseline = "bm25"', 'baseline = "bm25"\nmacro = ["ar", "fi"]', "macro names unknown parts: fi"),
        ("[[parts]]", '[[parts]]\nname = "ar"\ndataset = "x"\nlang = "ar"\n[[parts]]', "two parts have the same name"),
    ],
)
def test_a_fault_is_named_by_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_track(track(tmp_path, TRACK.replace(old, new, 1)))
    assert told in str(caught.value)


def test_all_faults_of_a_track_are_in_one_report(tmp_path: Path) -> None:
    faulty = TRACK.replace("depth = 10", "depth = -1").replace("title", "titel").replace('lang = "ar"', "")
    with pytest.raises(InvalidInput) as caught:
        load_track(track(tmp_path, faulty))
    places = {finding.where.rpartition(": ")[2] for finding in caught.value.findings}
    assert places == {"depth", "titel", "title", "parts.0.lang"}


def test_an_unknown_measure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="unknown measure 'R@2kb'"):
        load_track(track(tmp_path, TRACK.replace("R@2kt", "R@2kb")))


@pytest.mark.parametrize("kind", ["folder", "folder(ar)"])
def test_a_relative_dataset_starts_from_the_track_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "docs.jsonl").write_text('{"doc_id": "d1", "text": "one"}\n')
    (tmp_path / "data" / "queries.jsonl").write_text('{"query_id": "q1", "text": "?", "lang": "ar"}\n')
    path = track(tmp_path, TRACK.replace("xdr-mini/ar", f"{kind}:data"))
    monkeypatch.chdir("/")
    (part,) = load_track(path).parts
    assert part.dataset == f"{kind}:data", "what a manifest records has no absolute path"
    assert part.dataset_id == f"{kind}:{tmp_path.resolve()}/data"
    assert [query.query_id for query in part.collection.queries] == ["q1"]


def test_an_absolute_dataset_stays(tmp_path: Path) -> None:
    (part,) = load_track(track(tmp_path, TRACK.replace("xdr-mini/ar", "folder:/data/mine"))).parts
    assert part.dataset_id == "folder:/data/mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": [{"name": "macro", "dataset": "xdr-mini/ar", "lang": "ar"}]}, "cannot be called macro"),
        ({"macro": ("ar", "ar")}, "macro names one twice"),
        ({"measures": ("RR@10", "RR@10"), "primary": "RR@10"}, "measures names one twice"),
    ],
)
def test_names_that_would_collide_are_refused(change: dict[str, object], message: str) -> None:
    content = {**load_track("mini").model_dump(), "macro": (), **change}
    with pytest.raises(ValueError, match=message):
        Track.model_validate(content)


def test_xor_retrieve_is_the_paper_with_its_systems_and_their_settings() -> None:
    track = load_track("xor-retrieve")
    assert (track.published, track.depth, track.measures) == ("dev", 500, ("R@2kt", "R@5kt"))
    assert [part.dataset for part in track.parts] == [f"xor-tydi/dev/{part.lang}" for part in track.parts]
    cards = {name: load_card(name) for name in track.systems}
    assert len(cards) == 8
    for name, loaded in cards.items():
        adapter, xqg = loaded.adapter_class(), name.endswith("-xqg")
        parameters = checked(adapter.Parameters, loaded.parameters(), name, {"folder": loaded.folder})
        assert (parameters.pooling, parameters.similarity, parameters.title) == ("cls", "dot", "prepend")
        assert (parameters.query_max_length, parameters.passage_max_length) == (32, 128)
        if xqg:
            assert parameters.fusion.model_dump(exclude_defaults=True) == {"alpha": 0.01}
            assert len(parameters.languages) * parameters.per_language == 35
            assert parameters.generated_max_length == 32
            plain = cards[name.removesuffix("-xqg")].card.parameters
            assert plain.items() <= loaded.card.parameters.items()
