"""Find the ComfyUI to use, and make it importable in this process."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.comfy import shim
from lab.comfy.errors import HostError
from lab.comfy.pins import HOSTS, VERSIONS

REPOSITORY = Path(__file__).resolve().parents[2]
BASE_FOLDERS = ("models", "custom_nodes", "input", "output", "temp", "user")


@dataclass(frozen=True)
class Host:
    """One ComfyUI on disk.

    tree    its root, holding main.py.
    python  the interpreter that runs its server.
    web     folders to put before everything else on the path: its own frontend packages.
    ours    True for a tree this project unpacked, False for the user's own.
    """

    version: str
    tree: Path
    python: Path
    web: tuple[Path, ...] = ()
    ours: bool = True


def read_version(tree: Path) -> str:
    """ComfyUI's version from its root folder; raises HostError when it is not one."""
    for name in ("main.py", "comfyui_version.py"):
        if not (tree / name).is_file():
            raise HostError(
                f"{tree} is not a ComfyUI folder, it has no {name}: set COMFYUI_PATH to the folder "
                "that holds ComfyUI's main.py, or unset it to use a downloaded one."
            )
    text = (tree / "comfyui_version.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    if found is None:
        raise HostError(f"{tree}/comfyui_version.py states no __version__: use another ComfyUI.")
    return found.group(1)


def find_host(version: str | None = None, environment: Mapping[str, str] = os.environ) -> Host:
    """The ComfyUI to use.

    COMFYUI_PATH, when set, always wins. Otherwise `version`, else RALU_HOST, else the newest
    pinned version, from the folder that `make host` fills. COMFYUI_PYTHON replaces the
    interpreter, RALU_WEB names a folder with another frontend. Raises HostError when one of them
    is not there.
    """
    own = REPOSITORY / ".venv" / "bin" / "python"
    python = Path(environment.get("COMFYUI_PYTHON") or (own if own.exists() else sys.executable))
    path = environment.get("COMFYUI_PATH")
    web = _frontend(environment.get("RALU_WEB"))
    if path:
        tree = Path(path).expanduser().resolve()
        return Host(read_version(tree), tree, python, web, ours=False)
    version = version or environment.get("RALU_HOST") or VERSIONS[0]
    pin = next((pin for pin in HOSTS if pin.version == version), None)
    if pin is None:
        offered = " and ".join(VERSIONS)
        raise HostError(f"ComfyUI {version} is not pinned, only {offered} are: set RALU_HOST.")
    tree = REPOSITORY / ".comfyui" / version
    if not tree.is_dir():
        raise HostError(
            f"ComfyUI {version} is not installed in {tree}: run `make host` first, without "
            "COMFYUI_PATH."
        )
    own_web = (tree.with_name(f"{version}-web"),) if pin.web else ()
    return Host(version, tree, python, (*web, *own_web))


def _frontend(path: str | None) -> tuple[Path, ...]:
    """A folder that pip filled with a frontend of its own, checked; none without a path."""
    if not path:
        return ()
    folder = Path(path).expanduser().resolve()
    if not (folder / "comfyui_frontend_package").is_dir():
        raise HostError(
            f"{folder} holds no comfyui_frontend_package: fill it with `pip install --no-deps "
            "--target`, or unset RALU_WEB to use the frontend that belongs to ComfyUI."
        )
    return (folder,)


def make_base(base: Path) -> None:
    """Create the folders that ComfyUI expects in a base directory."""
    for name in BASE_FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)


def _temporary_base() -> Path:
    base = Path(tempfile.mkdtemp(prefix="ralu-host-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return base


def activate(version: str | None = None, base_directory: Path | None = None) -> Path:
    """Make ComfyUI's modules (`comfy`, `nodes`, `folder_paths`, ...) importable here.

    Call it before anything of ComfyUI is imported. ComfyUI's root comes first on sys.path, so
    `import nodes` means ComfyUI's; the working directory stays. Its models, output and other
    folders are those of `base_directory`, by default a temporary one that goes with the process.
    It runs on the CPU unless torch finds a CUDA device. Returns ComfyUI's root.
    Raises HostError when another ComfyUI was imported before.
    """
    host = find_host(version)
    loaded = sys.modules.get("comfy")
    if loaded is not None:
        if str(host.tree) in (str(Path(place).parent) for place in loaded.__path__):
            return host.tree
        raise HostError(
            f"Another ComfyUI is already imported from {list(loaded.__path__)}: one process can "
            "use one version only."
        )
    if not host.ours:
        sys.pycache_prefix = str(REPOSITORY / ".comfyui" / "pycache")
    shim.apply()
    sys.path[:0] = [str(host.tree), *map(str, host.web)]
    base = _temporary_base() if base_directory is None else base_directory.resolve()
    make_base(base)
    _set_arguments(base)
    return host.tree


def _set_arguments(base: Path) -> None:
    # ComfyUI reads these while its modules are imported; its command line is not parsed here.
    import torch
    from comfy.cli_args import args  # pyright: ignore[reportMissingImports]

    args.cpu = not torch.cuda.is_available()
    args.base_directory = str(base)
    args.disable_api_nodes = True
