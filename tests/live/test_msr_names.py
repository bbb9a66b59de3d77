# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images follow their owners: users whom the directory has renamed, and those whom the destination refuses."""

from __future__ import annotations

import typing as t

import pytest
from estate import compare
from estate.msr.seeding import People
from estate.push import push
from estate.team_set import team_set
from runs.msr import MSRControl, reach

if t.TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeMSR

pytest.importorskip("requests")


def test_images_go_where_their_owners_are(make_msr: MakeMSR, tmp_path: Path) -> None:
    source, destination = make_msr("3.1.2"), make_msr("3.1.5")
    people, there = People(source.tables), People(destination.tables)
    people.user("jdoe", dn="cn=John Doe,ou=people,dc=example,dc=com")
    there.user("john.doe", dn="CN=John Doe, OU=people,DC=example,DC=com")
    # no registry can tell these two apart
    for name in ("kim", "Kim"):
        people.user(name, f"{name}'s password")
    people.organization("green")
    for path in ("jdoe/own", "kim/own", "green/app"):
        people.repository(path)
    people.write()
    there.write()
    access = source.msr.access
    push(access.url, team_set("jdoe/own", "kim/own", "green/app", versions=1), access.user, access.password, access.ca_file)
    wanted = team_set("jdoe/own", "green/app", versions=1).tags()
    wanted = {name.replace("jdoe/", "john.doe/"): digest for name, digest in wanted.items()}
    control = MSRControl(tmp_path, reach(source), reach(destination), people.passwords.values())
    control.play("migrate_msr", "--tags", "accounts,orgs,repos", msr_on_refusal="skip")
    assert not compare.tags_of(destination.msr)
    # a run for images alone asks who is who
    images = control.play("migrate_msr", "--tags", "tags", msr_on_refusal="skip")
    said = "the destination refuses the repositories: kim/own"
    assert said in images.output
    assert compare.tags_of(destination.msr) == wanted
    # one for everything knows it; people who have been left out are what differs
    whole = control.play("migrate_msr", expect=2, msr_on_refusal="skip")
    assert said in whole.output
    assert "user kim is missing" in whole.output.replace("user Kim", "user kim")
    assert compare.tags_of(destination.msr) == wanted
    report = control.report()
    assert not report["failures"]
    assert report["counts"]["unchanged"] == len(wanted)
