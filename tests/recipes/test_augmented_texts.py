from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import InvalidInput
from harness.recipes.generate.augmented import ChosenTexts
from harness.recipes.generate.texts import Choice, by_document, generated_file, read_generated

LANGUAGES = ("ar", "te")


def line(number: int, languages: tuple[str, ...] = LANGUAGES) -> str:
    queries = {lang: [f"{lang} {number} {n}" for n in range(3)] for lang in languages}
    row = {"docid": str(number), "title": "T", "text": "t", "generated_queries": queries}
    return json.dumps(row, ensure_ascii=False) + "\n"


def shards(folder: Path, *counts: int) -> Path:
    """A folder as the data set has it, ``data/shard_N.jsonl``."""
    number = 0
    (folder / "data").mkdir(parents=True)
    for shard, count in enumerate(counts):
        lines = "".join(line(number + n) for n in range(count))
        (folder / "data" / f"shard_{shard}.jsonl").write_text(lines)
        number += count
    return folder


def ids(count: int) -> tuple[str, ...]:
    return tuple(sorted(map(str, range(count))))


def test_the_first_texts_of_each_language_come_from_the_shards(tmp_path: Path) -> None:
    shards(tmp_path / "xqg", 7, 5)
    path = generated_file("xqg", tmp_path)
    chosen = by_document(read_generated(path), Choice(("te", "ar"), 2, False), ids(12))
    assert len(chosen) == 12
    assert list(chosen) == list(ids(12))
    assert all(chosen[i] == [f"ar {i} 0", f"ar {i} 1", f"te {i} 0", f"te {i} 1"] for i in ids(12))
    assert {len(texts) for texts in chosen.values()} == {4}
    everything = by_document(read_generated(path), Choice((), 9, False), ids(12))
    assert everything["11"] == [f"{lang} 11 {n}" for lang in LANGUAGES for n in range(3)]


def test_more_texts_than_any_passage_has_are_refused_once_all_were_read(tmp_path: Path) -> None:
    path = generated_file(str(shards(tmp_path / "xqg", 3)), tmp_path)
    for number, says in (
        (3, ""),
        (4, "per_language = 4, but no passage has more generated texts than 3 in ar, 3 in te"),
    ):
        chosen = by_document(read_generated(path), Choice((), number, False), ids(3))
        assert isinstance(chosen, ChosenTexts)
        assert sum(map(len, chosen.values())) == 18
        if says:
            with pytest.raises(InvalidInput, match=says):
                chosen.check_number()
        else:
            chosen.check_number()


def test_one_file_of_the_format_is_known_by_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(line(0) + line(1))
    path = generated_file("one.jsonl", tmp_path)
    assert by_document(read_generated(path), Choice(("ar",), 1, False), ids(2)) == {"0": ["ar 0 0"], "1": ["ar 1 0"]}


def test_it_means_the_same_as_the_lines_of_four_keys(tmp_path: Path) -> None:
    path = generated_file(str(shards(tmp_path / "xqg", 3)), tmp_path)
    rows = [
        json.dumps({"doc_id": str(n), "lang": lang, "text": f"{lang} {n} {k}", "source": "x"})
        for n in range(3)
        for lang in LANGUAGES
        for k in range(3)
    ]
    (tmp_path / "lines.jsonl").write_text("\n".join(rows))
    choice = Choice(("te",), 2, False)
    assert by_document(read_generated(tmp_path / "lines.jsonl"), choice, ids(3)) == dict(
        by_document(read_generated(path), choice, ids(3))
    )


def test_the_manifest_stands_for_the_content_of_all_shards(tmp_path: Path) -> None:
    shards(tmp_path / "one", 3, 2)
    two = shards(tmp_path / "two", 3, 2)
    content = generated_file("one", tmp_path).read_bytes()
    assert generated_file("two", tmp_path).read_bytes() == content
    assert generated_file("one", tmp_path).read_bytes() == content
    (two / "data" / "shard_1.jsonl").write_text(line(3) + line(5))
    assert generated_file("two", tmp_path).read_bytes() != content
    assert str(tmp_path).encode() not in content


def test_a_passage_without_texts_has_none_and_a_strange_one_is_refused(tmp_path: Path) -> None:
    path = generated_file(str(shards(tmp_path / "xqg", 3)), tmp_path)
    choice = Choice((), 3, False)
    assert by_document(read_generated(path), choice, ids(4))["3"] == []
    with pytest.raises(InvalidInput, match="generated texts for 1 unknown passages, first '2'"):
        by_document(read_generated(path), choice, ids(2))
    with pytest.raises(InvalidInput, match="no generated texts in fi; the file has ar, te"):
        by_document(read_generated(path), Choice(("fi",), 3, False), ids(3))
    with pytest.raises(InvalidInput, match="shuffled control is made in memory"):
        by_document(read_generated(path), Choice((), 3, True), ids(3))


def test_faults_of_a_shard_are_named_by_line(tmp_path: Path) -> None:
    folder = shards(tmp_path / "xqg", 2)
    faulty = ['{"docid": "5"}', '{"docid": "6", "generated_queries": {"ar": "one"}}', "no json"]
    with (folder / "data" / "shard_0.jsonl").open("a") as file:
        file.write("\n".join(faulty) + "\n")
    with pytest.raises(InvalidInput) as caught:
        read_generated(generated_file("xqg", tmp_path))
    assert [finding.where.rpartition(":")[2] for finding in caught.value.findings] == ["3", "4", "5"]


def test_the_published_texts_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    with pytest.raises(InvalidInput, match="hf download ielab/xor-tydi-xqg-augmented --repo-type dataset"):
        generated_file("xor-tydi-xqg", tmp_path)
    shards(tmp_path / "home" / "data" / "xor-tydi-xqg", 2)
    assert generated_file("xor-tydi-xqg", tmp_path).name == "shards.json"


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no shards"):
        generated_file("empty", tmp_path)


@pytest.mark.parametrize("name", ["../out.jsonl", "data/../../out.jsonl", "/etc/out.jsonl", "."])
def test_a_manifest_cannot_name_a_shard_outside_its_folder(name: str, tmp_path: Path) -> None:
    folder = shards(tmp_path / "xqg", 2)
    (tmp_path / "out.jsonl").write_text(line(7))
    path = generated_file("xqg", tmp_path)
    path.write_text(json.dumps({"sha256": {"data/shard_0.jsonl": "0", name: "0"}}))
    with pytest.raises(InvalidInput, match="names shards outside its folder") as caught:
        read_generated(path)
    assert [repr(name) in finding.what for finding in caught.value.findings] == [True]
    assert {found.name for found in tmp_path.iterdir()} == {"xqg", "out.jsonl"}, "no index was written out there"
    assert not list((folder / "data").glob("*.index")), "nor in the folder"
