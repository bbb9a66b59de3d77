# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An object store: moto's S3 server on loopback, in a process of its own."""

from __future__ import annotations

import http.client
import os
import sys
import typing as t
from pathlib import Path

from estate import ports
from estate.process import ProcessFailed, ServerProcess

_ATTEMPTS = 5


class ObjectStore:
    """It answers when the constructor returns, with one empty bucket, until `stop`."""

    def __init__(self, folder: Path, bucket: str = "registry") -> None:
        self.bucket = bucket
        self._process = _start(folder / "object-store.log")
        self.host = f"{ports.LOOPBACK}:{self._process.port}"
        self.url = f"http://{self.host}"
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("PUT", f"/{bucket}", headers={"Content-Length": "0"})
        status = connection.getresponse().status
        connection.close()
        if status != 200:
            self.stop()
            raise RuntimeError(f"the object store answered {status} to a new bucket")

    def registry_settings(self, url: str = "") -> dict[str, t.Any]:
        """docker-registry's `s3` section for the bucket; `url`: under which the registry, and who it redirects, are to reach the store."""
        return {
            "accesskey": "estate",
            "secretkey": "estate-secret",
            "region": "us-east-1",
            "regionendpoint": url or self.url,
            "bucket": self.bucket,
            "secure": False,
            "v4auth": True,
        }

    def stop(self) -> None:
        """End it. Stopping twice is fine."""
        self._process.stop()

    def __enter__(self) -> ObjectStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _start(log: Path) -> ServerProcess:
    # what is set for the real thing must not reach the double
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    for attempt in range(_ATTEMPTS):
        port = ports.free_port()
        command = [sys.executable, "-m", "moto.server", "-H", ports.LOOPBACK, "-p", str(port)]
        try:
            return ServerProcess(command, port=port, log_path=log, environment=environment, patience=90)
        except ProcessFailed as failure:
            if "already in use" not in str(failure) or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the loop above returns or raises")
