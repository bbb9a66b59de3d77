# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap

from ansible_collections.registryops.migration.plugins.doc_fragments.msr_database import ModuleDocFragment as _Database


class ModuleDocFragment:
    #: made below, out of the first one
    SOURCE: str
    REQUIRED_SOURCE: str
    DESTINATION: str

    # the options of _module/msr.py, MSR; without O(), for they stand at the top of some modules, and below a connection of others
    DOCUMENTATION = r"""
options:
  url:
    description: The address of the MSR, C(host) or C(host:port). TLS is spoken unless it begins with V(http://).
    type: str
    required: true
  username:
    description: Who signs in. To read or to write people it takes an administrator.
    type: str
    required: true
  password:
    description: The password, or an access token.
    type: str
    required: true
  login:
    description:
      - V(basic) sends the name and the password with each request. V(session) sends them once, and then what is given for them, which
        is asked for anew when it has run out.
      - With C(accounts_url), a session is one of MKE, for the accounts; the MSR itself gets the name and the password.
    type: str
    choices: [basic, session]
    default: basic
  accounts_url:
    description:
      - The address of the service that has the accounts, where it is not the MSR itself. That is the MKE of an MSR 2.9, which can usually
        be reached through the MSR as well.
    type: str
  plain_http:
    description: Speak plain http. Passwords can then be read and changed on the way.
    type: bool
    default: false
  validate_certs:
    description: Check the server's certificate.
    type: bool
    default: true
  ca_path:
    description: A PEM file with CA certificates that are trusted beside those of the system.
    type: path
  client_cert:
    description: A PEM file with the client's certificate.
    type: path
  client_key:
    description: A PEM file with its key, without a passphrase.
    type: path
  certs_dirs:
    description:
      - Folders in which a folder named like the registry's C(host:port) may hold C(*.crt), C(*.cert) and C(*.key) files, as docker and
        podman have them. The first that exists is used.
    type: list
    elements: path
    default: ["~/.config/containers/certs.d", /etc/containers/certs.d, /etc/docker/certs.d]
  proxy:
    description: The address of a proxy; otherwise the variables E(https_proxy), E(http_proxy) and E(all_proxy) hold.
    type: str
  no_proxy:
    description: Hosts that are reached without the proxy, separated by commas; otherwise the variable E(no_proxy) holds.
    type: str
  connect_to:
    description:
      - Connect to this C(host) or C(host:port) instead, while certificates and C(Host) headers are those of C(url).
      - Useful before a DNS name is moved to the new MSR.
    type: str
  connect_timeout:
    description: Seconds to wait for a connection.
    type: float
    default: 10
  read_timeout:
    description: Seconds to wait while a connection is silent.
    type: float
    default: 60
  attempts:
    description: How often a request is sent at the most when it is answered with a passing error, or not at all.
    type: int
    default: 5
  concurrency:
    description: Requests at the same time, at the most. There are fewer while the MSR says that it has too much to do. V(0) is 16.
    type: int
    default: 0
  requests_per_second:
    description: Requests a second at the most; V(0) is no limit.
    type: float
    default: 0
"""

    ACTIONGROUP = r"""
attributes:
  action_group:
    description: Use C(group/registryops.migration.msr) in C(module_defaults) to set the connection for this module.
    support: full
    membership: [registryops.migration.msr]
"""


# the ways to the databases
ModuleDocFragment.DOCUMENTATION += _Database.DOCUMENTATION.partition("options:\n")[2]


def _connection(name: str, description: str, required: bool = True) -> str:
    """The same options below one of two connections."""
    _before, _header, options = ModuleDocFragment.DOCUMENTATION.partition("options:\n")
    suboptions = textwrap.indent(options, "    ")
    return f"""
options:
  {name}:
    description: {description}
    type: dict
    required: {str(required).lower()}
    suboptions:
{suboptions}"""


ModuleDocFragment.SOURCE = _connection("source", "The MSR that people come from.", required=False)
ModuleDocFragment.REQUIRED_SOURCE = _connection("source", "The MSR that people come from.")
ModuleDocFragment.DESTINATION = _connection("destination", "The MSR that people go to.")
