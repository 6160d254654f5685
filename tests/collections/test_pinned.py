from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.collections.storage import pinned
from harness.collections.storage.imports import import_folder
from harness.collections.storage.pinned import PinnedFile, fetch, state, verified_path
from harness.errors import InvalidInput, WrongUsage
from harness.files import known_digests, stamps

ONE, TWO, FREE, MEMBER = b"one\n", b"two\n", b"free\n", b"member\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which a server on this machine gives its files."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, served: tuple[Path, str]) -> dict[str, PinnedFile]:
    """A cache of its own, and made-up pinned files in place of the real ones."""
    _, address = served
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    known = [
        PinnedFile("toy/one.txt", "CC0", f"{address}/one.txt", sha256(ONE)),
        PinnedFile("toy/two.txt", "CC0", "", sha256(TWO)),
        PinnedFile("toy/free.txt", "CC0", f"{address}/free.txt"),
        PinnedFile("zoo/member.txt", "CC0", f"{address}/archive", sha256(MEMBER), member=True),
    ]
    by_name = {file.name: file for file in known}
    monkeypatch.setattr(pinned, "pinned_files", lambda: by_name)
    return by_name


def mirror(path: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def states() -> dict[str, str]:
    return {name: state(file) for name, file in pinned.pinned_files().items() if state(file) != "absent"}


def test_files_are_imported_by_their_content_whatever_their_names(tmp_path: Path) -> None:
    done = import_folder(mirror(tmp_path / "mirror", {"a/b/other-name": ONE, "x": TWO, "unknown": b"?"}))
    assert done.copied == ("toy/one.txt", "toy/two.txt")
    assert (done.others, done.findings) == (1, ())
    assert states() == {"toy/one.txt": "present", "toy/two.txt": "present"}
    assert verified_path("toy/one.txt").read_bytes() == ONE


@pytest.mark.parametrize("name", ["one.txt", "toy/one.txt"])
def test_other_content_under_a_known_name_is_a_finding_and_is_not_copied(tmp_path: Path, name: str) -> None:
    done = import_folder(mirror(tmp_path / "mirror", {name: b"other\n", "good": TWO}))
    assert done.copied == ("toy/two.txt",)
    (finding,) = done.findings
    assert finding.where == str(tmp_path / "mirror" / name)
    assert finding.what == f"sha256 is {sha256(b'other' + bytes([10]))}"
    assert finding.expected == f"{sha256(ONE)} (toy/one.txt)"
    assert states() == {"toy/two.txt": "present"}


def test_importing_from_what_is_not_a_folder_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="is not a folder"):
        import_folder(tmp_path / "none")


def test_a_damaged_file_in_the_cache_is_seen_refused_and_fixed_by_import(tmp_path: Path) -> None:
    folder = mirror(tmp_path / "mirror", {"one.txt": ONE})
    import_folder(folder)
    path = verified_path("toy/one.txt")
    path.write_bytes(b"damaged\n")
    assert states() == {"toy/one.txt": "damaged"}
    with pytest.raises(InvalidInput, match="in the cache is not the published one") as caught:
        verified_path("toy/one.txt")
    (finding,) = caught.value.findings
    assert (finding.where, finding.expected) == (str(path), sha256(ONE))
    assert "xdr data fetch toy/one.txt" in finding.hint
    import_folder(folder)
    assert verified_path("toy/one.txt").read_bytes() == ONE


def test_a_file_without_a_published_hash_is_recorded_at_first_and_checked_ever_after(tmp_path: Path) -> None:
    first = import_folder(mirror(tmp_path / "first", {"free.txt": FREE}))
    assert (first.copied, first.findings) == (("toy/free.txt",), ())
    again = import_folder(mirror(tmp_path / "again", {"toy/free.txt": FREE}))
    assert (again.copied, again.findings) == (("toy/free.txt",), ())
    assert verified_path("toy/free.txt").read_bytes() == FREE

    other = import_folder(mirror(tmp_path / "other", {"free.txt": b"other\n", "one.txt": ONE}))
    assert other.copied == ("toy/one.txt",), "one bad file does not keep the others out"
    (finding,) = other.findings
    assert finding.expected.startswith(sha256(FREE))
    assert verified_path("toy/free.txt").read_bytes() == FREE

    verified_path("toy/free.txt").write_bytes(b"damaged\n")
    assert states()["toy/free.txt"] == "damaged"
    with pytest.raises(InvalidInput, match="not the published one"):
        verified_path("toy/free.txt")


def test_an_absent_file_is_fetched_when_it_is_asked_for(served: tuple[Path, str]) -> None:
    mirror(served[0], {"one.txt": ONE})
    assert states() == {}
    assert verified_path("toy/one.txt").read_bytes() == ONE
    assert states() == {"toy/one.txt": "present"}


def test_a_fetched_file_of_another_hash_is_not_stored(served: tuple[Path, str], files: dict[str, PinnedFile]) -> None:
    mirror(served[0], {"one.txt": b"other\n"})
    with pytest.raises(InvalidInput, match="nothing was stored") as caught:
        fetch(files["toy/one.txt"])
    assert caught.value.findings[0].expected == sha256(ONE)
    assert states() == {}


def test_the_hash_seen_at_the_first_fetch_is_recorded(served: tuple[Path, str], files: dict[str, PinnedFile]) -> None:
    mirror(served[0], {"free.txt": FREE})
    fetch(files["toy/free.txt"])
    assert pinned.expected_hash(files["toy/free.txt"]) == sha256(FREE)
    mirror(served[0], {"free.txt": b"other\n"})
    with pytest.raises(InvalidInput, match="wrong hash"):
        fetch(files["toy/free.txt"])
    assert verified_path("toy/free.txt").read_bytes() == FREE


def zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_member_of_an_archive_is_found_by_its_hash(served: tuple[Path, str], pack: object) -> None:
    archive = pack({"../up.txt": ONE, "deep/any-name": MEMBER, "empty/": b""})  # type: ignore[operator]
    mirror(served[0], {"archive": archive})
    assert verified_path("zoo/member.txt").read_bytes() == MEMBER
    assert states() == {"zoo/member.txt": "present"}, "nothing else is taken out"


@pytest.mark.parametrize(
    "archive",
    [zipped({"member.txt": b"other\n"}), tarred({}), tarred({"member.txt": MEMBER})[:40], b"no archive at all", b""],
    ids=["other content", "empty archive", "cut off", "no archive", "nothing"],
)
def test_an_archive_without_the_member_is_refused(served: tuple[Path, str], archive: bytes) -> None:
    mirror(served[0], {"archive": archive})
    with pytest.raises(InvalidInput, match=r"zoo/member\.txt"):
        verified_path("zoo/member.txt")
    assert states() == {}


def test_what_cannot_be_fetched_says_how_to_bring_it_by_hand(files: dict[str, PinnedFile]) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be fetched \(HTTPError\).*xdr data import DIR"):
        fetch(files["toy/one.txt"])
    with pytest.raises(InvalidInput, match=r"no address of its own.*xdr data import DIR"):
        verified_path("toy/two.txt")


def test_files_are_chosen_by_name_or_group_and_a_misspelt_one_suggests() -> None:
    assert [file.name for file in pinned.select([])] == list(pinned.pinned_files())
    assert [file.name for file in pinned.select(["zoo", "toy/two.txt"])] == ["zoo/member.txt", "toy/two.txt"]
    with pytest.raises(WrongUsage, match=r"unknown data file or group 'zooo'; did you mean 'zoo'\?"):
        pinned.select(["zooo"])


def test_every_real_file_has_a_licence_and_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    real = pinned.pinned_files().values()
    assert all(file.licence for file in real)
    hashes = [file.sha256 for file in real if file.sha256]
    assert len(set(hashes)) == len(hashes)
    assert all(len(digest) == 64 and digest == digest.lower() for digest in hashes)
    assert all(file.sha256 for file in real if file.member or not file.url)


def test_all_real_files_that_are_there_are_the_published_ones(
    imported_data: Path, xdr_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDR_HOME", str(xdr_home))
    found = {file.name: state(file) for file in pinned.pinned_files().values()}
    assert set(found.values()) <= {"present", "absent"}
    assert {"xquad/xquad.en.json", "xor-tydi/xor_dev_retrieve_eng_span_v1_1.jsonl"} <= {
        name for name in found if found[name] == "present" and (imported_data / name).is_file()
    }


BIG = bytes(range(256)) * 8000


class CutOff(http.server.BaseHTTPRequestHandler):
    """Serves ``content`` with ranges; the first answer breaks off in the middle. ``asked``: the ranges of the requests."""

    asked: list[str | None]
    tag = '"one"'
    content = BIG

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        own = type(self)
        own.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and self.headers.get("If-Range") != own.tag:
            start, wanted = 0, None
        if start >= len(own.content):
            self.send_error(416)
            return
        data = own.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", own.tag)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if len(own.asked) > 1 else data[: len(data) // 2])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def big(monkeypatch: pytest.MonkeyPatch) -> Iterator[PinnedFile]:
    """A large file at an address whose first transfer is cut off."""
    monkeypatch.setattr(CutOff, "asked", [], raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), CutOff) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        file = PinnedFile("big/file.bin", "CC0", f"http://127.0.0.1:{server.server_port}/big", size="2 MB")
        monkeypatch.setattr(pinned, "pinned_files", lambda: {file.name: file})
        yield file
        server.shutdown()
        thread.join()


def test_a_transfer_that_broke_off_is_gone_on_with(big: PinnedFile) -> None:
    with pytest.raises(InvalidInput, match="cannot be fetched"):
        fetch(big)
    assert state(big) == "absent"
    fetch(big)
    assert big.path.read_bytes() == BIG
    first, second = CutOff.asked
    assert first is None
    assert second is not None
    assert int(second[len("bytes=") : -1]) > 0, "the second transfer began where the first had ended"
    assert [path.name for path in big.path.parent.iterdir() if path.suffix in (".part", ".tag")] == []


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(
    big: PinnedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="cannot be fetched"):
        fetch(big)
    monkeypatch.setattr(CutOff, "tag", '"two"')
    monkeypatch.setattr(CutOff, "content", BIG[::-1])
    fetch(big)
    assert big.path.read_bytes() == BIG[::-1]


def test_a_transfer_that_was_killed_after_its_last_byte_is_begun_again(big: PinnedFile) -> None:
    part = big.path.with_name(".file.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG)
    part.with_suffix(".tag").write_text('"one"')
    CutOff.asked.append(None)
    fetch(big)
    assert big.path.read_bytes() == BIG


def test_a_large_file_is_not_fetched_unasked_and_not_hashed_again_unchanged(
    big: PinnedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        InvalidInput, match=r"big/file\.bin \(2 MB\) is not in the cache; `xdr data fetch big/file\.bin`"
    ):
        verified_path(big.name)
    assert CutOff.asked == []
    CutOff.asked.append(None)
    monkeypatch.setattr(known_digests, "REMEMBERED_BYTES", 0)
    monkeypatch.setattr(stamps, "SETTLED_NS", 0)
    fetch(big)
    hashed: list[Path] = []
    real = known_digests.sha256_of_file
    monkeypatch.setattr(
        known_digests, "sha256_of_file", lambda path, advance: hashed.append(path) or real(path, advance)
    )
    monkeypatch.setattr(pinned, "_verified", {})
    verified_path(big.name)
    assert hashed == []
    big.path.write_bytes(BIG[:-1])
    with pytest.raises(InvalidInput, match="not the published one"):
        verified_path(big.name)
    assert hashed == [big.path]
