# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Migrates when it is created, and again when what is to be migrated changes. Nothing but Terraform's or OpenTofu's own terraform_data is
# needed, so no provider is downloaded. Destroying it deletes nothing.

terraform {
  required_version = ">= 1.4"
}

locals {
  # where there is a user, Ansible looks the password up when it needs it: it is in no command line and no state
  passwords = {
    source      = { for user in [try(var.old_registry.username, null)] : "password" => "{{ lookup('ansible.builtin.env', 'SOURCE_PASSWORD') }}" if user != null }
    destination = { for user in [try(var.new_registry.username, null)] : "password" => "{{ lookup('ansible.builtin.env', 'DESTINATION_PASSWORD') }}" if user != null }
  }

  # what the playbooks know
  variables = {
    registry_source      = merge(var.old_registry, local.passwords.source)
    registry_destination = merge(var.new_registry, local.passwords.destination)
    registry_rules       = var.rules
    registry_state_dir   = var.state_dir
    registry_report_dir  = "${var.state_dir}/report"
  }
}

resource "terraform_data" "migration" {
  # any change of these runs the migration again
  triggers_replace = {
    variables = local.variables
    again     = var.again
  }

  provisioner "local-exec" {
    # the variables go through the environment: no quoting of the shell has to be thought of
    command = "exec \"$ANSIBLE_PLAYBOOK\" registryops.migration.migrate -i \"$INVENTORY\" -e \"$VARIABLES\" < /dev/null"

    environment = merge(var.secrets, {
      ANSIBLE_PLAYBOOK = var.ansible_playbook
      ANSIBLE_LOG_PATH = var.log
      ANSIBLE_NOCOLOR  = "true"
      INVENTORY        = var.inventory
      VARIABLES        = jsonencode(local.variables)
    })
  }
}
