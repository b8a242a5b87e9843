# SPDX-License-Identifier: GPL-2.0-only
"""What makes a series ready for the list: cover, recipients, and b4's own branch."""
