# SPDX-License-Identifier: GPL-2.0-only
CFLAGS += -I../../../../usr/include $(KHDR_INCLUDES)

TEST_GEN_PROGS := trivial

top_srcdir ?= ../../../..

include ../lib.mk
