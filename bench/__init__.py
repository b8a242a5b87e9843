# SPDX-License-Identifier: GPL-2.0-only
"""Timings against what users would do instead."""
