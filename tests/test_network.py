# SPDX-License-Identifier: GPL-2.0-only
"""The guard of all tests: nothing beyond loopback is reached, by no program that they run."""

import contextlib
import os
import re
import socket
import subprocess
import sys

import pytest

from tests import network
from tests.conftest import CHECKOUT

#: Says what becomes of a connection to an address of nobody.
PROBE = f"""
import errno, socket
with socket.socket() as probe:
    probe.settimeout(5)
    print(errno.errorcode.get(probe.connect_ex(("{network.ELSEWHERE}", 9)), "reached"))
"""
#: A network in which that address is somebody's.
ADDED = f"""
import socket
from tests import network
network.leave()
network.add("{network.ELSEWHERE}")
listening = socket.create_server(("{network.ELSEWHERE}", 9))
"""

needs_own_network = pytest.mark.skipif(
    "not __import__('tests.network').network.is_left()",
    reason="this kernel lets nobody leave the network",
)


def probed(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr


def test_this_process_reaches_nobody() -> None:
    with pytest.raises(OSError, match=r"unreachable|a test wants to reach 192\.0\.2\.1"):
        socket.create_connection((network.ELSEWHERE, 9), timeout=5)
    with pytest.raises(OSError, match=r"unreachable|a test wants to reach 192\.0\.2\.1"):
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((network.ELSEWHERE, 9))


@needs_own_network
def test_programs_that_tests_run_reach_nobody() -> None:
    assert probed(PROBE) == "ENETUNREACH"
    for argv in (
        ["git", "ls-remote", f"https://{network.ELSEWHERE}/linux.git"],
        ["git", "ls-remote", f"git://{network.ELSEWHERE}/linux.git"],
        # A cleaned environment is no way out.
        ["env", "-i", "PATH=/usr/bin:/bin", "perl", "-MIO::Socket::INET", "-e",
         f"IO::Socket::INET->new('{network.ELSEWHERE}:9') or die $!"],
    ):  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode
        assert re.search("unreachable|after 0 ms", done.stderr), done.stderr


@needs_own_network
def test_the_probe_would_tell() -> None:
    """The control: where the address is somebody's, the same probe reaches it."""
    assert probed(ADDED + PROBE) == "reached"
    assert probed(f"{ADDED}listening.close()\n{PROBE}") == "ECONNREFUSED"


def test_python_alone_is_held_where_the_kernel_does_not_help() -> None:
    """As in a container without privileges: both ways to leave are refused there."""
    script = (
        "import ctypes\nfrom tests import network\n"
        "class Refusing:\n    def unshare(self, flags): return -1\n"
        "ctypes.CDLL = lambda *_, **__: Refusing()\nnetwork.leave()\n"
    )
    assert "a test wants to reach 192.0.2.1" in probed(script + PROBE)


def test_loopback_is_there() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        contextlib.closing(socket.create_connection(server.getsockname(), timeout=5)) as client,
    ):
        assert client.getpeername() == server.getsockname()
    assert probed(PROBE.replace(network.ELSEWHERE, "127.0.0.1")) == "ECONNREFUSED"
