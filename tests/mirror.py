# SPDX-License-Identifier: GPL-2.0-only
"""A mirror of Debian packages made of files."""

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

#: Architectures that it has packages of, besides that of this machine.
FOREIGN = ("arm64", "amd64")


class Mirror:
    """A package mirror in a directory, and the machine's apt configured with it alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packages: list[str] = []
        root.mkdir()

    def add(self, series: str, version: str, top: str = "linux-source") -> Path:
        """A linux-source package; top: its kernel's directory in usr/src."""
        work = self.root / f"work-{version}"
        kernel = work / f"{top}-{series}"
        (kernel / "drivers" / "dma-buf").mkdir(parents=True)
        (kernel / "Makefile").write_text(f"# {version}\n")
        script = kernel / "run.sh"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        with tarfile.open(work / "source.tar.xz", "w:xz") as tar:
            tar.add(kernel, kernel.name)
        body = (work / "source.tar.xz").read_bytes()
        shutil.rmtree(work)
        return self.pack(
            f"linux-source-{series}", version, {f"usr/src/{top}-{series}.tar.xz": body}
        )

    def pack(
        self, name: str, version: str, files: Mapping[str, bytes], architecture: str = "all"
    ) -> Path:
        """A package of some files, offered from now on."""
        work = self.root / f"work-{name}"
        for path, content in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(content)
            (work / path).chmod(0o755)
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
            "Maintainer: Tester <tester@example.org>\nDescription: a test\n"
        )
        (work / "DEBIAN").mkdir(parents=True)
        (work / "DEBIAN" / "control").write_text(control)
        deb = self.root / "pool" / f"{name}_{version}_{architecture}.deb"
        deb.parent.mkdir(exist_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "--build", work, deb],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        shutil.rmtree(work)
        body = deb.read_bytes()
        self.packages.append(
            f"{control}Filename: pool/{deb.name}\nSize: {len(body)}\n"
            f"SHA256: {hashlib.sha256(body).hexdigest()}\n"
        )
        self.publish()
        return deb

    def publish(self) -> None:
        """Write the one suite there is, bookworm; every other is not there."""
        own = subprocess.run(
            ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
        ).stdout.strip()
        sums = []
        for architecture in sorted({own, *FOREIGN}):
            offered = [
                entry for entry in self.packages
                if f"Architecture: {architecture}\n" in entry or "Architecture: all\n" in entry
            ]  # fmt: skip
            place = f"main/binary-{architecture}/Packages"
            packages = "\n".join(offered).encode()
            (self.root / "dists/bookworm" / place).parent.mkdir(parents=True, exist_ok=True)
            (self.root / "dists/bookworm" / place).write_bytes(packages)
            sums.append(f" {hashlib.sha256(packages).hexdigest()} {len(packages)} {place}\n")
        (self.root / "dists/bookworm/Release").write_text(
            "Suite: bookworm\nCodename: bookworm\nComponents: main\n"
            f"Architectures: {' '.join(sorted({own, *FOREIGN}))}\nSHA256:\n{''.join(sums)}"
        )
