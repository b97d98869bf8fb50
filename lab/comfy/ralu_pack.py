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
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from lab.comfy import activate
from lab.comfy.locate import REPOSITORY

if TYPE_CHECKING:
    from ...nodes import temporal_acceleration  # noqa: F401
    from ...nodes.host import own_steps, prepared, request, run  # noqa: F401
    from ...nodes.host.enlarger import encoding as enlarger_encoding  # noqa: F401
    from ...nodes.host.enlarger import files as enlarger_files  # noqa: F401
    from ...nodes.host.families import dials, inspect, table, words  # noqa: F401
    from ...nodes.host.families.positions import shadow  # noqa: F401
    from ...nodes.host.lettering import marks  # noqa: F401
    from ...nodes.host.sampling import mixed_call, second_order, stages, watch  # noqa: F401
    from ...nodes.host.showing import progress  # noqa: F401
    from ...ralu_core import forecast, plans, sampler, scores  # noqa: F401
    from ...ralu_core.crossings import matched  # noqa: F401
    from ...ralu_core.latents import frame, layout, noise, packing, states, tokens, views  # noqa: F401
    from ...ralu_core.plans import nt_matching, presets  # noqa: F401

NAME = "ralu_pack"
MODULES = {
    "dials": "nodes.host.families.dials",
    "enlarger_encoding": "nodes.host.enlarger.encoding",
    "enlarger_files": "nodes.host.enlarger.files",
    "forecast": "ralu_core.forecast",
    "frame": "ralu_core.latents.frame",
    "inspect": "nodes.host.families.inspect",
    "layout": "ralu_core.latents.layout",
    "marks": "nodes.host.lettering.marks",
    "matched": "ralu_core.crossings.matched",
    "mixed_call": "nodes.host.sampling.mixed_call",
    "noise": "ralu_core.latents.noise",
    "nt_matching": "ralu_core.plans.nt_matching",
    "own_steps": "nodes.host.own_steps",
    "packing": "ralu_core.latents.packing",
    "plans": "ralu_core.plans",
    "prepared": "nodes.host.prepared",
    "presets": "ralu_core.plans.presets",
    "progress": "nodes.host.showing.progress",
    "request": "nodes.host.request",
    "run": "nodes.host.run",
    "sampler": "ralu_core.sampler",
    "scores": "ralu_core.scores",
    "second_order": "nodes.host.sampling.second_order",
    "shadow": "nodes.host.families.positions.shadow",
    "stages": "nodes.host.sampling.stages",
    "states": "ralu_core.latents.states",
    "table": "nodes.host.families.table",
    "temporal_acceleration": "nodes.temporal_acceleration",
    "tokens": "ralu_core.latents.tokens",
    "views": "ralu_core.latents.views",
    "watch": "nodes.host.sampling.watch",
    "words": "nodes.host.families.words",
}


def __getattr__(name: str) -> ModuleType:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{NAME}.{MODULES[name]}")


def load(folder: Path, name: str) -> ModuleType:
    """Import a folder under that name as ComfyUI imports a custom node; ComfyUI must be importable.

    The second time in a process it is the same module.
    """
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def import_pack() -> ModuleType:
    """Import this repository as a custom node pack."""
    return load(REPOSITORY, NAME)


def start(cpu: bool = False, stays_loaded: bool = False) -> None:
    """Import ComfyUI, then the pack; once per process. cpu keeps ComfyUI off a GPU.

    stays_loaded  keeps every model on the GPU, so that no run is timed with weights on the way;
                  else the host loads as much as fits.
    """
    if NAME in sys.modules:
        return
    activate()
    from comfy.cli_args import args

    args.cpu = args.cpu or cpu
    args.highvram = stays_loaded and not args.cpu
    import comfy.utils

    comfy.utils.set_progress_bar_enabled(False)
    import_pack()
