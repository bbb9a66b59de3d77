#!/usr/bin/env bash
# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sourced by the other scripts: where the checkout is, and where everything goes that is made from it.
# The work folder is named after the checkout's path, so that two clones never share one; it has no space in its name unless
# the home folder has one, because the first line of a script in a virtual environment cannot hold a space.

# shellcheck disable=SC2034  # read by the scripts that source this one
checkout="$(cd "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)"
work="${XDG_CACHE_HOME:-$HOME/.cache}/registryops-migration/$(printf '%s' "$checkout" | cksum | cut -d ' ' -f 1)"
venv="$work/venv"
