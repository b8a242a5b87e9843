# SPDX-License-Identifier: GPL-2.0-only
"""Reading a kernel tree, never writing to it."""
