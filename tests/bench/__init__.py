# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark: workloads, contenders, and a harness that measures them in pairs.

`python -m bench --help` says how to call it; `make bench` does so. It needs docker-registry, and uses what it finds on PATH of
skopeo, crane, regsync, regctl and image-syncer. Everything listens on loopback and is ended by its own process id.

- `workloads`: what is copied, as bytes that are the same at every run, and the fewest requests that a copy can take.
- `servers`: the source and the destination, their content, their logs and their CPU time; `delay_proxy`: a round-trip time.
- `contenders`: the commands that users would give; `metering` (and `meter`): what such a command costs.
- `pairs`: who runs when; `goals` and `page`: what is to be reached, and docs/benchmarks.md.
- `scale` and `computed_registry`: a registry of any number of tags that is computed while it is read, for memory and growth.
"""

from __future__ import annotations
