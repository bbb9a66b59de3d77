#!/usr/bin/env bash
# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# usage: run.sh TARGET (see the Makefile)

set -euo pipefail
# shellcheck source=tests/tools/work_folder.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/work_folder.sh"

case "$1" in
    help)
        sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' "$checkout/Makefile" | while IFS='|' read -r target meaning; do
            printf '%-17s %s\n' "$target" "$meaning"
        done
        printf '\nWhat they make is in %s\n' "$work"
        ;;
    clean)
        rm -rf -- "$work"
        ;;
    setup)
        exec bash "$checkout/tests/tools/setup.sh"
        ;;
    *)
        bash "$checkout/tests/tools/setup.sh"
        exec env -u PYTHONPATH -u PYTHONHOME -u PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE=1 \
            "$venv/bin/python" "$checkout/tests/tools/targets.py" "$1" "$checkout" "$work"
        ;;
esac
