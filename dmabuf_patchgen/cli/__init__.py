# SPDX-License-Identifier: GPL-2.0-only
"""What the user asked: one module for each verb, which parses, calls and prints."""
