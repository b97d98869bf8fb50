"""Every workflow file, through the HTTP interface of a real server, on small real models."""

from __future__ import annotations

import io
import json
import re
from itertools import combinations

import pytest
from PIL import Image

from demo import workflow
from demo.authoring.sheet import Sheet
from demo.authoring.workflows import DRAWINGS
from demo.host.client import PromptInterrupted, Watch
from demo.host.pins import HOSTS
from demo.stand_ins import STAND_INS
from demo.watched import Bench, Run, bench_server
from ralu_core.forecast import is_computed

NAMES = sorted(file.stem for file in workflow.WORKFLOWS.glob("*.json"))
SAMPLING = [name for name in NAMES if name not in ("edge_mask_preview", "flux_dev_taylorseer")]
WIDTH, HEIGHT = 256, 192
PLAIN_STEPS = 50  # of the comparison
ANNOUNCED = re.compile(r"stage \d: (\d+) steps?, .* (\d+) tokens")
LOGGED = re.compile(r"stage \d: (\d+) steps? x (\d+) tokens")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A server whose models folder holds the files that the workflows name, all of them empty."""
    models = tmp_path_factory.mktemp("models")
    for node in (node for name in NAMES for node in workflow.read_workflow(name)["nodes"]):
        for file in node["properties"].get("models", []):
            path = models / file["directory"] / file["name"]
            path.parent.mkdir(exist_ok=True)
            path.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with bench_server(models=models) as bench:
            Image.linear_gradient("L").save(bench.server.base / "input" / "example.png")
            bench.object_info = bench.client.get("/object_info")
            yield bench


def small(bench: Bench, name: str, number: int = 0) -> workflow.Prompt:
    """The workflow at a small size on its stand-in; each number samples anew."""
    prompt = workflow.to_prompt(workflow.read_workflow(name), bench.object_info)
    return workflow.with_stand_ins(workflow.with_size(prompt, WIDTH, HEIGHT), number=number)


def with_latent(prompt: workflow.Prompt, sampler: str = "RALU_Sampler") -> workflow.Prompt:
    """The same prompt, which also saves what the sampler returns, bit for bit."""
    (node,) = workflow.nodes_of(prompt, sampler)
    inputs = {"samples": [node, 0], "filename_prefix": "latent"}
    latent = {"class_type": "SaveLatent", "inputs": inputs, "_meta": {"title": "Latent"}}
    return {**prompt, "latent": latent}


def latent_of(bench: Bench, run: Run) -> bytes:
    assert run.calls, "the result came from the cache"
    return bench.client.view(**run.outputs["latent"]["latents"][0])


# The files


@pytest.mark.parametrize("name", NAMES)
def test_nodes_sockets_and_links_are_those_of_the_server(bench, name):
    saved = workflow.read_workflow(name)
    nodes = {node["id"]: node for node in saved["nodes"]}
    assert len(nodes) == len(saved["nodes"]) == saved["last_node_id"]
    for node in nodes.values():
        if node["type"] in workflow.NOTES:
            continue
        info = bench.object_info[node["type"]]
        inputs = dict(workflow.node_inputs(info))
        assert {socket["name"] for socket in node["inputs"]} == inputs.keys(), node["type"]
        assert [socket["type"] for socket in node["outputs"]] == info["output"][
            : len(node["outputs"])
        ]
        required = info["input"].get("required", {})
        unlinked = [s["name"] for s in node["inputs"] if s["link"] is None and "widget" not in s]
        assert not required.keys() & set(unlinked), node["type"]
    for link, origin, out, target, slot, kind in saved["links"]:
        output, socket = nodes[origin]["outputs"][out], nodes[target]["inputs"][slot]
        assert link in output["links"] and socket["link"] == link
        assert kind == output["type"] and socket["type"] in (kind, "*")


@pytest.mark.parametrize("name", NAMES)
def test_widget_values_are_complete_and_legal(bench, name):
    saved = workflow.read_workflow(name)
    for node in saved["nodes"]:
        if node["type"] in workflow.NOTES:
            continue
        info = bench.object_info[node["type"]]
        names, values = workflow.widget_names(info), node["widgets_values"]
        assert len(names) == len(values), node["type"]
        specs = dict(workflow.node_inputs(info))
        for widget, value in zip(names, values, strict=True):
            if widget is None:
                assert value in (workflow.CONTROL, "image")
            else:
                check_legal(value, specs[widget], f"{node['type']}.{widget}")


def check_legal(value, spec, where):
    options = spec[1] if len(spec) > 1 else {}
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    if choices is not None:
        assert value in choices, where
    elif spec[0] in ("INT", "FLOAT"):
        assert type(value) in ((int,) if spec[0] == "INT" else (int, float)), where
        assert options.get("min", value) <= value <= options.get("max", value), where
    else:
        assert type(value) is {"STRING": str, "BOOLEAN": bool}[spec[0]], where


@pytest.mark.parametrize("name", NAMES)
def test_nodes_do_not_overlap_and_lie_in_a_group(name):
    saved = workflow.read_workflow(name)
    boxes = {node["id"]: box(node) for node in saved["nodes"]}
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3], (one, other)
    groups = [(x, y, x + w, y + h) for x, y, w, h in (g["bounding"] for g in saved["groups"])]
    for node, a in boxes.items():
        inside = [a[0] >= g[0] and a[1] >= g[1] and a[2] <= g[2] and a[3] <= g[3] for g in groups]
        assert sum(inside) == 1, node


def box(node) -> tuple[int, int, int, int]:
    (x, y), (w, h) = node["pos"], node["size"]
    return x, y - 30, x + w, y + h


@pytest.mark.parametrize("name", NAMES)
def test_loaders_name_files_that_say_where_they_come_from(bench, name):
    for node in workflow.read_workflow(name)["nodes"]:
        files = node["properties"].get("models", [])
        assert bool(files) == (node["type"] in workflow.LOADERS)
        for file in files:
            assert file["name"] in node["widgets_values"]
            assert file["url"].endswith(f"/{file['name']}")


@pytest.mark.parametrize("name", NAMES)
def test_file_is_what_its_author_writes(bench, name):
    if bench.server.host.version != HOSTS[-1].version:
        pytest.skip("the files are written on the oldest ComfyUI")
    sheet = Sheet(name, bench.object_info)
    DRAWINGS[name](sheet)
    written = json.loads(json.dumps(sheet.to_json()))
    assert workflow.read_workflow(name) == written, "run python -m demo.authoring"


# The runs


@pytest.mark.parametrize("name", SAMPLING)
def test_runs_as_the_schedule_announces(bench, name):
    prompt = small(bench, name)
    run = bench.run(prompt)
    (report,) = workflow.nodes_of(prompt, "PreviewAny")
    announced = stages(ANNOUNCED, run.outputs[report]["text"][0])
    assert len(announced) == 3 and len({tokens for _, tokens in announced}) == 3
    skips = skipping(prompt)
    expected = [
        tokens for steps, tokens in announced for step in range(steps) if is_computed(step, *skips)
    ]
    if name == "flux_dev_compare":
        expected += PLAIN_STEPS * [announced[-1][1]]
        assert sorted(call.tokens for call in run.calls) == sorted(expected)
    else:
        assert [call.tokens for call in run.calls] == expected
    (line,) = run.reports
    assert stages(LOGGED, line) == announced
    sampler = prompt[workflow.nodes_of(prompt, "RALU_Sampler")[0]]["inputs"]
    assert {call.pictures for call in run.calls} == {2 if sampler["cfg"] > 1 else 1}
    for node in workflow.nodes_of(prompt, "SaveImage"):
        size = Image.open(io.BytesIO(bench.picture(run, node))).size
        wide = 3 if prompt[node]["_meta"]["title"].startswith("Plain |") else 1
        assert size == (wide * WIDTH, HEIGHT)


def skipping(prompt: workflow.Prompt) -> tuple[int, int]:
    """Interval and warm-up of the acceleration; without one every step is computed."""
    nodes = workflow.nodes_of(prompt, "RALU_TemporalAcceleration")
    inputs = prompt[nodes[0]]["inputs"] if nodes else {"interval": 1, "warm_up": 1}
    return inputs["interval"], inputs["warm_up"]


def test_plain_sampling_skips_steps(bench):
    prompt = small(bench, "flux_dev_taylorseer")
    run = bench.run(prompt)
    computed = [step for step in range(PLAIN_STEPS) if is_computed(step, *skipping(prompt))]
    assert 2 * len(computed) < PLAIN_STEPS
    assert [call.tokens for call in run.calls] == [WIDTH * HEIGHT // 16**2] * len(computed)
    picture = bench.picture(run, workflow.titled(prompt, "Picture"))
    assert Image.open(io.BytesIO(picture)).size == (WIDTH, HEIGHT)


def stages(pattern: re.Pattern, text: str) -> list[tuple[int, int]]:
    return [(int(steps), int(tokens)) for steps, tokens in pattern.findall(text)]


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
        for name in SAMPLING
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
    assert {p.maximum for p in bar} == {steps}
    assert values == sorted(values) and set(values) == set(range(1, steps + 1))
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


@pytest.mark.parametrize("step", [2, 7, 12], ids=["stage 1", "stage 2", "stage 3"])
def test_interrupted_run_leaves_nothing_behind(bench, uninterrupted, step):
    number = 20 + 2 * step
    seen = []

    def stop(kind, data):
        if kind == "progress":
            seen.append(data["value"])
            if data["value"] == step:
                bench.client.interrupt()

    with pytest.raises(PromptInterrupted, match="RALU_Sampler"):
        bench.client.run(with_latent(large(bench, number)), watch=Watch(on_event=stop))
    assert step <= seen[-1] < 15
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
