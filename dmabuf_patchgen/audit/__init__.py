# SPDX-License-Identifier: GPL-2.0-only
"""What the exporters of a tree do with a mapping: read from their source, never run."""
