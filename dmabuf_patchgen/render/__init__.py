# SPDX-License-Identifier: GPL-2.0-only
"""From templates and facts to commits, in memory first."""
