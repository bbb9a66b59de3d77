# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People move with their passwords and tokens by the ways that a real estate has: from an MSR 2.9 over SSH, its node and a manager of its
MKE reached through another host, to an MSR 3 through a pod of its cluster.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from estate import ports, ssh_server
from estate.msr.node import Machine, Node
from estate.msr.passwords import token_hash
from estate.msr.rows import ACCOUNTS, TOKENS
from estate.msr.seeding import small_set
from estate.ssh_server import SSHServer
from runs.modules import run_module
from runs.msr import reach

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.certificates import CertificateAuthority


def test_people_move_over_ssh_into_a_pod(make_msr: MakeMSR, certificate_authority: CertificateAuthority, tmp_path: Path) -> None:
    """All of them get in afterwards; a second run has nothing to do; and no hash is where others can read it."""
    if ssh_server.missing():
        pytest.skip(ssh_server.missing())
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install paramiko")
    pytest.importorskip("kubernetes", reason="kubernetes is not installed: pip install kubernetes")
    from estate.msr.kubernetes import Cluster

    source, destination = make_msr("2.9.16"), make_msr("3.1.5")
    people = small_set(source.tables)
    with (
        SSHServer(tmp_path / "jump") as jump,
        Node(tmp_path / "node", source.store) as node,
        Node(tmp_path / "manager", source.accounts, Machine(node="mke", root_only=True)) as manager,
        Cluster(tmp_path / "cluster", certificate_authority) as cluster,
    ):
        cluster.add_command_line(destination.store)
        way = {"host": ports.LOOPBACK, "port": jump.port, "username": jump.user}
        way |= {"key_file": str(jump.key), "known_hosts": str(jump.known_hosts)}
        pod = {"kubeconfig": str(cluster.kubeconfig()), "namespace": "msr"}
        ways = {"database": {"ssh": node.sign_in(jump=way)}, "accounts_database": {"ssh": manager.sign_in(jump=way, sudo=True)}}
        options = {"source": {**reach(source), **ways}, "destination": {**reach(destination), "database": {"kubernetes": pod}}}
        first = run_module("identity_import", options)
        assert (first.result["failures"], first.result["refused"]) == ([], [])
        assert first.result["counts"]["token"]["created"] == len(people.tokens)
        again = run_module("identity_import", options)
        assert not again.result["changed"]

        tokens = {user: token for token, user in people.tokens.items()}
        logins = [{"username": user, "secret": secret} for user, secret in [*people.passwords.items(), *tokens.items()]]
        verified = run_module("identity_verify", {**options, "sample": -1, "logins": logins})
        assert verified.result["different"] == 0
        assert verified.result["logins"] == {"tried": len(logins), "differences": []}
        assert not destination.problems()

        with source.tables.moment():
            hashes = [str(row["passwordHash"]) for row in source.tables.all(ACCOUNTS) if row.get("passwordHash")]
            before = {row["token"]: row.get("createdAt") for row in source.tables.all(TOKENS)}
        with destination.tables.moment():
            assert {row["token"]: row.get("createdAt") for row in destination.tables.all(TOKENS)} == before
        public = [json.dumps([node.calls(), manager.calls(), cluster.requests]), node.ssh.log(), manager.ssh.log(), jump.log()]
        for done in (first, again, verified):
            public.append(json.dumps({name: value for name, value in done.result.items() if name != "invocation"}))
        assert hashes
        for secret in [*hashes, *map(token_hash, people.tokens)]:
            assert not any(secret in text for text in public)
