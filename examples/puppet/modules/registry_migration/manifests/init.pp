# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# @summary Keeps a registry in step with another one, by the playbooks of registryops.migration
#
# What is there already is known by "verify", which writes nothing: where it ends with 0, there is nothing to do, and Puppet reports no
# change. Where "migrate" does not end with 0, the resource has failed; the next run goes on where this one ended.
#
# @param registries
#   What goes from where to where, as YAML: registry_source, registry_destination, registry_rules. Without secrets: those are looked up in
#   the environment, as in examples/inventory.
# @param secrets
#   Environment variables with secrets, such as SOURCE_PASSWORD.
# @param folder
#   The folder for the inventory and the secrets.
# @param ansible_playbook
#   The program.
# @param verify_mode
#   How thoroughly is looked whether there is anything to do: by digest, or at every manifest and blob.
# @param only_on_change
#   Run only when the registries or the secrets have changed, not whenever the registries differ.
# @param user
#   Who runs it, and owns the files.
# @param environment
#   More of the environment, such as HOME=/var/lib/registry-migration: Puppet passes on neither HOME nor what is set for root.
class registry_migration (
  String[1] $registries,
  Sensitive[Hash[Pattern[/\A[A-Z_][A-Z0-9_]*\z/], String]] $secrets = Sensitive({}),
  String[1] $folder = '/etc/registry-migration',
  String[1] $ansible_playbook = '/opt/registry-migration/bin/ansible-playbook',
  Enum['light', 'deep'] $verify_mode = 'light',
  Boolean $only_on_change = false,
  String[1] $user = 'root',
  Array[String[1]] $environment = [],
) {
  $folders = [$folder, "${folder}/inventory", "${folder}/inventory/group_vars", "${folder}/inventory/group_vars/all"]

  file { $folders:
    ensure => directory,
    owner  => $user,
    mode   => '0750',
  }

  file { "${folder}/inventory/hosts.yml":
    owner   => $user,
    mode    => '0640',
    content => @(HOSTS),
      registry_workers:
        hosts:
          localhost:
            ansible_connection: local
            ansible_python_interpreter: "{{ ansible_playbook_python }}"
      | HOSTS
  }

  file { "${folder}/inventory/group_vars/all/registries.yml":
    owner   => $user,
    mode    => '0640',
    content => $registries,
  }

  # lines that a shell reads: in single quotes everything stands for itself but the quote
  $lines = $secrets.unwrap.map |$name, $value| {
    $quoted = regsubst($value, "'", "'\\\\''", 'G')
    "${name}='${quoted}'\n"
  }

  file { "${folder}/environment":
    owner     => $user,
    mode      => '0600',
    show_diff => false,
    content   => Sensitive($lines.join),
  }

  $begin = "set -a; . '${folder}/environment'; set +a; exec '${ansible_playbook}'"
  $end = "-i '${folder}/inventory' < /dev/null"
  $verify = "${begin} registryops.migration.verify ${end} -e verify_mode=${verify_mode}"

  exec { 'registry migration':
    command     => "${begin} registryops.migration.migrate ${end}",
    unless      => $only_on_change ? { true => undef, default => $verify },
    refreshonly => $only_on_change,
    provider    => shell,
    user        => $user,
    environment => ['LC_ALL=C.UTF-8'] + $environment,
    # a migration may take days
    timeout     => 0,
    logoutput   => true,
    subscribe   => File["${folder}/inventory/hosts.yml", "${folder}/inventory/group_vars/all/registries.yml", "${folder}/environment"],
  }
}
