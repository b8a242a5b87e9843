# SPDX-License-Identifier: GPL-2.0-only
"""Where a kernel tree, and the userspace of a guest, come from if one has none."""
