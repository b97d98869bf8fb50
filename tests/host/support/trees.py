"""Folders that pass for a ComfyUI."""

from __future__ import annotations

from pathlib import Path


def make_tree(folder: Path, main: str = "") -> Path:
    """The files that the project looks at; `main` is the text of main.py."""
    (folder / "comfy").mkdir(parents=True)
    (folder / "comfy" / "cli_args.py").write_text('"--disable-auto-launch"')
    (folder / "main.py").write_text(main)
    (folder / "comfyui_version.py").write_text('__version__ = "9.9.9"\n')
    return folder
