"""Remember what is complete, so that a second run does nothing and an interrupted one resumes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time work in `folder`; `on_wait` is called when another one does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_filled(target: Path, key: str) -> bool:
    """Whether `fill_folder` completed this folder with this key."""
    stamp = target.with_name(f"{target.name}.stamp")
    return target.is_dir() and stamp.is_file() and stamp.read_text(encoding="utf-8") == key


def fill_folder(target: Path, key: str, fill: Callable[[Path], None]) -> None:
    """Make `target` with `fill`, all or nothing: it appears under its name when complete."""
    stamp = target.with_name(f"{target.name}.stamp")
    partial = target.with_name(f"{target.name}.partial")
    stamp.unlink(missing_ok=True)
    for old in (partial, target):
        shutil.rmtree(old, ignore_errors=True)
    partial.mkdir(parents=True)
    fill(partial)
    partial.rename(target)
    stamp.write_text(key, encoding="utf-8")


class Ledger:
    """The steps done in one environment, kept in a file inside it so that both go together."""

    def __init__(self, folder: Path):
        self._file = folder / "ralu-provision.json"

    def _read(self) -> dict[str, str]:
        if not self._file.is_file():
            return {}
        return json.loads(self._file.read_text(encoding="utf-8"))

    def _write(self, steps: dict[str, str]) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(steps, indent=1), encoding="utf-8")
        os.replace(partial, self._file)

    def is_done(self, step: str, inputs: Iterable[str]) -> bool:
        """Whether `step` was completed with exactly these inputs."""
        return self._read().get(step) == _digest(inputs)

    def was_interrupted(self) -> bool:
        """Whether the last step begun was not completed."""
        return "unfinished" in self._read()

    def run(self, step: str, inputs: Iterable[str], action: Callable[[], None]) -> None:
        """Do `action`; the step counts as unfinished until it returns."""
        others = {k: v for k, v in self._read().items() if k not in (step, "unfinished")}
        self._write({**others, "unfinished": step})
        action()
        self._write({**others, step: _digest(inputs)})


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
