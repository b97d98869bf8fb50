"""Start and stop a real ComfyUI server for the lab and the tests."""

from __future__ import annotations

import ctypes
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.comfy.environment import run_python
from lab.comfy.errors import HostError
from lab.comfy.locate import REPOSITORY, Host, find_host, make_base

PACK_FOLDER = "ralu"
OPTIONAL_FLAGS = {
    "--disable-auto-launch": (),
    "--disable-api-nodes": (),
    "--database-url": ("sqlite:///:memory:",),
}
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Server:
    """A running ComfyUI.

    url           http://127.0.0.1:PORT, without a final slash.
    base          its base directory: models, input, output, temp, user, custom_nodes.
    log           the file that holds everything it wrote.
    boot_seconds  from start to the first answer.
    """

    url: str
    host: Host
    base: Path
    log: Path
    process: subprocess.Popen[bytes]
    boot_seconds: float

    def tail(self, lines: int = 30) -> str:
        """The last lines of its log."""
        return tail(self.log, lines)


def tail(log: Path, lines: int) -> str:
    """The last lines of a log file, without colour codes."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(text.splitlines()[-lines:])


@functools.cache
def probe_torch(python: Path) -> tuple[bool, bool]:
    """(is torch built with CUDA, does it find a CUDA device) in that interpreter."""
    code = "import torch; print(torch.version.cuda is not None, torch.cuda.is_available())"
    built, found = run_python(python, code).split()
    return built == "True", found == "True"


def server_environment(host: Host) -> dict[str, str]:
    """Environment variables of the server process."""
    built, _ = probe_torch(host.python)
    shim = [] if built else [REPOSITORY / "lab" / "comfy" / "shim"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, [*shim, *host.web])),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
    }
    if not host.ours:
        environment["PYTHONPYCACHEPREFIX"] = str(REPOSITORY / ".comfyui" / "pycache")
    return environment


def server_command(
    host: Host, base: Path, port: int, packs: Sequence[str], extra: Sequence[str]
) -> list[str]:
    """Command line of the server; flags that this ComfyUI does not know are left out."""
    known = (host.tree / "comfy" / "cli_args.py").read_text(encoding="utf-8")
    optional = [
        part
        for flag, values in OPTIONAL_FLAGS.items()
        if f'"{flag}"' in known
        for part in (flag, *values)
    ]
    _, cuda = probe_torch(host.python)
    return [
        *(str(host.python), str(host.tree / "main.py")),
        *(() if cuda else ("--cpu",)),
        *("--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base)),
        *optional,
        *extra,
        "--disable-all-custom-nodes",
        *(("--whitelist-custom-nodes", *packs) if packs else ()),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _die_with_parent() -> None:
    # A killed test run would otherwise leave its server behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _link_packs(base: Path, packs: Sequence[Path], with_ralu: bool) -> list[str]:
    """Link the packs into custom_nodes; returns their folder names."""
    folders = {pack.name: pack for pack in packs}
    if with_ralu:
        folders[PACK_FOLDER] = REPOSITORY
    for name, pack in folders.items():
        if not (pack / "__init__.py").is_file():
            raise HostError(f"{pack} is no node pack, it has no __init__.py: give another folder.")
        link = base / "custom_nodes" / name
        link.unlink(missing_ok=True)
        link.symlink_to(pack.resolve(), target_is_directory=True)
    return list(folders)


def _link_models(base: Path, models: Path) -> None:
    if not models.is_dir():
        raise HostError(f"{models} is no folder: give the folder that holds diffusion_models/.")
    link = base / "models"
    if link.is_symlink():
        link.unlink()
    else:
        shutil.rmtree(link)
    link.symlink_to(models.resolve(), target_is_directory=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/system_stats", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path, limit: float) -> None:
    deadline = time.monotonic() + limit
    while not _answers(url):
        status = process.poll()
        if status is not None:
            raise HostError(f"ComfyUI stopped with status {status}:\n{tail(log, 30)}")
        if time.monotonic() > deadline:
            raise HostError(f"ComfyUI did not answer within {limit:g} s:\n{tail(log, 30)}")
        time.sleep(0.1)


def _check_packs(log: Path) -> None:
    # ComfyUI goes on without a pack that fails to import; then nothing here could work.
    text = tail(log, 10_000)
    if "(IMPORT FAILED)" in text:
        raise HostError(f"ComfyUI could not import a node pack:\n{tail(log, 40)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


@contextmanager
def _log_explains(process: subprocess.Popen[bytes], log: Path) -> Iterator[None]:
    """Add the end of the log to an exception that leaves the block after the server died."""
    try:
        yield
    except BaseException as error:
        if process.poll() is not None:
            status = process.returncode
            error.add_note(f"ComfyUI stopped with status {status}:\n{tail(log, 30)}")
        raise


@contextmanager
def _base_directory(base: Path | None) -> Iterator[Path]:
    if base is not None:
        make_base(base)
        yield base.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="ralu-server-", ignore_cleanup_errors=True) as folder:
        make_base(Path(folder))
        yield Path(folder)


@contextmanager
def comfy_server(
    host: Host | str | None = None,
    packs: Sequence[Path] = (),
    models: Path | None = None,
    extra_args: Sequence[str] = (),
    *,
    base: Path | None = None,
    with_ralu: bool = True,
    boot_limit: float = 180.0,
) -> Iterator[Server]:
    """A ComfyUI server on a free port of 127.0.0.1, stopped on every way out of the block.

    host        a Host, a version, or None for the one that `find_host` chooses.
    packs       node pack folders to load beside this repository (`with_ralu`, as folder "ralu");
                no other pack is loaded.
    models      a folder with ComfyUI's models layout; None: no models.
    extra_args  more ComfyUI arguments, for example ("--preview-method", "latent2rgb").
    base        base directory to use and keep; None: a temporary one, removed afterwards.
    boot_limit  seconds to wait for its first answer.

    Raises HostError, with the end of the log, when it does not start or a pack does not import.
    An exception that leaves the block after the server died gets the end of the log as a note.
    """
    host = host if isinstance(host, Host) else find_host(host)
    with _base_directory(base) as folder:
        names = _link_packs(folder, packs, with_ralu)
        if models is not None:
            _link_models(folder, models)
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        log = folder / "comfyui.log"
        command = server_command(host, folder, port, names, extra_args)
        start = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=host.tree,
                env=server_environment(host),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        try:
            _wait_until_ready(process, url, log, boot_limit)
            _check_packs(log)
            with _log_explains(process, log):
                yield Server(url, host, folder, log, process, time.monotonic() - start)
        finally:
            _stop(process)
