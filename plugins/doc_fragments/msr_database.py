# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap

# how to sign in to a host: SSH_SIGN_IN of _module/options.py
_SIGN_IN = r"""
host:
  description: Its name or address.
  type: str
  required: true
port:
  description: The port of its SSH server.
  type: int
  default: 22
username:
  description: The user there; by default the one that the task runs as.
  type: str
password:
  description: The user's password, or the passphrase of the key file.
  type: str
key_file:
  description: A file with a private key, on the host where the task runs. Without it and a password, the keys of the agent and those in
    C(~/.ssh) are tried.
  type: path
known_hosts:
  description: A file with the keys of hosts in the form of OpenSSH. By default C(~/.ssh/known_hosts) and C(/etc/ssh/ssh_known_hosts). A
    host that is in none of them is not spoken to.
  type: path
fingerprint:
  description: The fingerprint of the host's key, C(SHA256:...) as C(ssh-keygen -l) shows it, instead of a file with keys.
  type: str
"""

# the option DATABASE of _module/database.py, under the two names that it has there
_DATABASE = rf"""
type: dict
suboptions:
  ssh:
    description:
      - A node that has the database, on which the product's command line is started in a container (C(docker run)). The host where the task
        runs needs the Python library paramiko, 3.3 or later. Exactly one of C(ssh), C(kubernetes) and C(driver) is given.
    type: dict
    suboptions:
{textwrap.indent(_SIGN_IN.strip(), "      ")}
      jump:
        description: A host through which the node is reached.
        type: dict
        suboptions:
{textwrap.indent(_SIGN_IN.strip(), "          ")}
      node:
        description: What the node is, a node of MSR 2.9 (V(msr)) or a manager of MKE (V(mke)).
        type: str
        choices: [msr, mke]
        default: msr
      replica:
        description: The replica of the MSR on this node, 12 hexadecimal digits. By default it is found by the name of its container.
        type: str
      sudo:
        description: Start containers with C(sudo -n).
        type: bool
        default: false
      cli_image:
        description: The image of the command line. For a node of MSR C(mirantis/rethinkcli:v2.2.0-ni) by default; for a manager of MKE
          none is public, and one has to be named.
        type: str
      cli_command:
        description: A whole command instead, which takes an expression of ReQL in JavaScript on its standard input and prints the value
          as JSON.
        type: str
  kubernetes:
    description:
      - The pod of an MSR 3 on Kubernetes that has the command line of the database. V({{}}) takes everything from where kubectl takes it.
        The host where the task runs needs the Python library kubernetes, 30 or later.
      - Statements go in on standard input, so that the cluster's audit log does not have them. In the pod itself they become an argument
        of the command, which its list of processes shows while it runs - with hashes, where these are written.
    type: dict
    suboptions:
      kubeconfig:
        description: The file with the cluster and the user. By default that of the variable E(KUBECONFIG), or C(~/.kube/config).
        type: path
      context:
        description: One of its contexts. By default its current one.
        type: str
      namespace:
        description: The namespace that MSR is installed in.
        type: str
        default: default
      labels:
        description: The labels of the pod. It has to have all of them, and to be the only one that runs.
        type: dict
        default:
          app.kubernetes.io/name: rethinkdb
          app.kubernetes.io/component: cli
      pod:
        description: The name of the pod, instead of labels.
        type: str
      container:
        description: One of its containers. By default its first.
        type: str
      command:
        description: The command in the pod. V({{size}}) in it stands for the bytes of the statement, which comes on standard input. Where
          V({{statement}}) stands in it, the statement is put there instead, and then stands in the cluster's audit log.
        type: list
        elements: str
        default: [sh, -c, 'exec node --no-deprecation rethinkdb.js "$(head -c {{size}})"']
  driver:
    description:
      - The database itself, where it can be reached, as through a forwarded port. The host where the task runs needs the Python library
        rethinkdb.
    type: dict
    suboptions:
      host:
        description: Its name or address.
        type: str
        required: true
      port:
        description: Its port for drivers; the database of MKE has V(12383).
        type: int
        default: 28015
      username:
        description: The database's own user.
        type: str
        default: admin
      password:
        description: The user's password; there is none in an installation that has not been changed.
        type: str
      tls:
        description: Speak TLS.
        type: bool
        default: true
      validate_certs:
        description: Check the database's certificate.
        type: bool
        default: true
      ca_path:
        description: A PEM file with CA certificates that are trusted beside those of the system.
        type: path
      client_cert:
        description: A PEM file with the certificate that the database asks for.
        type: path
      client_key:
        description: A PEM file with its key, without a passphrase.
        type: path
      tls_server_name:
        description: The name that the certificate has to be for, where that is not the host, such as through a forwarded port.
        type: str
  connect_timeout:
    description: Seconds to wait for a connection.
    type: float
    default: 10
  statement_timeout:
    description: Seconds to wait for what a statement gives.
    type: float
    default: 300
"""


def _option(name: str, description: str) -> str:
    """The database under a name."""
    body = f"{description}\n{_DATABASE.strip()}\n"
    return f"  {name}:\n{textwrap.indent(body, '    ')}"


class ModuleDocFragment:
    #: made below, for it has the same options twice
    DOCUMENTATION: str


# without O(), for they stand at the top of some modules, and below a connection of others
ModuleDocFragment.DOCUMENTATION = (
    "\noptions:\n"
    + _option(
        "database",
        "description: The way to the database of the MSR, for what its API does not give, which are the hashes of passwords and of\n"
        "  access tokens. Without it they are neither read nor written.",
    )
    + _option(
        "accounts_database",
        "description: The way to the database of the accounts, where that is another one. For an MSR 2.9 it is that of MKE.",
    )
)
