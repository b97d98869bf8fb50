"""A shared workflow can neither run code, nor touch a file or the network."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import math
import sys
from contextlib import contextmanager
from pathlib import Path

import execution
import folder_paths
import nodes as host_nodes
import pytest
from comfy_api.latest import io

import ralu_pack
from driving import quick_schedule, ralu
from ralu_pack.nodes.schedule import Schedule

PACK = Path(ralu_pack.__file__).parent
NODES = asyncio.run(asyncio.run(ralu_pack.comfy_entrypoint()).get_node_list())
ENDS = ("end_sigma_1", "end_sigma_2", "denoise")
HOSTILE = [
    float("nan"),
    float("inf"),
    float("-inf"),
    1e308,
    -1,
    2**64,
    10**400,
    "",
    "../../../etc/passwd",
    "/etc/passwd",
    "__import__('os').system('true')",
    "{{7*7}}",
    "euler\x00",
    None,
    True,
    [],
    {},
    ["../../etc/passwd"],
    [["euler"]],
    {"__value__": ["a", "b"]},
]
WATCHED = ("open", "os.", "subprocess.Popen", "socket.", "shutil.", "pickle.find_class")
_watching: list[list[tuple]] = []


def _audit(event: str, args: tuple) -> None:
    for log in _watching:
        if event.startswith(WATCHED):
            log.append((event, str(args)[:200]))


sys.addaudithook(_audit)


@contextmanager
def nothing_touched():
    """No file opened, no process or connection begun, nothing unpickled meanwhile.

    Left out: the previews that the host writes to its own temporary folder, and the threads' look
    at the cores. A widget could name neither.
    """
    log: list[tuple] = []
    _watching.append(log)
    try:
        yield log
    finally:
        _watching.remove(log)
    places = ("/proc/", "/sys/", folder_paths.get_temp_directory())
    assert [entry for entry in log if not any(place in entry[1] for place in places)] == []


def test_the_watch_sees():
    with pytest.raises(AssertionError), nothing_touched():
        open(__file__).close()


class Source(io.ComfyNode):
    """Feeds every socket of a node, as a graph that passed the browser would."""

    TYPES = (
        "MODEL", "CONDITIONING", "LATENT", "VAE", "NOISE", "GUIDER", "SAMPLER", "IMAGE", "CLIP",
    )  # fmt: skip

    @classmethod
    def define_schema(cls):
        outputs = [io.Custom(kind).Output(display_name=kind) for kind in cls.TYPES]
        return io.Schema(node_id="TestSource", inputs=[], outputs=outputs)

    @classmethod
    def execute(cls):
        return io.NodeOutput(*[None] * len(cls.TYPES))


@pytest.fixture
def registered(monkeypatch):
    known = {node.define_schema().node_id: node for node in [*NODES, Source]}
    monkeypatch.setattr(
        host_nodes, "NODE_CLASS_MAPPINGS", {**host_nodes.NODE_CLASS_MAPPINGS, **known}
    )


def is_widget(entry) -> bool:
    return isinstance(entry, io.WidgetInput) and not isinstance(entry, io.MultiType.Input)


def inputs_of(node) -> dict:
    """Inputs of a valid prompt: widgets at their defaults, sockets linked to the source."""
    filled: dict = {}
    for entry in node.define_schema().inputs:
        if is_widget(entry):
            default = getattr(entry, "default", None)
            filled[entry.id] = default if default is not None else entry.options[0]
        elif not entry.optional:
            filled[entry.id] = ["0", Source.TYPES.index(entry.get_io_type())]
    return filled


def validate(node, inputs: dict) -> tuple[bool, dict]:
    """Whether the host takes a node with these inputs, and what it made of them."""
    prompt = {
        "0": {"class_type": "TestSource", "inputs": {}},
        "1": {"class_type": node.define_schema().node_id, "inputs": inputs},
    }
    prompt = json.loads(json.dumps(prompt))
    valid, *_ = asyncio.run(execution.validate_inputs("id", prompt, "1", {}))
    return valid, prompt["1"]["inputs"]


WIDGETS = [
    (node, entry) for node in NODES for entry in node.define_schema().inputs if is_widget(entry)
]


@pytest.mark.promise("Hostile widget values")
@pytest.mark.parametrize("node", NODES)
def test_the_prompt_that_hostile_values_are_put_into_is_valid(registered, node):
    assert validate(node, inputs_of(node))[0]


@pytest.mark.promise("Hostile widget values")
@pytest.mark.parametrize(
    ("node", "entry"), WIDGETS, ids=[f"{n.define_schema().node_id}.{e.id}" for n, e in WIDGETS]
)
def test_hostile_values_are_refused_or_within_bounds(registered, node, entry):
    kept = []
    for value in HOSTILE:
        try:
            valid, made = validate(node, {**inputs_of(node), entry.id: value})
        except (OverflowError, ValueError):  # the host's own parsing of absurd numbers
            continue
        if valid:
            kept.append(made[entry.id])
    options = getattr(entry, "options", None)
    for value in kept:
        # What ComfyUI 0.3.75 does not compare with the options, and no host with NaN, the nodes
        # refuse themselves: see below.
        if isinstance(value, float) and math.isnan(value):
            continue
        # To a node that checks its own choices, null is a wire; it is refused when it arrives.
        if value is None and entry.id in ("edge_detector", "quality", "preset", *ENDS):
            continue
        if options is not None:
            assert value in options or not host_checks_options()
        elif hasattr(entry, "min"):
            assert entry.min <= value <= entry.max
        else:
            assert isinstance(value, (bool, str))


def host_checks_options() -> bool:
    return "Combo" in inspect.getsource(execution)


NAN = float("nan")
NO_OPTION = [value for value in HOSTILE if not isinstance(value, (list, dict))]


@pytest.mark.promise("Hostile widget values")
@pytest.mark.parametrize("widget", ["edge_detector", "upsampling", "sampler_name"])
@pytest.mark.parametrize("value", NO_OPTION, ids=repr)
def test_sampler_refuses_what_is_no_option(flux, vae, widget, value):
    ralu(flux, vae)
    with nothing_touched(), pytest.raises(ValueError, match="must be one of"):
        ralu(flux, vae, **{widget: value})


@pytest.mark.promise("Hostile widget values")
@pytest.mark.parametrize("widget", ["preset", "shifts"])
@pytest.mark.parametrize("value", NO_OPTION, ids=repr)
def test_schedule_refuses_what_is_no_option(widget, value):
    widgets = {"preset": "FLUX 5x", "shifts": "match the model", "width": 1024, "height": 1024}
    with nothing_touched(), pytest.raises(ValueError, match="must be one of"):
        Schedule.execute(**{**widgets, widget: value})


@pytest.mark.promise("Hostile widget values")
@pytest.mark.parametrize(
    "widget",
    [
        {"denoise": NAN},
        {"denoise": float("inf")},
        {"denoise": -1.0},
        {"edge_threshold": NAN},
        {"edge_threshold": float("inf")},
        {"edge_threshold": -1.0},
        {"cfg": NAN},
        {"cfg": float("inf")},
    ],
    ids=str,
)
def test_sampler_refuses_what_the_host_lets_through(flux, vae, widget):
    ralu(flux, vae)  # whatever is imported late is imported now
    with nothing_touched(), pytest.raises(ValueError):
        ralu(flux, vae, **widget)


@pytest.mark.promise("Hostile widget values")
@pytest.mark.parametrize("value", [NAN, float("inf"), -1.0, 1e308, "/etc/passwd", None, [], {}])
@pytest.mark.parametrize(
    "widget", ["end_sigma_1", "end_sigma_2", "ratio", "steps_1", "width", "preset", "shifts"]
)
def test_schedule_refuses_what_the_host_lets_through(widget, value):
    widgets = {"preset": "FLUX 5x", "shifts": "match the model", "width": 1024, "height": 1024}
    Schedule.execute(**widgets)
    with nothing_touched():
        try:
            schedule = Schedule.execute(**{**widgets, widget: value}).args[0]
        except (ValueError, TypeError, OverflowError, KeyError):
            return
    # What is accepted means "keep the preset's": never a number that was not asked for.
    assert not value or widget == "shifts"
    assert schedule == Schedule.execute(**widgets).args[0] or widget == "shifts"


@pytest.mark.promise("Hostile widget values")
def test_links_of_another_type_are_refused(registered):
    for node in NODES:
        for entry in node.define_schema().inputs:
            if is_widget(entry):
                continue
            wrong = 1 if entry.get_io_type() == "MODEL" else 0
            name = f"{node.define_schema().node_id}.{entry.id}"
            assert not validate(node, {**inputs_of(node), entry.id: ["0", wrong]})[0], name


@pytest.mark.promise("Runs touch no file, process or connection")
def test_a_whole_run_touches_nothing(model, vae):
    ralu(model, vae)
    with nothing_touched():
        ralu(model, vae, seed=8)


@pytest.mark.promise("Runs touch no file, process or connection")
def test_the_pack_reads_and_runs_nothing():
    """No call in the pack opens a file, loads weights, starts a process or runs text as code; but
    for an enlarger's tensors, in a file that is named by a VAE's weights."""
    forbidden = {"open", "eval", "exec", "compile", "__import__", "load", "loads", "system"}
    forbidden |= {"popen", "Popen", "urlopen", "torch_load", "load_torch_file", "load_state_dict"}
    forbidden |= {"load_file", "save_file", "write_text", "write_bytes", "mkdir"}
    allowed = {("files.py", "load_file"), ("files.py", "save_file"), ("files.py", "mkdir")}
    files = [PACK / "__init__.py", *(PACK / "nodes").rglob("*.py")]
    files += (PACK / "ralu_core").rglob("*.py")
    assert len(files) > 30
    for file in files:
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call):
                function = call.func
                name = getattr(function, "attr", None) or getattr(function, "id", "")
                is_allowed = (file.name, name) in allowed
                assert name not in forbidden or is_allowed, f"{file.name}:{call.lineno} {name}"


def test_the_schedule_route_answers_nonsense_with_a_sentence():
    from ralu_pack.nodes.schedule import preview_values

    queries = [{}, {"preset": "../../etc/passwd"}, {"preset": "FLUX 5x", "steps_1": "nan"}]
    queries += [{"preset": "FLUX 5x", key: "1e999"} for key in ("steps_1", "ratio", "end_sigma_1")]
    queries += [{"preset": "FLUX 5x", "width": "9" * 5000}, {"preset": "\x00"}]
    for query in queries:
        with nothing_touched():
            try:
                json.dumps(preview_values(query), allow_nan=False)
            except ValueError as error:
                assert str(error)


def test_schedules_are_checked_whoever_makes_them():
    """A schedule from another node's code is a frozen object that was validated when made."""
    schedule = quick_schedule()
    with pytest.raises(AttributeError):
        schedule.steps = (10**9, 1, 1)  # type: ignore[misc]
    assert "frozen=True" in inspect.getsource(inspect.getmodule(type(schedule)))
