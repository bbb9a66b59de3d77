# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits hold over the whole run: measured at the registries, with all workers and all destinations at work.

A run may be slower than its limit, on a machine that has other things to do; it must not be faster. What may pass at once, before a
limit can hold anything back, is a piece for each worker at the most; the images are of such a size that this is little.
"""

from __future__ import annotations

import datetime
import typing as t

import pytest
from estate import images
from estate.behaviour import Behaviour
from runs.modules import Options, endpoint, run_module

if t.TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry

#: bytes a second, and how many images of so many bytes there are: a bit more than two seconds
LIMIT = 2_000_000
IMAGES = 24
SIZE = 200_000
#: of what the limit demands, this part has to be seen: clocks of two processes, and the first pieces
TOLERANCE = 0.9

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS: Options = {"from": "00:00", "to": "24:00"}


@pytest.fixture
def source(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    registry = counting_registry(Behaviour(referrers=False))
    held = images.ImageSet()
    for number in range(IMAGES):
        images.add_image(
            held.repository(f"team/app{number % 4}"), f"app {number}", [images.layer(f"limited {number}", SIZE)], [f"v{number}"]
        )
    registry.load(held)
    return registry


@pytest.fixture
def destinations(counting_registry: MakeCountingRegistry) -> list[CountingRegistry]:
    return [counting_registry(Behaviour(referrers=False)) for _unused in range(2)]


def copy(source: CountingRegistry, destinations: t.Sequence[CountingRegistry], folder: Path, /, **more: t.Any) -> Options:
    first, *further = [endpoint(one) for one in destinations]
    options: Options = {"source": endpoint(source), "destination": first, "state_dir": str(folder / "state")}
    result = run_module("registry_image_copy", {**options, "further_destinations": further, **more}).result
    assert not result.get("failed")
    return result


def seconds_of(registry: CountingRegistry, kind: str, method: str) -> float:
    """From the first of these requests to the last, as they were answered."""
    moments = [one.at for one in registry.log if one.kind == kind and one.method == method]
    return max(moments) - min(moments)


def demanded(size: int) -> float:
    """Seconds that so many bytes take at LIMIT; the last image is paid for by whoever would come next."""
    return TOLERANCE * (size - SIZE) / LIMIT


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"bytes_per_second": LIMIT}, id="for the whole run"),
        pytest.param({"limits_by_time": [{**ALWAYS, "bytes_per_second": LIMIT}]}, id="at this time of day"),
        pytest.param({"bytes_per_second": 1, "limits_by_time": [{**ALWAYS, "bytes_per_second": LIMIT}]}, id="instead of the plain one"),
    ],
)
def test_bytes(source: CountingRegistry, destinations: list[CountingRegistry], tmp_path: Path, options: Options) -> None:
    result = copy(source, destinations[:1], tmp_path, **options)
    size = source.bytes_out("blob")
    assert result["bytes_copied"] == size
    assert seconds_of(destinations[0], "upload", "PUT") >= demanded(size)
    assert result["seconds"] < 20


def test_bytes_of_all_destinations_together(source: CountingRegistry, destinations: list[CountingRegistry], tmp_path: Path) -> None:
    """What is read once, and what is sent twice: neither is faster than the limit."""
    copy(source, destinations, tmp_path, bytes_per_second=2 * LIMIT)
    size = source.bytes_out("blob")
    sent = [one for registry in destinations for one in registry.log if one.method == "PUT" and one.kind == "upload"]
    assert sum(one.bytes_in for one in sent) == 2 * size
    assert max(one.at for one in sent) - min(one.at for one in sent) >= demanded(2 * size) / 2
    assert seconds_of(source, "blob", "GET") >= demanded(size) / 2


@pytest.mark.parametrize("option", ["bytes_per_second", "limits_by_time"])
def test_a_worker_takes_its_part(source: CountingRegistry, destinations: list[CountingRegistry], tmp_path: Path, option: str) -> None:
    """A limit is that of the run, and this worker one of four."""
    limit = 4 * LIMIT
    given = {"bytes_per_second": limit} if option == "bytes_per_second" else {"limits_by_time": [{**ALWAYS, "bytes_per_second": limit}]}
    copy(source, destinations[:1], tmp_path, limits_shared_by=4, **given)
    assert seconds_of(destinations[0], "upload", "PUT") >= demanded(source.bytes_out("blob"))


def test_outside_of_all_windows_the_plain_option_holds(
    source: CountingRegistry, destinations: list[CountingRegistry], tmp_path: Path
) -> None:
    in_three_days = WEEK[(datetime.datetime.now().astimezone().weekday() + 3) % 7]
    windows = [{**ALWAYS, "days": [in_three_days], "bytes_per_second": 1}]
    copy(source, destinations[:1], tmp_path, bytes_per_second=LIMIT, limits_by_time=windows)
    assert seconds_of(destinations[0], "upload", "PUT") >= demanded(source.bytes_out("blob"))


def test_a_window_lifts_the_limit(source: CountingRegistry, destinations: list[CountingRegistry], tmp_path: Path) -> None:
    result = copy(source, destinations[:1], tmp_path, bytes_per_second=1000, limits_by_time=[{**ALWAYS, "bytes_per_second": 0}])
    # at 1000 bytes a second it would be more than an hour
    assert result["seconds"] < 60


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("side", ["source", "destination"])
def test_requests(source: CountingRegistry, destinations: list[CountingRegistry], tmp_path: Path, side: str, timed: bool) -> None:
    """Those to the source are limited for all destinations together, those to a destination for each of them."""
    limit = 40.0
    options: Options = {}
    if timed:
        options["limits_by_time"] = [{**ALWAYS, f"{side}_requests_per_second": limit}]
    else:
        limited = {"requests_per_second": limit}
        options["source" if side == "source" else "destination"] = endpoint(source if side == "source" else destinations[0], **limited)
        if side == "destination":
            options["further_destinations"] = [endpoint(destinations[1], **limited)]
    copy(source, destinations, tmp_path, **options)
    for registry in [source] if side == "source" else destinations:
        moments = sorted(one.at for one in registry.log)
        assert len(moments) > 40
        assert moments[-1] - moments[0] >= TOLERANCE * (len(moments) - 1) / limit


def test_a_window_that_cannot_be(source: CountingRegistry, destinations: list[CountingRegistry], tmp_path: Path) -> None:
    for window, subject in (
        ({"from": "8 o'clock", "to": "18:00", "bytes_per_second": 1}, "limits_by_time[0].from"),
        ({"from": "08:00", "to": "18:00"}, "limits_by_time[0]"),
    ):
        options = {
            "source": endpoint(source),
            "destination": endpoint(destinations[0]),
            "state_dir": str(tmp_path),
            "limits_by_time": [window],
        }
        error = run_module("registry_image_copy", options).error
        assert (error["kind"], error["subject"]) == ("invalid_option", subject)
    assert source.log == []
