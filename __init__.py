"""RALU for ComfyUI: Flux, SD3.5 and other flow models with less model compute, no training."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import ComfyExtension, io

from .nodes import NODES, add_schedule_route, other_copy

FOLDER = Path(__file__).parent
OTHER = other_copy(FOLDER)
WEB_DIRECTORY = "./web" if OTHER is None else None


class RALUExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> RALUExtension:
    if OTHER is not None:
        raise ImportError(
            f"RALU is installed twice, in {OTHER} and in {FOLDER}, and ComfyUI uses the first: "
            "remove one of the two folders, and start ComfyUI again."
        )
    add_schedule_route()
    return RALUExtension()
