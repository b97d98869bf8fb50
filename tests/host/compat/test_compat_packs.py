"""Other packs' ways into the network, imitated: none is installed here."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import comfy.hooks
import pytest
import torch
from accelerating import METHODS, accelerated
from applying import FULL, custom, ksampler, on, picture
from limits import assert_limits, assert_matters, guider

from driving import SHIFT, Calls, ralu, schedule_for
from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import has_foreign_blocks
from ralu_pack.ralu_core import plans
from ralu_pack.ralu_core.latents.views import VIEWS

PLAIN = replace(plans.plain(3.0, (3,)), model_shift=None)  # three plain steps


class Rescaled(torch.nn.Module):
    """As DyPE replaces the embedder of positions, for larger pictures than the model knows."""

    def __init__(self, embedder: torch.nn.Module):
        super().__init__()
        self.embedder = embedder

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.embedder(0.7 * ids)


class AllBlocks(torch.nn.Module):
    """As WaveSpeed replaces the list of blocks by one that runs, or skips, all of them."""

    def __init__(self, blocks: torch.nn.ModuleList):
        super().__init__()
        self.blocks = blocks

    def forward(self, img: torch.Tensor, txt: torch.Tensor, *args, **kwargs):
        for block in self.blocks:
            img, txt = block(img, txt, *args, **kwargs)
        return 0.9 * img, txt


class Faced(torch.nn.Module):
    """As IP-Adapter and PuLID add a face to what a block makes, and drop the call's options."""

    def __init__(self, block: torch.nn.Module):
        super().__init__()
        self.block = block

    def forward(self, *args, transformer_options=None, **kwargs):
        out = self.block(*args, **kwargs)
        img, *txt = out if isinstance(out, tuple) else (out,)
        img = img + 0.2 * torch.sin(img)
        return (img, *txt) if txt else img


class Told:
    """As InstantX's SD3 IP-Adapter: a block's patch reads what a wrapper of the call wrote."""

    def __init__(self, said: dict):
        self.said = said

    def __call__(self, args, extra):
        out = extra["original_block"](args)
        return {**out, "img": self.said.get("scale", 1.0) * out["img"]}


def embedder_replaced(model):
    patched = model.clone()
    embedder = model.get_model_object("diffusion_model.pe_embedder")
    patched.add_object_patch("diffusion_model.pe_embedder", Rescaled(embedder))
    return patched


def within_the_call(model, name: str, replacement):
    """A MODEL whose network has another attribute for the length of each of its calls."""
    patched, network = model.clone(), model.model.diffusion_model

    def wrapper(apply_model, args):
        with patch.object(network, name, replacement(getattr(network, name))):
            return apply_model(args["input"], args["timestep"], **args["c"])

    patched.set_model_unet_function_wrapper(wrapper)
    return patched


def forward_replaced(model):
    """As TeaCache's first packs do."""

    def replacement(forward_orig):
        def skipping(*args, **kwargs):
            return 0.9 * forward_orig(*args, **kwargs)

        return skipping

    return within_the_call(model, "forward_orig", replacement)


def blocks_replaced(model):
    return within_the_call(
        model, "double_blocks", lambda blocks: torch.nn.ModuleList([AllBlocks(blocks)])
    )


def remembered(model):
    """As MagCache adds in every other call what the blocks added in the one before."""
    kept = {}

    def replacement(forward_orig):
        def skipping(img, *args, **kwargs):
            if "added" in kept:
                return img + kept.pop("added")
            out = forward_orig(img, *args, **kwargs)
            kept["added"] = out - img
            return out

        return skipping

    patched = within_the_call(model, "forward_orig", replacement)
    patched.model_options["transformer_options"]["magcache_thresh"] = 0.24
    return patched


DOUBLE, SINGLE = "double_blocks", "single_blocks"


def faces_added(model, *kinds: str):
    patched = model.clone()
    for kind in kinds or (DOUBLE, SINGLE):
        name = f"diffusion_model.{kind}.0"
        patched.add_object_patch(name, Faced(model.get_model_object(name)))
    return patched


def patches_that_share(model):
    patched, said = model.clone(), {}

    def wrapper(apply_model, args):
        said["scale"] = 0.9
        return apply_model(args["input"], args["timestep"], **args["c"])

    patched.set_model_unet_function_wrapper(wrapper)
    patched.set_model_patch_replace(Told(said), "dit", "double_block", 0)
    return patched


WAYS = {
    "the embedder, as DyPE": embedder_replaced,
    "the forward pass, as TeaCache": forward_replaced,
    "the list of blocks, as WaveSpeed": blocks_replaced,
    "each block, as IP-Adapter": faces_added,
    "a block and the call, as IP-Adapter for SD3": patches_that_share,
}


@pytest.mark.promise("Other nodes' wrappers and block patches")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_another_pack_replaced_works_in_every_stage(flux, way):
    assert_limits(guider(way(flux)))
    assert_matters(guider(way(flux)), guider(flux))


@pytest.mark.parametrize(
    "copied",
    [lambda model: on(model, schedule=PLAIN), lambda model: accelerated(model, warm_up=100)],
    ids=["RALU", "RALU Temporal Acceleration"],
)
def test_a_copy_of_the_model_holds_the_same_patches(model, copied):
    patched, sigmas = patches_that_share(model), torch.tensor(PLAIN.stages[0].sigmas)
    copy = copied(patched)  # before anything was said
    expected = custom(patched, sigmas)[0]
    assert torch.equal(custom(copy, sigmas)[0], expected)
    assert not torch.equal(custom(model, sigmas)[0], expected)


def test_a_compiled_block_is_the_hosts_own(flux):
    blocks = flux.model.diffusion_model.double_blocks
    kinds = {True: Faced(blocks[0]), False: torch.compile(blocks[0])}
    for is_foreign, block in kinds.items():
        network = torch.nn.Module()
        network.double_blocks = torch.nn.ModuleList([block])
        assert has_foreign_blocks(network) is is_foreign


def in_views(model, vae):
    ends, shifts = (0.7, 0.55, 0.0), (4.4, 2.1, 2.0)
    plan = plans.ralu((2, 2, 2), ends, shifts, 4.0, 0.3, SHIFT["Flux"], views=VIEWS)
    ralu(model, vae, schedule=plan)


def by_attention(model, vae):
    ralu(model, vae, schedule=schedule_for(model), edge_detector="text_attention")


def with_toca(model, vae):
    ralu(accelerated(model, METHODS["ToCa"]), vae, schedule=schedule_for(model))


@pytest.mark.parametrize(
    ("run", "kinds", "told"),
    [
        (in_views, (DOUBLE, SINGLE), "asked for it in 0 of its 2 blocks, because another node"),
        (in_views, (DOUBLE,), "asked for it in 1 of its 2 blocks, because another node"),
        (by_attention, (DOUBLE, SINGLE), "model asked for none in stage 1, because another node"),
        (with_toca, (DOUBLE, SINGLE), "attention in 0 of 2 blocks, because another node"),
        (with_toca, (DOUBLE,), "attention in 1 of 2 blocks, because another node"),
    ],
)
def test_blocks_that_ask_for_no_attention_are_told_of_after_one_call(flux, vae, run, kinds, told):
    calls = Calls(flux)
    with pytest.raises((RuntimeError, ValueError), match=told):
        run(faces_added(flux, *kinds), vae)
    assert len(calls.tokens) == 1
    run(flux, vae)


def test_magcache_is_refused_where_stages_differ_in_size_before_any_call(flux):
    """It adds what it kept of fewer tokens, and its own error comes after a stage's work."""
    behind = on(remembered(flux), quality="paper")
    calls = Calls(flux)
    with pytest.raises(ValueError, match="MagCache adds what an earlier step computed for as many"):
        custom(behind)
    assert not calls.tokens
    custom(behind, FULL[10:], latent={"samples": picture()})  # of which full size is left
    custom(on(remembered(flux), quality="balanced"))
    assert calls.tokens


class Coupled:
    """As Prompt Control couples prompts: a hook of a prompt brings a patch that holds masks."""

    def __init__(self):
        self.mask = torch.ones(2, 1, 512, 512)

    def __call__(self, q, k, v, extra_options):
        return q, k, v


def test_a_mask_that_a_prompts_hook_brings_is_refused_before_any_call(flux):
    brought, scope = {"patches": {"attn2_patch": [Coupled()]}}, comfy.hooks.EnumHookScope.HookedOnly
    hooks = comfy.hooks.HookGroup()
    hooks.add(comfy.hooks.TransformerOptionsHook(brought, scope))
    positive = comfy.hooks.set_hooks_for_conditioning(tiny.conditioning(5), hooks)
    calls = Calls(flux)
    with pytest.raises(ValueError, match="the model patch Coupled fits a mask to what it takes"):
        ksampler(on(flux, quality="paper"), positive=positive)
    assert not calls.tokens
    ksampler(on(flux), positive=positive)
    assert calls.tokens
