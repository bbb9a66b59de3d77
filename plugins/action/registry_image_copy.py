# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module in the background and shows how far it is. What the task returns is what the module does.

The module writes a journal, and this plugin reads its first and last line. So a controller may die, and the next one goes on reading.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import secrets
import shlex
import signal
import threading
import time
import typing as t

from ansible import constants as C  # noqa: N812 - its usual name
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR
from ansible.utils.vars import merge_hash
from ansible.vars.clean import remove_internal_keys

from ansible_collections.registryops.migration.plugins.module_utils._copying import journal
from ansible_collections.registryops.migration.plugins.plugin_utils import _progress, _terminal

#: found out when this is imported in the controller's main process; the processes that run tasks have no output of their own
SCREEN = _terminal.Screen.find()

_MODES = ("auto", "line", "lines", "off")
#: seconds that the module may take in the background; it has no limit in the foreground either
_NO_LIMIT = 10**8
#: seconds between two looks at the journal: at first, later, and later over a connection, where each is a command
_FIRST_LOOK, _LOOK, _LOOK_AFAR = 0.05, 0.2, 0.5
#: seconds that a run which was asked to stop has for it, seconds without a sign of life after which one is looked for, and seconds for
#: which a worker may be out of reach
_STOPPING, _SILENCE, _OUT_OF_REACH = 15.0, 15.0, 120.0

#: its values are made when it is imported, which no type knows
_SETTINGS: t.Any = C

Result = dict[str, t.Any]


class _Look(t.NamedTuple):
    """What was found: the journal's head and last record, and the module's result as it wrote it, each if it is there."""

    head: Result | None
    latest: Result | None
    result: str | None


class _Shown(t.NamedTuple):
    """How progress is to be shown: as a line that changes, or a line every so many seconds."""

    updating: bool
    interval: float


class _Background(t.NamedTuple):
    """A module in the background: the file of its result, the link to its journal, the folder that holds its code and its options (with
    the passwords), which is None where somebody wants to keep that, and what its start has told."""

    results_file: str
    link: str
    folder: str | None
    started: Result


class ActionModule(ActionBase):
    """The action `registry_image_copy`."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: t.Any = None, task_vars: Result | None = None) -> Result:
        variables = task_vars or {}
        result: Result = super().run(tmp, variables)
        shown = self._how_to_show(variables)
        if shown is None:
            return {**result, **self._run_in_foreground(variables)}
        with _Signals() as signals:
            background = self._start(variables)
            if background is not None:
                follower = _Follower(self, background, shown, self._name(variables), signals)
                try:
                    return {**result, **follower.follow()}
                finally:
                    follower.close()
        return {**result, **self._run_in_foreground(variables)}

    @property
    def _base(self) -> t.Any:
        """This object, as its base class has it: most of that has no types."""
        return self

    @staticmethod
    def _name(variables: Result) -> str:
        return str(variables.get("inventory_hostname", "localhost"))

    def _how_to_show(self, variables: Result) -> _Shown | None:
        """None for the module as it is, in the foreground."""
        mode = self._templar.template(variables.get("registryops_migration_progress", "auto"))
        if mode is False:
            # YAML's off, without quotes
            mode = "off"
        if mode not in _MODES:
            raise AnsibleActionFail(f"registryops_migration_progress: {mode!r} is not known. Give one of {', '.join(_MODES)}.")
        given = self._templar.template(variables.get("registryops_migration_progress_interval", 10))
        try:
            interval = float(given)
        except (TypeError, ValueError):
            interval = 0.0
        if not interval > 0:
            raise AnsibleActionFail(f"registryops_migration_progress_interval: {given!r} is no number of seconds above 0.")
        task, connection = self._task, self._connection
        plain = (
            mode == "off",
            task.check_mode,
            task.async_val,
            task.no_log,
            # one journal tells of one destination
            bool(task.args.get("further_destinations")),
            connection.has_native_async,
            connection.always_pipeline_modules,
            getattr(connection._shell, "_IS_WINDOWS", False),
            threading.current_thread() is not threading.main_thread(),
        )
        if any(plain):
            return None
        # ansible-runner has a terminal for Ansible, but for nobody to look at
        watched = "AWX_ISOLATED_DATA_DIR" not in os.environ and "awx_display" not in _SETTINGS.DEFAULT_STDOUT_CALLBACK
        updating = SCREEN is not None and SCREEN.updates and (mode == "line" or (mode == "auto" and watched))
        return _Shown(updating, interval)

    def _run_in_foreground(self, variables: Result) -> Result:
        """What happens to a module that has no action plugin of its own."""
        usual = self._shared_loader_obj.action_loader.get(
            "ansible.legacy.normal",
            task=self._task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        result: Result = usual.run(task_vars=variables)
        return result

    def _start(self, variables: Result) -> _Background | None:
        """Start the module; None where it could not be started like this."""
        folder = self._base.get_shell_option("async_dir", default="~/.ansible_async")
        name = f"registryops-{secrets.token_hex(8)}"
        self._task.environment.append({"REGISTRYOPS_MIGRATION_JOURNAL": f"{folder}/{name}"})
        self._task.async_val = _NO_LIMIT
        if self._connection._shell.tmpdir is None:
            self._base._make_tmp_path()
        temporary = self._connection._shell.tmpdir
        removable = bool(self._base._should_remove_tmp_path(temporary))
        try:
            started = self._execute_module(task_vars=variables, wrap_async=True)
        finally:
            self._task.async_val = 0
            self._task.environment.pop()
        if "results_file" not in started:
            return None
        link = f"{os.path.dirname(started['results_file'])}/{name}"
        return _Background(started["results_file"], link, temporary if removable else None, started)

    # -- for the follower
    @property
    def is_local(self) -> bool:
        """Whether files of the worker are files of this process."""
        return self._connection.transport == "local" and self._connection.become is None

    def command(self, text: str) -> str:
        """What a shell command on the worker writes."""
        answer = self._base._low_level_execute_command(text, sudoable=True)
        return str(answer.get("stdout", ""))

    def remove_folder(self, path: str) -> None:
        """Remove a folder for temporary files from the worker."""
        self._base._remove_tmp_path(path, force=True)

    def reconnect(self) -> None:
        """Begin the connection anew, where it can be."""
        with contextlib.suppress(AttributeError, AnsibleConnectionFailure):
            self._connection.reset()

    def say(self, text: str) -> None:
        """Print a line."""
        self._display.display(text)

    def as_returned(self, text: str, started: Result) -> Result:
        """The module's result out of what it has written, as it is made out of a module's output in the foreground."""
        data = self._parsed(text)
        if "cmd" in data and ("data" in data or "outdata" in data):
            # it has ended without a result, and these are the words of who waited for it
            data = self._parsed(str(data.get("data") or data.get("outdata") or ""), str(data.get("stderr") or ""))
        remove_internal_keys(data)
        # what was found out about the interpreter on the way
        for key in ("ansible_facts", "warnings", "deprecations"):
            if started.get(key):
                data[key] = merge_hash(data.get(key) or {}, started[key]) if key == "ansible_facts" else [*data.get(key, []), *started[key]]
        for stream in ("stdout", "stderr"):
            if stream in data:
                data.setdefault(f"{stream}_lines", str(data[stream]).splitlines())
        return data

    def _parsed(self, out: str, err: str = "") -> Result:
        answer = {"stdout": out, "stderr": err, "rc": 1}
        parse = self._base._parse_returned_data
        # ansible-core before 2.19 has but one form of output
        data: Result = parse(answer, "legacy") if "profile" in inspect.signature(parse).parameters else parse(answer)
        return data


class _Signals:
    """Notes SIGINT and SIGTERM instead of dying of them, and whether the controller is still there."""

    def __init__(self) -> None:
        #: when they came first (monotonic)
        self.asked_at: float | None = None
        self._parent = os.getppid()
        self._before: dict[signal.Signals, t.Any] = {}

    @property
    def alone(self) -> bool:
        """Whether the controller is gone."""
        return os.getppid() != self._parent

    def _note(self, number: int, frame: t.Any) -> None:
        if self.asked_at is None:
            self.asked_at = time.monotonic()

    def __enter__(self) -> _Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class _Follower:
    """Follows one run until it has ended."""

    def __init__(self, action: ActionModule, background: _Background, shown: _Shown, name: str, signals: _Signals) -> None:
        self._action = action
        self._background = background
        self._shown = shown
        self._name = name
        self._signals = signals
        self._watched_at = time.monotonic()
        self._spoken = False
        self._spoke_at = time.monotonic()
        self._has_row = False
        self._drawn: tuple[str, tuple[int, int]] | None = None
        self._seconds = 0.0
        self._row: _terminal.Row | None = None
        self._style = _progress.Style()
        self._head: Result | None = None
        self._latest: Result | None = None
        self._attached: Result | None = None
        self._ended = False
        if shown.updating and SCREEN is not None:
            self._style = _progress.Style(SCREEN.unicode, bool(ANSIBLE_COLOR))
            self._row = _terminal.Row(SCREEN, _SETTINGS.DEFAULT_LOCAL_TMP)

    def follow(self) -> Result:
        """Wait for the end, showing what there is to show; returns the result."""
        try:
            result = self._wait()
        except BaseException:
            # a time limit, for instance: the task ends, so the copy has to end as well; but who loses the controller does not stop it
            if not self._ended and not self._signals.alone:
                self._ask_to_stop()
            raise
        if self._spoken:
            self._hide()
            self._action.say(_progress.outcome(self._name, result, self._seconds))
        return result

    def close(self) -> None:
        """Leave the terminal, and the worker, as they were."""
        self._hide()
        if self._ended:
            # of who has begun the run that was attached to nobody is left to do that
            others = (self._head or {}).get("announcement") if self._attached is not None else None
            with contextlib.suppress(OSError, AnsibleConnectionFailure):
                self._remove(self._background.results_file, self._background.link, *([others] if others else []))
            if self._background.folder is not None:
                # Ansible's own watcher of the module looks only every few seconds whether it has ended, and removes it then
                with contextlib.suppress(AnsibleConnectionFailure):
                    self._action.remove_folder(self._background.folder)

    # -- waiting
    def _wait(self) -> Result:
        pause = _FIRST_LOOK
        changed_at = reached_at = time.monotonic()
        stopping = False
        while True:
            try:
                look = self._look()
                reached_at = time.monotonic()
            except AnsibleConnectionFailure:
                if time.monotonic() - reached_at > _OUT_OF_REACH:
                    raise
                self._action.reconnect()
                look = _Look(None, None, None)
            now = time.monotonic()
            if look.head is not None and look.latest is not None:
                if look.latest != self._latest:
                    changed_at = now
                self._head, self._latest = look.head, look.latest
                if look.latest["record"] == "progress":
                    self._seconds = look.latest["seconds"]
                    self._show(look.latest)
            result = self._result(look, now - changed_at)
            if result is not None:
                self._ended = True
                if self._signals.asked_at is None:
                    return result
                self._say_last(f"stopped; {self._how_far()}. Run it again, and it goes on.")
                raise KeyboardInterrupt
            if self._signals.asked_at is None:
                if self._signals.alone:
                    # the copy goes on, and the next playbook attaches to it
                    raise KeyboardInterrupt
            else:
                stopping = stopping or self._ask_to_stop()
                if now - self._signals.asked_at > _STOPPING:
                    self._say_last(f"has not stopped yet; {self._how_far()}. Run it again to look after it.")
                    raise KeyboardInterrupt
            time.sleep(pause)
            pause = min(_LOOK if self._action.is_local else _LOOK_AFAR, pause * 1.3)

    def _result(self, look: _Look, silence: float) -> Result | None:
        """The result, if there is one by now."""
        if self._attached is None:
            if look.result is None:
                return None if silence <= _SILENCE or self._is_watched() else self._lost(look)
            own = self._action.as_returned(look.result, self._background.started)
            if (own.get("error") or {}).get("kind") != "already_running" or look.head is None:
                return own
            self._attached = own
            self._action.say(f"{self._name}: this copy is under way already, process {look.head['pid']}; attached to it")
            self._spoken = True
        latest = look.latest
        if latest is not None and latest["record"] == "end":
            return self._result_of_other(latest)
        if silence > _SILENCE and look.head is not None and not self._is_alive(look.head):
            return self._lost(look)
        return None

    def _lost(self, look: _Look) -> Result:
        """What is known of a run that is gone, and of which nobody writes a result any more."""
        if look.latest is not None and look.latest["record"] == "end":
            return self._result_of_other(look.latest)
        which = "The copy that was attached to" if self._attached is not None else "The copy"
        lost = f"{which} has ended without a result. Run it again, and it goes on."
        return {"failed": True, "changed": False, "msg": lost, "invocation": (self._attached or {}).get("invocation", {})}

    def _result_of_other(self, end: Result) -> Result:
        result = dict(end["result"])
        if not result.get("warnings"):
            result.pop("warnings", None)
        if self._attached is not None and "invocation" in self._attached:
            result["invocation"] = self._attached["invocation"]
        return result

    # -- showing
    def _show(self, latest: Result) -> None:
        try:
            if self._draws(latest):
                return
        except (OSError, ValueError):
            # a full or cleaned folder for temporary files is no reason to end a copy
            self._row = None
        self._hide()
        now = time.monotonic()
        if now - self._spoke_at >= self._shown.interval:
            self._spoke_at = now
            self._spoken = True
            self._action.say(_progress.sentence(self._name, latest))

    def _draws(self, latest: Result) -> bool:
        """Show the row, if the terminal has room for it."""
        if self._row is None or SCREEN is None:
            return False
        size = SCREEN.size()
        self._has_row = size is not None and (self._has_row or self._row.take())
        if size is None or not self._has_row:
            return False
        self._spoken = True
        text = _progress.row(self._name, latest, size[0] - 1, self._style)
        if (text, size) != self._drawn:
            self._row.draw(text)
            self._drawn = (text, size)
        return True

    def _hide(self) -> None:
        row, self._row = self._row, None
        if row is not None:
            with contextlib.suppress(OSError, ValueError):
                row.give_back()

    def _how_far(self) -> str:
        latest = self._latest or {}
        if latest.get("record") == "end":
            counts = latest["result"].get("counts") or {}
            total = sum(counts.values())
            return f"{total - counts.get('not_attempted', 0)} of {total} tags are done" if counts else "nothing was copied"
        total = latest.get("tags_total")
        return "nothing has been copied" if total is None else f"{latest['tags_done']} of {total} tags are done"

    def _say_last(self, text: str) -> None:
        """Say something when the controller no longer listens: it has been interrupted, and only waits for this process."""
        self._hide()
        line = f"{self._name}: {text}"
        if SCREEN is not None:
            SCREEN.write(f"{line}\n")
        else:
            self._action.say(line)

    # -- the worker
    def _look(self) -> _Look:
        if self._action.is_local:
            first, last = _ends(self._background.link)
            found = _content(self._background.results_file)
        else:
            mark = f"--{secrets.token_hex(8)}"
            link, results = shlex.quote(self._background.link), shlex.quote(self._background.results_file)
            parts = self._action.command(
                f"echo; echo {mark}; head -n 1 {link} 2>/dev/null; echo; echo {mark}; tail -n 1 {link} 2>/dev/null;"
                f" echo; echo {mark}; cat {results} 2>/dev/null; echo; echo {mark}"
            ).split(mark)
            first, last, found = (part.strip() for part in parts[1:4]) if len(parts) == 5 else ("", "", "")
        result = _record(found)
        return _Look(_record(first), _record(last), None if result is None or "started" in result else found)

    def _ask_to_stop(self) -> bool:
        """Leave word for the run to stop; False if it is not known yet where."""
        if self._head is None:
            return False
        path = os.path.join(self._head["folder"], "stop")
        if self._action.is_local:
            with contextlib.suppress(OSError), open(path, "a", encoding="ascii"):
                pass
        else:
            self._action.command(f": > {shlex.quote(path)}")
        return True

    def _is_alive(self, head: Result) -> bool:
        """Whether the process of a journal's head is there: that number may be another process's by now."""
        if self._action.is_local:
            return journal.is_alive(int(head["pid"]), str(head["born"]))
        return "alive" in self._action.command(f"kill -0 {int(head['pid'])} 2>/dev/null && echo alive")

    def _is_watched(self) -> bool:
        """Whether those are there who write the module's result when it ends: they have its number on their command lines."""
        if time.monotonic() - self._watched_at < _SILENCE:
            return True
        self._watched_at = time.monotonic()
        job = os.path.basename(self._background.results_file).rpartition(".")[0]
        found = self._action.command(
            f"ps -A -o args= 2>/dev/null | grep -F {shlex.quote(job)} | grep -v grep | head -n 1; echo; echo asked"
        )
        # where processes cannot be listed, nothing is known
        return "async_wrapper" in found or "asked" not in found

    def _remove(self, *paths: str) -> None:
        if self._action.is_local:
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        else:
            self._action.command(f"rm -f {' '.join(map(shlex.quote, paths))}")


def _record(text: str) -> Result | None:
    """A record out of its line; None where there is none, or only a part of it."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _ends(path: str) -> tuple[str, str]:
    """The first and the last line of a file."""
    try:
        with open(path, "rb") as file:
            first = file.readline()
            size = file.seek(0, os.SEEK_END)
            block = 4096
            while True:
                file.seek(max(0, size - block))
                tail = file.read(block)
                if block >= size or b"\n" in tail[:-1]:
                    break
                block *= 4
    except OSError:
        return "", ""
    return first.decode("utf-8", "replace"), tail.rstrip(b"\n").rpartition(b"\n")[2].decode("utf-8", "replace")
