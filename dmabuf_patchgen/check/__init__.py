# SPDX-License-Identifier: GPL-2.0-only
"""Whether each patch of a series is clean."""
