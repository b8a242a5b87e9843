# SPDX-License-Identifier: GPL-2.0-only
"""Figures of docs/performance.md, each a ratio of two times from one run; `make bench`."""
