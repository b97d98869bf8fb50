"""The pack and ComfyUI, imported into this process as ComfyUI imports them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from demo.host import activate

ROOT = Path(__file__).resolve().parents[2]
NAME = "ralu_pack"


def start(cpu: bool = False) -> None:
    """Import ComfyUI, then the pack; once per process. cpu keeps ComfyUI off a GPU.

    On a GPU the host keeps every model there, so that no run is timed with weights on the way.
    """
    if NAME in sys.modules:
        return
    activate()
    from comfy.cli_args import args

    args.cpu = args.cpu or cpu
    args.highvram = not args.cpu
    import comfy.utils

    comfy.utils.set_progress_bar_enabled(False)
    spec = importlib.util.spec_from_file_location(
        NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


def load(part: str) -> ModuleType:
    """A module of the pack, such as `load("nodes.host.run")`; after `start`."""
    return importlib.import_module(f"{NAME}.{part}")
