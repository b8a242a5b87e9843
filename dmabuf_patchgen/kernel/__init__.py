# SPDX-License-Identifier: GPL-2.0-only
"""How a kernel of a tree is configured, built and booted."""
