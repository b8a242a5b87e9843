# SPDX-License-Identifier: GPL-2.0-only
"""No test reaches an address beyond loopback: the process of the tests leaves the network."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

# linux/sched.h, linux/sockios.h, net/if.h
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFADDR, _SIOCSIFFLAGS = 0x8916, 0x8914
_IFF_UP, _IFF_RUNNING = 0x1, 0x40

#: An address of nobody (RFC 5737).
ELSEWHERE = "192.0.2.1"


def leave() -> None:
    """Go to a network of this process and its children alone, in which only loopback is.

    There is no way back, and no environment that a program cleans can undo it. Where the
    kernel does not allow it, connections of Python code of this process are refused.
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
            sys.addaudithook(_refuse)
            return
        # The same user as before, who may do nothing more outside than before.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _configure("lo", _SIOCSIFFLAGS, struct.pack("h", _IFF_UP | _IFF_RUNNING))


def is_left() -> bool:
    """Whether nothing but loopback is there."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


def add(address: str) -> None:
    """Give loopback one more address, for the control of the guard."""
    sockaddr = struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(address))
    _configure("lo:1", _SIOCSIFADDR, sockaddr)


def _configure(interface: str, what: int, value: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, what, struct.pack("16s24s", interface.encode(), value))


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1")):
            raise OSError(f"a test wants to reach {address[0]}")
