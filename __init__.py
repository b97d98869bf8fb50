"""RALU for ComfyUI: Flux and Stable Diffusion 3 with 2-7x less model compute, without training."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .nodes import NODES, add_schedule_route

WEB_DIRECTORY = "./web"


class RALUExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> RALUExtension:
    add_schedule_route()
    return RALUExtension()
