"""Whatever goes wrong in a run leaves nothing behind: the next run gives the same bytes."""

from __future__ import annotations

import comfy.model_management
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from interrupting import at_call, traces
from limits import guider

from driving import quick_schedule, sample
from lab.models import tiny
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced

STAGES = {1: 0, 2: 2, 3: 4}  # the model call that begins each stage of the quick schedule
Interrupted = comfy.model_management.InterruptProcessingException
OutOfMemory = comfy.model_management.OOM_EXCEPTION


def fail(error: BaseException):
    def act():
        raise error

    return act


@pytest.mark.promise("Interrupts, out-of-memory and other errors in any stage")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "error", [OutOfMemory("out of memory"), Interrupted(), RuntimeError("broken")], ids=repr
)
def test_error_in_the_model(model, vae, stage, error):
    undisturbed, before = sample(model, vae), traces(model)
    for call in (STAGES[stage], STAGES[stage] + 1):
        with at_call(model, call, fail(error)) as calls, pytest.raises(type(error)):
            sample(model, vae)
        assert len(calls) == call + 1
        assert traces(model) == before
    assert torch.equal(undisturbed, sample(model, vae))


@pytest.mark.promise("Interrupts, out-of-memory and other errors in any stage")
@pytest.mark.parametrize("call", [1, 3, 5])
def test_interrupt_button_during_a_stage(model, vae, call):
    """The button only sets a flag; the run stops within the step and resets it."""
    undisturbed, before = sample(model, vae), traces(model)
    press = comfy.model_management.interrupt_current_processing
    with at_call(model, call, press) as calls, pytest.raises(Interrupted):
        sample(model, vae)
    assert len(calls) <= call + 2
    assert not comfy.model_management.processing_interrupted()
    assert traces(model) == before
    assert torch.equal(undisturbed, sample(model, vae))


@pytest.mark.promise("Interrupts, out-of-memory and other errors in any stage")
@pytest.mark.parametrize(
    "error", [OutOfMemory("out of memory"), Interrupted(), RuntimeError("broken")], ids=repr
)
def test_error_in_the_decode(model, vae, error, monkeypatch):
    undisturbed, before = sample(model, vae), traces(model)
    with monkeypatch.context() as patched:
        patched.setattr(vae, "decode", lambda *_: fail(error)())
        with pytest.raises(type(error)):
            sample(model, vae)
    assert traces(model) == before
    assert torch.equal(undisturbed, sample(model, vae))


@pytest.mark.promise("Interrupts, out-of-memory and other errors in any stage")
def test_interrupt_button_during_the_decode(model, vae, monkeypatch):
    """The host's decode does not look at the button; stage 2 must not begin after it."""
    undisturbed, decode = sample(model, vae), vae.decode

    def pressed(*args):
        comfy.model_management.interrupt_current_processing()
        return decode(*args)

    with monkeypatch.context() as patched:
        patched.setattr(vae, "decode", pressed)
        with at_call(model, 99, fail(AssertionError())) as calls, pytest.raises(Interrupted):
            sample(model, vae)
    assert len(calls) == 2 and not comfy.model_management.processing_interrupted()
    assert torch.equal(undisturbed, sample(model, vae))


@pytest.mark.promise("Interrupts, out-of-memory and other errors in any stage")
def test_the_vae_itself_fails(flux, vae, monkeypatch):
    undisturbed = sample(flux, vae)
    with monkeypatch.context() as patched:
        patched.setattr(vae.first_stage_model, "decode", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sample(flux, vae)
    assert torch.equal(undisturbed, sample(flux, vae))


@pytest.mark.promise("Interrupts, out-of-memory and other errors in any stage")
def test_a_vae_short_of_memory_decodes_in_tiles(flux, vae, monkeypatch):
    """As in VAE Decode; TAESD sees few pixels around each, so that its tiles are the picture."""
    undisturbed, network = sample(flux, vae), vae.first_stage_model
    decode, sizes = network.decode, []

    def short_of_memory(latent, *args, **kwargs):
        sizes.append(tuple(latent.shape[-2:]))
        if len(sizes) == 1:
            raise OutOfMemory("out of memory")
        return decode(latent, *args, **kwargs)

    monkeypatch.setattr(network, "decode", short_of_memory)
    assert torch.equal(undisturbed, sample(flux, vae))
    assert len(sizes) > 1


@pytest.mark.parametrize("vae_returns", ["numbers", "size"])
def test_a_vae_that_decodes_to_something_else(flux, vae, monkeypatch, vae_returns):
    decode = vae.decode
    wrong = {
        "numbers": lambda *a: decode(*a) * float("nan"),
        "size": lambda *a: decode(*a)[:, :-3],
    }
    monkeypatch.setattr(vae, "decode", wrong[vae_returns])
    if vae_returns == "size":
        with pytest.raises(ValueError, match="does not split into"):
            sample(flux, vae)
    else:
        with pytest.raises(ValueError, match="VAE returned values that are not numbers"):
            sample(flux, vae)


@pytest.mark.promise("A model that returns NaN")
@pytest.mark.parametrize("stage", STAGES)
def test_model_that_returns_no_numbers(model, vae, stage):
    undisturbed, before = sample(model, vae), traces(model)
    calls = []

    def spoil(_module, _args, out):
        calls.append(None)
        return out * float("nan") if len(calls) == STAGES[stage] + 2 else out

    handle = model.model.diffusion_model.register_forward_hook(spoil)
    try:
        with pytest.raises(ValueError, match=f"not numbers in stage {stage}: set its weight"):
            sample(model, vae)
    finally:
        handle.remove()
    assert len(calls) == STAGES[stage] + 2 and traces(model) == before
    assert torch.equal(undisturbed, sample(model, vae))


@pytest.mark.promise("Conditioning of another model")
def test_text_of_another_model(model, vae):
    foreign = [[torch.zeros(1, 8, 48), {"pooled_output": torch.zeros(1, 32)}]]
    with at_call(model, 0, fail(AssertionError())) as calls:
        with pytest.raises(ValueError, match=r"of width 64, and the positive .* 48:"):
            sample(model, vae, positive=foreign)
    assert calls == []


def test_errors_leave_the_callers_guider_alone(flux, vae):
    made = guider(flux, tiny.with_values(tiny.conditioning(5), start_percent=0.0, end_percent=0.9))
    before = {**made.__dict__}
    wires = {
        "noise": Noise_RandomNoise(7),
        "guider": made,
        "sampler": comfy.samplers.sampler_object("euler"),
        "latent_image": {"samples": torch.zeros(1, 16, 32, 32)},
        "denoise": 1.0,
        "vae": vae,
        "schedule": quick_schedule(),
    }
    undisturbed = SamplerAdvanced.execute(**wires).args[0]["samples"]
    for call in (0, 2, 5):
        with at_call(flux, call, fail(OutOfMemory("out of memory"))), pytest.raises(OutOfMemory):
            SamplerAdvanced.execute(**wires)
    assert {**made.__dict__} == before
    assert torch.equal(undisturbed, SamplerAdvanced.execute(**wires).args[0]["samples"])


@pytest.mark.promise("Two RALU samplers in one graph (hires fix)")
def test_hires_fix(model, vae):
    """The second sampler of a graph does what it would do alone, whatever the first one left."""
    first = sample(model, vae, size=(128, 192), seed=1)
    larger = {"samples": torch.nn.functional.interpolate(first, scale_factor=2, mode="bilinear")}
    second = sample(model, vae, latent=larger, denoise=0.9, seed=2)
    assert second.shape == (1, 16, 32, 48)
    fresh = tiny.load_model(
        tiny.flux_weights(seed=1) if type(model.model).__name__ == "Flux" else tiny.sd3_weights(2)
    )
    assert torch.equal(second, sample(fresh, vae, latent=larger, denoise=0.9, seed=2))
    assert torch.equal(first, sample(fresh, vae, size=(128, 192), seed=1))
