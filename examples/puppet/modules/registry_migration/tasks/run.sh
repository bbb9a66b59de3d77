#!/bin/sh
# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What the class registry_migration has put in place, run at once. Parameters come as PT_<name>; the exit status is the playbook's.

set -eu

playbook="${PT_playbook:?}"
folder="${PT_folder:-/etc/registry-migration}"
variables="${PT_variables:-}"
[ -n "$variables" ] || variables='{}'

set -a
# shellcheck source=/dev/null
. "$folder/environment"
set +a

set -- "registryops.migration.$playbook" -i "$folder/inventory" -e "$variables"
if [ "${PT__noop:-false}" = true ]; then
    set -- "$@" --check --diff
fi
exec "${PT_ansible_playbook:-/opt/registry-migration/bin/ansible-playbook}" "$@" </dev/null
