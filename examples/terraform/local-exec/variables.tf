# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

variable "old_registry" {
  description = "The registry that images come from: url, username, and whatever else the option source of the modules takes, but no secret."
  type        = any
}

variable "new_registry" {
  description = "The registry that images go to, in the same form."
  type        = any
}

variable "rules" {
  description = "What goes where, as the option rules of registry_image_copy. Without any, everything goes under its own name."
  type        = any
  default     = [{}]
}

variable "secrets" {
  description = "Environment variables with secrets: SOURCE_PASSWORD, DESTINATION_PASSWORD, AWS_SECRET_ACCESS_KEY and the like."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "inventory" {
  description = "Ansible's inventory: the hosts that copy. An empty one stands for this machine."
  type        = string
  default     = "/dev/null"
}

variable "state_dir" {
  description = "The folder for ledgers and the report."
  type        = string
}

variable "log" {
  description = "The file for Ansible's output, of which Terraform shows nothing once a value in the environment is sensitive."
  type        = string
}

variable "ansible_playbook" {
  description = "The program ansible-playbook."
  type        = string
  default     = "ansible-playbook"
}

variable "again" {
  description = "Any other value than last time runs the migration again; timestamp() does so at every apply."
  type        = string
  default     = ""
}
