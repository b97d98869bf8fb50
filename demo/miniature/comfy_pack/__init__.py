"""Demo-only node pack: link this folder into ComfyUI's custom_nodes to use the miniatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import MiniatureExtension


async def comfy_entrypoint() -> MiniatureExtension:
    # The training scripts import .text without a ComfyUI around.
    from .nodes import MiniatureExtension

    return MiniatureExtension()
