# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to the database of an MSR: over SSH, in a pod, with the driver; what goes wrong on each, and that no secret gets out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import getpass
import json
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from estate import ports, ssh_server
from estate.msr.node import MKE_IMAGE, MSR_IMAGE, REPLICA, Machine, Node
from estate.msr.store import NotAvailable, Store, key_of, primary_key
from estate.ssh_server import SSHServer, make_key

from ansible_collections.registryops.migration.plugins.module_utils._module.database import DATABASE, database_of
from ansible_collections.registryops.migration.plugins.module_utils._msr.driver import DriverDatabase, DriverOptions
from ansible_collections.registryops.migration.plugins.module_utils._msr.interface import Database
from ansible_collections.registryops.migration.plugins.module_utils._msr.kubernetes import PodOptions, PodShell
from ansible_collections.registryops.migration.plugins.module_utils._msr.reql import ShellDatabase
from ansible_collections.registryops.migration.plugins.module_utils._msr.ssh import NodeOptions, SSHShell
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    DatabaseFailed,
    HostKeyUntrusted,
    InvalidAnswer,
    InvalidOption,
    MigrationError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.ssh import SSHOptions

if t.TYPE_CHECKING:
    from estate.certificates import CertificateAuthority
    from estate.msr.kubernetes import Cluster
    from estate.msr.tls_front import TLSFront

WAYS = ("ssh", "kubernetes", "driver")
HASH = "pbkdf2_sha256$55296$c2FsdA$c2VjcmV0IGhhc2g"
MOMENT = {"$reql_type$": "TIME", "epoch_time": 1719835200.125, "timezone": "+00:00"}
#: what a shell, JavaScript or JSON might trip over
ODD = 'it\'s "quoted" $HOME `id` \\ ${x} </script> \n\t\u2028 \u00e9\u4e2d\U0001f600 %s {}'


@dataclasses.dataclass
class Place:
    """The servers of all tests here."""

    store: Store
    node: Node
    cluster: Cluster
    front: TLSFront
    authority: CertificateAuthority

    def way(self, name: str) -> dict[str, t.Any]:
        """The option that leads to the store in one of the ways."""
        if name == "ssh":
            return {"ssh": self.node.sign_in()}
        if name == "kubernetes":
            return {"kubernetes": {"kubeconfig": str(self.cluster.kubeconfig()), "namespace": "msr"}}
        client = self.authority.client()
        files = {"ca_path": str(self.authority.certificate), "client_cert": str(client.certificate), "client_key": str(client.key)}
        return {"driver": {"host": ports.LOOPBACK, "port": self.front.port, **files}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, certificate_authority: CertificateAuthority) -> t.Iterator[Place]:
    if ssh_server.missing():
        pytest.skip(ssh_server.missing())
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install paramiko")
    pytest.importorskip("kubernetes", reason="kubernetes is not installed: pip install kubernetes")
    from estate.msr.kubernetes import Cluster
    from estate.msr.tls_front import TLSFront

    folder = tmp_path_factory.mktemp("msr")
    with contextlib.ExitStack() as stack:
        try:
            store = stack.enter_context(Store(folder / "store"))
        except NotAvailable as missing:
            pytest.skip(str(missing))
        node = stack.enter_context(Node(folder / "node", store))
        cluster = stack.enter_context(Cluster(folder / "cluster", certificate_authority))
        cluster.add_command_line(store)
        context = certificate_authority.server_context(client_certificates=True)
        yield Place(store, node, cluster, stack.enter_context(TLSFront(context, store.port)), certificate_authority)


@pytest.fixture
def empty(place: Place) -> t.Iterator[Place]:
    """With empty tables, the machine and the pod as they were in the beginning."""
    machine, pods = place.node.machine, list(place.cluster.pods)
    yield place
    place.store.clear()
    place.node.set(**dataclasses.asdict(machine))
    place.cluster.pods[:] = pods
    place.cluster.break_after = None


@contextlib.contextmanager
def opened(options: dict[str, t.Any]) -> t.Iterator[Database]:
    """The database that the option leads to, as a module makes it."""
    given = {
        name: {suboption: value for suboption, value in given.items() if value is not None} if isinstance(given, dict) else given
        for name, given in options.items()
    }
    checked = ArgumentSpecValidator({"database": DATABASE}).validate({"database": given})
    assert checked.error_messages == []
    with contextlib.closing(database_of(checked.validated_parameters["database"])) as database:
        yield database


def failure(options: dict[str, t.Any], kind: type[MigrationError]) -> MigrationError:
    """What reading accounts ends with."""
    with opened(options) as database, pytest.raises(kind) as caught:
        database.rows("enzi", "accounts")
    assert type(caught.value) is kind
    return caught.value


def account(name: str, **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "id": f"id-of-{name}", "isOrg": False, "fullName": ODD, "passwordHash": HASH, **more}


# -- all ways --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_rows_go_and_come_as_they_are(way: str, empty: Place) -> None:
    """Texts that a shell would expand, nested fields, and moments, which stay moments in the database."""
    token = {"token": "ab" * 32, "accountID": "id-of-alice", "createdAt": MOMENT, "further": {"list": [1, None, True, 0.5], "$x": {}}}
    with opened(empty.way(way)) as database:
        database.insert("enzi", "accounts", [account("alice"), account("bob"), account("O'Neil $(id)")])
        database.insert("dtr2", "client_tokens", [token])
        assert sorted(database.rows("enzi", "accounts"), key=lambda row: row["name"]) == [
            account("O'Neil $(id)"),
            account("alice"),
            account("bob"),
        ]
        assert database.rows("dtr2", "client_tokens") == [token]
        stored = empty.store.get("dtr2", "client_tokens", "ab" * 32) or {}
        assert stored["createdAt"] == datetime.datetime(2024, 7, 1, 12, 0, 0, 125_000, datetime.UTC)
        assert (empty.store.get("enzi", "accounts", "alice") or {})["fullName"] == ODD

        database.update("dtr2", "client_tokens", {"ab" * 32: {"lastUsed": MOMENT, "tokenLabel": ODD}})
        assert database.rows("dtr2", "client_tokens") == [{**token, "lastUsed": MOMENT, "tokenLabel": ODD}]
        assert database.rows("dtr2", "client_tokens", ["lastUsed"]) == [{"token": "ab" * 32, "lastUsed": MOMENT}]

        database.delete("enzi", "accounts", ["O'Neil $(id)", "nobody"])
        assert [row["name"] for row in database.rows("enzi", "accounts")] == ["alice", "bob"]
        assert database.rows("dtr2", "webhooks") == []
        database.insert("enzi", "accounts", [])


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_are_refused_are_errors_without_their_secrets(way: str, empty: Place) -> None:
    """The others are there; the message holds neither the row nor the one that was there before."""
    with opened(empty.way(way)) as database:
        database.insert("enzi", "accounts", [account("alice")])
        with pytest.raises(DatabaseFailed) as caught:
            database.insert("enzi", "accounts", [account("alice", passwordHash="bcrypt$$2a$04$another"), account("bob")])
        assert str(caught.value).startswith(f"{database.name}: has refused 1 of 2 rows of enzi.accounts, the first because: Duplicate")
        assert "Duplicate primary key `name`." in caught.value.message
        assert [row["passwordHash"] for row in database.rows("enzi", "accounts")] == [HASH, HASH]
        with pytest.raises(DatabaseFailed, match=r"no such row as 1 of 2 that were to be changed in enzi.accounts"):
            database.update("enzi", "accounts", {"nobody": {"isAdmin": True}, "bob": {"isAdmin": True}})
        assert [row.get("isAdmin") for row in database.rows("enzi", "accounts")] == [None, True]
        with pytest.raises(DatabaseFailed, match=r"Table `enzi.nowhere` does not exist") as gone:
            database.insert("enzi", "nowhere", [account("carol")])
        for error in (caught.value, gone.value):
            assert not any(secret in f"{error} {error.hint}" for secret in ("$", "bcrypt", "pbkdf2", "id-of-"))


def test_pages_follow_the_keys(empty: Place) -> None:
    names = [f"user-{number:02}" for number in range(10)]
    empty.store.insert("enzi", "accounts", *[account(name) for name in names])
    node, way = empty.node, empty.way("driver")["driver"]
    sign_in = SSHOptions(ports.LOOPBACK, node.ssh.port, node.ssh.user, key_file=str(node.ssh.key), known_hosts=str(node.ssh.known_hosts))
    files = {"ca_file": way["ca_path"], "client_certificate": way["client_cert"], "client_key": way["client_key"]}
    for page in (3, 5, 10):
        for database in (
            ShellDatabase(SSHShell(sign_in, NodeOptions()), page),
            DriverDatabase(DriverOptions(ports.LOOPBACK, way["port"], **files), page),
        ):
            with contextlib.closing(database):
                assert [row["name"] for row in database.rows("enzi", "accounts", ["id"])] == names


@pytest.mark.parametrize("way", WAYS)
def test_more_than_a_command_line_takes(way: str, empty: Place) -> None:
    """Memberships of a large team: several times the 131,072 bytes that one argument may have, all there, with moments as they were."""
    rows = [
        {"pk": key_of("team", f"user-{n}"), "teamID": "team", "orgID": "org", "userID": f"user-{n}", "isAdmin": n == 0} for n in range(2500)
    ]
    assert len(json.dumps(rows)) > 2 * 131_072
    with opened(empty.way(way)) as database:
        database.insert("enzi", "team_membership", rows)
        assert database.rows("enzi", "team_membership") == sorted(rows, key=lambda row: str(row["pk"]))
        database.update("enzi", "team_membership", {row["pk"]: {"isAdmin": True, "note": "x" * 60} for row in rows})
        assert all(row["isAdmin"] for row in database.rows("enzi", "team_membership"))
        assert all(row["pk"] == primary_key("enzi", "team_membership", row) for row in database.rows("enzi", "team_membership"))
        database.delete("enzi", "team_membership", [row["pk"] for row in rows])
        assert database.rows("enzi", "team_membership") == []


def test_a_row_that_no_command_line_takes(empty: Place) -> None:
    """Over SSH the statement is no argument, so it has no limit; in a pod the limit is told."""
    large = account("alice", fullName="x" * 140_000)
    with opened(empty.way("kubernetes")) as database:
        with pytest.raises(DatabaseFailed, match=r"takes no row of 140\d\d\d bytes: the command line there ends at 131071") as caught:
            database.insert("enzi", "accounts", [large, account("bob")])
        assert "over SSH" in caught.value.hint
        assert [row["name"] for row in database.rows("enzi", "accounts")] == ["bob"]
    with opened(empty.way("ssh")) as database:
        database.insert("enzi", "accounts", [large])
    assert (empty.store.get("enzi", "accounts", "alice") or {})["fullName"] == large["fullName"]


def test_the_limit_is_that_of_linux(empty: Place) -> None:
    """The pod's command is a real one: what is longer than the limit does not start, and what has just that length does."""
    options = PodOptions(kubeconfig=str(empty.cluster.kubeconfig()), namespace="msr")
    padded = "1/*{}*/"
    with contextlib.closing(PodShell(options)) as shell:
        assert shell.run(padded.format("x" * (131_071 - len(padded.format(""))))) == "1"
        with pytest.raises(DatabaseFailed, match=r"has ended with 126|Argument list too long"):
            shell.run(padded.format("x" * 131_072))


# -- SSH -------------------------------------------------------------------------------------------------------------------------


def test_what_docker_is_called_with_holds_no_statement(empty: Place) -> None:
    before = len(empty.node.calls())
    with opened(empty.way("ssh")) as database:
        database.insert("enzi", "accounts", [account("alice")])
        database.rows("enzi", "accounts")
    calls = empty.node.calls()[before:]
    run = ["docker", "run", "--rm", "-i", "--net", "dtr-ol", "-e", f"DTR_REPLICA_ID={REPLICA}", "-v", f"dtr-ca-{REPLICA}:/ca"]
    assert calls == [
        ["docker", "ps", "--filter", "name=^/dtr-rethinkdb-", "--format", "{{.Names}}"],
        [*run, MSR_IMAGE, "non-interactive"],
        [*run, MSR_IMAGE, "non-interactive"],
    ]
    assert HASH not in empty.node.ssh.log()


def test_a_manager_of_mke(empty: Place, tmp_path: Path) -> None:
    with Node(tmp_path / "mke", empty.store, Machine(node="mke")) as manager:
        with opened({"ssh": manager.sign_in()}) as database:
            database.insert("enzi", "accounts", [account("alice")])
            assert database.rows("enzi", "accounts") == [account("alice")]
        assert manager.calls()[-1][4:] == ["-e", "DB_ADDRESS=192.0.2.10", "-v", "ucp-auth-api-certs:/tls", MKE_IMAGE, "non-interactive"]
        manager.set(address="")
        assert failure({"ssh": manager.sign_in()}, DatabaseFailed).message == "is no node of a swarm."
        with pytest.raises(InvalidOption) as caught, opened({"ssh": manager.sign_in(cli_image=None)}):
            pytest.fail("it was not refused")
        assert caught.value.subject == "database.ssh.cli_image"


def test_a_host_on_the_way(empty: Place, tmp_path: Path) -> None:
    """The node is reached through another host, and both have keys of their own."""
    with SSHServer(tmp_path / "jump") as jump:
        way = {"host": ports.LOOPBACK, "port": jump.port, "key_file": str(jump.key), "known_hosts": str(jump.known_hosts)}
        with opened({"ssh": empty.node.sign_in(jump=way)}) as database:
            empty.store.insert("enzi", "accounts", account("alice"))
            assert database.rows("enzi", "accounts") == [account("alice")]
        assert jump.log().count("Accepted publickey") == 1
        error = failure({"ssh": empty.node.sign_in(jump={**way, "known_hosts": str(empty.node.ssh.known_hosts)})}, HostKeyUntrusted)
        assert "database.ssh.jump.fingerprint" in error.hint
        gone = failure({"ssh": empty.node.sign_in(port=ports.free_port(), jump=way)}, ConnectionFailed)
        assert f"cannot be reached through {ports.LOOPBACK}:{jump.port}" in gone.message


def test_keys_that_nobody_trusts(empty: Place, tmp_path: Path) -> None:
    node = empty.node
    wrong = make_key(tmp_path / "wrong")
    error = failure({"ssh": node.sign_in(key_file=str(wrong))}, AuthenticationFailed)
    assert error.message == f"does not let the user {getpass.getuser()} in."
    assert "database.ssh.key_file" in error.hint
    (tmp_path / "nobody").touch()
    error = failure({"ssh": node.sign_in(known_hosts=str(tmp_path / "nobody"))}, HostKeyUntrusted)
    assert node.ssh.fingerprint in error.message
    assert "database.ssh.fingerprint" in error.hint
    known = {**node.sign_in(), "known_hosts": None}
    failure({"ssh": {**known, "fingerprint": "SHA256:" + "A" * 43}}, HostKeyUntrusted)
    with opened({"ssh": {**known, "fingerprint": node.ssh.fingerprint}}) as database:
        assert database.rows("enzi", "accounts") == []
    assert failure({"ssh": node.sign_in(port=ports.free_port())}, ConnectionFailed).transient


def test_the_passphrase_of_a_key_is_no_password(empty: Place, tmp_path: Path) -> None:
    """A host that does not know the key is not told the passphrase."""
    key = make_key(tmp_path / "stranger", "the passphrase")
    before = len(empty.node.ssh.log())
    failure({"ssh": empty.node.sign_in(key_file=str(key), password="the passphrase")}, AuthenticationFailed)
    assert "Failed password" not in empty.node.ssh.log()[before:]
    # as somebody who has none, it is all there is
    failure({"ssh": empty.node.sign_in(key_file=None, password="the passphrase")}, AuthenticationFailed)
    assert "Failed password" in empty.node.ssh.log()[before:]


def test_a_command_that_says_nothing_more_and_does_not_end(empty: Place) -> None:
    started = time.monotonic()
    error = failure({"ssh": empty.node.sign_in(cli_command="exec >&- 2>&-; sleep 20")} | {"statement_timeout": 0.5}, ConnectionFailed)
    assert error.message == "nothing came for 0.5 s."
    assert time.monotonic() - started < 15


def test_docker_that_does_not_do_it(empty: Place) -> None:
    node = empty.node
    node.set(root_only=True)
    error = failure({"ssh": node.sign_in()}, AccessDenied)
    assert (error.message, "database.ssh.sudo" in error.hint) == ("the user may not start containers.", True)
    with opened({"ssh": node.sign_in(sudo=True)}) as database:
        assert database.rows("enzi", "accounts") == []
    node.set(password_for_sudo=True)
    assert failure({"ssh": node.sign_in(sudo=True)}, AccessDenied).message == "the user may not use sudo."
    node.set(root_only=False, images=())
    error = failure({"ssh": node.sign_in()}, DatabaseFailed)
    assert "has ended with 125, and says: " in error.message
    assert error.message.endswith(f"pull access denied for {MSR_IMAGE}.")
    assert "database.ssh.cli_image" in error.hint


def test_none_or_several_replicas(empty: Place) -> None:
    node = empty.node
    node.set(containers=("dtr-api-0123456789ab",))
    assert failure({"ssh": node.sign_in()}, DatabaseFailed).message == "there runs no replica of MSR."
    node.set(containers=("dtr-rethinkdb-aaaaaaaaaaaa", "dtr-rethinkdb-bbbbbbbbbbbb"))
    error = failure({"ssh": node.sign_in()}, DatabaseFailed)
    assert error.message == "there runs several replicas of MSR: aaaaaaaaaaaa, bbbbbbbbbbbb."
    assert "database.ssh.replica" in error.hint
    with opened({"ssh": node.sign_in(replica="bbbbbbbbbbbb")}) as database:
        assert database.rows("enzi", "accounts") == []


def test_commands_that_print_something_else(empty: Place) -> None:
    for command in ("echo hello", "echo '{}'", "echo '[\"x\"]'", "true", "echo '[[]]'"):
        error = failure({"ssh": empty.node.sign_in(cli_command=command)}, InvalidAnswer)
        assert error.message == "printed something else than rows in JSON."
    error = failure({"ssh": empty.node.sign_in(cli_command="cat >&2; exit 3")}, DatabaseFailed)
    assert error.message == "the command line of the database has ended with 3."
    with opened({"ssh": empty.node.sign_in(cli_command="head -c 1 >/dev/null; echo no >&2; exit 4")}) as database:
        with pytest.raises(DatabaseFailed, match="has ended with 4, and says: no"):
            database.insert("enzi", "accounts", [account("alice", fullName="x" * 3_000_000)])


def test_a_connection_that_broke_is_made_anew(empty: Place) -> None:
    with opened(empty.way("ssh")) as database:
        database.insert("enzi", "accounts", [account("alice")])
        empty.node.ssh.hang_up()
        assert database.rows("enzi", "accounts") == [account("alice")]


# -- Kubernetes ------------------------------------------------------------------------------------------------------------------


def test_a_pod_is_found_by_all_of_its_labels(empty: Place) -> None:
    cluster, way = empty.cluster, empty.way("kubernetes")
    one = cluster.pods[0]
    # a server of the database and another program's command line have one of the labels each, and other namespaces both
    cluster.pods += [
        dataclasses.replace(one, name="msr-rethinkdb-cluster-0", labels={**one.labels, "app.kubernetes.io/component": "cluster"}),
        dataclasses.replace(one, name="other-cli-0", labels={**one.labels, "app.kubernetes.io/name": "other"}),
        dataclasses.replace(one, name="elsewhere-0", namespace="staging"),
        dataclasses.replace(one, name="ending-0", is_ending=True),
        dataclasses.replace(one, name="pending-0", phase="Pending"),
    ]
    with opened(way) as database:
        assert database.rows("enzi", "accounts") == []
    cluster.pods.append(dataclasses.replace(one, name="msr-rethinkdb-cli-1"))
    error = failure(way, DatabaseFailed)
    assert (
        "several pods of the namespace msr have the labels app.kubernetes.io/name=rethinkdb,app.kubernetes.io/component=cli:"
        in error.message
    )
    assert error.message.endswith(": msr-rethinkdb-cli-0, msr-rethinkdb-cli-1.")
    with opened({"kubernetes": {**way["kubernetes"], "pod": "msr-rethinkdb-cli-1"}}) as database:
        assert database.rows("enzi", "accounts") == []
    cluster.pods[:] = cluster.pods[3:6]
    error = failure(way, DatabaseFailed)
    assert error.message.endswith("runs: ending-0 (Running), pending-0 (Pending).")
    cluster.pods.clear()
    error = failure(way, DatabaseFailed)
    assert error.message.startswith("no pod of the namespace msr has the labels")
    assert "database.kubernetes.namespace" in error.hint


def test_the_audit_log_of_the_cluster_holds_no_statement(empty: Place) -> None:
    """As what a command is called with, a statement would stand there: it does only if the option says so."""
    way = empty.way("kubernetes")["kubernetes"]
    before = len(empty.cluster.requests)
    with opened({"kubernetes": way}) as database:
        database.insert("enzi", "accounts", [account("alice")])
    assert not any("pbkdf2" in one or "alice" in one for one in empty.cluster.requests[before:])
    with opened(
        {"kubernetes": {**way, "command": ["node", "--no-deprecation", "rethinkdb.js", "{statement}"], "container": "cli"}}
    ) as database:
        assert database.rows("enzi", "accounts") == [account("alice")]
    assert any("enzi" in one for one in empty.cluster.requests[before:])


def test_clusters_of_before(empty: Place) -> None:
    """Without v5 nobody tells a command where its input ends."""
    protocols, empty.cluster.protocols = empty.cluster.protocols, ("v4.channel.k8s.io",)
    try:
        with opened(empty.way("kubernetes")) as database:
            database.insert("enzi", "accounts", [account("alice")])
            assert database.rows("enzi", "accounts") == [account("alice")]
    finally:
        empty.cluster.protocols = protocols


def test_users_without_rights(empty: Place) -> None:
    cluster = empty.cluster
    cluster.users.update({"may-list": frozenset({"list"}), "may-nothing": frozenset()})

    def way(token: str, **more: str) -> dict[str, t.Any]:
        return {"kubernetes": {"kubeconfig": str(cluster.kubeconfig("other", token=token)), "namespace": "msr", **more}}

    error = failure(way("may-nothing"), AccessDenied)
    assert "does not let this user list the pods of the namespace msr (pods is forbidden: User" in error.message
    error = failure(way("may-list"), AccessDenied)
    assert error.message.startswith("the cluster does not let this user run a command in the pod msr-rethinkdb-cli-0")
    assert "pods/exec" in error.hint
    assert failure(way("nobody"), AuthenticationFailed).subject.startswith("kubernetes msr/")
    assert "nobody" not in str(failure(way("nobody"), AuthenticationFailed))
    error = failure(way("operator-token", pod="gone-0"), DatabaseFailed)
    assert error.message.startswith("there is no such pod or namespace")


def test_kubeconfigs_that_lead_nowhere(empty: Place, untrusted_authority: CertificateAuthority, tmp_path: Path) -> None:
    cluster, way = empty.cluster, empty.way("kubernetes")["kubernetes"]
    assert failure({"kubernetes": {**way, "kubeconfig": str(tmp_path / "none")}}, InvalidOption).subject == "database.kubernetes.kubeconfig"
    (tmp_path / "broken").write_text("[: nothing")
    assert (
        failure({"kubernetes": {**way, "kubeconfig": str(tmp_path / "broken")}}, InvalidOption).subject == "database.kubernetes.kubeconfig"
    )
    assert failure({"kubernetes": {**way, "context": "unknown"}}, InvalidOption).subject == "database.kubernetes.context"
    assert failure({"kubernetes": {**way, "context": "nowhere"}}, ConnectionFailed).message.startswith("the cluster cannot be asked")
    other = cluster.kubeconfig("untrusted", ca=untrusted_authority.certificate)
    failure({"kubernetes": {**way, "kubeconfig": str(other)}}, CertificateUntrusted)


def test_commands_that_fail_in_a_pod(empty: Place) -> None:
    way = empty.way("kubernetes")["kubernetes"]

    def with_command(*command: str, **more: str) -> dict[str, t.Any]:
        return {"kubernetes": {**way, "command": list(command), **more}}

    error = failure(with_command("no-such-program", "{size}"), DatabaseFailed)
    assert error.message.startswith("the command could not be started (Internal error occurred: error executing command")
    error = failure(with_command("sh", "-c", "echo oh dear >&2; exit 5 # {size}"), DatabaseFailed)
    assert error.message == "the command line of the database has ended with 5, and says: oh dear."
    error = failure(with_command("sh", "-c", "true {size}", container="other"), ConnectionFailed)
    assert "400" in error.message
    with pytest.raises(InvalidOption, match="neither"), opened(with_command("node", "rethinkdb.js")):
        pytest.fail("it was not refused")
    with pytest.raises(InvalidOption) as caught, opened({"kubernetes": {**way, "labels": {}}}):
        pytest.fail("it was not refused")
    assert caught.value.subject == "database.kubernetes.labels"


def test_an_answer_that_breaks_off(empty: Place) -> None:
    empty.store.insert("enzi", "accounts", *[account(f"user-{number}") for number in range(2000)])
    empty.cluster.break_after = 100_000
    error = failure(empty.way("kubernetes"), ConnectionFailed)
    assert "the connection broke" in error.message
    empty.cluster.break_after = None
    with opened(empty.way("kubernetes")) as database:
        assert len(database.rows("enzi", "accounts")) == 2000


def test_kubectl_sees_the_same_cluster(empty: Place) -> None:
    """Another client, which is not ours, gets the same pods, answers, statuses and refusals from the double."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")

    def kubectl(*arguments: str, data: str = "") -> tuple[int, str, str]:
        command = ["kubectl", "--kubeconfig", str(empty.cluster.kubeconfig()), "--namespace", "msr", *arguments]
        done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    pod = empty.cluster.pods[0].name
    label = "app.kubernetes.io/component=cli"
    assert kubectl("get", "pod", "-l", label, "-o", "name")[:2] == (0, f"pod/{pod}\n")
    assert kubectl("exec", "-i", pod, "--", "wc", "-c", data="x" * 1_000_000)[:2] == (0, "1000000\n")
    assert kubectl("exec", pod, "--", "sh", "-c", "exit 7")[0] == 7
    with opened(empty.way("kubernetes")) as database:
        database.insert("enzi", "accounts", [account("alice")])
    statement = 'r.db("enzi").table("accounts").getField("fullName").nth(0)'
    assert kubectl("exec", pod, "--", "node", "--no-deprecation", "rethinkdb.js", statement)[:2] == (0, json.dumps(ODD, ensure_ascii=False))
    assert 'pods "gone-0" not found' in kubectl("exec", "gone-0", "--", "true")[2]


# -- the driver ------------------------------------------------------------------------------------------------------------------


def test_certificates_of_the_database(empty: Place, untrusted_authority: CertificateAuthority) -> None:
    way = empty.way("driver")["driver"]
    without = {**way, "client_cert": None, "client_key": None}
    assert "database.driver.client_cert" in failure({"driver": without}, ConnectionFailed).hint
    error = failure({"driver": {**way, "ca_path": str(untrusted_authority.certificate)}}, CertificateUntrusted)
    assert "database.driver.ca_path" in error.hint
    error = failure({"driver": {**way, "tls_server_name": "dtr-rethinkdb-0123456789ab.dtr-ol"}}, CertificateUntrusted)
    assert "database.driver.tls_server_name" in error.hint
    for more in ({"tls_server_name": "localhost"}, {"validate_certs": False, "ca_path": None}):
        with opened({"driver": {**way, **more}}) as database:
            assert database.rows("enzi", "accounts") == []
    assert failure({"driver": {**way, "client_key": "/nowhere"}}, InvalidOption).subject == "database.driver.client_cert"
    assert failure({"driver": {**way, "ca_path": "/nowhere"}}, InvalidOption).subject == "database.driver.ca_path"


def test_a_database_that_is_not_there(empty: Place, place: Place) -> None:
    way = empty.way("driver")["driver"]
    assert failure({"driver": {**way, "port": ports.free_port()}}, ConnectionFailed).message.startswith("cannot be reached")
    # something else listens there
    error = failure({"driver": {"host": ports.LOOPBACK, "port": place.node.ssh.port, "tls": False}}, ConnectionFailed)
    assert error.message.startswith("does not answer as RethinkDB does")
    failure({"driver": {**way, "port": place.node.ssh.port}}, ConnectionFailed)
    with opened({"driver": {"host": ports.LOOPBACK, "port": place.store.port, "tls": False}}) as database:
        assert database.rows("enzi", "accounts") == []
