# SPDX-License-Identifier: GPL-2.0-only
"""The longest silences of guests: `python -m bench.silences ARGS`.

Runs the command line with the arguments given, a `prove --no-cache` to be of use, and prints the
seconds that a guest computed and slept between two words, at the most. What kernel/silence.py
takes for a hang follows from them.
"""

import logging
import sys

from dmabuf_patchgen.__main__ import run
from dmabuf_patchgen.kernel import silence


class Longest(logging.Handler):
    """The longest of the silences that are told, by whether tests were under way."""

    def __init__(self) -> None:
        super().__init__()
        self.found = {False: (0.0, 0.0), True: (0.0, 0.0)}

    def emit(self, record: logging.LogRecord) -> None:
        """Take one."""
        match record.args:
            case (bool(testing), float(computed), float(slept)):
                before = self.found[testing]
                self.found[testing] = max(before[0], computed), max(before[1], slept)


if __name__ == "__main__":
    longest = Longest()
    log = logging.getLogger(silence.__name__)
    log.setLevel(logging.DEBUG)
    log.addHandler(longest)
    log.propagate = False
    code = run(sys.argv[1:])
    for testing, (computed, slept) in longest.found.items():
        where = "in" if testing else "beside"
        print(f"{where} the tests: computed {computed:.2f}, slept {slept:.2f}")
    sys.exit(code)
