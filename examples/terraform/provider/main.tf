# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The same with the provider ansible/ansible, whose resource runs ansible-playbook as well.

terraform {
  required_version = ">= 1.4"

  required_providers {
    ansible = {
      source  = "ansible/ansible"
      version = "~> 1.3"
    }
  }
}

variable "variables_file" {
  description = "A file with the playbooks' variables, such as variables.yml here."
  type        = string
  default     = null
}

resource "ansible_playbook" "migration" {
  playbook = "${path.module}/migrate.yml"

  # the inventory that the provider writes: one host, in the group of those that copy
  name   = "localhost"
  groups = ["registry_workers"]

  # extra_vars would do for short words only; and what is in it, args and output of the run are kept in the state
  var_files = [coalesce(var.variables_file, "${path.module}/variables.yml")]

  # at every apply: what is there already costs a few requests
  replayable              = true
  ignore_playbook_failure = false

  # the provider's own limit is an hour
  timeouts {
    create = "48h"
  }
}
