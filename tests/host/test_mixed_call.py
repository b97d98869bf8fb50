"""Stage 2's packed call against the host's own: equal in both limits, and per picture."""

from __future__ import annotations

from contextlib import nullcontext

import comfy.context_windows as windows
import pytest
import torch

from driving import guider_for, mixed_call, plain, ralu, schedule_for
from lab.models import tiny
from ralu_pack.nodes.host.families.positions.learned_table import interpolate_table
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.latents.tokens import pick, spread

GRID = (6, 8)


@pytest.fixture
def x():
    return torch.randn(2, 16, 24, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def scattered():
    """A third of the regions, others in each picture, equally many."""
    order = torch.rand(2, 48, generator=torch.Generator().manual_seed(1)).argsort(1)
    return (order < 16).reshape(2, *GRID)


def full(value: bool, batch: int = 2) -> Layout:
    return Layout(torch.full((batch, *GRID), value))


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_all_fine_is_plain_sampling(model, x, cfg):
    assert torch.equal(plain(model, x, full(True), cfg), plain(model, x, cfg=cfg))


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_none_fine_is_plain_low_resolution_sampling(model, x, cfg):
    packed = plain(model, spread(pick(x)), full(False), cfg)
    assert torch.equal(packed, spread(plain(model, pick(x), cfg=cfg)))


@pytest.mark.every_case
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("cfg", [1.0, 4.0])
@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_limits_hold_for_smaller_weights(request, family, cfg, dtype, x):
    weights = request.getfixturevalue(f"{family}_weights")
    model = tiny.load_model(weights, dtype=dtype)
    assert model.model_dtype() == dtype
    assert torch.equal(plain(model, x, full(True), cfg), plain(model, x, cfg=cfg))
    packed = plain(model, spread(pick(x)), full(False), cfg)
    assert torch.equal(packed, spread(plain(model, pick(x), cfg=cfg)))


def test_dual_attention_sd3_keeps_both_limits(x):
    model = tiny.load_model(tiny.sd3_weights(seed=4, dual_attention=True))
    assert torch.equal(plain(model, x, full(True), 4.0), plain(model, x, cfg=4.0))
    packed = plain(model, spread(pick(x)), full(False), 4.0)
    assert torch.equal(packed, spread(plain(model, pick(x), cfg=4.0)))


def test_positions_matter(model, x, scattered):
    """A control: the limits above would also hold for a model that ignores positions."""
    mirrored = plain(model, x.flip(-1), Layout(scattered.flip(-1))).flip(-1)
    assert (plain(model, x, Layout(scattered)) - mirrored).abs().max() > 1e-3


def test_each_picture_has_its_own_regions(model, x, scattered):
    together = plain(model, x, Layout(scattered), cfg=4.0)
    for i in range(2):
        alone = plain(model, x[i : i + 1], Layout(scattered[i : i + 1]), cfg=4.0)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=0)


def test_pictures_with_unequal_counts_share_a_batch(model, x, scattered):
    uneven = scattered.clone()
    uneven[1, 0] = True
    together = plain(model, x, Layout(uneven), cfg=4.0)
    for i in range(2):
        alone = plain(model, x[i : i + 1], Layout(uneven[i : i + 1]), cfg=4.0)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=0)


def test_guidance_in_one_batched_call_equals_two_calls(model, x, scattered):
    guided = plain(model, x, Layout(scattered), cfg=4.0)
    assert (guided - plain(model, x, Layout(scattered), cfg=1.0)).abs().max() > 1e-3
    guider = guider_for(model.clone(), cfg=4.0)
    calls = []

    def one_by_one(apply_model, args):
        calls.append(args["input"].shape[0])
        parts = []
        for row in range(args["input"].shape[0]):
            c = {
                k: v[row : row + 1] if torch.is_tensor(v) and v.ndim and v.shape[0] > 1 else v
                for k, v in args["c"].items()
            }
            whole = args["input"].clone()
            parts.append((row, c, whole))
        return torch.cat([apply_single(apply_model, args, *part) for part in parts])

    def apply_single(apply_model, args, row, c, whole):
        x_row = whole[row : row + 1]
        layout = Layout(scattered[row % 2 : row % 2 + 1])
        wrappers = {"apply_model": {"one": [mixed_call(model, layout)]}}
        options = {**c.pop("transformer_options"), "wrappers": wrappers}
        t = args["timestep"][row : row + 1]
        return apply_model(x_row, t, transformer_options=options, **c)

    guider.model_patcher.set_model_unet_function_wrapper(one_by_one)
    guider.model_options = guider.model_patcher.model_options
    from comfy.samplers import sampler_object

    from driving import SIGMAS

    alone = guider.sample(
        x, torch.zeros_like(x), sampler_object("euler"), SIGMAS, disable_pbar=True, seed=0
    )
    assert max(calls) == 4
    torch.testing.assert_close(guided, alone, atol=1e-4, rtol=0)


def test_network_is_left_as_it_was(model, x, scattered):
    network = model.model.diffusion_model
    before = set(network.__dict__)
    plain(model, x, Layout(scattered))
    assert set(network.__dict__) == before
    assert model.wrappers == {}


def test_network_is_left_as_it_was_after_an_error(model, x, scattered, monkeypatch):
    network = model.model.diffusion_model
    before = set(network.__dict__)
    block = (network.single_blocks if hasattr(network, "single_blocks") else network.joint_blocks)[
        -1
    ]
    with monkeypatch.context() as patched:
        patched.setattr(block, "forward", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            plain(model, x, Layout(scattered))
    assert set(network.__dict__) == before


def test_a_replaced_forward_is_noticed(flux, x, scattered, monkeypatch):
    network = flux.model.diffusion_model
    monkeypatch.setattr(network, "forward", lambda x, *args, **kwargs: torch.zeros_like(x))
    with pytest.raises(RuntimeError, match="another node replaced the forward pass"):
        plain(flux, x, Layout(scattered))


def test_tiles_are_refused(flux, x, scattered):
    with pytest.raises(ValueError, match="a sampler that keeps to them, remove the node that cuts"):
        plain(flux, x[..., :16], Layout(scattered))


class Tiles:
    """As the pack Tiled Diffusion has them, but for the cutting."""

    def __init__(self, side: int):
        self.tile_height = self.tile_width = side

    def __call__(self, apply_model, args):
        return apply_model(args["input"], args["timestep"], **args["c"])


def with_tiles(model, side: int) -> None:
    model.set_model_unet_function_wrapper(Tiles(side))


def with_windows(model, length: int) -> None:
    """Along the rows of a latent; of frames there is one."""
    model.model_options["context_handler"] = windows.IndexListContextHandler(
        windows.get_matching_context_schedule(windows.ContextSchedules.STATIC_STANDARD),
        windows.get_matching_fuse_method(windows.ContextFuseMethods.PYRAMID),
        context_length=length,
        context_overlap=4,
        dim=2,
    )


CUTS = {
    "windows of 16 cut this latent, 32 long on axis 2": with_windows,
    "tiles of 16x16 cut this latent of 32x32": with_tiles,
}


@pytest.mark.parametrize("told", CUTS)
@pytest.mark.parametrize("length", [16, 32])
def test_windows_and_tiles_are_refused_before_a_run_that_they_would_cut(flux, told, length):
    cut, calls = flux.clone(), []
    CUTS[told](cut, length)
    flux.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    with pytest.raises(ValueError, match=told) if length < 32 else nullcontext():
        ralu(
            cut,
            None,
            (256, 256),
            schedule=schedule_for(cut),
            edge_detector="latent_gradient",
        )
    assert bool(calls) is (length == 32)


def test_table_is_read_between_its_entries():
    table = torch.arange(12.0).reshape(3, 4, 1)
    where = torch.tensor([[[0.0, 0.0], [1.5, 2.5], [2.0, 3.5]]])
    assert interpolate_table(table, where).flatten().tolist() == [0.0, 8.5, 11.0]


def test_scaled_rotary_positions_are_respected(flux, x):
    options = {"rope_options": {"scale_y": 0.5, "scale_x": 2.0, "shift_y": 3.0}}
    scaled = flux.clone()
    scaled.model_options["transformer_options"].update(options)
    native = plain(scaled, x)
    assert (native - plain(flux, x)).abs().max() > 1e-3
    if "rope_options" in _source_of_process_img(flux):
        assert torch.equal(plain(scaled, x, full(True)), native)


def _source_of_process_img(model) -> str:
    import inspect

    return inspect.getsource(type(model.model.diffusion_model).process_img)
