# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.migrator_variables import FilterModule

BOTH = {"V1_REGISTRY": "v1.example.com", "V2_REGISTRY": "v2.example.com"}
DEFAULTS = {
    "migrator_v1_registry": "v1.example.com",
    "migrator_v2_registry": "v2.example.com",
    "migrator_aws_access_key_id": "",
    "migrator_aws_secret_access_key": "",
    "migrator_aws_session_token": "",
    "migrator_aws_region": "",
    "migrator_error_action": "prompt",
    "migrator_increment": 0,
    "migrator_user_prompt": True,
    "migrator_no_login": False,
    "migrator_v1_no_login": False,
    "migrator_v2_no_login": False,
    "migrator_insecure": False,
    "migrator_http": False,
    "migrator_v1_http": False,
    "migrator_v2_http": False,
    "migrator_docker_hub_org": "",
    "migrator_full_repo_list": [],
    "migrator_repo_filter": "",
    "migrator_tag_filter": "",
    "migrator_library_namespace": "add",
    "migrator_skip_existing": "digest",
    "migrator_cutover": "pause",
    **{f"migrator_v{side}_{name}": "" for side in (1, 2) for name in ("username", "password", "email")},
}


@pytest.fixture
def variables():
    return FilterModule().filters()["migrator_variables"]


def changed(result):
    """What is not as the tool had it by default."""
    assert result.keys() >= DEFAULTS.keys()
    return {name: value for name, value in result.items() if name not in DEFAULTS or value != DEFAULTS[name]}


def test_the_defaults_are_those_of_the_tool(variables):
    assert variables(BOTH) == DEFAULTS


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"V1_REGISTRY": " old:5000 "}, {"migrator_v1_registry": "old:5000"}),
        ({"V2_REGISTRY": "https://new"}, {"migrator_v2_registry": "https://new"}),
        ({"AWS_ACCESS_KEY_ID": "AK"}, {"migrator_aws_access_key_id": "AK"}),
        ({"AWS_SECRET_ACCESS_KEY": "SK"}, {"migrator_aws_secret_access_key": "SK"}),
        ({"AWS_SESSION_TOKEN": "ST"}, {"migrator_aws_session_token": "ST"}),
        ({"AWS_REGION": "eu-west-1"}, {"migrator_aws_region": "eu-west-1"}),
        *[({"ERROR_ACTION": action}, {"migrator_error_action": action}) for action in ("retry", "skip", "abort")],
        ({"ERROR_ACTION": ""}, {}),
        ({"MIGRATION_INCREMENT": "10"}, {"migrator_increment": 10}),
        ({"MIGRATION_INCREMENT": 10}, {"migrator_increment": 10}),
        ({"USER_PROMPT": "false"}, {"migrator_user_prompt": False}),
        ({"USER_PROMPT": False}, {"migrator_user_prompt": False}),
        ({"USER_PROMPT": "True"}, {}),
        ({"NO_LOGIN": "true"}, {"migrator_no_login": True, "migrator_v1_no_login": True, "migrator_v2_no_login": True}),
        ({"V1_NO_LOGIN": "true"}, {"migrator_v1_no_login": True}),
        ({"V2_NO_LOGIN": True}, {"migrator_v2_no_login": True}),
        ({"USE_INSECURE_CURL": "true"}, {"migrator_insecure": True}),
        ({"USE_HTTP": "true"}, {"migrator_http": True, "migrator_v1_http": True, "migrator_v2_http": True}),
        ({"V1_USE_HTTP": "true"}, {"migrator_v1_http": True}),
        ({"V2_USE_HTTP": "true"}, {"migrator_v2_http": True}),
        ({"DOCKER_HUB_ORG": "org"}, {"migrator_docker_hub_org": "org"}),
        ({"V1_FULL_REPO_LIST": "a/b c\n\td "}, {"migrator_full_repo_list": ["a/b", "c", "d"]}),
        ({"V1_REPO_FILTER": r"^team\|app$"}, {"migrator_repo_filter": r"^team\|app$"}),
        ({"V1_TAG_FILTER": "latest"}, {"migrator_tag_filter": "latest"}),
        ({"LIBRARY_NAMESPACE": "false"}, {"migrator_library_namespace": "strip"}),
        ({"SKIP_EXISTING_TAGS": "true"}, {"migrator_skip_existing": "name"}),
        *[
            ({f"V{side}_{name}": "value"}, {f"migrator_v{side}_{name.lower()}": "value"})
            for side in (1, 2)
            for name in ("USERNAME", "PASSWORD", "EMAIL")
        ],
        ({"PATH": "/bin", "http_proxy": "http://proxy"}, {}),
        ({"V1_PASSWORD": None}, {}),
    ],
    ids=str,
)
def test_each_variable(variables, environment, wanted):
    assert changed(variables({**BOTH, **environment})) == wanted


COMMAND = r"""
$ docker run -it \
    -v /var/run/docker.sock:/var/run/docker.sock \
    -v ~/certs:/etc/docker/certs.d/:ro -v ~/.aws:/root/.aws:ro \
    -e V1_REGISTRY=v1.example.com --env V2_REGISTRY=v2.example.com \
    --env=V1_USERNAME=mover -eV1_PASSWORD='a $b "c" :% d' -e "V1_FULL_REPO_LIST=a/b c/d" \
    docker/migrator 2>&1 | tee migration.log
"""
ENV_FILE = """
# the old one
V1_REGISTRY=v1.example.com
  V2_REGISTRY=v2.example.com

V1_USERNAME=mover
V1_PASSWORD=a $b "c" :% d
V1_FULL_REPO_LIST=a/b c/d
"""
EXPORTS = """
export V1_REGISTRY=v1.example.com V2_REGISTRY=v2.example.com
export V1_USERNAME=mover
export V1_PASSWORD='a $b "c" :% d'
export V1_FULL_REPO_LIST="a/b c/d"
"""
COMPOSE_MAPPING = """
environment:
  V1_REGISTRY: v1.example.com
  V2_REGISTRY: v2.example.com
  V1_USERNAME: mover
  V1_PASSWORD: 'a $b "c" :% d'
  V1_FULL_REPO_LIST: a/b c/d
"""
COMPOSE_LIST = """
- V1_REGISTRY=v1.example.com
- V2_REGISTRY=v2.example.com
- V1_USERNAME=mover
- 'V1_PASSWORD=a $b "c" :% d'
- V1_FULL_REPO_LIST=a/b c/d
"""
VALUES = {**BOTH, "V1_USERNAME": "mover", "V1_PASSWORD": 'a $b "c" :% d', "V1_FULL_REPO_LIST": "a/b c/d"}


@pytest.mark.parametrize(
    "environment",
    [
        COMMAND,
        ENV_FILE,
        EXPORTS,
        COMPOSE_MAPPING,
        COMPOSE_LIST,
        VALUES,
        [f"{name}={value}" for name, value in VALUES.items()],
        [{"name": name, "value": value} for name, value in VALUES.items()],
    ],
    ids=["command", "env_file", "exports", "compose mapping", "compose list", "dict", "list", "pods"],
)
def test_each_form_of_an_environment(variables, environment):
    result = changed(variables(environment))
    certs = {"migrator_certs_dirs": ["~/certs"]} if environment is COMMAND else {}
    assert result == {
        "migrator_v1_username": "mover",
        "migrator_v1_password": 'a $b "c" :% d',
        "migrator_full_repo_list": ["a/b", "c/d"],
        **certs,
    }


def test_the_command_of_the_tool_s_own_page_which_lacks_backslashes(variables):
    text = """docker run -it
    -v /var/run/docker.sock:/var/run/docker.sock
    -e V1_REGISTRY=v1.example.com
    -e V2_REGISTRY=v2.example.com
    docker/migrator"""
    assert variables(text) == DEFAULTS


def test_quotation_marks_of_an_env_file_are_part_of_the_value(variables):
    result = variables('V1_REGISTRY=v1.example.com\nV2_REGISTRY=v2.example.com\nV2_PASSWORD="quoted"\nV2_EMAIL=a=b')
    assert result["migrator_v2_password"] == '"quoted"'
    assert result["migrator_v2_email"] == "a=b"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "V1_REGISTRY and V2_REGISTRY must be given"),
        ({"V1_REGISTRY": "v1"}, "V2_REGISTRY must be given"),
        ({**BOTH, "V1_REGISTRY": " "}, "V1_REGISTRY must be given"),
        ({**BOTH, "ERROR_ACTION": "ignore"}, "ERROR_ACTION is none of prompt, retry, skip, abort"),
        ({**BOTH, "MIGRATION_INCREMENT": "0"}, "MIGRATION_INCREMENT is no positive"),
        ({**BOTH, "MIGRATION_INCREMENT": "-3"}, "MIGRATION_INCREMENT is no positive"),
        ({**BOTH, "MIGRATION_INCREMENT": "ten"}, "MIGRATION_INCREMENT is no positive"),
        ({**BOTH, "USER_PROMPT": "no"}, "USER_PROMPT is neither true nor false"),
        ({**BOTH, "V1_REPO_FILTER": r"\(a"}, "V1_REPO_FILTER is no basic regular expression"),
        ({**BOTH, "V1_FULL_REPOLIST": "a", "V2_PASWORD": "geheim"}, "no variable V1_FULL_REPOLIST, V2_PASWORD"),
        ({**BOTH, "V1_PASSWORD": ["geheim"]}, "V1_PASSWORD is of type list"),
        ("", "has no variables"),
        ("# nothing\n", "has no variables"),
        ("just words", "line 1 is no NAME=value"),
        ("V1_REGISTRY=a\ngeheim geheim", "line 2 is no NAME=value"),
        ("V1_REGISTRY=a\nV2_REGISTRY=b\nV1_PASSWORD", "line 3, V1_PASSWORD, is no NAME=value"),
        ("docker run -e V1_REGISTRY=a -e V1_PASSWORD docker/migrator", "the option -e V1_PASSWORD, V1_PASSWORD, is no NAME=value"),
        ("docker run -e V1_REGISTRY=a --env-file migrator.env docker/migrator", "give the lines of that file"),
        ("docker run -e V1_PASSWORD='geheim docker/migrator", "a quotation mark has no counterpart"),
        ("V1_REGISTRY: [geheim", "looks like YAML, and is none"),
        ("- just a word", "item 0 is no NAME=value"),
        (["V1_REGISTRY=a", 7], "item 1 is no text NAME=value"),
        (None, "the input is of type NoneType"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_without_a_password(variables, environment, words):
    with pytest.raises(AnsibleFilterError) as caught:
        variables(environment)
    assert words in str(caught.value)
    assert "geheim" not in str(caught.value)
