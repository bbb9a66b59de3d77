# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a home folder in which ansible-test finds pip.

usage: ansible_test_home.py HOME

ansible-test makes virtual environments without pip and fetches a start-up script for pip from a host of its own; it takes
the script from HOME/.ansible/test/cache instead if it is there. The script made here installs from a wheel beside it.
ansible-test also hides the environment from pip, all but HOME: so what is configured for pip now, by files or by variables,
is written into HOME as pip's configuration file.
"""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys
import typing as t
from pathlib import Path

#: what ansible-test of ansible-core 2.19 asks for (get_venv_packages in its python_requirements.py); 2.20 and later: 25.2
PIP_VERSION = "24.2"

START_SCRIPT = '''\
"""Install pip from the wheel beside this file; called as get-pip.py is, with pip's own arguments."""

import pathlib
import subprocess
import sys

folder = pathlib.Path(__file__).resolve().parent
(wheel,) = folder.glob("pip-{version}-*.whl")
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
command = [sys.executable, str(wheel / "pip"), "install", "--no-index", "--find-links", str(folder), *arguments]
sys.exit(subprocess.run(command, check=False).returncode)
'''


def pip(*arguments: str) -> str:
    """Run this interpreter's pip and return what it prints; raises CalledProcessError."""
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def pip_settings(lines: t.Iterable[str], https_proxy: str) -> dict[str, dict[str, str]]:
    """Section -> option -> value, from the lines of "pip config list"; variables overrule files, as they do in pip itself."""
    settings: dict[str, dict[str, str]] = {"global": {}}
    variables: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition("=")
        if separator:
            section, option = name.rsplit(".", 1)
            options = variables if section == ":env:" else settings.setdefault(section, {})
            options[option] = str(ast.literal_eval(value))
    if https_proxy:
        settings["global"].setdefault("proxy", https_proxy)
    settings["global"].update(variables, quiet="1")  # the pip of CPython 2.7, which reads this as well, takes no other number
    return settings


def write_pip_configuration(path: Path, settings: dict[str, dict[str, str]]) -> None:
    """Write the settings for this user's eyes only: the address of a package index may hold a password."""
    configuration = configparser.RawConfigParser()
    configuration.read_dict(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        configuration.write(file)


def main(home: Path) -> None:
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    pip("download", "--disable-pip-version-check", "--no-deps", "--dest", str(cache), f"pip=={PIP_VERSION}")
    (cache / f"get_pip_{PIP_VERSION.replace('.', '_')}.py").write_text(START_SCRIPT.format(version=PIP_VERSION), encoding="utf-8")
    https_proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY") or ""
    settings = pip_settings(pip("config", "list").splitlines(), https_proxy)
    write_pip_configuration(home / ".config" / "pip" / "pip.conf", settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
