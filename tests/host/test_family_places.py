"""Where a family's tokens lie: what the limits, whose tokens lie on one grid, cannot tell."""

from __future__ import annotations

import limits
import pytest
import torch
from comfy_extras.nodes_rope import ScaleROPE
from limits import GRID, assert_limits, assert_matters, guider, mixed, native, noise, scattered

from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import FAMILIES
from ralu_pack.ralu_core.latents.layout import Layout

FAMILY = "Every model family: limits, runs, guiders, interrupts"
# Whose networks heed ScaleROPE; ComfyUI's others leave it aside.
STRETCHED = {"flux1", "flux2", "z_image", "lumina2", "longcat", "ernie", "kandinsky5", "wan"}


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def weights(request):
    if not request.param.is_known:
        pytest.skip(f"this ComfyUI has no {request.param.model_class}")
    return request.param, tiny.family_weights(request.param)


@pytest.fixture
def model(weights):
    family, of_it = weights
    return tiny.load_model(of_it, family)


def swapped(latent: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The latent with what lies in the first and the last fine token of each region exchanged."""
    rows, columns = GRID
    tiles = latent.clone().reshape(*latent.shape[:2], rows, 2, layout.patch, columns, 2, -1)
    for picture, i, j in layout.fine.nonzero().tolist():
        first, last = (tiles[picture, :, i, k, :, j, k] for k in (0, 1))
        kept = first.clone()
        first.copy_(last)
        last.copy_(kept)
    return tiles.reshape(latent.shape)


@pytest.mark.promise(FAMILY)
def test_the_fine_tokens_of_a_region_lie_apart(model):
    """A network that is told one place for them would give the same picture with two exchanged."""
    space, layout = inspect_model(model).space, scattered(1)
    x = layout.settle(space.enter(noise(batch=1, space=space)))

    def sampled(x):
        return space.enter(mixed(guider(model, cfg=1.0), space.leave(x), layout))

    one, other = sampled(x), swapped(sampled(swapped(x, layout)), layout)
    assert (one - other).abs().max() > 2e-3 * one.std()


@pytest.mark.promise(FAMILY)
@pytest.mark.every_case
def test_both_limits_are_exact_on_a_grid_of_odd_sides(model, monkeypatch):
    monkeypatch.setattr(limits, "GRID", (5, 7))
    monkeypatch.setattr(limits, "LATENT", (20, 28))
    assert_limits(guider(model, cfg=1.0), batch=1)


@pytest.mark.promise("ScaleROPE, NAG, Epsilon Scaling and Temporal Score Rescaling")
def test_scaled_rope(model, weights):
    family, _ = weights
    scaled = ScaleROPE.execute(model, 0.8, 2.0, 1.2, -1.0, 1.0, 0.0).args[0]
    assert_limits(guider(scaled), atol=1e-4)
    x = noise(space=family.space)
    if family.name in STRETCHED:
        assert_matters(guider(scaled), guider(model))
    else:
        assert torch.equal(native(guider(scaled), x), native(guider(model), x))
