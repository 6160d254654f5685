from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.collections import wikipedia
from harness.collections.formats.passage_files import DprTsv, JsonLines
from harness.collections.storage import docstore
from harness.collections.storage.docstore import StoredDocs, digest_of_hashes, open_docs
from harness.collections.view import Docs, load
from harness.errors import InvalidInput
from harness.files.derived import Made
from harness.files.record_digest import digest_of_records, record_hash
from harness.records import Doc

HEADER = ["id", "text", "title"]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.text('"\t\n\r a,', max_size=8)
IDS = st.lists(st.text("aé東𝔸～019", min_size=1, max_size=4), unique=True, max_size=8)


def tsv(path: Path, rows: Sequence[Sequence[str]], header: bool = True, quoting: int = csv.QUOTE_MINIMAL) -> Path:
    """Written as DPR's files are: by Python's csv module, quoted where needed."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=quoting)  # type: ignore[arg-type]
        writer.writerows([HEADER, *rows] if header else rows)
    return path


def numbered(count: int) -> list[list[str]]:
    return [[str(n), f'passage "{n}"\nof two lines', f"title {n}"] for n in range(1, count + 1)]


def opened(path: Path) -> StoredDocs:
    return open_docs(path, DprTsv(), path.with_name("index"))


@settings(max_examples=40)
@given(
    ids=IDS,
    texts=st.lists(st.tuples(TEXT, TEXT), min_size=8, max_size=8),
    header=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_csv_writes_is_read_as_csv_reads_it_and_is_what_memory_would_hold(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], texts: list[tuple[str, str]], header: bool, quoting: int
) -> None:
    path = tmp_path_factory.mktemp("docs") / "passages.tsv"
    if quoting == csv.QUOTE_MINIMAL:
        # Python's writer does not quote a carriage return when lines end with a line feed, and its reader stumbles over it.
        texts = [(text.replace("\r", ""), title.replace("\r", "")) for text, title in texts]
    tsv(path, [(doc_id, *pair) for doc_id, pair in zip(ids, texts, strict=False)], header, quoting)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row != HEADER]
    memory = Docs(Doc(doc_id, title, text) for doc_id, text, title in rows)
    stored = opened(path)
    assert list(stored) == list(memory)
    assert stored[1:3] == memory[1:3]
    assert stored[::-2] == memory[::-2]
    assert tuple(stored.ids) == memory.ids
    assert stored.ids[:2] == memory.ids[:2]
    assert np.array(stored.ids, dtype=object).tolist() == list(memory.ids), "what a search does with them"
    assert all(stored.get(doc_id) == memory.get(doc_id) and doc_id in stored for doc_id in ids)
    assert stored.digest == memory.digest
    for stranger in ("", "none", "a\0", "longer than any id", 5, ids[0] + "x" if ids else "x"):
        assert (stranger in stored) == (stranger in memory)
    with pytest.raises(KeyError):
        stored.get("none")


def test_ids_that_no_run_could_hold_are_refused(tmp_path: Path) -> None:
    ids = ["\\ud800", "x" * 256, "a\\u0000b", "", "good"]
    (tmp_path / "docs.jsonl").write_text("".join(f'{{"doc_id": "{doc_id}", "text": "t"}}\n' for doc_id in ids))
    with pytest.raises(InvalidInput) as caught:
        open_docs(tmp_path / "docs.jsonl", JsonLines(), tmp_path / "index")
    assert [finding.where.rpartition(":")[2] for finding in caught.value.findings] == ["1", "2", "3", "4"]


@given(st.binary(max_size=60))
def test_any_bytes_give_passages_or_findings(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "any").write_bytes(data)
    for form in (DprTsv(), JsonLines()):
        try:
            stored = open_docs(folder / "any", form, folder / form.name)
        except InvalidInput as error:
            assert error.findings or "more than once" in error.message  # noqa: PT017
        else:
            assert stored.digest == digest_of_records(stored)


@given(st.lists(st.tuples(st.text(max_size=3)), max_size=30), st.integers(1, 200))
def test_the_digest_of_hashes_does_not_depend_on_how_much_is_sorted_at_once(
    records: list[tuple[str]], at_once: int
) -> None:
    hashes = list(map(record_hash, records))
    pieces = [b"".join(hashes[:3]), b"", b"".join(hashes[3:])]
    assert digest_of_hashes(lambda: pieces, len(hashes), at_once) == digest_of_records(records)


def test_hashes_with_zero_bytes_are_sorted_as_bytes() -> None:
    hashes = [b"\1" + bytes(31), b"\1" + bytes(30) + b"\1", bytes(32), b"\xff" * 32, bytes(31) + b"\1"]
    import hashlib

    assert digest_of_hashes(lambda: hashes, len(hashes)) == hashlib.sha256(b"".join(sorted(hashes))).hexdigest()


def test_the_faults_of_a_file_are_named_by_their_lines(tmp_path: Path) -> None:
    lines = [
        "id\ttext\ttitle",
        '1\t"two\nlines"\tgood',
        "2\tno title",
        "a b\tblank\tid",
        "\tempty\tid",
        "",
        "3\tlast\tgood",
    ]
    (tmp_path / "p.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidInput) as caught:
        opened(tmp_path / "p.tsv")
    assert [finding.where.rpartition(":")[2] for finding in caught.value.findings] == ["4", "5", "6"]
    assert "2 columns; expected 3: id, text, title" in str(caught.value)


def test_a_file_that_was_cut_off_inside_a_quotation_is_refused(tmp_path: Path) -> None:
    whole = tsv(tmp_path / "p.tsv", numbered(3)).read_bytes()
    (tmp_path / "p.tsv").write_bytes(whole[: whole.rindex(b"of two")])
    with pytest.raises(InvalidInput, match="ends inside a quotation"):
        opened(tmp_path / "p.tsv")


def test_ids_that_occur_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="1 ids occur more than once, first '2'"):
        opened(tsv(tmp_path / "p.tsv", [*numbered(3), ["2", "again", ""]]))


class Killed(BaseException):
    pass


def test_a_killed_pass_goes_on_where_it_had_noted_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docstore, "STEP", 4)
    path = tsv(tmp_path / "p.tsv", numbered(20))
    read: list[str] = []
    records = DprTsv.records

    def counting(self: DprTsv, file: io.BufferedReader) -> object:
        for record in records(self, file):
            if record.doc and record.doc.doc_id == stop:
                raise Killed
            read.append(record.doc.doc_id if record.doc else "")
            yield record

    monkeypatch.setattr(DprTsv, "records", counting)
    stop = "11"
    with pytest.raises(Killed):
        opened(path)
    with (tmp_path / "index" / "raw" / "shard-00000").open("ab") as torn:
        torn.write(b"half a block")
    stop = ""
    read.clear()
    stored = opened(path)
    assert read[0] == "9", "the first eight were noted"
    assert stored.digest == Docs(Doc(i, title, text) for i, text, title in numbered(20)).digest
    assert list(stored) == sorted(stored, key=lambda doc: doc.doc_id)
    assert not (tmp_path / "index" / "raw").exists()
    read.clear()
    opened(path)
    assert read == [], "an index that is there is used"


@given(
    place=st.floats(0, 1, exclude_max=True), cut=st.booleans(), name=st.sampled_from(["blocks.journal", "shard-00000"])
)
@settings(max_examples=30)
def test_a_killed_pass_goes_on_from_no_damaged_block(
    tmp_path_factory: pytest.TempPathFactory, place: float, cut: bool, name: str
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(docstore, "STEP", 4)
        path = tsv(tmp_path_factory.mktemp("docs") / "p.tsv", numbered(14))
        patched.setattr(docstore.Indexing, "_finish", lambda _: raise_killed())
        with pytest.raises(Killed):
            opened(path)
        patched.undo()
        patched.setattr(docstore, "STEP", 4)
        damaged = path.with_name("index") / "raw" / name
        data = bytearray(damaged.read_bytes())
        at = int(place * len(data))
        data[at] ^= 4
        damaged.write_bytes(data[:at] if cut else data)
        stored = opened(path)
    memory = Docs(Doc(i, title, text) for i, text, title in numbered(14))
    assert (stored.digest, list(stored)) == (memory.digest, list(memory))


def raise_killed() -> Made:
    raise Killed


@pytest.mark.parametrize("name", ["ids", "offsets", "lengths", "checks"])
def test_a_damaged_index_is_made_again(tmp_path: Path, name: str) -> None:
    path = tsv(tmp_path / "p.tsv", numbered(5))
    column = opened(path).home / f"{name}.npy"
    whole = column.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        column.write_bytes(damaged)
        assert [doc.doc_id for doc in opened(path)] == ["1", "2", "3", "4", "5"]
        assert column.read_bytes() == whole


def test_who_has_an_index_open_keeps_it_when_it_is_made_again(tmp_path: Path) -> None:
    first = opened(tsv(tmp_path / "p.tsv", numbered(5)))
    path = tsv(tmp_path / "q.tsv", numbered(900))
    path.replace(tmp_path / "p.tsv")
    assert len(opened(tmp_path / "p.tsv")) == 900
    assert list(first.ids) == ["1", "2", "3", "4", "5"]
    assert first.get("5").title == "title 5", "its file is still the one that was opened"


def test_a_source_that_changes_while_it_is_indexed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tsv(tmp_path / "p.tsv", numbered(3))
    finish = docstore.Indexing._append

    def edited(self: docstore.Indexing, batch: list[tuple[bytes, int, int, bytes]], position: int) -> None:
        finish(self, batch, position)
        path.write_bytes(path.read_bytes().replace(b"title 1", b"TITLE 1"))

    monkeypatch.setattr(docstore.Indexing, "_append", edited)
    with pytest.raises(InvalidInput, match="changed while it was indexed"):
        opened(path)
    monkeypatch.undo()
    assert opened(path).get("1").title == "TITLE 1"


def test_an_index_of_an_earlier_form_is_made_again(tmp_path: Path) -> None:
    path = tsv(tmp_path / "p.tsv", numbered(3))
    home = tmp_path / "index"
    (home / "raw").mkdir(parents=True)
    for name in ("index.json", "raw/progress.json", "raw/ids", "ids.npy"):
        (home / name).write_text('{"identity": {}, "passages": 3, "digest": "ff", "position": 9}')
    assert [doc.doc_id for doc in opened(path)] == ["1", "2", "3"]
    assert not (home / "raw").exists()


def test_findings_after_a_resumption_have_the_lines_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docstore, "STEP", 4)
    path = tsv(tmp_path / "p.tsv", [*numbered(10), ["bad"]])
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            opened(path)
        assert [finding.where for finding in caught.value.findings] == [f"{path}:22"]


def test_another_file_under_the_same_name_is_indexed_anew(tmp_path: Path) -> None:
    first = opened(tsv(tmp_path / "p.tsv", numbered(3)))
    stamp = (tmp_path / "p.tsv").stat()
    tsv(tmp_path / "p.tsv", [["1", "other", ""], *numbered(3)[1:]])
    assert opened(tmp_path / "p.tsv").get("1").text == "other"
    text = (tmp_path / "p.tsv").read_text()
    (tmp_path / "p.tsv").write_text(text.replace("other", "OTHER"))
    os.utime(tmp_path / "p.tsv", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    again = opened(tmp_path / "p.tsv")
    assert again.get("1").text == "OTHER", "the same size; the beginning of the file tells"
    assert again.digest != first.digest


def test_a_record_that_changed_behind_the_index_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    path = tsv(tmp_path / "p.tsv", numbered(3))
    stored = opened(path)
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"title 2"))
        file.write(b"TITLE 2")
    assert stored.get("1").title == "title 1"
    with pytest.raises(InvalidInput, match="the record of passage '2' has changed"):
        stored.get("2")


def test_the_index_holds_no_pickles_and_few_bytes_a_passage(tmp_path: Path) -> None:
    stored = opened(tsv(tmp_path / "p.tsv", numbered(9999)))
    arrays = [np.load(file, allow_pickle=False) for file in stored.home.glob("*.npy")]
    assert sum(array.itemsize for array in arrays) == 4 + 8 + 4 + 8, "ids have four bytes here"


# The two Wikipedias


@pytest.fixture
def small_dumps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own, and dumps of 3 and of 5 passages in place of 18 and of 21 million."""
    from dataclasses import replace

    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    sizes = {"2019-02-01": (2, 4), "dpr-2018": (5, 5)}
    dumps = {name: replace(dump, fewest=sizes[name][0], most=sizes[name][1]) for name, dump in wikipedia.DUMPS.items()}
    monkeypatch.setattr(wikipedia, "DUMPS", dumps)
    return tmp_path / "home" / "data"


def placed(home: Path, name: str, count: int) -> Path:
    import gzip

    target = home / wikipedia.DUMPS[name].file
    target.parent.mkdir(parents=True, exist_ok=True)
    plain = tsv(home / "plain.tsv", numbered(count)).read_bytes()
    target.write_bytes(gzip.compress(plain, mtime=count) if target.suffix == ".gz" else plain)
    return target


def test_each_wikipedia_is_read_from_its_own_file(small_dumps: Path) -> None:
    placed(small_dumps, "2019-02-01", 3)
    placed(small_dumps, "dpr-2018", 5)
    assert [len(wikipedia.read(name)) for name in wikipedia.DUMPS] == [3, 5]
    placed(small_dumps, "dpr-2018", 6)
    with pytest.raises(InvalidInput, match="has 6 passages; no dump known here has that many"):
        wikipedia.read("dpr-2018")


@pytest.mark.parametrize(("name", "count", "other"), [("2019-02-01", 5, "DPR's"), ("dpr-2018", 3, "XOR-TyDi's")])
def test_one_wikipedia_in_the_place_of_the_other_is_refused(
    small_dumps: Path, name: str, count: int, other: str
) -> None:
    placed(small_dumps, name, count)
    with pytest.raises(InvalidInput, match=f"has {count} passages; that is the number of {other}") as caught:
        wikipedia.read(name)
    assert wikipedia.DUMPS[name].about in str(caught.value)


def test_a_file_is_unpacked_once_and_again_when_either_has_changed(
    small_dumps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = placed(small_dumps, "dpr-2018", 5)
    plain = wikipedia.unpacked(packed)
    whole, first = plain.read_bytes(), plain.stat()
    assert wikipedia.unpacked(packed).stat() == first
    plain.write_bytes(whole.replace(b"title 1", b"TITLE 1"))
    assert wikipedia.unpacked(packed).read_bytes() == whole
    packed = placed(small_dumps, "dpr-2018", 6)
    assert wikipedia.unpacked(packed).read_bytes() != whole


def test_a_damaged_gzip_file_is_refused(small_dumps: Path) -> None:
    path = placed(small_dumps, "dpr-2018", 5)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InvalidInput, match="is not a whole gzip file"):
        wikipedia.read("dpr-2018")


@pytest.mark.usefixtures("fresh_registry")
def test_xor_tydi_asks_its_wikipedia_and_the_other_under_another_name(small_dumps: Path) -> None:
    import ir_datasets

    for name in wikipedia.DUMPS:
        placed(small_dumps, name, 3 if name == "2019-02-01" else 5)
    wikipedia.docs.cache_clear()
    try:
        ours, other = load("xor-tydi/dev/ar"), load("xor-tydi-dpr-2018/dev/ar")
        assert (len(ours.docs), len(other.docs)) == (3, 5)
        assert ours.docs.digest != other.docs.digest
        assert load("xor-tydi/dev/te").docs is ours.docs
        dataset = ir_datasets.load("xor-tydi/dev/ar")
        assert dataset.docs_count() == 3
        assert dataset.docs_store().get("2") == ours.docs.get("2")
        assert [doc.doc_id for doc in dataset.docs_iter()[1:]] == ["2", "3"]
        assert dataset.docs_iter()[-1].doc_id == "3"
    finally:
        wikipedia.docs.cache_clear()


def test_a_wikipedia_that_is_not_there_says_how_to_get_it(small_dumps: Path) -> None:
    with pytest.raises(InvalidInput, match=r"13 GB\) is not in the cache; `xdr data fetch .*`xdr data import DIR`"):
        wikipedia.read("2019-02-01")
