"""Node of the demo only: prompts for the miniature models."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .text import encode_prompt


class MiniatureTextEncode(io.ComfyNode):
    """Stands where CLIPTextEncode stands in a graph of a full-size model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MiniatureTextEncode",
            display_name="Miniature Text Encode",
            category="demo/miniature",
            description="Turns a prompt into conditioning for the miniature Flux and SD3 models.",
            inputs=[io.String.Input("text", multiline=True, tooltip="At most eight words count.")],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        context, pooled = encode_prompt(text)
        return io.NodeOutput([[context.unsqueeze(0), {"pooled_output": pooled.unsqueeze(0)}]])


class MiniatureExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [MiniatureTextEncode]
