# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The estate: servers, certificates and images for the tests and the demo.

Everything listens on loopback, lies under a folder that the caller names, and is ended by its own process id. The package uses
nothing of the collection: what it says about a registry is an independent second opinion.

- `registry`: docker-registry in every mode; `token_server`: a token service for it; `certificates`: who signs for both.
- `counting` (and its knobs in `behaviour`): a registry in memory that logs requests and behaves as it is told.
- `images`: what registries hold, built in memory; `push`: into a registry; `compare`: two registries side by side, also through skopeo.
- `proxy`: a forward proxy between a client and any of them; `turnstile`: counts what goes to a registry, and lets a test act amid it.
- `disks`: file systems that are full soon.
- `client`, `serving`, `process`, `ports`: what these stand on.
"""

from __future__ import annotations
