# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# @summary Shows what would be copied, copies, and verifies; for "bolt plan run registry_migration::migrate"
#
# @param targets
#   The hosts that the class registry_migration was applied to.
# @param only_show
#   End after the first step.
# @param verify_mode
#   How thorough the verification is.
plan registry_migration::migrate (
  TargetSpec $targets,
  Boolean $only_show = false,
  Enum['light', 'deep'] $verify_mode = 'light',
) {
  # each step ends the plan where it fails
  $shown = run_task('registry_migration::run', $targets, 'playbook' => 'plan')
  if $only_show {
    return $shown
  }
  run_task('registry_migration::run', $targets, 'playbook' => 'migrate')
  return run_task('registry_migration::run', $targets, 'playbook' => 'verify', 'variables' => { 'verify_mode' => $verify_mode })
}
