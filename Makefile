# SPDX-License-Identifier: GPL-2.0-only

# A kernel tree to render for; without one, Debian's linux-source-6.12.
KDIR ?=
# Where `make series` puts patches and mails, and `make kselftest` the proof.
OUT ?= out

SERIES := dma-buf-pfnmap dma-buf-map-info
PYTHON := .venv/bin/python
FETCH := $(PYTHON) -m dmabuf_patchgen.debian.sources

.PHONY: help series kselftest test test-trees test-all golden bench clean

help:
	@echo 'Every target sets this machine up first: Debian packages and the environment .venv.'
	@echo
	@echo '  make series        render $(SERIES) for a kernel tree, check every patch'
	@echo '                     and write patches and mails'
	@echo '                       KDIR=/path/to/linux  that tree; otherwise linux-source-6.12'
	@echo '                       OUT=DIR              where they go; otherwise out'
	@echo '  make kselftest     boot a kernel tree without and with $(SERIES) in QEMU, and see that'
	@echo '                     the kselftests tell the two apart; evidence in OUT/proof'
	@echo '                       KDIR, OUT as above; SERIES=dma-buf-pfnmap for one series alone'
	@echo '  make test          ruff, mypy and the tests, with a proof, on the reference tree 6.12'
	@echo '  make test-trees    both series on five kernel trees from 5.10 to the newest: rendered,'
	@echo '                     checked and proved, on two of them for arm64 as well'
	@echo '  make test-all      both of these, and what takes longer: the series one by one on the trees'
	@echo '                     before the newest, a proof ten times in a row, proofs on kernels that check'
	@echo '                     themselves, mutants of dma-buf.c'
	@echo '  make golden        write patches/ and selftests/ again, after a change of a template'
	@echo '  make bench         the figures of docs/performance.md'
	@echo '  make clean         remove .venv, out and caches, but no fetched kernel source'

series:
	@.ci/setup tree check
	@.ci/series '$(KDIR)' '$(OUT)' $(SERIES)

kselftest:
	@.ci/setup tree check boot
	@kdir='$(KDIR)'; [ -n "$$kdir" ] || kdir=$$($(FETCH) 6.12) || exit; \
	echo "kernel tree: $$kdir; the first time, all of a small kernel is built"; \
	.venv/bin/dmabuf-patchgen -C "$$kdir" prove $(SERIES) -o '$(OUT)/proof'

test:
	@.ci/setup tree check boot test
	@echo 'ruff: lint and format'
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@echo 'mypy --strict'
	@$(PYTHON) -m mypy
	@echo 'kernel tree of reference: linux-source-6.12, downloaded on the first run'
	@$(FETCH) 6.12
	@echo 'tests: first those without a kernel tree, then those on 6.12, which build and boot kernels'
	@echo '(twenty minutes on two processors)'
	@$(PYTHON) -m pytest -m 'not trees and not all' -n auto --dist loadfile --no-loadscope-reorder

test-trees:
	@.ci/setup tree check boot test arm64
	@echo 'kernel trees: five linux-source packages, downloaded on the first run'
	@$(FETCH) --matrix
	@echo 'busybox of the guests of another architecture, likewise'
	@$(FETCH) --busybox arm64
	@echo 'tests on every tree: rendering, building, checking and proving (long)'
	@$(PYTHON) -m pytest -m trees -n auto --dist loadfile

test-all: test test-trees
	@echo 'tests that take long (an hour)'
	@$(PYTHON) -m pytest -m all -n auto --dist loadfile

golden:
	@.ci/setup tree
	@$(PYTHON) -m tests.golden "$$($(FETCH) 6.12)"

bench:
	@.ci/setup tree check boot bench
	@$(PYTHON) -m bench

clean:
	rm -rf .venv out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
