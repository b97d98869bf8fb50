"""What users wire in passes corrected views, or is refused by name before anything is sampled."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from accelerating import METHODS, accelerated
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from limits import assert_matters, guider
from wires import PROMPT, WIRES, attention_mask, picture

from driving import SHIFT, family, ralu
from lab.models import tiny
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.ralu_core import plans
from ralu_pack.ralu_core.latents.views import ONE_TEXT, VIEWS


def plan_for(model, views: str, steps=(2, 2, 2), shift: float | None = None) -> plans.Plan:
    shift = SHIFT[family(model)] if shift is None else shift
    ends, shifts = (0.7, 0.55, 0.0), (4.4, 2.1, 2.0)
    return plans.ralu(steps, ends, shifts, 4.0, 0.3, shift, views=views)


@pytest.mark.parametrize("views", [VIEWS, ONE_TEXT])
@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_wires_pass(flux, vae, wire, views):
    options = wire(flux, vae)
    corrected, _ = ralu(flux, vae, schedule=plan_for(flux, views), **options)
    as_published, _ = ralu(flux, vae, schedule=plan_for(flux, "paper"), **options)
    assert torch.isfinite(corrected).all() and (corrected - as_published).abs().max() > 1e-3


@pytest.mark.parametrize(
    "values",
    [{"reference_latents": [picture()]}, attention_mask()],
    ids=["references", "attention mask"],
)
def test_pictures_of_unequal_counts_are_as_alone(flux, vae, values):
    painted = torch.zeros(2, 256, 256)
    painted[0, :128] = 1
    options = {"positive": tiny.with_values(PROMPT, **values), "schedule": plan_for(flux, VIEWS)}
    both, _ = ralu(flux, vae, batch=2, region_mask=painted, **options)
    for i in range(2):
        latent = {"samples": torch.zeros(1, 16, 32, 32), "batch_index": [i]}
        alone, _ = ralu(flux, vae, latent=latent, region_mask=painted[i : i + 1], **options)
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-3, rtol=1e-3)


def skipping(model):
    return SkipLayerGuidanceDiT.execute(model, 3.0, 0.0, 1.0, "0", "").args[0]


def normalized(model):
    if importlib.util.find_spec("comfy_extras.nodes_nag") is None:
        pytest.skip("this ComfyUI has no NAG")
    from comfy_extras.nodes_nag import NAGuidance

    return NAGuidance.execute(model, 5.0, 0.5, 1.5).args[0]


@pytest.mark.parametrize("patch", [skipping, normalized])
def test_guidance_of_other_nodes_is_heard(flux, patch):
    assert_matters(guider(patch(flux)), guider(flux), views=VIEWS)


def test_temporal_acceleration_runs_with_them_or_refuses(flux, vae):
    plan = plan_for(flux, VIEWS, (4, 5, 6))
    samples, _ = ralu(accelerated(flux, METHODS["TaylorSeer"]), vae, schedule=plan)
    assert torch.isfinite(samples).all()
    with pytest.raises(ValueError, match="splits attention by their size: choose TaylorSeer, or"):
        ralu(accelerated(flux, METHODS["ToCa"]), vae, schedule=plan)


@pytest.mark.parametrize(
    ("name", "views", "why"),
    [
        ("ernie", ONE_TEXT, "cannot correct the views of Ernie-Image, as ComfyUI lets nobody"),
        ("z_image", VIEWS, "cannot carry the text of Z-Image twice, .* to 'views, one text'"),
    ],
)
def test_what_a_family_cannot_is_refused_before_it_is_sampled(name, views, why):
    known = family_named(name)
    if not known.is_known:
        pytest.skip("this ComfyUI has no such models")
    model = tiny.load_model(tiny.family_weights(known), known)
    calls = []
    model.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    plan = plan_for(model, views, shift=known.full_shift)
    with pytest.raises(ValueError, match=why):
        ralu(model, None, schedule=plan, edge_detector="latent_gradient")
    assert not calls


def test_patches_that_add_tokens_are_refused(flux, vae):
    patched = flux.clone()
    patched.set_model_patch(lambda args: args, "post_input")
    ralu(patched, vae, schedule=plan_for(flux, "paper"))
    with pytest.raises(ValueError, match="patch adds tokens of its own beside the text: remove"):
        ralu(patched, vae, schedule=plan_for(flux, VIEWS))


def test_replaced_blocks_that_ask_for_no_attention_are_noticed(flux, vae):
    patched = flux.clone()
    for kind in ("double_block", "single_block"):
        patched.set_model_patch_replace(lambda args, extra: args, "dit", kind, 0)
    with pytest.raises(RuntimeError, match="another node replaced its blocks or adds tokens"):
        ralu(patched, vae, schedule=plan_for(flux, VIEWS))
