# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import sys
import types

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    BlobUnknown,
    ConnectionFailed,
    DigestMismatch,
    InvalidAnswer,
    LibraryMissing,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.ssh import SSHOptions
from ansible_collections.registryops.migration.plugins.module_utils._v1 import files as module
from ansible_collections.registryops.migration.plugins.module_utils._v1.files import FileSource, LocalFiles, SSHFiles


class Flaky:
    """A file whose reading breaks off after each so many bytes."""

    def __init__(self, content, breaks_after, told=None):
        self.content = content
        self.breaks_after = breaks_after
        self.told = len(content) if told is None else told
        self.starts = []

    def where(self, path):
        return "somewhere"

    def open(self, path, start=0):
        self.starts.append(start)
        return Opened(self, start) if path == "layer" else None


class Opened:
    def __init__(self, files, start):
        self.size = files.told
        self.files = files
        self.start = start

    def pieces(self):
        end = self.start + self.files.breaks_after
        yield self.files.content[self.start : end]
        if end < len(self.files.content):
            raise ConnectionFailed("broke off.")

    def close(self):
        self.files = None


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(module, "backoff", lambda failures: 0)


def test_reading_goes_on_where_it_broke_off():
    files = Flaky(b"0123456789", 4)
    source = FileSource(files, "layer", "somewhere")
    assert (source.size, b"".join(source), source.received) == (10, b"0123456789", 10)
    assert files.starts == [0, 4, 8]


def test_reading_is_given_up_where_nothing_comes():
    files = Flaky(b"0123456789", 0)
    with pytest.raises(ConnectionFailed):
        list(FileSource(files, "layer", "somewhere"))
    assert files.starts == [0] * 5


def test_a_file_that_is_not_what_was_announced():
    with pytest.raises(DigestMismatch, match="grown"):
        list(FileSource(Flaky(b"0123456789", 10, told=9), "layer", "somewhere"))
    with pytest.raises(BlobUnknown):
        FileSource(Flaky(b"", 1), "nothing", "somewhere")


def test_local_files(tmp_path):
    (tmp_path / "images" / "one").mkdir(parents=True)
    (tmp_path / "images" / "json").write_bytes(b"{}")
    files = LocalFiles(str(tmp_path))
    assert {(one.name, one.is_folder) for one in files.entries("images")} == {("one", True), ("json", False)}
    assert files.entries("nothing") is files.entries("images/json") is None
    assert files.read("images/json", 2) == b"{}"
    assert files.read("images/nothing", 2) is files.read("images/one", 2) is files.read("images/json/x", 2) is None
    assert (files.size("images/json"), files.size("images/one"), files.size("images/nothing")) == (2, None, None)
    with contextlib.closing(files.open("images/json", 1)) as opened:
        assert b"".join(opened.pieces()) == b"}"
    with pytest.raises(InvalidAnswer):
        files.read("images/json", 1)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.os, "scandir", refuse)
    with pytest.raises(AccessDenied) as caught:
        LocalFiles(str(tmp_path)).entries("images")
    assert caught.value.subject == str(tmp_path / "images")


def test_without_paramiko_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "paramiko", None)
    files = SSHFiles("/srv/registry", SSHOptions("old.example.com", prefix="source.ssh."))
    assert files.name == "ssh://old.example.com/srv/registry"
    with pytest.raises(LibraryMissing) as caught:
        files.entries("")
    assert caught.value.subject == "source.ssh"
    assert "paramiko" in str(caught.value)


@pytest.mark.parametrize("version", ["2.12.0", "3.2.1"])
def test_a_paramiko_that_is_too_old_is_told_before_anything_is_read(version, monkeypatch):
    library = types.ModuleType("paramiko")
    library.__version__ = version
    monkeypatch.setitem(sys.modules, "paramiko", library)
    files = SSHFiles("/srv/registry", SSHOptions("old.example.com", prefix="source.ssh."))
    with pytest.raises(LibraryMissing, match=f"needs paramiko 3.3 or later, and {version} is there") as caught:
        files.entries("")
    assert caught.value.subject == "source.ssh"


def test_what_comes_in_place_of_sftp_while_a_file_is_read_is_an_error_with_a_way_out(monkeypatch):
    """As where the host's server for SFTP is replaced while it is at work."""
    library = types.ModuleType("paramiko")
    library.__version__ = "3.3"
    library.SSHException = type("SSHException", (Exception,), {})
    library.SFTPError = type("SFTPError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "paramiko", library)

    class Session:
        closed = 0

        def stat(self, path):
            raise library.SFTPError("Garbage packet received")

        def close(self):
            Session.closed += 1

    files = SSHFiles("/srv/registry", SSHOptions("old.example.com"))
    monkeypatch.setattr(files, "_new_session", Session)
    with pytest.raises(ConnectionFailed, match="Garbage packet received"):
        files.size("layer")
    # it was tried again, each time with another session
    assert Session.closed == 5
