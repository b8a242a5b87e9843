# SPDX-License-Identifier: GPL-2.0-only
"""The longest silences of guests: `python -m bench.silences ARGS`.

Runs the command line with the arguments given, a `prove --no-cache` to be of use, and prints the
seconds that a guest computed and slept between two words, at the most. What kernel/silence.py
takes for a hang follows from them.
"""

import sys

from dmabuf_patchgen.__main__ import run
from dmabuf_patchgen.kernel import qemu
from dmabuf_patchgen.kernel.silence import Silence

#: What is longest, by whether tests were under way.
longest = {False: [0.0, 0.0], True: [0.0, 0.0]}


class Recorded(Silence):
    """Silence whose ends are noted."""

    def end(self) -> None:
        """Note how long it was."""
        before = longest[self.testing]
        longest[self.testing] = [max(before[0], self.computed), max(before[1], self.slept)]
        super().end()


if __name__ == "__main__":
    qemu.Silence = Recorded  # type: ignore[attr-defined]
    code = run(sys.argv[1:])
    for testing, (computed, slept) in longest.items():
        where = "in" if testing else "beside"
        print(f"{where} the tests: computed {computed:.2f}, slept {slept:.2f}")
    sys.exit(code)
