# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every recipe goes through the checkout's own folder, whatever its name and wherever make was called from. What the targets
# make lies outside of the checkout; "make help" says where.

.DEFAULT_GOAL := help
.PHONY: help setup lint test test-quick test-live test-sanity format demo bench reliability providers build clean

export REGISTRYOPS_MAKEFILE := $(MAKEFILE_LIST)
# ARGS are further arguments for the tool that a target runs; PYTHON is the interpreter that the virtual environment is made with.
export ARGS PYTHON

# make puts a space before the first name in its list of makefiles: only that one is cut off, for the path may hold others.
RUN := @cd "$$(dirname -- "$${REGISTRYOPS_MAKEFILE\# }")" && exec bash tests/tools/run.sh

help: ## list the targets
	$(RUN) help

setup: ## install what the other targets need: Debian packages, a virtual environment
	$(RUN) setup

lint: ## all checks that only read the code, but for ansible-test; shows every failure
	$(RUN) lint

test: ## every check and every test
	$(RUN) test

test-quick: ## the inner loop: ruff, mypy and the unit tests; ARGS="-k reference" goes to pytest
	$(RUN) test-quick

test-live: ## the tests against real registries alone; ARGS="-k mount -x" goes to pytest
	$(RUN) test-live

test-sanity: ## ansible-test sanity alone; ARGS="--test pylint" goes to it
	$(RUN) test-sanity

format: ## rewrite the Python files as ruff wants them
	$(RUN) format

demo: ## two registries on this machine and a migration between them
	$(RUN) demo

bench: ## measure against other tools; ARGS="W1s --rounds 3" says what, ARGS=--help what there is
	$(RUN) bench

reliability: ## provoke every fault of the matrix and write docs/reliability.md
	$(RUN) reliability

providers: ## write docs/providers.md from what the code knows of products
	$(RUN) providers

build: ## the collection's tarball
	$(RUN) build

clean: ## remove all that these targets made
	$(RUN) clean
