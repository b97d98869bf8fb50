"""RALU Encode Lettering: a text encode node after which words in quotes grow early."""

from __future__ import annotations

from comfy_api.latest import io

from .host.lettering.encoding import encode
from .host.lettering.quotes import quoted
from .host.showing.status import show_status
from .host.sockets import check_sockets
from .shared_inputs import CATEGORY, search_words


class EncodeLettering(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_EncodeLettering",
            display_name="RALU Encode Lettering",
            category=CATEGORY,
            description="CLIP Text Encode for prompts with lettering. Where RALU grows regions "
            'early, those that attend most to the words in quotes ("OPEN") come first. Without '
            "quotes, or early regions, it is CLIP Text Encode.",
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder that belongs to the model."),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="The prompt, with what is to be written in the picture in quotes: "
                    'a shop with the sign "OPEN".',
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="CONDITIONING",
                    tooltip="The same numbers as CLIP Text Encode's, and which of them are of "
                    "words in quotes.",
                )
            ],
            **search_words("ralu", "text", "prompt", "lettering", "typography", "encode prompt"),
        )

    @classmethod
    def execute(cls, clip, text) -> io.NodeOutput:
        check_sockets(clip=clip, text=text)
        conditioning = encode(clip, text)
        show_status(f"Lettering: {' '.join(quoted(text)) or 'nothing is in quotes'}")
        return io.NodeOutput(conditioning)
