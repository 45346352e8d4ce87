"""Become a program under the filters of a systemd unit, without systemd: `python sandbox.py UNIT PROGRAM ARGUMENT…`

What the unit says about system calls, families of sockets, writable code and capabilities is laid on this process, the
way systemd does it (libseccomp), and the program inherits it. Its view of the file system is not changed here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EQUAL, MASKED = 4, 7  # SCMP_CMP_EQ, SCMP_CMP_MASKED_EQ
WRITE, EXECUTE = 2, 4  # of memory


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(unit: str) -> dict[str, list[str]]:
    """Each name of the unit with its values, in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in unit.splitlines():
        name, equals, value = line.partition("=")
        if equals and re.fullmatch(r"[A-Za-z]+", name):
            found[name].append(value.strip())
    return found


def calls(names: list[str]) -> set[str]:
    """The system calls of these names and @groups, as this machine's systemd knows them."""
    said = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    groups: dict[str, list[str]] = {}
    group: list[str] = []
    for line in said.splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line.strip(), [])
        elif (name := line.strip()) and not name.startswith("#"):
            group.append(name)

    def expanded(name: str) -> set[str]:
        return set().union(*map(expanded, groups[name])) if name in groups else {name}

    return set().union(*map(expanded, names))


def permitted(said: dict[str, list[str]]) -> set[str]:
    found = calls(["@default"])
    for value in said["SystemCallFilter"]:
        if value.startswith("~"):
            # What a list allows by name stays, and so do the calls without which no program starts.
            found -= calls(value[1:].split()) - calls(["@default"])
        else:
            found |= calls(value.split())
    return found


def confine(said: dict[str, list[str]]) -> None:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p

    def number(name: str) -> int:
        found: int = library.seccomp_syscall_resolve_name(name.encode())
        return found

    def rule(filter_: ctypes.c_void_p, action: int, name: str, *comparisons: tuple[int, int, int, int]) -> None:
        array = (Comparison * max(1, len(comparisons)))(*comparisons)
        if number(name) >= 0 and library.seccomp_rule_add_array(filter_, action, number(name), len(comparisons), array):
            raise OSError(f"no rule for {name}")

    def load(filter_: ctypes.c_void_p) -> None:
        if library.seccomp_load(filter_):
            raise OSError("the filter can't be loaded")

    refused = ERRNO | getattr(errno, said["SystemCallErrorNumber"][0])
    if said["MemoryDenyWriteExecute"] == ["yes"]:
        code = ctypes.c_void_p(library.seccomp_init(ALLOW))
        both = WRITE | EXECUTE
        rule(code, refused, "mmap", (2, MASKED, both, both))
        rule(code, refused, "mprotect", (2, MASKED, EXECUTE, EXECUTE))
        rule(code, refused, "pkey_mprotect", (2, MASKED, EXECUTE, EXECUTE))
        load(code)
    listed = ctypes.c_void_p(library.seccomp_init(refused))
    for name in sorted(permitted(said) - {"socket"}):
        rule(listed, ALLOW, name)
    for family in " ".join(said["RestrictAddressFamilies"]).split():
        rule(listed, ALLOW, "socket", (0, EQUAL, getattr(socket, family), 0))
    load(listed)


def main(unit: str, *command: str) -> None:
    said = settings(Path(unit).read_text())
    if os.geteuid() == 0 and "SANDBOXED" not in os.environ and said["CapabilityBoundingSet"] == [""]:
        os.environ["SANDBOXED"] = "1"
        os.execvp(
            "setpriv", ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, __file__, unit, *command]
        )
    os.umask(int(said["UMask"][0], 8))
    # seccomp_load sets NoNewPrivs itself.
    confine(said)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
