# SPDX-License-Identifier: GPL-2.0-only
"""Kernels booted as virtme-ng boots them: its machine and its init, then the same guest.

A kernel for it wants the options in data/vng.config as well. As the guest's root has no udev,
virtme-ng runs a script on the console, as 1.42 does where it finds no port for it.
"""

import os
import re
import shlex
from functools import cache
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import initramfs as archive
from dmabuf_patchgen.kernel import qemu
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.console import Boot
from dmabuf_patchgen.kernel.guest import Guest
from dmabuf_patchgen.kernel.kbuild import DATA

#: What a kernel needs beside all that it needs for the tests, one line of a .config each.
CONFIG = DATA / "vng.config"
#: What virtme-ng's init mounts something on, or puts something over.
_DIRECTORIES = ("etc", "home", "lib", "opt", "root", "run", "srv", "var")
#: Goes on as the guest's first process otherwise does. A port of its own that virtme-ng has for
#: output would keep apart what the tests and what the kernel says.
_SCRIPT = "exec /init </dev/console >/dev/console 2>&1"


@cache
def version(architecture: Architecture) -> str:
    """Version of virtme-ng. Raises MissingTool."""
    output = process.run(["vng", "--version"]).text
    found = re.search(r"virtme-ng (\S+)", output)
    return found[1] if found else "of unknown version"


def boot(guest: Guest) -> Boot:
    """Boot a guest and wait for its end, see qemu.boot().

    Raises MissingTool, and UserError if virtme-ng cannot boot it.
    """
    architecture = guest.architecture
    if not architecture.native:
        raise UserError(
            f"virtme-ng's init is for this machine, not for {architecture.name}",
            "boot it with --runner qemu",
        )
    with process.temporary("dmabuf-patchgen-vng-") as scratch:
        _lay_out(guest.initramfs, scratch / "root")
        argv = _machine(guest, scratch)
        runner = f"qemu {qemu.version(architecture)} by virtme-ng {version(architecture)}"
        return qemu.watched(argv, runner, guest, merged=True)


def _lay_out(initramfs: Path, root: Path) -> None:
    """A root directory, which virtme-ng exports to the guest and which the guest cannot write."""
    root.mkdir()
    archive.unpack(initramfs, root)
    for name in _DIRECTORIES:
        (root / name).mkdir()
    # virtme-ng binds another one over it.
    (root / "etc/fstab").touch()
    for line in process.run([str(root / "bin/busybox"), "--list-full"]).text.splitlines():
        link = root / line
        if not link.exists() and link.parent.is_dir():
            link.symlink_to("/bin/busybox")


def _machine(guest: Guest, scratch: Path) -> list[str]:
    """The command by which virtme-ng would run QEMU.

    We run it ourselves: below vng, QEMU would outlive a prover that is killed.
    """
    root = scratch / "root"
    kvm = [] if guest.accelerator == "kvm" else ["--disable-kvm"]
    argv = [
        "vng", "--dry-run", "--run", str(guest.image), "--root", str(root), "--cwd", str(root),
        "--user", "root", "--memory", f"{guest.memory}M", "--cpus", "1", "--verbose",
        # virtiofs needs a daemon, and a microvm other drivers.
        "--force-9p", "--disable-microvm", *kvm,
        "--exec", _SCRIPT,
    ]  # fmt: skip
    # It names a file of its own in the temporary directory, which QEMU makes.
    done = process.run(argv, cwd=root, env={**os.environ, "TMPDIR": str(scratch)}, timeout=60)
    command = shlex.split(done.text)
    where = command.index("-append") + 1 if "-append" in command else 0
    # A line of more than a thousand bytes it cuts short, by a script that is gone when it ends:
    # what we add is added here, where what follows is no longer the kernel's.
    own, init, rest = command[where].partition(" init=") if where else ("", "", "")
    if " -- " not in rest:
        raise UserError(f"vng tells no command to run: {done.last_words}", "use --runner qemu")
    ours = (*qemu.ARGUMENTS, *guest.architecture.qemu.arguments, *guest.arguments)
    command[where] = qemu.fitting(" ".join((own, *ours)) + init + rest)
    return command
