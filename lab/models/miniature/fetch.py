"""Fetch the pictures the miniatures learn from: 3D emoji under the MIT licence."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
SHA256 = "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58"
CACHE = Path(__file__).resolve().parents[3] / ".comfyui" / "miniature"


def fetch_emoji() -> Path:
    """Download, verify and unpack the emoji; return the folder of 256x256 RGBA webp files.

    Raises ValueError when npm is missing or the archive is not the pinned one.
    """
    folder = CACHE / "package" / "assets"
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError("fetching the emoji needs npm, found none on PATH; install Node.js")
    CACHE.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        [npm, "pack", "--silent", PACKAGE], cwd=CACHE, check=True, capture_output=True, text=True
    )
    archive = CACHE / packed.stdout.split()[-1]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{archive.name} must have sha256 {SHA256}, got {digest}; delete it")
    with tempfile.TemporaryDirectory(dir=CACHE) as fresh, tarfile.open(archive) as tar:
        tar.extractall(fresh, filter="data")
        (Path(fresh) / "package").rename(CACHE / "package")  # complete, or not there
    return folder


if __name__ == "__main__":
    print(fetch_emoji())
