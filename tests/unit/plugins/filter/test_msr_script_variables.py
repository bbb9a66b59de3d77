# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.msr_script_variables import FilterModule

FILE = """
# Source cluster variables
MKE_NODE=192.0.2.4
MKE_NODE_SSH_KEY=/config/id_rsa  # in the container
MKE_NODE_SSH_USER=ubuntu

SOURCE_MSR_NODE=192.0.2.5
SOURCE_MSR_SSH_KEY=/config/id_rsa
SOURCE_MSR_SSH_USER=${MKE_NODE_SSH_USER}
SOURCE_MSR_USERNAME='migration user'
SOURCE_MSR_TOKEN='it''s $HOME "and" `more` #2'
SOURCE_MSR_URL=source.example.com

export KUBECONFIG=/config/kube/config #Kubeconfig
DEST_MSR_URL="destination.example.com:34034"
DEST_MSR_USERNAME=mover
DEST_MSR_TOKEN="a \\"b\\" \\$c \\\\ d$ e"
DEST_MSR_K8S_NAMESPACE=default

PARALLEL_PROCESS_COUNT=5
TOKEN_LIMIT=50
"""


@pytest.fixture
def variables():
    return FilterModule().filters()["msr_script_variables"]


def test_every_variable_of_the_file_has_its_place(variables):
    assert variables(FILE, volumes=["/home/me/id_rsa:/config/id_rsa:ro", "/etc/kube:/config/kube"]) == {
        "msr_source": {
            "url": "source.example.com",
            "username": "migration user",
            "password": 'its $HOME "and" `more` #2',
            "database": {
                "ssh": {
                    "host": "192.0.2.5",
                    "username": "ubuntu",
                    "key_file": "/home/me/id_rsa",
                    "node": "msr",
                    "sudo": True,
                },
            },
            "accounts_database": {
                "ssh": {
                    "host": "192.0.2.4",
                    "username": "ubuntu",
                    "key_file": "/home/me/id_rsa",
                    "node": "mke",
                    "sudo": True,
                },
            },
        },
        "msr_destination": {
            "url": "destination.example.com:34034",
            "username": "mover",
            "password": 'a "b" $c \\ d$ e',
            "database": {"kubernetes": {"kubeconfig": "/etc/kube/config", "namespace": "default"}},
        },
        "msr_threads": 5,
        "registry_threads": 5,
        "msr_token_limit": 50,
    }


def test_what_the_file_does_not_say_is_not_there(variables):
    assert variables({"SOURCE_MSR_URL": "source.example.com", "TOKEN_LIMIT": 0, "KUBECONFIG": ""}) == {
        "msr_source": {"url": "source.example.com"},
        "msr_token_limit": 0,
    }


def test_the_deepest_volume_counts_and_other_paths_stay(variables):
    volumes = ["/a:/config", "/b/key:/config/id_rsa:ro", "/c:/conf"]
    given = {"MKE_NODE_SSH_KEY": "/config/id_rsa", "SOURCE_MSR_SSH_KEY": "/config/other", "KUBECONFIG": "/configuration/kube"}
    found = variables(given, volumes=volumes)
    assert found["msr_source"]["accounts_database"]["ssh"]["key_file"] == "/b/key"
    assert found["msr_source"]["database"]["ssh"]["key_file"] == "/a/other"
    assert found["msr_destination"]["database"]["kubernetes"]["kubeconfig"] == "/configuration/kube"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("plain#text", "plain#text"),
        ("two' 'words", "two words"),
        ("escaped\\ space", "escaped space"),
        ("''", None),
        ("   # nothing", None),
        ('"a\\nb"', "a\\nb"),
        ("cost$", "cost$"),
        ("'a'\"b\"c", "abc"),
    ],
)
def test_values_are_read_as_a_shell_reads_them(variables, value, wanted):
    found = variables(f"DEST_MSR_TOKEN={value}\nTOKEN_LIMIT=1")
    assert found.get("msr_destination", {}).get("password") == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SOURCE_MSR_PASSWORD=secret", "the script has no variable SOURCE_MSR_PASSWORD"),
        ("PATH=/secret", "the script has no variable PATH"),
        ("TOKEN_LIMIT=secret", "TOKEN_LIMIT is no whole number from 0"),
        ("TOKEN_LIMIT=-1", "TOKEN_LIMIT is no whole number from 0"),
        ("PARALLEL_PROCESS_COUNT=0", "PARALLEL_PROCESS_COUNT is no whole number from 1"),
        ("SOURCE_MSR_TOKEN=$secret", r"line 1, SOURCE_MSR_TOKEN, takes \$secret from outside of the file"),
        ('SOURCE_MSR_TOKEN="${secret}"', r"line 1, SOURCE_MSR_TOKEN, takes \$secret from outside of the file"),
        ("SOURCE_MSR_TOKEN=$(cat secret)", "asks for something to be expanded"),
        ("SOURCE_MSR_TOKEN=`cat secret`", "asks for something to be expanded"),
        ("SOURCE_MSR_TOKEN=${secret:-x}", "asks for something to be expanded"),
        ("SOURCE_MSR_TOKEN=a secret", "has a space in its value"),
        ("SOURCE_MSR_TOKEN='secret", "has a quotation mark without its counterpart"),
        ('SOURCE_MSR_TOKEN="secret', "has a quotation mark without its counterpart"),
        ("SOURCE_MSR_TOKEN=secret;rm", "holds ;"),
        ("my secret", r"line 1 is no NAME=value"),
        ("# nothing", "the text has no variables"),
        ("", "the text has no variables"),
        (5, "the input is of type int"),
        ({"TOKEN_LIMIT": True}, "TOKEN_LIMIT is of type bool"),
        ({"SOURCE_MSR_TOKEN": ["secret"]}, "SOURCE_MSR_TOKEN is of type list"),
    ],
)
def test_what_cannot_be_is_said_without_its_value(variables, text, message):
    with pytest.raises(AnsibleFilterError, match=message) as caught:
        variables(text)
    if "$secret" not in str(caught.value):
        assert "secret" not in str(caught.value).replace("SECRET", "")


@pytest.mark.parametrize("volumes", ["/a:/b", [5], ["/a"], [":/b"], ["/a:b"], {"a": "b"}])
def test_volumes_have_their_form(variables, volumes):
    with pytest.raises(AnsibleFilterError, match="volume"):
        variables({"TOKEN_LIMIT": 1}, volumes=volumes)
