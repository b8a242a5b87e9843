# SPDX-License-Identifier: GPL-2.0-only
"""What shows that a rendered series is sound."""
