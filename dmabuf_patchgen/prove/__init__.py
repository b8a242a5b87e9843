# SPDX-License-Identifier: GPL-2.0-only
"""Whether the tests of a series tell a kernel with it from one without."""
