"""The bench counts what the paper counted, and its instruments see every part of a run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from lab.bench import overhead, per_token, room, syncs
from lab.bench.__main__ import main
from lab.bench.clock import MODEL, SAMPLING, Clock, export_trace, instrumented
from lab.bench.counting import MetaNetwork, counted
from lab.bench.flops import Counters, predicted
from lab.bench.paper import ROWS
from lab.bench.runs import Setting, preset_names, ralu
from lab.bench.text_encoders import host_tokens
from lab.comfy import ralu_pack
from lab.models.architectures import ARCHITECTURES
from lab.models.blueprint import build
from lab.models.full_size import MODELS
from lab.models.vaes import random_vae
from ralu_core.latents.views import ONE_TEXT, VIEWS, view_named

PAPER = 0.001  # largest relative deviation from the paper's rows
CLOSED_FORM = 0.002  # what the pack predicts leaves out layers outside the blocks
CPU = torch.device("cpu")
FAMILIES = ralu_pack.table.FAMILIES


@pytest.fixture(scope="module")
def counters() -> Counters:
    return Counters()


@pytest.fixture(scope="module")
def small():
    return room.build_tiny(MODELS[0])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_paper_s_rows_come_out(counters, row) -> None:
    run = counters.paper_row(row)
    assert run.paper / 1e12 == pytest.approx(row.published, rel=PAPER)


@pytest.mark.parametrize("key", ["flux-dev", "sd3-medium", "sd3.5-large"])
def test_attention_is_all_of_it_and_nothing_else(counters, key) -> None:
    architecture = ARCHITECTURES[key]
    text = host_tokens(architecture.family)
    run = counters.count(key, Setting("one step", steps=1), text, 512, 512)
    (call,) = run.calls
    closed = 4 * architecture.blocks * architecture.width * (call.tokens + text) ** 2
    assert call.tokens == 1024 and call.rows == (2 if architecture.cfg > 1 else 1)
    assert call.count.attention / call.rows == pytest.approx(closed, rel=1e-5)


@pytest.mark.parametrize("size", [(1024, 1024), (1920, 1080)])
@pytest.mark.parametrize(
    ("key", "preset"),
    [("flux-dev", "FLUX 7x"), ("sd3-medium", "SD3 2x"), ("sd3.5-large", "SD3 3x")],
)
def test_the_speed_up_shown_to_users_is_the_counted_one(counters, key, preset, size) -> None:
    text = host_tokens(ARCHITECTURES[key].family)
    setting = Setting(preset, preset=preset)
    plain = counters.count(key, Setting("plain", steps=ARCHITECTURES[key].steps), text, *size)
    run = counters.count(key, setting, text, *size)
    shown = predicted(counters, key, setting, text, *size)
    assert plain.model.total / run.model.total == pytest.approx(shown, rel=CLOSED_FORM)


@pytest.mark.parametrize("views", [VIEWS, ONE_TEXT])
@pytest.mark.parametrize("key", ["flux-dev", "sd3-medium"])
def test_views_cost_what_is_predicted(counters, key, views) -> None:
    subject = counters.subject(key, host_tokens(ARCHITECTURES[key].family))
    setting = Setting("RALU", preset="FLUX 5x" if key == "flux-dev" else "SD3 2x")
    cost, plan = ARCHITECTURES[key].cost, setting.plan(subject, 1024, 1024).seeing(views)
    calls = subject.patcher.model.diffusion_model.calls
    calls.clear()
    ralu(subject, plan, 1024, 1024)
    prompts = 2 if ARCHITECTURES[key].cfg > 1 else 1
    total = sum(call.count.total for call in calls)
    assert total / prompts == pytest.approx(cost.plan_flops(plan, 64, 64), rel=0.005)
    (mixed,) = {call.count.attention / call.rows for call in calls[plan.steps[0] : -plan.steps[2]]}
    tokens = plan.tokens(64, 64)[1]
    whole = cost.mixed_flops(tokens, 1024, view_named(views))
    linear = replace(cost, linear=0).mixed_flops(tokens, 1024, view_named(views))
    assert mixed == pytest.approx(linear, rel=1e-5) and mixed < whole


def test_sampled_tokens_are_those_of_the_plan(counters) -> None:
    setting = Setting("7x", preset="FLUX 7x")
    plan = setting.plan(counters.subject("flux-dev", 256), 1024, 1024)
    run = counters.count("flux-dev", setting, 256, 1024, 1024)
    expected = [
        count
        for steps, count in zip(plan.steps, plan.tokens(64, 64), strict=True)
        for _ in range(steps)
    ]
    assert [call.tokens for call in run.calls] == expected
    assert len(run.decodes) == 2


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_text_lengths_are_those_the_pack_assumes(key) -> None:
    architecture = ARCHITECTURES[key]
    family = ralu_pack.table.family_named(architecture.family)
    assert host_tokens(family.name) == family.text_tokens == architecture.text_tokens


def test_what_the_paper_counts_is_of_the_published_size() -> None:
    for family in FAMILIES[:2]:
        costs = [one.cost for one in ARCHITECTURES.values() if one.family == family.name]
        assert vars(family.cost(family.full)) in [vars(cost) for cost in costs]


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("flux-dev", ["FLUX 5x", "FLUX 7x", "FLUX 4x (released code)"]),
        ("flux-schnell", ["4-step distilled"]),
        ("sd3.5-large", ["SD3 2x", "SD3 3x"]),
        ("sd3.5-large-turbo", ["4-step distilled"]),
    ],
)
def test_presets_are_those_of_the_family(key, names) -> None:
    assert preset_names(ARCHITECTURES[key].blueprint) == names


@pytest.mark.parametrize("key", ["mid", "sd3-medium"])
def test_remembered_blocks_count_like_all_blocks(key) -> None:
    architecture = ARCHITECTURES[key]

    def call(network):
        x = torch.zeros(1, 16, 32, 32, dtype=torch.bfloat16, device="meta")
        t = torch.zeros(1, dtype=torch.bfloat16, device="meta")
        text = torch.zeros(1, 40, architecture.context, dtype=torch.bfloat16, device="meta")
        pooled = torch.zeros(1, architecture.pooled, dtype=torch.bfloat16, device="meta")
        return network(x, t, context=text, y=pooled, guidance=t)

    _, every_block = counted(call, with_plain_attention(build(architecture.blueprint)))
    remembering = MetaNetwork(build(architecture.blueprint))
    call(remembering)
    assert remembering.calls[0].count == every_block


def with_plain_attention(network):
    from comfy.ldm.modules.attention import attention_pytorch

    def call(*args, **kwargs):
        options = {"optimized_attention_override": lambda _, *a, **k: attention_pytorch(*a, **k)}
        return network(*args, transformer_options=options, **kwargs)

    return call


def test_sections_add_up_to_the_run_and_leave_nothing_patched(small) -> None:
    clock = Clock(CPU)
    network = small.patcher.model.diffusion_model
    with instrumented(small, clock), clock.section("node"):
        Setting("7x", preset="FLUX 7x").run(small, 128, 128)
    totals = clock.totals()
    whole = clock._sections[0].end - clock._sections[0].start
    assert sum(totals.values()) == pytest.approx(whole, rel=1e-6)
    own = {"noise", "edges", "crossing", "packing", "stage 1", "stage 2", "stage 3", *MODEL}
    assert own < set(totals) and min(totals.values()) > 0
    assert "forward" not in vars(network) and "decode" not in vars(small.vae)


def test_random_weights_decode_to_a_picture_with_edges() -> None:
    vae = random_vae(FAMILIES[0].space, CPU)
    latent = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        picture = vae.decode(latent)
    assert picture.shape == (1, 64, 64, 3) and torch.isfinite(picture).all()
    assert picture.std() > 0.1


def test_steps_of_the_dial_are_not_counted_as_the_host_s(small) -> None:
    clock = Clock(CPU)
    setting = Setting("draft", preset=ralu_pack.dials.CONDITIONED["draft"])
    overhead.timed_sections(small, setting, 128, clock)
    steps = ralu_pack.dials.STEPS["draft"]
    # Its SAMPLER, and the watch over each call of the model, which is the host's again.
    assert len(clock.visits("steps")) == 1 + steps
    assert len(clock.visits(SAMPLING, within="steps")) == steps
    assert all(seconds > 0 for seconds in clock.visits("steps"))


def test_sizes_without_room_on_the_device_are_refused(small) -> None:
    room.check_memory(small, [(1024, 1024)], free=10**11)
    with pytest.raises(ValueError, match=r"at 2048x2048 needs .* beside its weights, and 5\.0 GB"):
        room.check_memory(small, [(512, 512), (2048, 2048)], free=5 * 10**9)


def test_shares_leave_to_the_gpu_what_grows_with_the_picture() -> None:
    pack, host = {"edges": 0.002, "packing": 0.004, "noise": 0.003}, {"host call": 0.01}
    fixed = {"edges": 0.001, "packing": 0.001, "noise": 0.001, "host call": 0.002}
    run = overhead.Outside(pack, host, fixed, flops=1e12)
    assert run.share(1.0) == pytest.approx(100 * 0.009 / 1.009)
    assert run.share(1.0, host=True) == pytest.approx(100 * 0.019 / 1.019)
    beside = run.beside_gpu()
    assert beside.pack == {"edges": 0.002, "packing": 0.001}
    assert beside.host == {"host call": 0.002} and beside.flops == run.flops


def test_time_per_token_is_that_of_the_passes_of_stage_2(small) -> None:
    found = per_token.measure(small, ["FLUX 5x", "FLUX 7x"], 256, 256, repeats=3)
    plain, *staged = found
    assert plain.tokens == 256 and [one.tokens for one in staged] == [100, 100, 100, 82, 82, 80]
    assert [one.run for one in staged[:2]] == ["stage 2 of RALU FLUX 5x", f"{staged[0].run}, views"]
    assert all(len(one.seconds) == 3 * per_token.STEPS for one in found)
    assert all(min(one.seconds) > 0 for one in found)
    rows = per_token.table(found).splitlines()
    bare = [row.split("|")[6].strip() == "" for row in rows[2:]]
    assert bare == [True, False, False, True, False, False, True]
    assert len(per_token.verdicts(found)) == 4


def test_a_smaller_picture_has_about_as_many_tokens() -> None:
    for tokens in (1330, 1636, 1945, 5323, 6553, 7780, 85, 1):
        rows, columns = per_token.side_of(tokens)
        assert rows % 2 == columns % 2 == 0 and rows * columns == pytest.approx(
            tokens, rel=0.06, abs=4
        )


def test_a_mixed_step_waits_no_more_often_than_a_plain_one(small) -> None:
    waits = {one.stage: one for one in syncs.count_waits(small, "FLUX 7x", 128, 128)}
    assert waits["plain"].once > 0  # the instrument sees what the host itself does
    assert waits["stage 2"].per_step <= waits["plain"].per_step


def test_the_trace_shows_the_parts_of_a_run(small, tmp_path) -> None:
    out = tmp_path / "traces" / "trace.json"
    export_trace(small, "FLUX 7x", 128, 128, out)
    names = [event.get("name") for event in json.loads(out.read_text())["traceEvents"]]
    assert names.count("forward") == 10 and names.count("packing") == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_said() -> None:
    with pytest.raises(ValueError, match="finds no CUDA device here"):
        main(["latency", "--device", "cuda"])
