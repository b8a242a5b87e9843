/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included into every file that sparse checks. A checker that says nothing about this line
 * did not run, whatever its exit code.
 */
static int *dmabuf_patchgen_canary = (int __attribute__((noderef, address_space(99))) *)0;
