"""RALU Edge Mask Preview: see which regions of a picture would grow early."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from comfy_api.latest import io, ui

from ..ralu_core.latents.frame import Frame
from ..ralu_core.latents.states import StageEnd
from ..ralu_core.scores import Evidence, Need, Regions, score_named
from .host.families.table import space_of
from .host.inputs import (
    AUTO,
    FP32_VAE,
    check_memory,
    check_still,
    check_threshold,
    colours,
    placed_for,
    score_for,
)
from .host.sampling.finite import check_finite
from .host.showing.overlay import outline_regions
from .host.sockets import check_choices, check_numbers, check_sockets
from .shared_inputs import CATEGORY, detector_input, search_words, threshold_input


class EdgeMaskPreview(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_EdgeMaskPreview",
            display_name="RALU Edge Mask Preview",
            category=CATEGORY,
            description="Shows the regions of a picture that RALU would upsample early, outlined. "
            "Connect an IMAGE, or a LATENT with its VAE.",
            inputs=[
                io.Image.Input("image", optional=True, tooltip="A picture to look at."),
                io.Latent.Input(
                    "latent", optional=True, tooltip="Instead of a picture: a latent to decode."
                ),
                io.Vae.Input("vae", optional=True, tooltip="Decodes the latent."),
                io.Float.Input(
                    "ratio",
                    default=0.3,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    tooltip="Share of regions that grow early. The paper's presets use 0.1 to 0.3.",
                ),
                detector_input(in_a_run=False),
                threshold_input(in_a_run=False),
            ],
            outputs=[
                io.Mask.Output(display_name="MASK", tooltip="Chosen regions, picture pixels."),
                io.Image.Output(
                    display_name="overlay", tooltip="The picture with chosen patches outlined."
                ),
            ],
            is_output_node=True,
            **search_words("ralu", "canny", "edges", "regions"),
        )

    @classmethod
    def execute(
        cls,
        ratio,
        edge_detector=AUTO,
        edge_threshold=0.0,
        image=None,
        latent=None,
        vae=None,
    ) -> io.NodeOutput:
        check_numbers(ratio=ratio, edge_threshold=edge_threshold)
        check_choices(edge_detector=edge_detector)
        edge_detector = score_for(edge_detector, has_picture=True)
        score_named(edge_detector).check()
        check_threshold(edge_detector, edge_threshold)
        _check_reads(edge_detector, latent)
        picture = _picture(image, latent, vae)
        frame = Frame.of_picture(picture.shape[1], picture.shape[2])
        check_memory(frame, picture.shape[0])
        way_out = FP32_VAE if image is None else "make the picture anew"
        check_finite(picture, "IMAGE" if latent is None else "decoded picture", way_out)
        height, width = frame.picture
        picture = picture[:, :height, :width]
        half = _half_latent(latent, frame, edge_detector, height)
        evidence = Evidence(
            StageEnd(half, half),
            frame.grid,
            lambda _: placed_for(edge_detector, _half_picture(picture, frame)),
        )
        chosen = Regions(edge_detector, edge_threshold or None).choose(evidence, ratio)
        mask = frame.mask(chosen)
        overlay = outline_regions(picture, mask, frame.space.coarse_pixels)
        return io.NodeOutput(mask, overlay, ui=ui.PreviewImage(overlay, cls=cls))


def _picture(image, latent, vae) -> torch.Tensor:
    """(B, H, W, 3) picture in [0, 1] from the sockets."""
    if (image is None) == (latent is None):
        raise ValueError(
            "RALU Edge Mask Preview shows one picture: connect either an image or a latent, "
            f"got {'both' if image is not None else 'neither'}."
        )
    if image is not None:
        check_sockets(image=image)
        return colours(image)
    check_sockets(latent=latent, vae=vae)
    if vae is None:
        raise ValueError(
            "A latent needs its VAE to be shown, and none is connected: connect it, or an image "
            "instead of the latent."
        )
    samples = _pictures(latent)
    check_finite(samples, "LATENT", FP32_VAE)
    picture = vae.decode(samples)
    return colours(picture.flatten(0, 1) if picture.ndim == 5 else picture)  # a video VAE's frames


def _pictures(latent: dict) -> torch.Tensor:
    """The samples of a LATENT of pictures."""
    samples = latent["samples"]
    check_still(samples, (4, 5))
    return samples


def _half_picture(picture: torch.Tensor, frame: Frame) -> torch.Tensor:
    """The picture at half size, which is what the sampler sees after stage 1."""
    full = frame.extend(picture.movedim(-1, 1))
    return F.avg_pool2d(full, 2).movedim(1, -1)


def _check_reads(detector: str, latent) -> None:
    """ValueError for a detector that reads what is not there."""
    needs = score_named(detector).needs
    if needs is Need.PICTURE:
        return
    if needs is not Need.LATENT:
        raise ValueError(
            f"The {detector} detector reads what only a run has, its steps, its text or its seed: "
            "choose another to look at a picture."
        )
    if latent is None:
        raise ValueError(
            f"The {detector} detector reads a latent, and an image is connected: "
            "connect a latent with its VAE, or choose a canny detector."
        )
    check_sockets(latent=latent)
    frames = latent["samples"].shape[2] if latent["samples"].ndim == 5 else 1
    if frames > 1:
        raise ValueError(
            f"The {detector} detector reads the latent of a still picture, got one of {frames} "
            "frames: choose a canny detector, which looks at each."
        )


def _half_latent(latent, frame: Frame, detector: str, height: int) -> torch.Tensor:
    """(B, C, H/2, W/2) the same of a latent; nothing where the detector looks at the picture.

    height  of the picture in pixels, by which the latent's own space is told.
    """
    if score_named(detector).needs is Need.PICTURE:
        return torch.zeros(())
    samples = _pictures(latent).float()
    space = space_of(samples, height)
    if space is not None:
        samples = space.enter(samples)
    elif samples.shape[2:] != (frame.height, frame.width):
        raise ValueError(
            f"The {detector} detector reads latents of models that RALU knows, or of 8 picture "
            f"pixels each way, got one of shape {tuple(samples.shape)} for a picture of "
            f"{frame.size}: choose a canny detector."
        )
    return F.avg_pool2d(frame.extend(samples), 2)
