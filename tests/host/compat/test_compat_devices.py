"""Several GPUs: what their threads share holds nothing that a call changes."""

from __future__ import annotations

import threading

import comfy.model_patcher
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from controls import applied, controlnet
from limits import guider, mixed, noise, scattered

from driving import Calls, family, mixed_call
from lab.models import tiny
from ralu_pack.nodes.host.sampling.mixed_call import MixedCall
from ralu_pack.ralu_core.latents.layout import Layout


@pytest.fixture
def twin(request, model):
    """The same model again, with a network of its own."""
    return tiny.load_model(request.getfixturevalue(f"{family(model).lower()}_weights"))


@pytest.mark.promise("Several GPUs (ComfyUI 0.30's copies of a model)")
def test_a_mixed_call_holds_nothing_that_a_call_changes(model, twin):
    """Two threads, each with a network of its own, share one MixedCall and one layout."""
    layouts = [scattered(), uneven()]
    for layout in layouts:
        call = mixed_call(model, layout)
        copies = [model.model, twin.model]
        states = [noise(seed) for seed in (70, 71)]
        alone = [apply(base, call, x).clone() for base, x in zip(copies, states, strict=True)]
        before = {**call.__dict__}
        out: dict[int, list] = {0: [], 1: []}
        start = threading.Barrier(2)

        def work(i, call=call, copies=copies, states=states, out=out, start=start):
            with torch.no_grad():
                for _ in range(6):
                    start.wait()
                    out[i].append(apply(copies[i], call, states[i]))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(2):
            assert len(out[i]) == 6 and all(torch.equal(alone[i], one) for one in out[i])
        assert call.__dict__ == before


def uneven() -> Layout:
    fine = scattered().fine.clone()
    fine[1, 0] = True
    return Layout(fine)


def apply(base, call: MixedCall, x: torch.Tensor) -> torch.Tensor:
    conditioning = tiny.conditioning(5, batch=2)
    options = {"wrappers": {WrappersMP.APPLY_MODEL: {"ralu": [call]}}}
    kwargs = {"guidance": torch.full((2,), 3.5)} if type(base).__name__ == "Flux" else {}
    return base.apply_model(
        x,
        torch.full((2,), 0.8),
        c_crossattn=conditioning[0][0],
        y=conditioning[0][1]["pooled_output"],
        transformer_options=options,
        **kwargs,
    )


def two_devices(model, twin):
    """The MODEL with a copy on a second device, through the host's own machinery."""
    second = torch.device("cpu", 0)  # to the host another device than "cpu", to torch the same
    clone = model.clone(model_override=(twin.model, ({}, {}, {}, set())))
    clone.hook_backup, clone.load_device = {}, second
    clone.is_multigpu_base_clone = True
    both = model.clone()
    both.set_additional_models("multigpu", [clone])
    both.match_multigpu_clones()
    return both, clone


NEWER = hasattr(comfy.model_patcher.ModelPatcher, "match_multigpu_clones")


@pytest.mark.promise("Several GPUs (ComfyUI 0.30's copies of a model)")
@pytest.mark.skipif(not NEWER, reason="ComfyUI 0.3.75 runs a model on one GPU")
@pytest.mark.parametrize("control", [False, True], ids=["plain", "ControlNet"])
def test_guidance_split_over_two_devices(model, twin, vae, control, monkeypatch):
    monkeypatch.setattr(comfy.model_management, "set_torch_device", lambda device: None)
    kind = "flux instantx" if family(model) == "Flux" else "sd3"
    conds = applied(controlnet(model, kind), vae) if control else (None, None)
    single = guider(model, *conds)
    both, clone = two_devices(model, twin)
    calls = [Calls(model), Calls(clone)]
    split = guider(both, *conds)
    one, other = (mixed(g, noise(), scattered()) for g in (single, split))
    torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    assert len(calls[1].tokens) == 3 and len(calls[0].tokens) == 3 + 3
    assert "process_img" not in clone.model.diffusion_model.__dict__
