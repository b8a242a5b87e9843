# SPDX-License-Identifier: GPL-2.0-only
"""The wheel alone is enough: what it holds renders without the checkout it was built from."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, SmallRepo

#: What building a wheel reads.
SOURCES = (
    "LICENSES", "README.md", "dmabuf_patchgen", "docs", "hatch_build.py", "pyproject.toml",
    "templates",
)  # fmt: skip


def run(*argv: str | Path, cwd: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy that is gone by the time it is used."""
    root = tmp_path_factory.mktemp("wheel")
    copy = root / "copy"
    copy.mkdir()
    for name in SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
        # hatchling is among the test requirements: nothing is downloaded for this.
        "--no-build-isolation", "--wheel-dir", root, copy,
        cwd=root,
    )  # fmt: skip
    shutil.rmtree(copy)
    (built,) = root.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of the wheel, installed into an environment of its own."""
    venv = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv)
    python = venv / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet",
        "--disable-pip-version-check", "--no-deps", "--no-index", wheel,
        cwd=venv,
    )  # fmt: skip
    # The requirements come from the environment of the tests. Python reads no .pth file in a
    # directory named by one, so an editable install of the checkout there stays out of sight.
    where = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=venv)
    (Path(where.strip()) / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    home = run(python, "-c", "import dmabuf_patchgen as d; print(d.__file__)", cwd=venv)
    assert Path(home.strip()).is_relative_to(venv)
    return venv / "bin" / "dmabuf-patchgen"


def test_the_wheel_holds_every_template(wheel: Path) -> None:
    inside = {
        name.removeprefix("dmabuf_patchgen/_data/templates/")
        for name in zipfile.ZipFile(wheel).namelist()
        if name.startswith("dmabuf_patchgen/_data/templates/")
    }
    templates = CHECKOUT / "templates"
    outside = {
        path.relative_to(templates).as_posix() for path in templates.rglob("*") if path.is_file()
    }
    assert inside == outside and outside


def test_the_wheel_holds_the_schema_of_evidence(wheel: Path) -> None:
    name = "dmabuf_patchgen/prove/data/evidence.schema.json"
    assert zipfile.ZipFile(wheel).read(name) == (CHECKOUT / name).read_bytes()


def test_the_wheel_holds_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("dist-info/licenses/LICENSES/GPL-2.0-only.txt") for name in names)


def test_the_man_page_is_installed(command: Path) -> None:
    page = command.parent.parent / "share" / "man" / "man1" / "dmabuf-patchgen.1"
    assert page.read_bytes() == (CHECKOUT / "docs" / "dmabuf-patchgen.1").read_bytes()


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", "bash-completion/completions/dmabuf-patchgen"),
        ("zsh", "zsh/site-functions/_dmabuf-patchgen"),
        ("fish", "fish/vendor_completions.d/dmabuf-patchgen.fish"),
    ],
)
def test_completion_is_what_the_command_prints(
    shell: str, place: str, command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_DMABUF_PATCHGEN_COMPLETE", f"{shell}_source")
    printed = run(command, cwd=tmp_path)
    assert "dmabuf-patchgen" in printed
    assert (command.parent.parent / "share" / place).read_text() == printed


def test_completion_in_bash(command: Path, tmp_path: Path) -> None:
    """The installed script completes a verb, its options and the name of a series."""
    installed = command.parent.parent / "share/bash-completion/completions/dmabuf-patchgen"

    def completed(*words: str) -> set[str]:
        ask = f"""
            source {installed}
            COMP_WORDS=({command} {" ".join(words)}) COMP_CWORD={len(words)}
            _dmabuf_patchgen_completion {command}
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        return set(run("bash", "--norc", "-c", ask, cwd=tmp_path).split())

    assert completed("pre") == {"prep"}
    assert "--signoff" in completed("prep", "--s")
    assert completed("prep", "dma-buf-p") == {"dma-buf-pfnmap"}
    assert completed("prep", "dma-buf-pfnmap", "--nothing-like-it") == set()


def test_list(command: Path, tmp_path: Path) -> None:
    said = json.loads(run(command, "list", "--json", cwd=tmp_path))
    assert {"dma-buf-pfnmap", "dma-buf-map-info"} <= {series["name"] for series in said}


def test_render(command: Path, tmp_path: Path, small_repo: SmallRepo) -> None:
    repo = small_repo()
    out = tmp_path / "out"
    run(command, "-C", repo, "render", "dma-buf-pfnmap", "-o", out, cwd=tmp_path)
    patches = sorted(path.name for path in out.glob("*.patch"))
    assert patches and patches[0].startswith("0001-")
