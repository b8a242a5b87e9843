// SPDX-License-Identifier: GPL-2.0-only
/**
 * canary() - a fault that every kernel-doc must warn about
 */
int canary(int undescribed)
{
	return undescribed;
}
