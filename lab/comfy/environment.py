"""The project's virtual environment: made, repaired, measured."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from lab.comfy.errors import HostError

GIGABYTE = 10**9


def require_space(folder: Path, gigabytes: float, what: str) -> None:
    """Raise HostError unless the disk under `folder` has room for `what`."""
    free = shutil.disk_usage(folder).free / GIGABYTE
    if free < gigabytes:
        raise HostError(
            f"{what} needs {gigabytes:g} GB of disk and {folder} has {free:.1f} GB free: free some "
            "space, or clone the repository to a larger disk."
        )


def run_python(python: Path, code: str) -> str:
    """What `code` prints in that interpreter; raises HostError with its last line if it fails."""
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise HostError(f"{python} could not run `{code}`: {last}")
    return done.stdout.strip()


def ensure_venv(folder: Path) -> None:
    """Make the virtual environment at `folder`, also in place of one whose pip does not run."""
    python = folder / "bin" / "python"
    works = [str(python), "-m", "pip", "--version"]
    if python.exists() and subprocess.run(works, capture_output=True).returncode == 0:
        return
    make = [sys.executable, "-m", "venv", "--clear", str(folder)]
    done = subprocess.run(make, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise HostError(f"`{' '.join(make)}` failed: {last}")


def site_packages(python: Path) -> Path:
    """Where that interpreter keeps installed packages."""
    return Path(run_python(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))


def torch_is_cpu_only(python: Path) -> bool:
    """Whether that interpreter's torch is built without CUDA."""
    return run_python(python, "import torch; print(torch.version.cuda)") == "None"


def drop_half_installed(packages: Path) -> None:
    """Forget packages that a killed pip left incomplete, so that the next pip installs them.

    pip writes INSTALLER after a package's last file; `~name` folders are its moved-away leftovers.
    """
    for record in packages.glob("*.dist-info"):
        if not (record / "INSTALLER").is_file():
            shutil.rmtree(record)
    for leftover in packages.glob("~*"):
        shutil.rmtree(leftover)
