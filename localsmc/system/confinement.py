"""Rules of the Linux kernel that a process puts on itself for good, whatever code it runs afterwards.

System calls   seccomp refuses those that start processes, send signals to others, open sockets, trace, mount,
               or change the owner, mode or times of files.
Files          Landlock (Linux 5.13) refuses every change outside one folder.

Both need no rights, and neither hides files from reading. On other systems and processors nothing happens.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterator

_FORBIDDEN = {
    # shmget socket connect socketpair fork vfork execve semget msgget truncate chmod fchmod chown fchown
    # lchown ptrace setpgid setsid rt_sigqueueinfo utime pivot_root chroot mount umount2 setxattr lsetxattr
    # fsetxattr removexattr lremovexattr fremovexattr tkill utimes mq_open add_key request_key keyctl fchownat
    # futimesat fchmodat unshare utimensat rt_tgsigqueueinfo perf_event_open setns process_vm_readv
    # process_vm_writev bpf execveat userfaultfd
    "x86_64": (
        29, 41, 42, 53, 57, 58, 59, 64, 68, 76, 90, 91, 92, 93, 94, 101, 109, 112, 129, 132, 155, 161, 165,
        166, 188, 189, 190, 197, 198, 199, 200, 235, 240, 248, 249, 250, 260, 261, 268, 272, 280, 297, 298,
        308, 310, 311, 321, 322, 323,
    ),
    # setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr umount2 mount pivot_root truncate
    # chroot fchmod fchmodat fchownat fchown utimensat unshare ptrace tkill rt_sigqueueinfo setpgid setsid
    # mq_open msgget semget shmget socket socketpair connect add_key request_key keyctl execve
    # rt_tgsigqueueinfo perf_event_open setns process_vm_readv process_vm_writev bpf execveat userfaultfd
    "aarch64": (
        5, 6, 7, 14, 15, 16, 39, 40, 41, 45, 51, 52, 53, 54, 55, 88, 97, 117, 130, 138, 154, 157, 180, 186,
        190, 194, 198, 199, 203, 217, 218, 219, 221, 240, 241, 268, 270, 271, 280, 281, 282,
    ),
}  # fmt: skip
"""Numbers of system calls by processor, which never change."""

# pidfd_send_signal io_uring_setup open_tree move_mount fsopen pidfd_open pidfd_getfd mount_setattr fchmodat2
# setxattrat removexattrat file_setattr
_FORBIDDEN_EVERYWHERE = (424, 425, 428, 429, 430, 434, 438, 442, 452, 463, 466, 469)
_CLONE3 = 435

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_KILL = {"x86_64": (62, 234), "aarch64": (129, 131)}
"""kill and tgkill: a process may end itself."""
_PRLIMIT = {"x86_64": 302, "aarch64": 261}

_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of the filter, as in linux/bpf_common.h."""
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026
"""Results of the filter: go on, EPERM, ENOSYS."""
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_THREAD, _X32 = 0x10000, 0x40000000

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE = 1 << 1
_CHANGES = {1: 0x1FF2, 2: 0x3FF2, 3: 0x7FF2}
"""What Landlock restricts, by its version: writing, removing, making; then moving; then truncating."""


def confine(folder: str) -> bool:
    """Put the rules on this thread and all that it starts; False if the system has not got all of them."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _FORBIDDEN or struct.calcsize("P") != 8:  # noqa: PLR2004
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    are_files_safe = _restrict_files(libc, folder)
    return _filter_calls(libc, machine) and are_files_safe


def _restrict_files(libc: ctypes.CDLL, folder: str) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    changes = _CHANGES[min(version, max(_CHANGES))]
    attributes = struct.pack("<Q", changes)
    rules = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    try:
        for path, allowed in ((folder, changes), (os.devnull, _WRITE)):
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            libc.syscall(_ADD_RULE, rules, 1, struct.pack("<Qi", allowed, opened), 0)
            os.close(opened)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _filter_calls(libc: ctypes.CDLL, machine: str) -> bool:
    steps = list(_steps(machine))
    program = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    header = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, header, 0, 0) == 0)


_Step = tuple[int, int, int, int]
"""An instruction: its code, steps to jump over if true and if false, and its operand."""


def _steps(machine: str) -> Iterator[_Step]:
    yield _LOAD, 0, 0, _ARCH_AT
    yield _EQUAL, 1, 0, _AUDIT_ARCH[machine]
    yield _RETURN, 0, 0, _REFUSE
    yield _LOAD, 0, 0, _NUMBER_AT
    yield _AT_LEAST, 0, 1, _X32
    yield _RETURN, 0, 0, _REFUSE
    for number in (*_FORBIDDEN[machine], *_FORBIDDEN_EVERYWHERE):
        yield _EQUAL, 0, 1, number
        yield _RETURN, 0, 0, _REFUSE
    yield _EQUAL, 0, 1, _CLONE3  # its flags are in memory, where a filter cannot look: clone takes its place
    yield _RETURN, 0, 0, _UNKNOWN
    yield from _only_if(_CLONE[machine], _HAS_BITS, _THREAD)
    for number in _KILL[machine]:
        yield from _only_if(number, _EQUAL, os.getpid())
    yield from _only_if(_PRLIMIT[machine], _EQUAL, 0)
    yield _RETURN, 0, 0, _ALLOW


def _only_if(number: int, test: int, operand: int) -> Iterator[_Step]:
    """Allow a system call only if its first argument passes a test."""
    yield _EQUAL, 0, 4, number
    yield _LOAD, 0, 0, _FIRST_ARGUMENT_AT
    yield test, 1, 0, operand
    yield _RETURN, 0, 0, _REFUSE
    yield _RETURN, 0, 0, _ALLOW
