# SPDX-License-Identifier: GPL-2.0-only
"""Series proved in booted kernels of the reference tree, and everything that is no proof."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dmabuf_patchgen.prove import evidence as proofs
from tests.conftest import CHECKOUT, Cli
from tests.prove.schema import SCHEMA

PFNMAP, MAP_INFO = "dma-buf-pfnmap", "dma-buf-map-info"
#: Of the tree's own tests: there is no vgem in these kernels.
MAY_SKIP = "dmabuf-heap:"


@pytest.fixture(scope="session", autouse=True)
def built_once() -> None:
    """Kernels are built with the user's own tools, as `make kselftest` does."""
    for name in ("ARCH", "CROSS_COMPILE", "LLVM", "CC"):
        os.environ.pop(name, None)


def test_both_series_are_proved(
    cli: Cli,
    linux_612: Path,
    tmp_path: Path,
    no_tools: Mapping[str, str],
    other_qemu: Mapping[str, str],
) -> None:
    out = tmp_path / "proof"
    before = snapshot(linux_612)
    args = ("-C", linux_612, "prove", PFNMAP, MAP_INFO, "--json", "-o", out)
    done = cli(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    assert snapshot(linux_612) == before
    said = json.loads(done.stdout)
    SCHEMA.validate(said)
    evidence = proofs.load(out / "evidence.json")
    assert evidence.as_dict() == said and evidence.proved and not evidence.debug
    skipped = [test.name for test in evidence.tests if proofs.Outcome.SKIP in (test.base, test.tip)]
    assert all(name.startswith(MAY_SKIP) for name in skipped)
    crashed = [test.name for test in evidence.tests if test.base is proofs.Outcome.CRASH]
    assert crashed == ["dma-buf-pfnmap-fault:pfn_fault.private_write"]
    assert len(evidence.patch_ids) == len(json.loads((out / "series.json").read_text())["patches"])
    assert "CONFIG_DMABUF_TEST_EXPORTER=y" in evidence.configuration
    # What is new is what tests are there to provoke, and what is gone is what the series is for.
    assert {one.test for one in evidence.reports if one.tip} == {
        "dma-buf-pfnmap-warn", "dma-buf-pfnmap-kinds", "dma-buf-map-info-claims",
    }  # fmt: skip
    gone = [one for one in evidence.reports if not one.tip]
    assert [(one.kind, one.function, one.test) for one in gone] == [
        ("BUG", "vmf_insert_pfn_prot", "dma-buf-pfnmap-fault")
    ]
    assert {path.name for path in out.iterdir()} == {
        "evidence.json", "series.json", "config", "base.log", "tip.log",
        "base-dma-buf-pfnmap-fault.log", "tip-dma-buf-pfnmap-fault.log",
    }  # fmt: skip
    assert evidence.logs == {path.name: path.read_text() for path in out.glob("*.log")}
    # Again, with neither a compiler nor an emulator that would do anything.
    again = cli(*args, env=no_tools)
    assert again.returncode == 0 and json.loads(again.stdout) == said, again.stderr
    fresh = cli(*args, "--no-cache", env=no_tools)
    assert fresh.returncode == 1 and "make" in fresh.stderr
    other = cli(*args, env=other_qemu)
    assert other.returncode == 1 and "another" in other.stderr
    # And as the README shows it, but for versions and where things are.
    text = cli("-C", linux_612, "prove", PFNMAP, MAP_INFO, "-o", tmp_path / "text").stdout
    shown = (CHECKOUT / "README.md").read_text().split("a small kernel is built\n")[1]
    kept = re.compile(r"^(?!Linux |evidence: )", re.M)
    assert [line for line in text.splitlines() if kept.match(line)] == [
        line for line in shown.split("```")[0].splitlines() if kept.match(line)
    ]


def test_every_commit_is_booted(cli: Cli, linux_612: Path, tmp_path: Path) -> None:
    out = tmp_path / "proof"
    done = cli("-C", linux_612, "prove", PFNMAP, "--each-commit", "-j", "1", "-o", out)
    assert done.returncode == 0, done.stdout + done.stderr
    logs = {path.stem for path in out.glob("*.log") if not path.stem.endswith("-fault")}
    patches = len(json.loads((out / "series.json").read_text())["patches"])
    assert logs == {"base", "tip", *(f"patch-{number}" for number in range(1, patches))}
    # Private mappings are refused from one commit on, and the next one warns.
    said = {name: (out / f"{name}.log").read_text() for name in logs}
    assert {name: (passes(said[name], "cow"), passes(said[name], "warn")) for name in logs} == {
        "base": (False, False),
        "patch-1": (False, False),
        "patch-2": (True, False),
        "patch-3": (True, True),
        "patch-4": (True, True),
        "tip": (True, True),
    }


def passes(console: str, program: str) -> bool:
    """Whether a program passes as a whole."""
    found = re.findall(rf"(?m)^(ok|not ok) \d+ selftests: .*: dma-buf-pfnmap-{program}\b", console)
    assert len(found) == 1
    return bool(found[0] == "ok")


@pytest.fixture
def no_tools(tmp_path: Path) -> dict[str, str]:
    """A PATH on which make does nothing, nor what guests are run with."""
    body = "#!/bin/sh\necho no tools today >&2\nexit 9\n"
    return on_path(tmp_path / "no-tools", {"make": body, "setpriv": body})


@pytest.fixture
def other_qemu(tmp_path: Path) -> dict[str, str]:
    """A PATH on which QEMU is another program, which tells the same version."""
    body = '#!/bin/sh\n[ "$1" = --version ] && exec "{real}" "$@"\necho another >&2\nexit 9\n'
    return on_path(tmp_path / "other-qemu", {"qemu-system-x86_64": body})


def on_path(place: Path, scripts: Mapping[str, str]) -> dict[str, str]:
    place.mkdir()
    for name, body in scripts.items():
        real = shutil.which(name)
        assert real
        (place / name).write_text(body.format(real=real))
        (place / name).chmod(0o755)
    return {"PATH": f"{place}:{os.environ['PATH']}"}


def snapshot(root: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times below a directory."""
    found = []
    for where, directories, files in os.walk(root):
        for name in [*directories, *files]:
            path = Path(where) / name
            state = path.lstat()
            size = 0 if stat.S_ISDIR(state.st_mode) else state.st_size
            found.append((str(path), size, state.st_mtime_ns))
    return sorted(found)


Sabotaged = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sabotaged(cli: Cli, linux_612: Path, tmp_path: Path) -> Sabotaged:
    """Proves a series on the reference tree after a change of one of its templates."""

    def run(series: str, template: str, old: str, new: str, *args: str) -> Any:
        shutil.copytree(CHECKOUT / "templates", tmp_path / "templates")
        path = tmp_path / "templates" / template
        text = path.read_text()
        assert text.count(old) == 1, f"{template} does not have {old!r} once"
        path.write_text(text.replace(old, new))
        # A package finds the templates beside it: the same code, through a link.
        (tmp_path / "dmabuf_patchgen").symlink_to(CHECKOUT / "dmabuf_patchgen")
        env = {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
        return cli("-C", linux_612, "prove", series, "--json", *args, env=env)

    return run


COW = """\
@@ function __dma_buf_mmap, before dmabuf->ops->mmap(dmabuf, vma) @@
+	/* What the CPU writes to its own copy is seen by no device. */
+	if ({{ kernel.cow_mapping("vma") }})
+		return -EINVAL;
+
"""
AFTER = """\
+	ret = dmabuf->ops->mmap(dmabuf, vma);
+	if (ret)
+		return ret;
+
{{ caller() | trim }}
+
"""
#: What a careless hand could do: template, text in it, other text, parameters; then the first
#: test that has to notice, its verdict, and what is said of it.
_COW_TEMPLATE = "dma-buf-pfnmap/04-refuse-cow.patch.j2"
_COW_TEST = "dma-buf-pfnmap:pfnmap.system_heap_page.private_write"
SABOTAGE = {
    "a hunk is dropped": (
        _COW_TEMPLATE, COW, "", (),
        _COW_TEST, "not proved", "Expected EINVAL",
    ),
    "an errno is swapped": (
        _COW_TEMPLATE, "+		return -EINVAL;", "+		return -EPERM;", (),
        _COW_TEST, "not proved", "(1)",
    ),
    "the warning is for a failure too": (
        "common/mmap.j2", AFTER, AFTER.replace("+	if (ret)\n+		return ret;\n+\n", "")
        + "+	if (ret)\n+		return ret;\n+\n", (),
        "dma-buf-pfnmap-warn:failing.direct.silent", "regression", "Expected",
    ),
    "what is refused leaks": (
        "dma-buf-pfnmap/05-require-pfnmap.patch.j2",
        "+			vma->vm_ops->close(vma);", "+			;", ("-p", "severity=refuse"),
        "dma-buf-pfnmap-warn:pages.insert.leaves_nothing", "not proved", "test_buffer_mappings",
    ),
    "the kernel goes down": (
        _COW_TEMPLATE, "+		return -EINVAL;", "+		BUG();", (),
        _COW_TEST, "regression", "kernel BUG at",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SABOTAGE)
def test_sabotage_is_caught(sabotaged: Sabotaged, what: str) -> None:
    template, old, new, args, test, verdict, said = SABOTAGE[what]
    done = sabotaged(PFNMAP, template, old, new, *args)
    assert done.returncode == 2, done.stdout + done.stderr
    evidence = json.loads(done.stdout)
    SCHEMA.validate(evidence)
    assert evidence["verdict"] == "not proved"
    wrong = {one["name"]: one for one in evidence["tests"] if one["why"]}
    assert wrong[test]["verdict"] == verdict, wrong
    assert said in wrong[test]["why"]


def test_a_warning_that_no_test_asked_for(sabotaged: Sabotaged) -> None:
    old, new = "+		return -EINVAL;", "+		return WARN_ON_ONCE(1) ? -EINVAL : -EINVAL;"
    done = sabotaged(PFNMAP, _COW_TEMPLATE, old, new)
    assert done.returncode == 2, done.stdout + done.stderr
    evidence = json.loads(done.stdout)
    # Every test says what it should.
    assert not [one["why"] for one in evidence["tests"] if one["why"]]
    assert evidence["problems"]
    for problem in evidence["problems"]:
        assert re.match(
            r"after patch \d+/\d+, the kernel reports in dma-buf-pfnmap\S*: WARNING: .*"
            r"drivers/dma-buf/dma-buf\.c:",
            problem,
        )
    unasked = [one for one in evidence["reports"] if one["tip"] and not one["wanted"]]
    assert len(unasked) == len(evidence["problems"])
    assert {one["kind"] for one in unasked} == {"WARNING"}


def test_a_commit_that_does_not_build(sabotaged: Sabotaged) -> None:
    template = "dma-buf-pfnmap/04-refuse-cow.patch.j2"
    done = sabotaged(PFNMAP, template, "+		return -EINVAL;", "+		return -EINVALID;")
    assert done.returncode == 2, done.stdout + done.stderr
    evidence = json.loads(done.stdout)
    assert evidence["verdict"] == "not proved" and not evidence["tests"]
    (problem,) = evidence["problems"]
    assert "after patch 2/" in problem and "drivers/dma-buf/dma-buf.c:" in problem
    assert "EINVALID" in problem


def test_a_symbol_that_the_tree_lacks(sabotaged: Sabotaged) -> None:
    old = "CONFIG_IKCONFIG=y\n"
    done = sabotaged(PFNMAP, "common/kselftest.config", old, f"{old}CONFIG_NO_SUCH=y\n")
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["exit_code"] == 1
    assert "NO_SUCH wants y, got n: this tree has no NO_SUCH" in done.stderr


def test_an_expectation_of_no_test(sabotaged: Sabotaged) -> None:
    old, new = '"read_only_file.private"', '"read_only_file.privat"'
    done = sabotaged(PFNMAP, "dma-buf-pfnmap/proof.toml", old, new)
    assert done.returncode == 2, done.stderr
    evidence = json.loads(done.stdout)
    (problem,) = evidence["problems"]
    assert "no test dma-buf-pfnmap:read_only_file.privat" in problem
    wrong = {one["name"]: one["why"] for one in evidence["tests"] if one["why"]}
    assert "a control, and without the series" in wrong["dma-buf-pfnmap:read_only_file.private"]


#: A QEMU that is another one for each run of a test, so that nothing is taken from earlier boots.
FAKE = """\
#!/bin/sh
# {uuid}
if [ "$1" = --version ]; then echo "QEMU emulator version 0.0"; exit; fi
echo $$ >>"{ran}"
{body}
"""
FAKES = {
    "killed": ("echo booting; kill -9 $$", "lost: qemu-system-x86_64 was killed by signal 9"),
    "hangs": ("echo booting; exec sleep 600", "hang: no end within"),
    "garbage": ("head -c 200000 /dev/urandom; exit 0", "lost: "),
    "panics": (
        "echo 'Kernel panic - not syncing: VFS: Unable to mount root fs'",
        "panic: Kernel panic - not syncing: VFS: Unable to mount root fs",
    ),
}


def fake_qemu(place: Path, name: str) -> dict[str, str]:
    body = FAKE.format(uuid=uuid.uuid4(), ran=place / "ran", body=FAKES[name][0])
    return on_path(place, {"qemu-system-x86_64": body.replace("{", "{{").replace("}", "}}")})


@pytest.mark.parametrize("name", FAKES)
def test_a_guest_that_comes_to_no_end(cli: Cli, linux_612: Path, tmp_path: Path, name: str) -> None:
    env = fake_qemu(tmp_path / "fake", name)
    # All but one come to their end by themselves, which takes a busy machine some time.
    limit = "2" if name == "hangs" else "60"
    done = cli("-C", linux_612, "prove", PFNMAP, "--json", "--timeout", limit, env=env)
    assert done.returncode == 2, done.stderr
    evidence = json.loads(done.stdout)
    assert evidence["verdict"] == "not proved"
    assert {test["verdict"] for test in evidence["tests"]} <= {"not proved", "unchanged"}
    said = [test["why"] for test in evidence["tests"] if test["verdict"] == "not proved"]
    assert said and all(FAKES[name][1] in why for why in said)
    # Nothing of it is kept: the next run, with a QEMU that works, is as good as ever.
    assert not any(alive(int(pid)) for pid in (tmp_path / "fake/ran").read_text().split())
    assert cli("-C", linux_612, "prove", PFNMAP).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_in_a_boot(linux_612: Path, tmp_path: Path, number: signal.Signals) -> None:
    env = fake_qemu(tmp_path / "fake", "hangs")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    args = ["-C", str(linux_612), "prove", PFNMAP, "-o", str(tmp_path / "out")]
    child = started(args, {**env, "TMPDIR": str(scratch)})
    wait_for(child, (tmp_path / "fake/ran").exists)
    child.send_signal(number)
    said = child.communicate(timeout=300)[1]
    assert child.returncode == 128 + number and "nothing half-done is left behind" in said
    ran = [int(pid) for pid in (tmp_path / "fake/ran").read_text().split()]
    wait_for(None, lambda: not any(map(alive, ran)))
    assert not [*scratch.iterdir()] and not (tmp_path / "out").exists()


def test_killed_in_a_build(cli: Cli, linux_612: Path, tmp_path: Path) -> None:
    """SIGKILL while objects are written; the next run builds what it should and proves it."""
    shutil.copytree(CHECKOUT / "templates", tmp_path / "templates")
    path = tmp_path / "templates/dma-buf-pfnmap/04-refuse-cow.patch.j2"
    text = path.read_text()
    assert "own copy is seen" in text
    # Nothing that an earlier run of this test has built and kept.
    path.write_text(text.replace("own copy is seen", f"own copy {uuid.uuid4().hex[:8]} is seen"))
    (tmp_path / "dmabuf_patchgen").symlink_to(CHECKOUT / "dmabuf_patchgen")
    ran = tmp_path / "ran"
    body = f'#!/bin/sh\ncase "$*" in *bzImage*) (sleep 2; echo >"{ran}") & ;; esac\n'
    env = on_path(tmp_path / "slow", {"make": body + 'exec "{real}" "$@"\n'})
    env |= {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    args = ["-C", str(linux_612), "prove", PFNMAP, "--json"]
    child = started(args, env)
    wait_for(child, ran.exists)
    child.kill()
    child.communicate()
    done = cli(*args, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def started(args: list[str], env: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "dmabuf_patchgen", *args],
        env={"PYTHONPATH": str(CHECKOUT), **os.environ, **env},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(child: "subprocess.Popen[str] | None", condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert child is None or child.poll() is None, child.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_disk_that_is_full(linux_612: Path, tmp_path: Path) -> None:
    script = (
        f"mount -t tmpfs -o size=12m tmpfs {tmp_path} && cd {tmp_path} && "
        f"XDG_CACHE_HOME={tmp_path} {sys.executable} -m dmabuf_patchgen -C {linux_612} "
        f"prove {PFNMAP} -o out; echo code $?; ls {tmp_path}"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert "code 1" in done.stdout and "out" not in done.stdout.split(), done.stdout
    assert "No space left on device" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
