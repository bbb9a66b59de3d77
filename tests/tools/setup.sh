#!/usr/bin/env bash
# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes what the other targets need, and only what is not there yet: Debian packages, a virtual environment with the packages of
# tests/requirements.txt in the versions of tests/constraints.txt, and what tests/tools/node lists for node.

set -euo pipefail
# shellcheck source=tests/tools/work_folder.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/work_folder.sh"

# What would send pip, or the interpreter, to another place than the virtual environment.
unset PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIREMENT PIP_CONSTRAINT
export LC_ALL=C.UTF-8

requirements="$checkout/tests/requirements.txt"
constraints="$checkout/tests/constraints.txt"

stop() {
    printf 'make setup: %s\n' "$1" >&2
    exit 1
}

# usage: logged NAME COMMAND...: its output is kept in a file, and shown if it fails
logged() {
    local log="$work/logs/$1.log"
    shift
    if ! "$@" >"$log" 2>&1 </dev/null 9>&-; then
        tail -n 100 "$log" >&2
        stop "\"$*\" failed; its last lines are above, all of them in $log."
    fi
}

# The pinned ansible-core runs on Python 3.11 to 3.13; pyenv has names on PATH that do not start, hence the trial.
supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

# Debian's python3 lacks ensurepip, which venv needs, until python3-venv is installed.
makes_venvs() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3.11}" python3.12 python3.13 python3; do
        if supported "$candidate" && makes_venvs "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
        [ -z "${PYTHON:-}" ] || return 1
    done
    return 1
}

missing_packages() {
    local command package
    while read -r command package; do
        command -v "$command" >/dev/null || printf '%s\n' "$package"
    done <<'TOOLS'
docker-registry docker-registry
skopeo skopeo
htpasswd apache2-utils
openssl openssl
chromium chromium
TOOLS
    [ -n "${PYTHON:-}" ] || find_python >/dev/null || printf '%s\n' python3 python3-venv
}

# Tests of examples, and of a Docker engine, are skipped without them, so nobody has to install them by hand; nor are they missing where
# no package has them.
optional_packages() {
    if ! command -v puppet >/dev/null && can_install && apt-cache show puppet-agent >/dev/null 2>&1; then
        printf '%s\n' puppet-agent
    fi
    if ! PATH="$PATH:/usr/sbin" command -v dockerd >/dev/null && can_install && apt-cache show docker.io >/dev/null 2>&1; then
        printf '%s\n' docker.io
    fi
    if ! command -v sshd >/dev/null && can_install; then
        printf '%s\n' openssh-server
    fi
    if ! { command -v node && command -v npm; } >/dev/null && can_install; then
        printf '%s\n' nodejs npm
    fi
}

# What tests run on node. It is optional, too: a test says what it misses.
install_node_modules() {
    local folder="$work/node" stamp
    stamp="$(cat -- "$checkout"/tests/tools/node/*.json <(node --version) | cksum)"
    if [ "$(cat -- "$folder/complete" 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    rm -rf -- "$folder"
    mkdir -- "$folder"
    cp -- "$checkout"/tests/tools/node/*.json "$folder"
    # no script of a package runs
    logged npm-install npm --prefix "$folder" ci --ignore-scripts --no-audit --no-fund --no-update-notifier
    printf '%s' "$stamp" >"$folder/complete"
}

can_install() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    # docker-registry comes with a service on port 5000, puppet-agent with one that looks for a server, docker.io with the engine itself,
    # openssh-server with one that lets people in: they are neither started now nor at the next boot.
    export SYSTEMD_OFFLINE=1
    printf 'Installing Debian packages: %s\n' "$*"
    logged apt-update apt-get -q -o DPkg::Lock::Timeout=300 update
    logged apt-install apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
    if command -v systemctl >/dev/null; then
        if [[ " $* " == *" docker-registry "* ]]; then
            logged docker-registry-service systemctl disable docker-registry
        fi
        if [[ " $* " == *" puppet-agent "* ]]; then
            logged puppet-service systemctl disable puppet
        fi
        if [[ " $* " == *" docker.io "* ]]; then
            logged docker-service systemctl disable docker.service docker.socket containerd.service
        fi
        if [[ " $* " == *" openssh-server "* ]]; then
            logged ssh-service systemctl disable ssh
        fi
    fi
}

mkdir -p -- "$work/logs"
exec 9>"$work/setup.lock"
if command -v flock >/dev/null; then
    flock 9
fi

mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then
    if ! can_install; then
        stop "please install these Debian packages, or what stands for them on this system, and run it again: ${packages[*]}."
    fi
    install_packages "${packages[@]}"
fi
mapfile -t packages < <(optional_packages)
if [ "${#packages[@]}" -gt 0 ] && ! (install_packages "${packages[@]}"); then
    printf 'make setup: goes on without %s; the tests that need it are skipped.\n' "${packages[*]}" >&2
fi
if ! (command -v node && command -v npm) >/dev/null || ! (install_node_modules); then
    printf 'make setup: goes on without what tests run on node; the tests that need it are skipped.\n' >&2
fi
python="$(find_python)" || stop "please install Python 3.11, 3.12 or 3.13 with its venv module, or name it: make setup PYTHON=/path/to/python3."

stamp="$(cat -- "$requirements" "$constraints" <("$python" -c 'import sys; print(sys.version, sys.base_prefix)') | cksum)"
if [ -x "$venv/bin/python" ] && [ "$(cat -- "$venv/complete" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

printf 'Making the virtual environment %s\n' "$venv"
rm -rf -- "${work:?}/venv" "${work:?}/home"
logged venv "$python" -m venv "$venv"
logged pip-install "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -r "$requirements" -c "$constraints"
logged ansible-test-home "$venv/bin/python" "$checkout/tests/tools/ansible_test_home.py" "$work/home"
printf '%s' "$stamp" >"$venv/complete"
