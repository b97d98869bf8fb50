"""Lines on the nodes while they run, and what they say of the prompt."""

from __future__ import annotations

import re
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from comfy_execution.utils import CurrentNodeContext

from driving import ralu
from ralu_pack.nodes.host.sampling.watch import StageRecord
from ralu_pack.nodes.host.showing import status
from ralu_pack.nodes.host.showing.caller import CallersBar
from ralu_pack.nodes.host.showing.progress import Progress
from ralu_pack.nodes.host.showing.work import Work
from ralu_pack.ralu_core.latents.frame import Frame


class Server:
    client_id = "someone"
    sockets = {}  # nobody to draw for

    def __init__(self):
        self.texts = []

    def send_progress_text(self, text, node, client):
        self.texts.append((text, node, client))

    def send_sync(self, event, data, client):
        self.texts.append((data["text"], data["node"], client))
        self.passing = data["passing"]
        self.workflow, self.settings = data["workflow"], data["settings"]


def test_status_names_the_stages(flux, vae, monkeypatch):
    server = Server()
    monkeypatch.setattr(status, "running_server", lambda: server)
    with CurrentNodeContext("prompt", "12"):
        ralu(flux, vae)
    texts = [text for text, *_ in server.texts]
    assert {tuple(where) for _, *where in server.texts} == {("12", "someone")}
    assert [text.split(":")[0] for text in texts[:-1]] == [
        "Stage 1 of 3",
        "Looking for the regions that grow early",
        "Stage 2 of 3",
        "Stage 3 of 3",
    ]
    assert re.match(r"6 steps in \d+\.\d\d s: ", texts[-1])


def test_a_run_that_begins_later_tells_the_numbers_of_the_whole(flux, monkeypatch):
    server = Server()
    monkeypatch.setattr(status, "running_server", lambda: server)
    with CurrentNodeContext("prompt", "12"):
        ralu(flux, None, denoise=0.1, edge_detector="latent_gradient")
    assert server.texts[0][0].startswith("Stage 3 of 3: full size, 256 tokens, ")


def test_the_most_tokens_of_a_batch_are_told():
    """Where a threshold chooses other numbers of regions in each picture."""
    texts = []
    record = StageRecord(2, "mixed", "edges at full size", 4, [121, 142, 100])
    Progress(Work({2: 1.0}), 3, lambda *told: texts.append(told)).stage_began(record)
    assert texts == [("Stage 2 of 3: edges at full size, 142 tokens, 4 steps",)]


def test_steps_of_another_sampler_are_counted_by_work_and_end_with_its_last():
    """Of these FLOPs the last step is more than all, as floats add them."""
    seen, latent = [], torch.zeros(1, 16, 16, 16)
    quiet = status.show_status  # there is no server
    bar = CallersBar(Work({1: 0.47}), 1, quiet, lambda k, *_: seen.append(k), 20, Frame(16, 16))
    record = StageRecord(1, "full", "full size", 7, [64])
    for step in range(7):
        bar.step_done(record, step + 1, latent, latent)
    assert seen == [2, 5, 8, 11, 14, 17, 19]


def test_no_status_without_a_server(flux, vae):
    assert status.running_server() is None
    with CurrentNodeContext("prompt", "12"):
        ralu(flux, vae)


@pytest.mark.parametrize(("client", "told"), [("someone", 2), (None, 0)])
def test_a_prompt_that_no_browser_queued_tells_none(monkeypatch, client, told):
    server = Server()
    server.client_id = client  # None is every browser
    monkeypatch.setattr(status, "running_server", lambda: server)
    with CurrentNodeContext("prompt", "12"):
        status.show_status("Stage 1 of 3")
        status.show_line("4", "3 of 5")
        status.show_line(None, "a MODEL of no node")
    assert len(server.texts) == told
    if told:
        assert server.workflow is None  # it is in no queue
    status.show_status("outside of any prompt")
    assert len(server.texts) == told


@pytest.mark.parametrize(
    ("sent", "id"),
    [
        ({"extra_pnginfo": {"workflow": {"id": "mine"}}}, "mine"),
        ({"extra_pnginfo": {"workflow": {}}}, None),
        ({"extra_pnginfo": None}, None),
        ({}, None),
    ],
)
def test_lines_name_the_workflow_of_the_prompt_that_runs(monkeypatch, sent, id):
    server = Server()
    others = (1, "another", {}, {"extra_pnginfo": {"workflow": {"id": "another's"}}}, [])
    running = {0: others, 1: (2, "prompt", {}, sent, [])}
    server.prompt_queue = SimpleNamespace(currently_running=running)
    monkeypatch.setattr(status, "running_server", lambda: server)
    with CurrentNodeContext("prompt", "12"):
        status.show_line("4", "3 of 5")
    assert server.workflow == id


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        (["1:7", 0], [{"quality": "draft"}, {"preset": "FLUX 5x"}]),
        (["9", 0], [{"quality": "draft"}, None]),
        (None, [{"quality": "draft"}, None]),
    ],
)
def test_lines_and_runs_tell_the_settings_that_the_prompt_has(monkeypatch, wire, told):
    """By then the widgets may be others, as many prompts may wait in the queue."""
    server = Server()
    wires = {"model": ["1", 0], **({"schedule": wire} if wire else {})}
    prompt = {
        "1:4": {"inputs": {"quality": "draft", **wires}},
        "1:7": {"inputs": {"preset": "FLUX 5x", "width": ["2", 0]}},
    }
    running = {0: (1, "another", {}, {}, []), 1: (2, "prompt", prompt, {}, [])}
    server.prompt_queue = SimpleNamespace(currently_running=running)
    monkeypatch.setattr(status, "running_server", lambda: server)
    with CurrentNodeContext("prompt", "1:4"):
        status.show_line("1:4", "3 of 5")
        assert server.settings == status.asked_settings() == told
        assert status.asked_settings("of no prompt") is None
    assert status.asked_settings() is None


@pytest.mark.parametrize("stages", [1, 3])
def test_the_line_of_a_run_in_one_stage_goes_when_it_is_over(monkeypatch, stages):
    server = Server()
    monkeypatch.setattr(status, "running_server", lambda: server)
    tell = partial(status.show_line, "4")
    record = StageRecord(1, "full", "full size", 7, [64])
    with CurrentNodeContext("prompt", "12"):
        Progress(Work({1: 1.0}), stages, tell).stage_began(record)
        assert server.passing is (stages == 1)
        tell("7 steps in 1.00 s")
    assert not server.passing
