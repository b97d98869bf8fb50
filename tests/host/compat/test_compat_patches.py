"""Wrappers and patches of other nodes work in every stage as they do in plain sampling."""

from __future__ import annotations

import comfy_extras.nodes_post_processing  # noqa: F401 -- it and nodes_latent import each other
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from limits import assert_limits, assert_matters, guider


@pytest.mark.promise("Other nodes' wrappers and block patches")
def test_model_function_wrapper(model):
    shapes = []

    def wrapper(apply_model, args):
        shapes.append(tuple(args["input"].shape[-2:]))
        return 0.9 * apply_model(args["input"], args["timestep"], **args["c"])

    patched = model.clone()
    patched.set_model_unet_function_wrapper(wrapper)
    assert_limits(guider(patched))
    assert_matters(guider(patched), guider(model))
    assert set(shapes) == {(24, 32), (12, 16)}  # never the packed call's 2 x 2N


@pytest.mark.promise("Other nodes' wrappers and block patches")
@pytest.mark.parametrize(
    "kind", [WrappersMP.APPLY_MODEL, WrappersMP.PREDICT_NOISE, WrappersMP.CALC_COND_BATCH]
)
def test_wrappers(model, kind):
    shapes = []

    def wrapper(executor, *args, **kwargs):
        shapes.extend(tuple(a.shape[-2:]) for a in args if torch.is_tensor(a) and a.ndim == 4)
        out = executor(*args, **kwargs)
        return [0.9 * o for o in out] if isinstance(out, list) else 0.9 * out

    patched = model.clone()
    patched.add_wrapper_with_key(kind, "another node", wrapper)
    assert_limits(guider(patched))
    assert_matters(guider(patched), guider(model))
    assert set(shapes) == {(24, 32), (12, 16)}


@pytest.mark.promise("Other nodes' wrappers and block patches")
def test_block_patches(model):
    def replace(args, extra):
        out = extra["original_block"](args)
        return {**out, "img": 0.9 * out["img"]}

    patched = model.clone()
    patched.set_model_patch_replace(replace, "dit", "double_block", 0)
    assert_limits(guider(patched))
    assert_matters(guider(patched), guider(model))


@pytest.mark.promise("Other nodes' wrappers and block patches")
def test_attention_patches(flux):
    """Flux 0.30 hands patches its queries, keys and values; the older host has no such hook."""
    calls = []

    def patch(q, k, v, pe=None, attn_mask=None, extra_options=None, **_):
        calls.append(q.shape)
        return {"q": q, "k": k, "v": 0.9 * v, "pe": pe, "attn_mask": attn_mask}

    patched = flux.clone()
    patched.set_model_attn1_patch(patch)
    assert_limits(guider(patched))
    if calls:
        assert_matters(guider(patched), guider(flux))


@pytest.mark.promise("Other nodes' wrappers and block patches")
def test_post_input_patches(flux):
    def patch(args):
        return {**args, "img": 0.9 * args["img"]}

    patched = flux.clone()
    patched.set_model_patch(patch, "post_input")
    assert_limits(guider(patched))
    assert_matters(guider(patched), guider(flux))
