"""Which packages the environment gets besides torch."""

from __future__ import annotations

import re
from pathlib import Path

from lab.comfy.pins import TEST_TOOLS

# Installed first and alone, so that nothing chooses another torch.
SEPARATE = ("torch", "torchvision", "torchaudio")

# The same module without windows, and so without libGL, which bare machines lack.
INSTEAD = {"opencv-python": "opencv-python-headless"}


def package_name(requirement: str) -> str:
    """Name part of a requirement: "av>=14.2.0" -> "av"."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def requirement_lines(file: Path, leave_out: tuple[str, ...] = ()) -> list[str]:
    """The requirements of a requirements.txt, without torch and without the names left out."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and package_name(line) not in (*SEPARATE, *leave_out)]


def wanted_packages(pack: Path, hosts: list[tuple[Path, tuple[str, ...]]]) -> list[str]:
    """Everything to install after torch, sorted.

    pack   the repository, with its requirements.txt.
    hosts  ComfyUI roots, each with the requirements that it gets in a folder of its own.
    """
    lines = [INSTEAD.get(line, line) for line in requirement_lines(pack / "requirements.txt")]
    for tree, apart in hosts:
        names = tuple(package_name(line) for line in apart)
        lines += requirement_lines(tree / "requirements.txt", leave_out=names)
    return sorted({*lines, *TEST_TOOLS})
