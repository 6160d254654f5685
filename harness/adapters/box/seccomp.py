"""A filter of system calls for programs in the box: what namespaces do not cover, and memory that no process maps.

The filter is a program of the kernel's classic BPF (Linux, Documentation/userspace-api/seccomp_filter.rst), as
``bwrap --seccomp`` takes it. It is assembled here since all there is to it are comparisons of numbers, and libseccomp is not on
every machine that has bubblewrap, nor has it a binding that is kept; where the library is there, the tests hold the numbers
below, and what the filter decides, against it.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import NamedTuple

# <linux/seccomp.h>, <linux/audit.h>, <linux/bpf_common.h>, <linux/sched.h>
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32_BIT = 0x40000000
_CLONE_NEWUSER = 0x10000000

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
FAMILIES = (_UNIX, _INET, _INET6, _NETLINK)
"""Kinds of sockets that the network namespace, or the files that are seen, confine."""


class Calls(NamedTuple):
    """Number of a system call on x86-64 and on aarch64."""

    x86_64: int
    aarch64: int


REFUSED: dict[str, tuple[Calls, int]] = {
    # Keyrings belong to no namespace.
    "add_key": (Calls(248, 217), errno.EPERM),
    "request_key": (Calls(249, 218), errno.EPERM),
    "keyctl": (Calls(250, 219), errno.EPERM),
    # Memory of no process and of no file system that has a size. "No such call" is what programs have an answer to.
    "memfd_create": (Calls(319, 279), errno.ENOSYS),
    "memfd_secret": (Calls(447, 447), errno.ENOSYS),
    "shmget": (Calls(29, 194), errno.ENOSYS),
    "shmat": (Calls(30, 196), errno.ENOSYS),
    "msgget": (Calls(68, 186), errno.ENOSYS),
    "msgsnd": (Calls(69, 189), errno.ENOSYS),
    "semget": (Calls(64, 190), errno.ENOSYS),
    "mq_open": (Calls(240, 180), errno.ENOSYS),
    "vmsplice": (Calls(278, 75), errno.ENOSYS),
    "io_setup": (Calls(206, 0), errno.ENOSYS),
    # Much of the kernel that no system needs, and where its faults have been.
    "io_uring_setup": (Calls(425, 425), errno.ENOSYS),
    "io_uring_enter": (Calls(426, 426), errno.ENOSYS),
    "io_uring_register": (Calls(427, 427), errno.ENOSYS),
    "userfaultfd": (Calls(323, 282), errno.ENOSYS),
    "bpf": (Calls(321, 280), errno.EPERM),
    "perf_event_open": (Calls(298, 241), errno.EPERM),
    "fanotify_init": (Calls(300, 262), errno.EPERM),
    "open_by_handle_at": (Calls(304, 265), errno.EPERM),
    "kexec_load": (Calls(246, 104), errno.EPERM),
    "kexec_file_load": (Calls(320, 294), errno.EPERM),
    "init_module": (Calls(175, 105), errno.EPERM),
    "finit_module": (Calls(313, 273), errno.EPERM),
    "delete_module": (Calls(176, 106), errno.EPERM),
    "swapon": (Calls(167, 224), errno.EPERM),
    "swapoff": (Calls(168, 225), errno.EPERM),
    "reboot": (Calls(169, 142), errno.EPERM),
    "acct": (Calls(163, 89), errno.EPERM),
    # The kernel's log tells of the machine.
    "syslog": (Calls(103, 116), errno.EPERM),
    # Namespaces with rights of one's own; of clone3 the flags cannot be seen, and libraries fall back to clone.
    "setns": (Calls(308, 268), errno.EPERM),
    "clone3": (Calls(435, 435), errno.ENOSYS),
}

SOCKETS = {"socket": Calls(41, 198), "socketpair": Calls(53, 199)}
WITH_FLAGS = {"clone": Calls(56, 220), "unshare": Calls(272, 97)}

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def filter_here() -> bytes | None:
    """The filter for this machine; None where its processor or system is none that it is written for."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    return filter_for(machine) if platform.system() == "Linux" and machine in ARCHITECTURES else None


def filter_for(machine: str) -> bytes:
    """The filter's instructions for ``x86_64`` or ``aarch64``, eight bytes each.

    Calls by another way into the kernel (32-bit programs; x32) end the program, or are not known.
    """
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, ARCHITECTURES[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [_step(_AT_LEAST, _X32_BIT, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    for calls, code in REFUSED.values():
        steps += [_step(_EQUAL, _number(calls, machine), 0, 1), _step(_RETURN, _ERRNO | code)]
    for calls in SOCKETS.values():
        families = [_step(_EQUAL, family, len(FAMILIES) - i, 0) for i, family in enumerate(FAMILIES)]
        own = [*families, _step(_RETURN, _ERRNO | errno.EAFNOSUPPORT), _step(_RETURN, _ALLOW)]
        steps += _looking_at_the_first_argument(_number(calls, machine), own)
    for calls in WITH_FLAGS.values():
        own = [_step(_ANY_BIT, _CLONE_NEWUSER, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM), _step(_RETURN, _ALLOW)]
        steps += _looking_at_the_first_argument(_number(calls, machine), own)
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _looking_at_the_first_argument(number: int, own: list[bytes]) -> list[bytes]:
    """The lower half is what the kernel looks at, on these machines the first one; ``own`` returns in any case."""
    return [_step(_EQUAL, number, 0, len(own) + 1), _step(_LOAD, _FIRST_ARGUMENT), *own]


def _number(calls: Calls, machine: str) -> int:
    return calls.x86_64 if machine == "x86_64" else calls.aarch64


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_so, if_not, value)
