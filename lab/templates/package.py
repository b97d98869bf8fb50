"""The workflow templates that come with a ComfyUI: its package `comfyui-workflow-templates`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from lab.comfy.errors import HostError
from lab.comfy.locate import Host

PACKAGE = "comfyui-workflow-templates"
PARTS = "comfyui_workflow_templates_*/templates"  # where its parts keep their files


@dataclass(frozen=True)
class Template:
    """One template, as the package's index lists it.

    makes    what the templates of its list make, such as "image".
    is_open  whether it runs without paid services.
    """

    name: str
    title: str
    makes: str
    is_open: bool
    file: Path

    def read(self) -> dict[str, Any]:
        """The workflow, as the frontend saved it."""
        return json.loads(self.file.read_text(encoding="utf-8"))


def folders_of(host: Host) -> list[Path]:
    """Where a host's Python packages are looked for, in its order."""
    return [*host.web, *(Path(entry) for entry in sys.path if entry)]


def version_of(host: Host) -> str:
    """The version of the package that this host shows."""
    found = metadata.distributions(name=PACKAGE, path=[str(path) for path in folders_of(host)])
    for distribution in found:
        return distribution.version
    raise HostError(f"{PACKAGE} is not installed beside {host.tree}: run `make host` first.")


def templates_of(host: Host) -> list[Template]:
    """All templates of this host, in the index's order."""
    for folder in folders_of(host):
        files = {file.name: file for file in sorted(folder.glob(f"{PARTS}/*.json"))}
        if "index.json" in files:
            return list(_listed(files))
    raise HostError(f"No index of {PACKAGE} lies beside {host.tree}: run `make host` first.")


def _listed(files: dict[str, Path]) -> Iterator[Template]:
    for group in json.loads(files["index.json"].read_text(encoding="utf-8")):
        for entry in group["templates"]:
            yield Template(
                name=entry["name"],
                title=entry.get("title") or entry["name"],
                makes=group.get("type", ""),
                is_open=entry.get("openSource") is not False,
                file=files[f"{entry['name']}.json"],
            )
