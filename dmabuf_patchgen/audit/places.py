# SPDX-License-Identifier: GPL-2.0-only
"""Which directories of a kernel tree an audit looks through."""

#: Where exporters and what they call are.
CLOSE = ("drivers", "sound", "samples", "include", "mm", "virt")
#: Where only those are looked for who take pages or PFNs of others' mappings.
WIDE = ("arch", "fs", "io_uring", "kernel", "net", "security")
