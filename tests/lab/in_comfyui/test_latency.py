"""The latency bench runs every family, on its tiny network in the place of the published one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from lab.bench import benches, latency, per_token, room
from lab.bench.__main__ import main
from lab.bench.counting import Counter
from lab.bench.flops import Counters
from lab.bench.runs import Setting, published, settings
from lab.comfy import ralu_pack
from lab.models.architectures import ARCHITECTURES
from lab.models.blueprint import host_model
from lab.models.full_size import MODELS
from ralu_core.latents.views import ONE_TEXT, VIEWS

SIZE = (64, 64)
SHORT = ["--device", "cpu", "--sizes", str(SIZE[0]), "--repeats", "1", "--steps", "1"]
TEXT = 40  # tokens
WELL = dict.fromkeys(("z_image", "lumina2"), ONE_TEXT)  # as views can be corrected there
BUILT = [model for model in MODELS if not model.references]


def known(model):
    family = ralu_pack.table.family_named(model.family)
    if not family.is_known:
        pytest.skip("this ComfyUI has no such model")
    return family


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, id=model.key, marks=() if model is published()[0] else pytest.mark.slow)
        for model in published()
    ],
)
def test_the_command_measures_a_family(model, tmp_path) -> None:
    family = known(model)
    main(["latency", *SHORT, "--models", model.key, "--out", str(tmp_path)])
    figures = json.loads((tmp_path / f"latency-{model.key}.json").read_text())
    plain, recommended, *dialled = figures["timings"]
    assert plain["preset"] is None and plain["counted"] == 1
    assert recommended["preset"] == model.preset and recommended["counted"] < 1  # one plain step
    dial = [] if model.is_distilled else list(ralu_pack.dials.dial_for(family.cfg).values())
    assert [one["preset"] for one in dialled] == dial
    for one in figures["timings"]:
        assert sum(one["sections"].values()) == pytest.approx(one["seconds"][0], rel=0.1)
        assert 0 < one["outside_share"] < 1
    stages = {"plain", *(f"stage {number}" for number in (1, 2, 3))}
    assert {one["stage"] for one in figures["waits"]} == stages
    table = (tmp_path / f"latency-{model.key}.md").read_text()
    assert f"| RALU {model.preset}" in table and f"| stage 2 of RALU {model.preset}" in table
    assert table.count("torch finds no CUDA device here, so") == 1


@pytest.mark.parametrize("model", published(), ids=lambda model: model.key)
def test_every_family_has_its_time_per_token_and_its_plans(model) -> None:
    family = known(model)
    subject = room.build_tiny(replace(model, text_tokens=TEXT))
    plain, mixed, *corrected, _ = found = per_token.measure(subject, [model.preset], *SIZE, 1)
    assert plain.tokens > mixed.tokens and all(min(one.seconds) > 0 for one in found)
    assert len(per_token.verdicts(found)) == 1 + len(corrected)
    assert [one.run for one in corrected] == (
        [] if family.name == "ernie" else [f"{mixed.run}, {WELL.get(family.name, VIEWS)}"]
    )
    draft = settings(subject.model, [model.preset])[-1]
    assert torch.isfinite(draft.run(subject, *SIZE)).all()


def test_there_is_one_model_of_each_family() -> None:
    assert {model.family for model in published()} == {f.name for f in ralu_pack.table.FAMILIES}
    assert [model.name for model in published()][:2] == ["FLUX.1-dev", "SD3 Medium"]


@pytest.mark.parametrize("model", BUILT, ids=lambda model: model.key)
def test_the_host_takes_a_full_size_network_for_its_family_s(model) -> None:
    family = known(model)
    made = host_model(model, "meta", torch.bfloat16)
    network = made.diffusion_model
    assert family.matches(made, network)
    if model in published():
        assert family.size(network) == family.full


def test_a_run_s_flops_are_those_of_its_network_on_the_meta_device() -> None:
    architecture = ARCHITECTURES["mid"]
    subject = room.build(architecture.blueprint, torch.device("cpu"))
    setting = Setting("one step", steps=1)
    whole, decode = latency.counted(subject, setting, *SIZE), Counter()
    with torch.inference_mode(), decode:
        subject.vae.decode(subject.empty_latent(*SIZE))
    wanted = Counters().count("mid", setting, architecture.text_tokens, *SIZE).model
    assert whole - decode.count.total == pytest.approx(wanted.total, rel=1e-6)


def test_a_model_that_cannot_be_measured_does_not_stop_the_others(tmp_path, monkeypatch) -> None:
    measured = []

    def build(model, *_):
        if model.key == "flux.1-dev":
            raise ValueError("there is no room")
        return model

    monkeypatch.setattr(benches, "_latency_of", lambda _, model, *__: measured.append(model.key))
    monkeypatch.setattr(room, "build_with_room", build)
    keys = ["flux.1-dev", "sd3-medium"]
    main(["latency", "--device", "cpu", "--models", *keys, "--out", str(tmp_path)])
    assert measured == ["sd3-medium"]
    assert "Left out: there is no room" in (tmp_path / "latency-flux.1-dev.md").read_text()
