# SPDX-License-Identifier: GPL-2.0-only
"""Render, check and package dma-buf patch series for a given kernel tree."""

__version__ = "0.1.0"
