"""The filter of system calls: its numbers against libseccomp's, its decisions by an interpreter, its work in the box."""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import needs_bwrap, python

from harness.adapters.box.seccomp import ARCHITECTURES, FAMILIES, REFUSED, SOCKETS, WITH_FLAGS, filter_for, filter_here
from harness.errors import InvalidInput

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
NEW_USER = 0x10000000
MACHINES = sorted(ARCHITECTURES)

needs_filter = pytest.mark.skipif(filter_here() is None, reason="no filter for this processor")


def verdict(machine: str, number: int, argument: int = 0, architecture: int | None = None) -> int:
    """What the filter says of a call: an interpreter of classic BPF, as far as the filter uses it."""
    arch = ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<IIQ6Q", number, arch, 0, argument & (2**64 - 1), 0, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("<HBBI", filter_for(machine)))
    at, accumulator = 0, 0
    while True:
        code, if_so, if_not, value = steps[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            return int(value)
        else:
            met = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            at += if_so if met else if_not


def number_of(name: str, machine: str) -> int:
    calls = {**{name: calls for name, (calls, _) in REFUSED.items()}, **SOCKETS, **WITH_FLAGS}[name]
    return int(getattr(calls, machine))


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_libseccomp(machine: str) -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp is not on this machine")
    for name in [*REFUSED, *SOCKETS, *WITH_FLAGS]:
        found = library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(ARCHITECTURES[machine]), name.encode())
        assert number_of(name, machine) == found, name


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_listed_is_refused_and_everything_else_is_allowed(machine: str) -> None:
    refused = {number_of(name, machine): code for name, (_, code) in REFUSED.items()}
    looked_at = {number_of(name, machine) for name in [*SOCKETS, *WITH_FLAGS]}
    for number in set(range(600)) - looked_at:
        assert verdict(machine, number) == (ERRNO | refused[number] if number in refused else ALLOW), number


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", SOCKETS)
def test_of_sockets_only_the_kinds_that_a_namespace_confines(machine: str, name: str) -> None:
    number = number_of(name, machine)
    for family in range(64):
        expected = ALLOW if family in FAMILIES else ERRNO | errno.EAFNOSUPPORT
        assert verdict(machine, number, family) == expected
        assert verdict(machine, number, family | 5 << 32) == expected, "the kernel looks at the lower half alone"


@pytest.mark.parametrize("machine", MACHINES)
@given(flags=st.integers(0, 2**64 - 1))
def test_no_user_namespace_is_made(machine: str, flags: int) -> None:
    for name in WITH_FLAGS:
        expected = ERRNO | errno.EPERM if flags & NEW_USER else ALLOW
        assert verdict(machine, number_of(name, machine), flags) == expected


def test_other_ways_into_the_kernel_are_closed() -> None:
    for machine in MACHINES:
        assert verdict(machine, 0, architecture=0x40000003) == KILL, "32-bit calls have other numbers"
    for number in (0x40000000, 0x40000000 | 319, 2**32 - 1):
        assert verdict("x86_64", number) == ERRNO | errno.ENOSYS


@needs_filter
@needs_bwrap
def test_in_the_box_every_listed_call_is_refused_by_the_kernel(tmp_path: Path) -> None:
    expected = {name: (int(getattr(calls, platform.machine())), code) for name, (calls, code) in REFUSED.items()}
    body = (
        "import ctypes, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, (number, code) in {expected!r}.items():\n"
        "    ctypes.set_errno(0)\n"
        "    if libc.syscall(number, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != code:\n"
        "        print('passed', name, ctypes.get_errno(), file=sys.stderr)\n"
        "print('tried all', file=sys.stderr)\nsys.exit(1)\n"
    )
    with pytest.raises(InvalidInput, match="tried all") as caught:
        python(tmp_path, body)
    assert "passed" not in str(caught.value)


@needs_filter
@needs_bwrap
def test_in_the_box_no_socket_leads_past_the_network_namespace(tmp_path: Path) -> None:
    body = (
        "import socket, sys\nmade = []\n"
        "for family in range(1, 46):\n"
        "    for kind in (1, 2, 3, 5):\n"
        "        try:\n            socket.socket(family, kind).close()\n"
        "        except OSError:\n            pass\n"
        "        else:\n            made.append(family)\n"
        "print('made', sorted(set(made)), file=sys.stderr)\nsys.exit(1)\n"
    )
    with pytest.raises(InvalidInput, match="made") as caught:
        python(tmp_path, body)
    made = {int(word.strip("[],")) for word in str(caught.value).partition("made ")[2].splitlines()[0].split()}
    assert made <= set(FAMILIES)
    assert {int(socket.AF_UNIX), int(socket.AF_INET)} <= made


@needs_filter
@needs_bwrap
def test_in_the_box_no_key_of_the_operator_is_found(tmp_path: Path) -> None:
    """A key in the session keyring of this process; outside, the same search finds it."""
    library, own = ctypes.CDLL(None, use_errno=True), getattr(REFUSED["add_key"][0], platform.machine())
    search = getattr(REFUSED["keyctl"][0], platform.machine())
    key = library.syscall(own, b"user", b"xdr-test", b"hush", ctypes.c_size_t(4), ctypes.c_int(-3))
    if key < 0:
        pytest.skip("this kernel keeps no keys")
    body = (
        "import ctypes, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"found = libc.syscall({search}, 10, ctypes.c_int(-3), b'user', b'xdr-test', 0)\n"
        "print('key', found, file=sys.stderr)\nsys.exit(1)\n"
    )
    try:
        assert library.syscall(search, 10, ctypes.c_int(-3), b"user", b"xdr-test", 0) == key
        with pytest.raises(InvalidInput, match="key -1"):
            python(tmp_path, body)
    finally:
        library.syscall(search, 9, ctypes.c_int(key), ctypes.c_int(-3), 0, 0)


@needs_bwrap
def test_what_programs_usually_do_still_works(tmp_path: Path) -> None:
    body = (
        "import asyncio, multiprocessing, os, sqlite3, subprocess, sys, tempfile, threading\n"
        "async def later():\n    await asyncio.sleep(0)\n    return 4\n"
        "def twice(n):\n    return 2 * n\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.Pool(2) as pool:\n        assert pool.map(twice, [1, 2]) == [2, 4]\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        assert pool.map(twice, [3]) == [6]\n"
        "    assert asyncio.run(later()) == 4\n"
        "    thread = threading.Thread(target=later)\n    thread.start()\n    thread.join()\n"
        "    assert subprocess.run(['sh', '-c', 'echo x | cat'], capture_output=True).stdout == b'x\\n'\n"
        "    with tempfile.NamedTemporaryFile() as file:\n"
        "        sqlite3.connect(file.name).execute('create table t (x)').close()\n"
        "    print('fine', file=sys.stderr)\n    sys.exit(1)\n"
    )
    with pytest.raises(InvalidInput, match="fine"):
        python(tmp_path, body)
