# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# puppet apply --modulepath modules site.pp
# The passwords come from wherever Puppet keeps yours: eyaml in Hiera, for instance.

class { 'registry_migration':
  registries => @(YAML),
    registry_source:
      url: old.example.com
      username: mover
      password: "{{ lookup('ansible.builtin.env', 'SOURCE_PASSWORD') }}"
    registry_destination:
      url: new.example.com:5000
      username: mover
      password: "{{ lookup('ansible.builtin.env', 'DESTINATION_PASSWORD') }}"
    registry_rules:
      - repositories:
          include: [team/**]
    | YAML
  secrets    => Sensitive({
    'SOURCE_PASSWORD'      => lookup('registry_migration::source_password', String),
    'DESTINATION_PASSWORD' => lookup('registry_migration::destination_password', String),
  }),
}
