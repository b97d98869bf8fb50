"""Every workflow file, through the HTTP interface of a real server, on small real models."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops
from workflow_bench import (
    BOX,
    HEIGHT,
    LOGGED,
    NAMES,
    WIDTH,
    announced,
    latent_of,
    skip_if_newer,
    skipping,
    small,
    stages,
    with_latent,
)

from lab.comfy import workflow
from lab.comfy.client import PromptInterrupted, Watch
from lab.comfy.watched import Bench, Run
from lab.models.stand_ins import STAND_INS
from lab.showcase.authoring.recipes import RECIPES
from ralu_core.forecast import is_computed

pytest_plugins = ["workflow_server"]

OF_MANY = (7, " 20 plain steps of", "second order 7")
OF_FEW = (3, " 4 plain steps of", "plan: plain, 3 of 4 steps as for a distilled model")
DIALLED = {
    "begin_here_flux_dev": OF_MANY,
    "flux_dev_in_front": OF_MANY,
    "flux_schnell_4_steps": OF_FEW,
    "sd3.5_large_turbo_4_steps": OF_FEW,
}
OWN_TESTS = {
    *DIALLED,
    "edge_mask_preview",
    "flux_dev_compare_slider",
    "flux_dev_inpaint",
    "flux_dev_taylorseer",
    "flux_dev_two_pass",
    *RECIPES,  # see test_workflow_recipes.py
}
SAMPLING = sorted(set(NAMES) - OWN_TESTS)
PLAIN_STEPS = 50, 9  # of the comparison


@pytest.mark.parametrize("name", SAMPLING)
def test_runs_as_the_schedule_announces(bench, name):
    prompt = small(bench, name)
    run = bench.run(prompt)
    plan = announced(prompt, run)
    assert len(plan) == 3 and len({tokens for _, tokens in plan}) == 3
    skips = skipping(prompt)
    expected = [
        tokens for steps, tokens in plan for step in range(steps) if is_computed(step, *skips)
    ]
    if name == "flux_dev_compare":
        expected += sum(PLAIN_STEPS) * [plan[-1][1]]
        assert sorted(call.tokens for call in run.calls) == sorted(expected)
    else:
        assert [call.tokens for call in run.calls] == expected
    (line,) = run.reports
    assert stages(LOGGED, line) == plan
    guided = any(entry["inputs"].get("cfg", 1) > 1 for entry in prompt.values())
    assert {call.pictures for call in run.calls} == {2 if guided else 1}
    for node in workflow.nodes_of(prompt, "SaveImage"):
        times = 2 if name == "flux_dev_compare" else 1  # two by two pictures as one
        assert size_of(bench, run, node) == (times * WIDTH, times * HEIGHT)


def size_of(bench: Bench, run: Run, node: str) -> tuple[int, int]:
    return shown(bench, run, node).size


def shown(bench: Bench, run: Run, node: str) -> Image.Image:
    return Image.open(io.BytesIO(bench.picture(run, node)))


def difference(one: Image.Image, other: Image.Image) -> int:
    """The largest of any pixel, of 255."""
    return max(ImageChops.difference(one, other).tobytes())


def test_lora_and_controlnet_steer(bench):
    """Each changes what is sampled; core's own loader reads the LoRA."""

    def sample(number: int, lora: float, control: float) -> bytes:
        prompt = with_latent(small(bench, "flux_dev_controlnet_lora", number))
        for kind, name, strength in (
            ("LoraLoaderModelOnly", "strength_model", lora),
            ("ControlNetApplyAdvanced", "strength", control),
        ):
            prompt[workflow.nodes_of(prompt, kind)[0]]["inputs"][name] = strength
        return latent_of(bench, bench.run(prompt))

    assert len({sample(1, 0.8, 0.7), sample(2, 0.0, 0.7), sample(3, 0.8, 0.0)}) == 3


def test_advanced_samples_what_the_simple_one_does(bench):
    simple = bench.run(with_latent(small(bench, "flux_dev_5x", number=3)))
    advanced = with_latent(small(bench, "flux_dev_advanced", number=3), "RALU_SamplerAdvanced")
    assert latent_of(bench, bench.run(advanced)) == latent_of(bench, simple)


def test_inpainting_grows_the_painted_part_early_and_leaves_the_rest(bench):
    def sample(seed: int) -> tuple[workflow.Prompt, Run, Image.Image]:
        prompt = small(bench, "flux_dev_inpaint", number=seed)
        prompt[workflow.nodes_of(prompt, "RALU_Sampler")[0]]["inputs"]["seed"] = seed
        run = bench.run(prompt)
        return prompt, run, shown(bench, run, workflow.titled(prompt, "Picture")).convert("RGB")

    prompt, run, picture = sample(1)
    mask = shown(bench, run, workflow.titled(prompt, "Early regions (white)")).convert("L")
    assert picture.size == mask.size == (WIDTH, HEIGHT)
    left, upper, right, lower = (place * WIDTH // 320 for place in BOX)
    box = left, upper, right, lower
    assert mask.crop(box).getextrema() == (255, 255)
    plan = announced(prompt, run)
    forced = (right - left) * (lower - upper) // 32**2
    plan[1] = plan[1][0], plan[1][1] + 3 * forced
    assert [call.tokens for call in run.calls] == [t for steps, t in plan for _ in range(steps)]
    _, _, other = sample(2)
    kept = (WIDTH // 2 + 64, 0, WIDTH, HEIGHT)
    assert difference(picture.crop(kept), other.crop(kept)) <= 1
    assert difference(picture.crop(box), other.crop(box)) > 50


def test_second_pass_runs_the_full_size_steps_that_its_title_says(bench):
    prompt = small(bench, "flux_dev_two_pass")
    run = bench.run(prompt)
    saved = workflow.read_workflow("flux_dev_two_pass")
    (title,) = (g["title"] for g in saved["groups"] if g["title"].startswith("Second pass"))
    plan = announced(prompt, run)
    plan.append((int(title.split()[2]), WIDTH * HEIGHT * 9 // 4 // 16**2))
    assert [call.tokens for call in run.calls] == [t for steps, t in plan for _ in range(steps)]
    assert [stage for line in run.reports for stage in stages(LOGGED, line)] == plan
    first, second = (workflow.titled(prompt, name) for name in ("First pass picture", "Picture"))
    assert size_of(bench, run, first) == (WIDTH, HEIGHT)
    assert size_of(bench, run, second) == (WIDTH * 3 // 2, HEIGHT * 3 // 2)


def test_plain_sampling_skips_steps(bench):
    prompt = small(bench, "flux_dev_taylorseer")
    run = bench.run(prompt)
    computed = [step for step in range(PLAIN_STEPS[0]) if is_computed(step, *skipping(prompt))]
    assert 2 * len(computed) < PLAIN_STEPS[0]
    assert [call.tokens for call in run.calls] == [WIDTH * HEIGHT // 16**2] * len(computed)
    picture = bench.picture(run, workflow.titled(prompt, "Picture"))
    assert Image.open(io.BytesIO(picture)).size == (WIDTH, HEIGHT)
    assert_told(prompt, run, "KSampler", [f"{len(computed)} of {PLAIN_STEPS[0]} network calls"])


def test_skips_in_stages_are_told_on_the_node(bench):
    prompt = small(bench, "flux_dev_5x_taylorseer", number=7)
    run = bench.run(prompt)
    told = [
        f"{sum(is_computed(step, *skipping(prompt)) for step in range(steps))} of {steps} network"
        for steps, _ in announced(prompt, run)
    ]
    assert_told(prompt, run, "RALU_Sampler", told)
    (accelerated,) = workflow.nodes_of(prompt, "RALU_TemporalAcceleration")
    prompt[accelerated]["inputs"]["interval"] = 1
    assert [line["text"] for line in bench.run(prompt).lines] == ["", "", ""]


def assert_told(prompt, run: Run, sampler: str, told: list[str]) -> None:
    """One line on the acceleration's node for each sampling call."""
    (node,), (by,) = (
        workflow.nodes_of(prompt, kind) for kind in ("RALU_TemporalAcceleration", sampler)
    )
    assert [(line["node"], line["by"]) for line in run.lines] == [(node, by)] * len(told)
    for line, expected in zip(run.lines, told, strict=True):
        assert line["text"].startswith("TaylorSeer: " + expected)


@pytest.mark.parametrize("name", DIALLED)
def test_the_dial_runs_the_steps_that_the_note_tells(bench, name):
    steps, *told = DIALLED[name]
    prompt = small(bench, name, list(DIALLED).index(name))
    run = bench.run(prompt)
    (node,) = workflow.nodes_of(prompt, "SaveImage")
    assert [call.tokens for call in run.calls] == [WIDTH * HEIGHT // 16**2] * steps
    (line,) = run.reports
    assert all(words in line for words in told)
    assert size_of(bench, run, node) == (WIDTH, HEIGHT)


def test_the_slider_gets_a_plain_picture_and_ralus(bench):
    skip_if_newer(bench, "flux_dev_compare_slider")
    prompt = small(bench, "flux_dev_compare_slider")
    run = bench.run(prompt)
    assert [call.tokens for call in run.calls] == [WIDTH * HEIGHT // 16**2] * (20 + 7)
    (line,) = run.reports
    assert "20 plain steps of" in line
    (slider,) = workflow.nodes_of(prompt, "ImageCompare")
    plain, ralu = (
        Image.open(io.BytesIO(bench.client.view(**run.outputs[slider][f"{side}_images"][0])))
        for side in "ab"
    )
    assert plain.size == ralu.size == (WIDTH, HEIGHT) and difference(plain, ralu) > 5
    assert difference(plain, shown(bench, run, workflow.titled(prompt, "Plain"))) == 0


def test_full_grid_has_a_token_for_every_16_pixels(bench):
    run = bench.run(small(bench, "flux_dev_7x", number=1))
    assert run.calls[0].tokens == WIDTH * HEIGHT // 32**2
    assert run.calls[-1].tokens == WIDTH * HEIGHT // 16**2


def test_edge_mask_preview_runs_without_a_model(bench):
    prompt = workflow.to_prompt(workflow.read_workflow("edge_mask_preview"), bench.object_info)
    run = bench.run(prompt)
    assert not run.calls
    shown = Image.open(io.BytesIO(bench.picture(run, workflow.titled(prompt, "Overlay"))))
    assert shown.size == (256, 256)
    mask = bench.picture(run, workflow.titled(prompt, "Early regions (white)"))
    white = sum(Image.open(io.BytesIO(mask)).convert("L").histogram()[255:])
    assert white == int(0.3 * 64) * 32 * 32


def test_every_stand_in_is_used():
    loaded = {
        file["name"]
        for name in NAMES
        for node in workflow.read_workflow(name)["nodes"]
        for file in node["properties"].get("models", [])
    }
    assert loaded >= STAND_INS.keys()


@pytest.mark.parametrize(("name", "steps"), [("flux_dev_5x", 15), ("sd3_medium_3x", 12)])
def test_one_progress_bar(bench, name, steps):
    prompt = small(bench, name, number=2)
    (sampler,) = workflow.nodes_of(prompt, "RALU_Sampler")
    watch = bench.run(prompt).watch
    bar = [p for p in watch.progress if p.node == sampler]
    values = [p.value for p in bar]
    assert {p.maximum for p in bar} == {1000}
    assert values == sorted(values) and len(set(values)) == steps and values[-1] == 1000
    assert len(watch.previews) >= steps


@pytest.mark.parametrize("name", ["flux_dev_5x", "sd3_medium_3x"])
def test_same_seed_same_bytes_and_plain_sampling_is_left_alone(bench, name):
    def sample(number: int) -> bytes:
        return latent_of(bench, bench.run(with_latent(small(bench, name, number))))

    def sample_plain(number: int) -> bytes:
        prompt = workflow.as_plain(small(bench, name, number), steps=6)
        return latent_of(bench, bench.run(with_latent(prompt, "KSampler")))

    before, first, second, after = sample_plain(10), sample(11), sample(12), sample_plain(13)
    assert first == second
    assert before == after
    assert before != first


@pytest.fixture(scope="module")
def uninterrupted(bench) -> bytes:
    return latent_of(bench, bench.run(with_latent(large(bench, number=20))))


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6], ids=["stage 1", "stage 2", "stage 3"])
def test_interrupted_run_leaves_nothing_behind(bench, uninterrupted, share):
    number = 20 + round(100 * share)
    seen = []

    def stop(kind, data):
        if kind == "progress" and data["max"] > 1:
            seen.append(data["value"] / data["max"])
            if seen[-1] >= share > max(seen[:-1], default=0):
                bench.client.interrupt()

    with pytest.raises(PromptInterrupted, match="RALU_Sampler"):
        bench.client.run(with_latent(large(bench, number)), watch=Watch(on_event=stop))
    assert share <= seen[-1] < 1
    again = bench.run(with_latent(large(bench, number + 1)))
    assert latent_of(bench, again) == uninterrupted


def large(bench: Bench, number: int) -> workflow.Prompt:
    """Large enough that an interrupt arrives before the next steps are done."""
    return workflow.with_size(small(bench, "flux_dev_5x", number), 384, 384)


def test_picture_keeps_its_seed(bench):
    def sample(seed: int, number: int) -> bytes:
        prompt = with_latent(small(bench, "flux_schnell_4_steps", number))
        prompt[workflow.nodes_of(prompt, "RALU_Sampler")[0]]["inputs"]["seed"] = seed
        return latent_of(bench, bench.run(prompt))

    assert sample(1, 40) == sample(1, 41) != sample(2, 42)
