"""MODELs that look like one of a family and are none run at full size alone, and say why."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras import nodes_model_patch
from limits import assert_limits, guider

from driving import ralu
from lab.models import unplaced
from ralu_pack.nodes.host.families.flux1 import Flux1
from ralu_pack.nodes.schedule import Schedule
from ralu_pack.ralu_core.plans import plain


class ComfyFluxWrapper(torch.nn.Module):
    """As Nunchaku has it: another network, in core's model class."""

    def __init__(self, network):
        super().__init__()
        self.model, self.dtype = network, torch.float32

    def process_img(self, x, **kwargs):
        return self.model.process_img(x, **kwargs)

    def forward(self, *args, **kwargs):
        return self.model(*args, **kwargs)


@pytest.mark.parametrize("where", ["model", "patch"])
def test_a_network_of_another_pack(model, vae, where):
    at_full_size = replace(plain(3.0, (3,), order=2), model_shift=None)
    known, _ = ralu(model, vae, schedule=at_full_size)
    wrapped = ComfyFluxWrapper(model.model.diffusion_model)
    if where == "model":
        model.model.diffusion_model = wrapped
    else:
        model.add_object_patch("diffusion_model", wrapped)
    name = type(model.model).__name__
    phrase = rf"MODEL \({name}, whose network a ComfyFluxWrapper of another pack replaces\) at full"
    with pytest.raises(ValueError, match=phrase):
        ralu(model, vae)
    with pytest.raises(ValueError, match=phrase):
        Schedule.execute("FLUX 5x", "match the model", 1024, 1024, model=model)
    assert torch.equal(ralu(model, vae, schedule=at_full_size)[0], known)


@pytest.mark.skipif(not unplaced.is_known("Ovis-Image"), reason="a newer ComfyUI runs it")
def test_ovis(vae):
    model = unplaced.load("Ovis-Image")
    with pytest.raises(
        ValueError, match=r"\(Ovis-Image, which ComfyUI runs by its class Flux\) .*: its blocks"
    ):
        ralu(model, vae)


def test_a_network_that_tells_no_places_yet(flux, vae, monkeypatch):
    """As Krea 2's in the first ComfyUI that ran it."""
    monkeypatch.setattr(Flux1, "hooks", ("places_of_tokens",))
    with pytest.raises(ValueError, match=r"\(Flux\) at full size alone, .*, so update it; choose"):
        ralu(flux, vae)
    assert ralu(flux, vae, schedule=None, quality="draft")[0].isfinite().all()


def picture() -> torch.Tensor:
    return torch.rand(1, 256, 256, 3, generator=torch.Generator().manual_seed(1))


class Patch:
    """A patch of any node, with what it was made of."""

    def __init__(self, **made_of):
        self.__dict__.update(made_of)

    def __call__(self, args, *_):
        return args

    method = __call__


def patches(vae):
    def closed(args, image=None, encoder=vae):
        return args if encoder else closed

    kept = picture()

    def over_picture(args):
        return {**args, "seen": kept.shape}

    face_mask = torch.ones(1, 256, 256)

    def over_mask(args):
        return {**args, "seen": face_mask.shape}

    class Net:
        additional_in_dim = 0

        def process_input_latent_image(self, latent):
            return latent

    net = Patch(model=Net())
    return {
        "DiffSynthCnetPatch": nodes_model_patch.DiffSynthCnetPatch(net, vae, picture(), 1.0),
        "Patch": Patch(vae=vae),
        "Patch of an image": Patch(image=picture(), strength=1.0),
        "Patch of a patch": Patch(patch=Patch(image=picture())),
        "Patch's method": Patch(vae=vae).method,
        "patches.<locals>.over_picture": over_picture,
        "Patch of faces": Patch(kwargs=[{"mask": None}, {"mask": face_mask}]),
        "patches.<locals>.over_mask": over_mask,
    }


NAMES = {
    "DiffSynthCnetPatch": "picture",
    "Patch": "picture",
    "Patch of an image": "picture",
    "Patch of a patch": "picture",
    "Patch's method": "picture",
    "patches.<locals>.over_picture": "picture",
    "Patch of faces": "mask",
    "patches.<locals>.over_mask": "mask",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["double_block", "post_input", "replace", "wrapper"])
def test_a_patch_that_fits_a_picture_or_a_mask_to_the_latent(flux, vae, name, place):
    from comfy.patcher_extension import WrappersMP

    def call(*_):
        raise AssertionError("The network was called.")

    flux.model.diffusion_model.register_forward_pre_hook(call)
    patched, patch = flux.clone(), patches(vae)[name]
    if place == "replace":
        patched.set_model_patch_replace(patch, "dit", "double_block", 0)
    elif place == "wrapper":
        patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "fun control", patch)
    else:
        patched.set_model_patch(patch, place)
    said = name.split(" of ")[0].removesuffix("'s method")
    with pytest.raises(ValueError, match=f"model patch {said} fits a {NAMES[name]} to"):
        ralu(patched, vae)


def test_a_patch_that_fits_a_picture_where_no_stage_is_mixed(flux, vae):
    patched = flux.clone()
    patched.set_model_patch(Patch(vae=vae), "post_input")
    latent = {"samples": torch.randn(1, 16, 32, 32)}
    samples, _ = ralu(patched, vae, latent=latent, denoise=0.3)
    assert torch.isfinite(samples).all()


def test_a_patch_with_numbers_of_no_place_is_carried(flux, vae):
    embedding, text_mask = torch.randn(1, 4, 32), torch.ones(1, 8, 8)
    patched = flux.clone()
    patch = Patch(embedding=embedding, mask=None, text_mask=text_mask, mask_strength=1.0)
    patched.set_model_patch(patch, "double_block")
    assert torch.isfinite(ralu(patched, vae)[0]).all()


def test_usos_style_is_carried(flux):
    class Projector(torch.nn.Module):
        def forward(self, pictures):
            return pictures.mean(dim=0)[..., :1].expand(-1, -1, 256) * 0.1

    cpu = torch.device("cpu")
    net = ModelPatcher(Projector(), load_device=cpu, offload_device=cpu)
    seen = torch.randn(3, 1, 4, 48, generator=torch.Generator().manual_seed(2))
    patched = flux.clone()
    patched.set_model_patch(nodes_model_patch.UsoStyleProjectorPatch(net, seen), "post_input")
    assert_limits(guider(patched, cfg=1.0), batch=1)
