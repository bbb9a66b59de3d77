# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.registryops.migration.plugins.module_utils._module.folders import folder_names, neighbours_of, plan_id_of


def test_folders_are_called_like_their_destinations():
    assert folder_names(["new.example.com:5000", "/media/images"]) == ["new.example.com_5000", "media_images"]
    assert len(folder_names(["x" * 1000])[0]) == 150


def test_folders_of_names_that_look_alike():
    names = folder_names(["/media/a_b", "/media/a/b", "other"])
    assert len(set(names)) == 3
    assert names[2] == "other"
    # whatever else there is, and in whatever order
    assert folder_names(["/media/a/b", "/media/a_b"]) == [names[1], names[0]]


def test_no_name_leads_elsewhere():
    names = folder_names(["/../..", "...", "/", "a/../b"])
    assert len(set(names)) == 4
    assert not any("/" in name or name.startswith(".") for name in names)


def test_each_destination_has_neighbours_of_its_own():
    options = {"neighbour_state_dirs": ["/state/w2", "/state/w3"]}
    folders = ["/state/w1", "/state/w1/dr.example.com"]
    assert neighbours_of(options, folders, folders[0]) == ["/state/w2", "/state/w3"]
    assert neighbours_of(options, folders, folders[1]) == ["/state/w2/dr.example.com", "/state/w3/dr.example.com"]


def test_copies_between_other_places_of_one_name_are_other_copies():
    source = {"type": "registry", "url": "old.example.com"}
    places = [{"source": {**source, "connect_to": place}, "destination": None} for place in (None, "10.0.0.1", "10.0.0.2")]
    assert len({plan_id_of(one) for one in places}) == len(places)
    assert plan_id_of(places[1]) == plan_id_of({**places[1], "source": {**places[1]["source"], "password": "secret"}})
