# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # the options of _module/options.py, AWS
    DOCUMENTATION = r"""
options:
  profile:
    description: The profile in the files of the AWS tools.
    type: str
  region:
    description: The region. By default that of the profile, or of the variables E(AWS_REGION) and E(AWS_DEFAULT_REGION).
    type: str
  access_key:
    description: The id of an access key.
    type: str
  secret_key:
    description: Its secret.
    type: str
  session_token:
    description: The session's token, for temporary credentials.
    type: str
  role_arn:
    description: A role to assume.
    type: str
  role_session_name:
    description: The name of the session as that role.
    type: str
    default: registryops-migration
  external_id:
    description: The external id that the role may ask for.
    type: str
  endpoint_url:
    description: Another address of the ECR API, for example that of a VPC endpoint.
    type: str
  validate_certs:
    description: Check the certificates of the API.
    type: bool
    default: true
  ca_bundle:
    description: A PEM file with the CA certificates for the API.
    type: path
requirements:
  - python >= 3.9 on the host where the task runs
  - boto3 there
notes:
  - What is not given is found as by all of Amazon's tools, in the environment, in their files, and from the machine's role.
"""

    ACTIONGROUP = r"""
attributes:
  action_group:
    description: Use C(group/registryops.migration.aws) in C(module_defaults) to set the connection for this module.
    support: full
    membership: [registryops.migration.aws]
"""
