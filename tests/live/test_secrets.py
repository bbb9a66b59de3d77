# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of secret in one play, at the highest verbosity: nothing that the play leaves behind or shows has any of them."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import threading
import typing as t
import urllib.parse
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour
from estate.ports import free_port
from estate.proxy import Proxy
from runs.modules import COLLECTIONS, endpoint, environment

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.certificates import CertificateAuthority

#: no secret: it must be found wherever something is looked for, or the looking is worth nothing
CONTROL = "control-of-the-search"

SECRETS = {
    "password of the source": "p/wd+source@7f1c",
    "password of the destination": "p/wd+destination@91ab",
    "password of the proxy": "p/wd+proxy@33d0",
    "password in the auth file": "p/wd+file@c04e",
    "header in the auth file": "hdr/secret+x@5a5a",
    "registry token": "tok/registry+x.88f2",
    "identity token": "tok/identity+x.71cc",
    "password in the address": "p-wd-address-6be9",
    "wrong password": "p/wd+wrong@2d2d",
}
USER = "mover"


class Search:
    """Looks for secrets in all the forms in which programs write them."""

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        self._forms = {name: sorted(forms(secret)) for name, secret in secrets.items()}

    def found_in(self, data: bytes) -> set[str]:
        """The names of what is in there."""
        return {name for name, wanted in self._forms.items() if any(form in data for form in wanted)}


def forms(secret: str) -> set[bytes]:
    """As it is, as JSON and YAML escape it, percent-encoded in both ways, and what base64 makes of it within any longer text."""
    found = {secret, json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret, safe="")}
    found |= {urllib.parse.quote(secret), secret.replace("/", "\\/")}
    encoded = {one.encode() for one in found}
    for before in range(3):
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            whole = alphabet(b"\0" * before + secret.encode()).rstrip(b"=")
            # the first and the last characters hold bits of what stands beside it
            encoded.add(whole[(before * 8 + 5) // 6 : -1])
    return encoded


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_the_search_finds_every_form(before: str) -> None:
    search = Search({"one": "p/wd+x@1234", "other": "q/wd+x@9999"})
    text = f"{before}p/wd+x@1234 and more"
    assert search.found_in(text.encode()) == {"one"}
    assert search.found_in(base64.b64encode(text.encode())) == {"one"}
    assert search.found_in(base64.urlsafe_b64encode(text.encode())) == {"one"}
    assert search.found_in(urllib.parse.quote(text, safe="").encode()) == {"one"}
    assert search.found_in(json.dumps({"x": text}).encode()) == {"one"}
    assert search.found_in(b"nothing of the kind") == set()


class Watcher:
    """Reads, over and over while a program runs, what can be seen of it: command lines, environments, the files of a folder."""

    def __init__(self, mark: str) -> None:
        """`mark`: a variable of the environment that the program and all that it starts have."""
        #: command lines and environments
        self.seen: set[bytes] = set()
        #: what was in the files of `folder`, at any time
        self.files: set[bytes] = set()
        self._mark = mark.encode()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.folder: Path | None = None

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.04):
            for process in Path("/proc").glob("[0-9]*"):
                # it may have ended a moment ago
                with contextlib.suppress(OSError):
                    variables = (process / "environ").read_bytes()
                    if self._mark in variables:
                        self.seen |= {variables, (process / "cmdline").read_bytes()}
            if self.folder and self.folder.is_dir():
                for path in self.folder.glob("*"):
                    with contextlib.suppress(OSError):
                        self.files.add(path.read_bytes())


TASKS: t.Sequence[tuple[str, dict[str, t.Any], dict[str, t.Any]]] = (
    ("plan", {}, {"check_mode": True}),
    ("copy", {}, {"register": "copied"}),
    ("copy in the background", {}, {"async": 600, "poll": 1}),
    ("copy and look later", {}, {"async": 600, "poll": 0, "register": "later"}),
    ("wrong password", {"source": "{{ old | combine({'password': wrong}) }}"}, {"ignore_errors": True}),
    ("wrong password in the background", {"source": "{{ old | combine({'password': wrong}) }}"},
     {"ignore_errors": True, "async": 600, "poll": 1}),
    ("registry token", {"source": "{{ plain | combine({'registry_token': registry_token}) }}"}, {"ignore_errors": True}),
    ("identity token", {"destination": "{{ plain_new | combine({'identity_token': identity_token}) }}"}, {"ignore_errors": True}),
    ("auth file", {"source": "{{ plain | combine({'auth_file': auth_file}) }}"}, {}),
    ("password in the address", {"source": {"url": "https://mover:{{ in_address }}@{{ host }}"}}, {"ignore_errors": True}),
    ("nobody there", {"source": "{{ old | combine({'url': nobody}) }}"}, {"ignore_errors": True}),
    ("bad CA", {"destination": "{{ new | combine({'ca_path': other_ca}) }}"}, {"ignore_errors": True}),
    ("wrong password of the proxy", {"source": "{{ old | combine({'proxy': bad_proxy}) }}"}, {"ignore_errors": True}),
)  # fmt: skip


def play(folder: Path) -> list[dict[str, t.Any]]:
    tasks: list[dict[str, t.Any]] = []
    for number, (name, options, keywords) in enumerate(TASKS):
        module = {"source": "{{ old }}", "destination": "{{ new }}", "state_dir": f"{folder}/state/{number}", **options}
        tasks.append({"name": name, "registryops.migration.registry_image_copy": module, **keywords})
    tasks.append(
        {
            "name": "wait for it",
            "ansible.builtin.async_status": {"jid": "{{ later.ansible_job_id }}"},
            "register": "waited",
            "until": "waited.finished",
            "retries": 100,
            "delay": 1,
        }
    )
    report = {"ledgers": {"worker": "{{ copied.ledger }}"}, "output_dir": f"{folder}/report"}
    tasks.append({"name": "report", "registryops.migration.registry_report": report})
    return [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": tasks,
        }
    ]


@pytest.mark.fault("Secrets", "every kind of secret, at the highest verbosity, with failures of every kind, also in the background")
def test_no_secret_anywhere(
    counting_registry: MakeCountingRegistry,
    certificate_authority: CertificateAuthority,
    untrusted_authority: CertificateAuthority,
    tmp_path: Path,
) -> None:
    """No output, log, ledger, report, result file, left-over, command line or environment has any of them, in any encoding."""
    held = images.ImageSet()
    images.add_image(held.repository(f"team/{CONTROL}"), "app", [images.layer("app", 5_000)], ["1", "latest"])
    users = {USER: SECRETS["password of the source"], "filed": SECRETS["password in the auth file"]}
    source = counting_registry(
        Behaviour(authentication="basic", users=users, referrers=False), authority=certificate_authority, client_certificates=True
    )
    source.load(held)
    destination = counting_registry(
        Behaviour(authentication="bearer", users={USER: SECRETS["password of the destination"]}, referrers=False),
        authority=certificate_authority,
    )
    key = source.access.client_certificate
    assert key is not None
    pair = base64.b64encode(f"filed:{SECRETS['password in the auth file']}".encode()).decode()
    auth_file = tmp_path / "auth.json"
    document = {"auths": {source.host: {"auth": pair}}, "HttpHeaders": {"X-Auth-Token": SECRETS["header in the auth file"]}}
    auth_file.write_text(json.dumps(document), encoding="utf-8")
    with Proxy({"passer": SECRETS["password of the proxy"]}) as proxy, Watcher("WATCHED_BY=the-test-of-secrets") as watcher:

        def through(password: str) -> str:
            return f"http://passer:{urllib.parse.quote(password, safe='')}@127.0.0.1:{proxy.port}"

        old = endpoint(source, proxy=through(SECRETS["password of the proxy"]))
        new = endpoint(destination)
        variables = {
            "old": old,
            "new": new,
            "plain": {**endpoint(source, username=None, password=None), "search_auth_files": False},
            "plain_new": {**endpoint(destination, username=None, password=None), "search_auth_files": False},
            "host": source.host,
            "wrong": SECRETS["wrong password"],
            "registry_token": SECRETS["registry token"],
            "identity_token": SECRETS["identity token"],
            "in_address": SECRETS["password in the address"],
            "auth_file": str(auth_file),
            "nobody": f"127.0.0.1:{free_port()}",
            "other_ca": str(untrusted_authority.certificate),
            "bad_proxy": through(SECRETS["wrong password"]),
        }
        (tmp_path / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
        (tmp_path / "play.yml").write_text(json.dumps(play(tmp_path)), encoding="utf-8")
        (tmp_path / "ansible.cfg").touch()
        watcher.folder = tmp_path / "home" / ".ansible_async"
        settings = {
            "ANSIBLE_ASYNC_DIR": str(watcher.folder),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_HOME": str(tmp_path / "home" / ".ansible"),
            "ANSIBLE_KEEP_REMOTE_FILES": "0",
            "ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "false",
            "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
            "WATCHED_BY": "the-test-of-secrets",
        }
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [program, "-vvvv", "--diff", "-i", "localhost,", "-c", "local", "-e", "@variables.json", "play.yml"],
            cwd=tmp_path, capture_output=True, timeout=240, check=False, env=environment(tmp_path / "home", **settings),
        )  # fmt: skip
        proxied = len(proxy.log)
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, output + done.stderr.decode(errors="replace")
    # everything was really used: failures where they were wanted, successes elsewhere
    failing = sum(1 for _name, _options, keywords in TASKS if "ignore_errors" in keywords)
    assert f"ignored={failing}" in output
    assert proxied
    assert {name: one.tags for name, one in destination.snapshot().items()} == {name: one.tags for name, one in source.snapshot().items()}
    assert any(one.headers.get("x-auth-token") == SECRETS["header in the auth file"] for one in source.log)
    assert any(one.headers.get("authorization", "").endswith(SECRETS["registry token"]) for one in source.log)

    private = [line for line in key.key.read_text(encoding="ascii").splitlines() if not line.startswith("-----")]
    tokens = {one.headers["authorization"].partition(" ")[2] for one in destination.log if "authorization" in one.headers}
    pairs = {one.headers["authorization"].partition(" ")[2] for one in source.log if "authorization" in one.headers}
    assert private
    assert tokens
    assert pairs
    unexpected = {f"token or pair {number}": token for number, token in enumerate(sorted(tokens | pairs))}
    unexpected |= {f"line {number} of the key": line for number, line in enumerate(private) if len(line) > 16}
    search = Search({**SECRETS, **unexpected, "control": CONTROL})

    left = [path for path in (tmp_path / "remote").rglob("*") if path.is_file()] if (tmp_path / "remote").exists() else []
    artefacts = {
        "standard output": [done.stdout],
        "Ansible's log": [(tmp_path / "ansible.log").read_bytes()],
        "ledgers": [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()],
        "reports": [path.read_bytes() for path in (tmp_path / "report").iterdir()],
        "result files": [*watcher.files, *(path.read_bytes() for path in watcher.folder.iterdir())],
    }
    quiet = {
        "standard error": [done.stderr],
        "left behind on the remote side": [path.read_bytes() for path in left],
        "left behind at home": [
            path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file() and watcher.folder not in path.parents
        ],
    }
    for what, parts in artefacts.items():
        assert set().union(*map(search.found_in, parts)) == {"control"}, what
    for what, parts in quiet.items():
        assert set().union(*map(search.found_in, parts)) <= {"control"}, what
    seen = b"\n".join(watcher.seen)
    assert b"play.yml" in seen, "no process was seen"
    assert any(b"registry_image_copy" in one for one in watcher.seen), "no module was seen"
    assert search.found_in(seen) == set()
