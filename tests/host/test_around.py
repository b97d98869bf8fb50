"""What other nodes do around the sampling of a RALU node, and in each of its stages."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import comfy.samplers
import numpy as np
import pytest
import torch
from applying import EULER, FULL, SIDE, cfg_of, custom, empty, on, quickly
from comfy.patcher_extension import WrappersMP, add_wrapper, add_wrapper_with_key
from comfy_extras.nodes_custom_sampler import SamplerCustomAdvanced

from driving import guider_for
from ralu_pack.nodes.host.apply import KIND
from ralu_pack.nodes.host.families.inspect import copy_of
from ralu_pack.nodes.host.sampling.keys import APPLIED

GENERATOR = torch.Generator().manual_seed(8)
NOISE, OTHER = torch.randn(2, 1, 16, SIDE, SIDE, generator=GENERATOR)


def noise_of(given: torch.Tensor):
    return SimpleNamespace(seed=7, generate_noise=lambda _: given)


class Varied(comfy.samplers.CFGGuider):
    """A guider that varies the noise and brightens the picture, around the host's sampling."""

    def sample(self, noise, *args, **more):
        return super().sample(noise + OTHER, *args, **more) + 1


def by_guider(model) -> torch.Tensor:
    given = guider_for(model, cfg_of(model))
    guider = Varied(model)
    guider.original_conds, guider.cfg = given.original_conds, given.cfg
    out = SamplerCustomAdvanced.execute(noise_of(NOISE), guider, EULER, FULL, empty())
    return out.args[0]["samples"]


@pytest.mark.parametrize("faster", [on, quickly])
def test_what_lies_around_a_run_is_done_once(model, faster):
    """Of the dial and of a plan of three sizes."""
    small = faster(model)
    expected = custom(small, noise=noise_of(NOISE + OTHER))[0] + 1
    torch.testing.assert_close(by_guider(small), expected, rtol=0, atol=1e-5)


def in_options(model, kind, wrapper):
    wrapped = model.clone()
    add_wrapper_with_key(kind, "its own", wrapper, wrapped.model_options, is_model_options=True)
    return wrapped


def in_model(model, kind, wrapper):
    wrapped = model.clone()
    wrapped.add_wrapper_with_key(kind, "its own", wrapper)
    return wrapped


@pytest.mark.parametrize("put", [in_options, in_model])
@pytest.mark.parametrize("is_in_front", [True, False])
def test_a_wrapper_is_told_the_levels_of_each_stage(flux, put, is_in_front):
    """As packs that forecast steps ask there, and count calls against these levels."""
    told, calls = [], []

    def asking(executor, noise, latent, sampler, sigmas, *args, **more):
        told.append(len(sigmas) - 1)
        return executor(noise, latent, sampler, sigmas, *args, **more)

    def counting(executor, *args, **more):
        calls.append(len(told))
        return executor(*args, **more)

    def wrapped(model):
        return put(put(model, KIND, asking), WrappersMP.PREDICT_NOISE, counting)

    custom(quickly(wrapped(flux)) if is_in_front else wrapped(quickly(flux)))
    assert told == [2, 2, 2] and calls == [1, 1, 2, 2, 3, 3]


def test_a_copy_of_the_model_holds_the_same_vae(flux, vae):
    """Older hosts copy options with all that they hold."""
    once = on(flux, vae=vae)
    for copied in (once.clone(), copy_of(once), copy.deepcopy(once.model_options)):
        options = getattr(copied, "model_options", copied)
        (wrapper,) = options["transformer_options"]["wrappers"][KIND][APPLIED]
        assert wrapper.vae is vae


def without_seed(model, seed=None, noise=NOISE, **more) -> torch.Tensor:
    """As a node samples that asks the guider itself."""
    sampler = comfy.samplers.sampler_object("dpmpp_sde")
    zeros = torch.zeros_like(noise)
    return guider_for(model, cfg_of(model)).sample(noise, zeros, sampler, FULL, seed=seed, **more)


@pytest.mark.parametrize("faster", [on, quickly])
def test_a_node_that_gives_no_seed_has_one_by_its_noise(flux, faster):
    """For what a sampler adds at its steps, and a plan at its crossings."""
    small = faster(flux)
    once, *others = (
        without_seed(small, noise=noise) for noise in (NOISE, NOISE.clone(), NOISE + 1e-3)
    )
    assert torch.equal(once, others[0])
    assert (once - others[1]).abs().mean() > 0.1 * once.std()
    whole = without_seed(small, 7)
    assert torch.equal(without_seed(small, np.uint64(7)), whole)
    with pytest.raises(
        ValueError, match=r"one seed, a whole number, got \(1, 2\): bypass the RALU"
    ):
        without_seed(small, (1, 2))


def test_wrappers_of_one_key_are_called_once_in_each_step(flux):
    """That of the MODEL and that of its options, as where neither has a name."""
    calls, kind = [], WrappersMP.APPLY_MODEL

    def counting(name):
        return lambda executor, *args, **more: calls.append(name) or executor(*args, **more)

    wrapped = flux.clone()
    wrapped.add_wrapper(kind, counting("its own"))
    add_wrapper(kind, counting("its options'"), wrapped.model_options, is_model_options=True)
    custom(on(wrapped), latent=empty(side=16))
    assert calls == ["its options'", "its own"] * 7


@pytest.mark.parametrize("hidden", [False, True])
def test_the_console_counts_the_steps_unless_the_sampler_hides_them(flux, capsys, caplog, hidden):
    without_seed(quickly(flux), 7, disable_pbar=hidden)
    told = capsys.readouterr().err
    last = told.rstrip().rpartition("\r")[2]
    assert ("RALU stage 3: 100%" in last and "6/6" in last) is not hidden
    assert not caplog.text  # no warning of a RALU Sampler, which alone has no callback
