/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included into every file that sparse checks. A checker that says nothing about this line
 * did not run, whatever its exit code.
 */
static int *dmabuf_patchgen_canary = (int __attribute__((noderef, address_space(99))) *)0;

/*
 * sparse 0.6.4 takes __builtin_strlen() for no constant, so each module_param() of 7.x is an
 * error to it; and after an error it gives no warning for the rest of the file. The compiler
 * checks these assertions.
 */
#define _Static_assert(...)
