# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user of the MSR data migration script switches: with its environment file, through SSH to both nodes and the pod of the destination."""

from __future__ import annotations

import inspect
import re
import typing as t
from pathlib import Path

import pytest
from estate.msr.double import ADMINISTRATOR, ADMINISTRATORS_PASSWORD
from estate.msr.rows import ACCOUNTS, TOKENS
from estate.msr.seeding import People
from runs.msr import MSRControl, rows_of

from ansible_collections.registryops.migration.plugins.filter import msr_script_variables

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.certificates import CertificateAuthority

#: many playbooks run one after the other before the first test begins
pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).absolute().parents[2]
PAGE = ROOT / "docs" / "from-msr-script.md"


def test_the_file_of_the_script_is_all_that_a_user_of_it_needs(
    make_msr: MakeMSR, certificate_authority: CertificateAuthority, tmp_path: Path
) -> None:
    pytest.importorskip("paramiko", reason="the library paramiko is not installed")
    pytest.importorskip("kubernetes", reason="the library kubernetes is not installed")
    from estate.msr.kubernetes import Cluster
    from estate.msr.node import Machine, Node

    source, destination = make_msr("2.9.16"), make_msr("3.1.5")
    people = People(source.tables)
    people.user("ann", "ann's password", fullName='Ann "$HOME" `id`')
    people.organization("green")
    people.member("green", "ann", is_admin=True)
    people.team("green", "builders", "ann")
    people.repository("green/app")
    people.grant("green", "builders", "read-write")
    tokens = [people.token("ann", f"token {number}") for number in range(5)]
    people.write()
    with (
        Node(tmp_path / "msr-node", source.store, Machine(root_only=True)) as node,
        Node(tmp_path / "mke-node", source.accounts, Machine(node="mke", root_only=True)) as manager,
        Cluster(tmp_path / "cluster", certificate_authority) as cluster,
    ):
        cluster.add_command_line(destination.store, "elsewhere", namespace="default")
        environment = f"""
# Source cluster variables
MKE_NODE=127.0.0.1
MKE_NODE_SSH_KEY=/config/mke_key  # in the container
MKE_NODE_SSH_USER={manager.ssh.user}
SOURCE_MSR_NODE=127.0.0.1
SOURCE_MSR_SSH_KEY=/config/id_rsa
SOURCE_MSR_SSH_USER={node.ssh.user}
SOURCE_MSR_USERNAME={ADMINISTRATOR}
SOURCE_MSR_TOKEN="{ADMINISTRATORS_PASSWORD}"
SOURCE_MSR_URL={source.msr.host}
KUBECONFIG=/config/kubeconfig
DEST_MSR_URL={destination.msr.host}
DEST_MSR_USERNAME={ADMINISTRATOR}
DEST_MSR_TOKEN="{ADMINISTRATORS_PASSWORD}"
DEST_MSR_K8S_NAMESPACE=registry
PARALLEL_PROCESS_COUNT=5
TOKEN_LIMIT=3
"""
        volumes = [
            f"{node.ssh.key}:/config/id_rsa:ro",
            f"{manager.ssh.key}:/config/mke_key:ro",
            f"{cluster.kubeconfig()}:/config/kubeconfig:ro",
        ]
        # what the file cannot say: certificates and host keys, and here the ports
        secure = {"ca_path": str(certificate_authority.certificate), "certs_dirs": []}
        own = {
            side: {"port": machine.ssh.port, "known_hosts": str(machine.ssh.known_hosts)}
            for side, machine in (("msr", node), ("mke", manager))
        }
        more = {"database": {"ssh": own["msr"]}, "accounts_database": {"ssh": {**own["mke"], "cli_image": manager.sign_in()["cli_image"]}}}
        (tmp_path / "control").mkdir()
        secrets = [ADMINISTRATORS_PASSWORD, *people.passwords.values(), *tokens]
        control = MSRControl(tmp_path / "control", {**secure, **more}, secure, secrets, msr_env=environment, msr_volumes=volumes)
        before = rows_of(destination)
        without = control.play("migrate_msr", expect=2)
        assert "no pod of" in without.output
        assert rows_of(destination) == before
        assert without.recap["localhost"]["failed"] == 1
        cluster.add_command_line(destination.store, namespace="registry")
        first = control.play(
            "migrate_msr", "--tags", "accounts,orgs,repos,verify", msr_logins=[{"username": "ann", "secret": "ann's password"}]
        )
        assert first.changed == 3
        # a report of people alone
        assert control.report()["people"]["verified"]
        assert "People: verified, nothing differs" in first.output
        again = control.play("migrate_msr", "--tags", "accounts,orgs,repos")
        assert again.changed == 0
        assert ["sudo", "-n"] in [call[:2] for call in node.calls()]
    with destination.tables.moment():
        ann = destination.tables.get(ACCOUNTS, "ann")
        labels = {row["tokenLabel"] for row in destination.tables.all(TOKENS)}
    assert ann is not None
    assert ann["fullName"] == 'Ann "$HOME" `id`'
    # those that were used last
    assert labels == {"token 2", "token 3", "token 4"}
    assert not destination.problems()


def test_the_page_has_every_variable_and_every_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    known = set(re.findall(r'"([A-Z_]{5,})"', inspect.getsource(msr_script_variables)))
    assert named == known | {"ENV_FILE"}
    tags = set(re.findall(r"`--tags ([a-z-]+)`", page))
    used = set(re.findall(r"[a-z-]+", " ".join(re.findall(r"tags: (.*)", (ROOT / "playbooks/tasks/msr.yml").read_text(encoding="utf-8")))))
    assert {"files", "accounts", "orgs", "repos", "tags", "list-tags", "all"} <= tags
    assert tags - {"all"} <= used


def test_each_loss_on_the_page_has_its_test() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", page, re.MULTILINE)
    assert [int(number) for number, _tests in rows] == list(range(1, 14))
    written = {
        name
        for file in ("test_migrate_msr.py", "test_msr_cutover.py", "test_identity_modules.py")
        for name in re.findall(r"^def (test_\w+)", (ROOT / "tests/live" / file).read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {name for _number, tests in rows for name in re.findall(r"`(test_\w+)`", tests)}
    assert named <= written
    for file in set(re.findall(r"\.\./(tests/live/\w+\.py)", page)):
        assert (ROOT / file).exists()
