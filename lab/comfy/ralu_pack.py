"""The pack, imported into this process as ComfyUI imports it, and its modules by name.

    from lab.comfy import ralu_pack

    ralu_pack.start()
    ralu_pack.run.sample(...)

ComfyUI gives a pack's folder a name of its own, so `nodes.host.run` cannot be imported by that
name: MODULES says which module a name here stands for, and the imports below say the same to
type checkers. What needs `ralu_core` alone, without ComfyUI, imports it as it is.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from lab.comfy import activate
from lab.comfy.locate import REPOSITORY

if TYPE_CHECKING:
    from ...nodes.host import canvas, gate, mixed_call, progress, run, stages  # noqa: F401
    from ...nodes.host.temporal import attach, settings  # noqa: F401
    from ...ralu_core import (  # noqa: F401
        cost,
        flow,
        forecast,
        noise,
        nt_matching,
        presets,
        regions,
        sampler,
        schedule,
        tokens,
        transition,
    )

NAME = "ralu_pack"
MODULES = {
    "attach": "nodes.host.temporal.attach",
    "canvas": "nodes.host.canvas",
    "cost": "ralu_core.cost",
    "flow": "ralu_core.flow",
    "forecast": "ralu_core.forecast",
    "gate": "nodes.host.gate",
    "mixed_call": "nodes.host.mixed_call",
    "noise": "ralu_core.noise",
    "nt_matching": "ralu_core.nt_matching",
    "presets": "ralu_core.presets",
    "progress": "nodes.host.progress",
    "regions": "ralu_core.regions",
    "run": "nodes.host.run",
    "sampler": "ralu_core.sampler",
    "schedule": "ralu_core.schedule",
    "settings": "nodes.host.temporal.settings",
    "stages": "nodes.host.stages",
    "tokens": "ralu_core.tokens",
    "transition": "ralu_core.transition",
}


def __getattr__(name: str) -> ModuleType:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{NAME}.{MODULES[name]}")


def import_pack() -> ModuleType:
    """Import the repository as a custom node pack; ComfyUI must be importable."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            NAME, REPOSITORY / "__init__.py", submodule_search_locations=[str(REPOSITORY)]
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = module
        spec.loader.exec_module(module)
    return sys.modules[NAME]


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
    import_pack()
