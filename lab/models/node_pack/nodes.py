"""Nodes of the lab and the tests only."""

from __future__ import annotations

import logging

from comfy_api.latest import ComfyExtension, io

from lab.models.blocks import blocks_of
from lab.models.stand_ins import STAND_INS, load_stand_in

from .template_nodes import TEMPLATE_NODES

log = logging.getLogger(__name__)


class Models(io.ComfyNode):
    """Stands where the loader nodes stand in a graph of a full-size model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALUDemo_Models",
            display_name="Small Stand-in Models",
            category="demo/RALU",
            description="A small model of the same class, and its text encoder and VAE.",
            inputs=[
                io.Combo.Input("file", options=list(STAND_INS), tooltip="What it stands in for."),
                io.Boolean.Input("trained", default=False, tooltip="Trained, or random weights."),
            ],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls, file, trained) -> io.NodeOutput:
        model, clip, vae = load_stand_in(file, trained)
        log_calls(model.model.diffusion_model)
        return io.NodeOutput(model, clip, vae)


class Again(io.ComfyNode):
    """Lets a graph run again on the same MODEL where ComfyUI would return the cached result."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALUDemo_Again",
            display_name="Run Again",
            category="demo/RALU",
            description="Passes a latent on; another number makes what follows run again.",
            inputs=[io.Latent.Input("latent"), io.Int.Input("number", default=0)],
            outputs=[io.Latent.Output()],
        )

    @classmethod
    def execute(cls, latent, number) -> io.NodeOutput:
        del number  # it only tells this run from the others
        return io.NodeOutput(latent)


def log_calls(network) -> None:
    """Write a line to the log for every forward pass: pictures and image tokens it works on.

    They are read where they enter the first transformer block, so nothing that claims them is
    believed.
    """

    def note(_block, args, kwargs):
        image = kwargs["img"] if "img" in kwargs else args[1]
        log.info("network call: %d x %d tokens", image.shape[0], image.shape[1])

    blocks_of(network)[0].register_forward_pre_hook(note, with_kwargs=True)


class LabExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [Models, Again, *TEMPLATE_NODES]
