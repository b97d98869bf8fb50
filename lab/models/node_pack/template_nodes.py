"""Nodes that stand where loaders stand in ComfyUI's own templates."""

from __future__ import annotations

import logging
import math

from comfy_api.latest import io

from lab.models.by_file import KINDS, kind_named, load_kind

log = logging.getLogger(__name__)


class Kind(io.ComfyNode):
    """A model file, and the text encoder and VAE that belong to it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALUDemo_Kind",
            display_name="Small Stand-in by Kind",
            category="demo/RALU",
            description="A small model of the class that a template's file holds.",
            inputs=[io.Combo.Input("kind", options=[kind.name for kind in KINDS])],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls, kind) -> io.NodeOutput:
        model, clip, vae = load_kind(kind)
        if kind_named(kind).family:
            log_calls(model, kind_named(kind).family)
        return io.NodeOutput(model, clip, vae)


class FamilyControl(io.ComfyNode):
    """A ControlNet file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALUDemo_FamilyControl",
            display_name="Small Stand-in ControlNet by Family",
            category="demo/RALU",
            description="A ControlNet of random weights for the MODEL's family.",
            inputs=[
                io.Model.Input("model", tooltip="What it is as wide as."),
                io.Boolean.Input("masked", default=False, tooltip="Reads a mask, too."),
            ],
            outputs=[io.ControlNet.Output()],
        )

    @classmethod
    def execute(cls, model, masked) -> io.NodeOutput:
        from lab.models.controlnets import of_family

        return io.NodeOutput(of_family(model, masked))


class Patch(io.ComfyNode):
    """A model patch file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALUDemo_Patch",
            display_name="Small Stand-in Model Patch",
            category="demo/RALU",
            description="A model patch of the class that a file of that name holds.",
            inputs=[io.String.Input("file")],
            outputs=[io.Custom("MODEL_PATCH").Output()],
        )

    @classmethod
    def execute(cls, file) -> io.NodeOutput:
        from lab.models.beside import load_patch

        return io.NodeOutput(load_patch(file))


class Vision(io.ComfyNode):
    """A vision model and a style model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALUDemo_Vision",
            display_name="Small Stand-in Vision Model",
            category="demo/RALU",
            description="A vision model of random weights, and Redux's style model for it.",
            inputs=[],
            outputs=[io.ClipVision.Output(), io.StyleModel.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        from lab.models.beside import load_vision

        return io.NodeOutput(*load_vision())


def log_calls(model, family: str) -> None:
    """Write a line to the log for every forward pass: pictures, tokens of latent and references.

    Blocks of these networks take tokens by many names; here they are counted as the network will.
    """
    from lab.comfy import ralu_pack

    space = ralu_pack.table.family_named(family).space
    side = space.fold / space.patch  # tokens along one of the host's pixels

    def tokens_of(latent) -> int:
        return math.prod(math.ceil(count * side) for count in latent.shape[-2:])

    def note(_network, args, kwargs):
        read = [args[0], *(kwargs.get("ref_latents") or ())]
        log.info("network call: %d x %d tokens", args[0].shape[0], sum(map(tokens_of, read)))

    model.model.diffusion_model.register_forward_pre_hook(note, with_kwargs=True)


TEMPLATE_NODES: list[type[io.ComfyNode]] = [Kind, FamilyControl, Patch, Vision]
