# SPDX-License-Identifier: GPL-2.0-only
"""patches/ and selftests/: the series as the reference tree gets them.

`make golden` writes them again, test_golden.py compares.
"""

import re
import shutil
import sys
from pathlib import Path

from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import open_tree

CHECKOUT = Path(__file__).resolve().parent.parent
SERIES = ("dma-buf-pfnmap", "dma-buf-map-info")
#: The driver that the kselftests of both need; a series of its own.
EXPORTER = "dma-buf-test-exporter"
#: Whom a patch is from where git knows nobody.
AUTHOR = Identity("dmabuf-patchgen", "dmabuf-patchgen@localhost.invalid")
_KSELFTESTS = "tools/testing/selftests/drivers/dma-buf/"
_DRIVER = f"drivers/dma-buf/{EXPORTER}.c"


def expected(root: Path) -> dict[str, bytes]:
    """Path in the checkout -> content, for a tree."""
    tree = open_tree(root)
    files: dict[str, bytes] = {}
    for name in (*SERIES, EXPORTER):
        rendered = render(Environment(), tree, [name], {})
        for mail in mails(tree, rendered.commits, AUTHOR, rendered.revised):
            files[f"patches/{name}/{mail.name}"] = mail.content
        for commit in rendered.commits:
            for path, body in commit.files.items():
                test = path.startswith(_KSELFTESTS) and path.endswith((".c", ".h"))
                if test or path == _DRIVER:
                    assert body
                    files[f"selftests/{Path(path).name}"] = body
    return files


def stored() -> dict[str, bytes]:
    """What the checkout has."""
    found = [*CHECKOUT.glob("patches/*/*.patch"), *CHECKOUT.glob("selftests/*.[ch]")]
    return {str(path.relative_to(CHECKOUT)): path.read_bytes() for path in found}


def content(path: str, body: bytes) -> bytes:
    """What counts in a file: a point release moves lines and changes blobs, and no more."""
    if path.endswith(".patch"):
        body = re.sub(rb"^index [0-9a-f]+\.\.[0-9a-f]+", b"index", body, flags=re.M)
        body = re.sub(rb"^@@ -\d+(,\d+)? \+\d+(,\d+)? @@", rb"@@ -\1 +\2 @@", body, flags=re.M)
    return body


def main(root: str) -> None:
    """Write the files again."""
    for name in (*SERIES, EXPORTER):
        shutil.rmtree(CHECKOUT / "patches" / name, ignore_errors=True)
    for path, body in expected(Path(root)).items():
        place = CHECKOUT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
        print(path)


if __name__ == "__main__":
    main(sys.argv[1])
