"""The registry of methods: what each policy states, and that a new one is a class and a line."""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerating import STEPS, Acceleration, BlockCalls, Runs, accelerated, in_stages, sample

from ralu_pack.nodes.host.temporal.hooks import Span
from ralu_pack.nodes.host.temporal.memory import Memory
from ralu_pack.nodes.host.temporal.passes import Evaluation, Group
from ralu_pack.nodes.host.temporal.policies import DEFAULT_METHOD, POLICIES
from ralu_pack.nodes.host.temporal.policies.teacache import TeaCache
from ralu_pack.nodes.host.temporal.policies.toca import ToCa
from ralu_pack.nodes.host.temporal.policy import Policy
from ralu_pack.nodes.temporal_acceleration import TemporalAcceleration

ROOT = Path(__file__).resolve().parents[3]
DEPTHS = (2, 24, 57)  # of the tests' networks, of SD3 Medium and of Flux
WIDGETS = {widget.id: widget for widget in TemporalAcceleration.define_schema().inputs}
NUMBERS = set(WIDGETS) - {"model", "method", "max_memory"}
every_policy = pytest.mark.parametrize("name", POLICIES)


def test_teacache_adds_up_what_changed_since_it_last_computed():
    policy, memory = TeaCache(threshold=0.25), Memory()
    group, tokens, decided = Group(memory, slice(0, 1), 0), torch.zeros(1, 2, 4), []
    for level in (1.0, 1.2, 1.4, 1.6, 1.8):
        signal = torch.full_like(tokens, level)
        blocks = SimpleNamespace(
            is_even=lambda _: True, modulated_input=lambda _, signal=signal: signal
        )
        now = Evaluation([group], {}, tokens, torch.ones(1), Span(text=False), blocks, {})
        decided += policy.decide(now)
        if not decided[-1]:
            policy.keep(group, tokens, torch.ones(1))
    assert decided == [False, True, False, True, False]


@pytest.mark.parametrize("count", [2, 10])
def test_in_toca_each_token_of_the_text_has_its_turn(count):
    """Of three tokens at most where a quarter is computed, and of one of a short text."""
    policy, text = ToCa(interval=4, warm_up=1, cached_ratio=0.75), torch.zeros(1, count, 4)
    turns = []
    for number in range(4):
        groups = [Group(Memory(), slice(0, 1), number)]
        args = {"txt": text}
        now = Evaluation(groups, args, text, torch.ones(1), Span(text=False), None, {})
        turns.append(policy._turn(now)[0].tolist())
    assert sorted(token for turn in turns[:count] for token in turn) == list(range(count))
    assert max(map(len, turns)) == (3 if count == 10 else 1)


def test_toca_remembers_how_far_each_token_moved_since_it_was_last_computed():
    policy, memory, sigma = ToCa(interval=4, warm_up=1, cached_ratio=0.75), Memory(), torch.ones(1)
    first, then = torch.randn(2, 1, 5, 4, generator=torch.Generator().manual_seed(1))
    for residual, moved in ((first, first), (then, then - first)):
        policy.keep(Group(memory, slice(0, 1), 0), residual, sigma)
        assert torch.equal(memory.extra["change"], moved.norm(dim=-1))


@dataclass(frozen=True)
class EverySecond(Policy):
    def may_skip(self, evaluation: int) -> bool:
        return evaluation % 2 == 1


@pytest.fixture
def every_second(monkeypatch):
    monkeypatch.setitem(POLICIES, "Every second", EverySecond)
    return Acceleration(method="Every second")


def reads(policy: type[Policy]) -> set[str]:
    return {field.name for field in fields(policy)}


@every_policy
def test_a_policy_states_what_the_engine_asks(name):
    policy = Acceleration(method=name).policy
    assert type(policy) is POLICIES[name] and not policy.computes_all
    assert policy.keeps >= 1 and 0 <= policy.skipped_work < 1 and 0 < policy.partial_work <= 1
    assert policy.cheaper == "" or policy.cheaper.endswith(", ")
    assert all(isinstance(policy.may_skip(evaluation), bool) for evaluation in range(9))
    for depth in DEPTHS:
        blocks = policy.blocks(depth)
        assert blocks and blocks[0] >= 0 and blocks[-1] < depth and blocks.step == 1
    for count in (1, 3):
        rows = [row for part in policy.parts(count) for row in range(part.start, part.stop)]
        assert rows == list(range(count))


@every_policy
def test_a_policy_reads_widgets_of_the_node_and_their_values(name):
    values = {
        "interval": 5, "order": 2, "warm_up": 4, "range_start": 0.2, "range_end": 0.7,
        "cached_ratio": 0.6, "threshold": 0.4,
    }  # fmt: skip
    assert set(values) == NUMBERS
    policy = Acceleration(method=name, **values).policy
    assert reads(type(policy)) and reads(type(policy)) <= NUMBERS
    assert all(getattr(policy, one) == values[one] for one in reads(type(policy)))


def test_every_widget_says_which_methods_read_it():
    for name in NUMBERS:
        readers = [method for method, policy in POLICIES.items() if name in reads(policy)]
        assert WIDGETS[name].tooltip.startswith(f"{', '.join(readers)}: "), name


def test_the_node_offers_the_registry():
    assert WIDGETS["method"].options == list(POLICIES)
    assert WIDGETS["method"].default == DEFAULT_METHOD == Acceleration().method
    assert all(name in WIDGETS["method"].tooltip for name in POLICIES)


def test_a_policy_of_its_own_file_and_one_line_runs(model, vae, monkeypatch, every_second):
    """Also in the stages of a RALU run."""
    runs, blocks = Runs(monkeypatch), BlockCalls(model)
    exact = sample(model, cfg=2.0)
    calls, blocks.count = blocks.count, 0
    fast = accelerated(model, every_second)
    samples = sample(fast, cfg=2.0)
    assert runs.patterns == ["Fs" * (STEPS // 2)] and blocks.count == calls // 2
    assert torch.isfinite(samples).all() and not torch.equal(samples, exact)
    assert runs.states[0].share == 0.5 and runs.states[0].line().startswith("Every second: 4 of 8")
    runs.states.clear()
    assert torch.isfinite(in_stages(fast, vae)).all()
    assert runs.patterns == ["FsFs", "FsFsF", "FsFsFs"]


def test_it_is_offered_and_chosen_like_the_others(model, every_second):
    inputs = {widget.id: widget for widget in TemporalAcceleration.define_schema().inputs}
    assert inputs["method"].options[-1] == "Every second"
    chosen = TemporalAcceleration.execute(model, "Every second", 3, 1, 3, 0.25).args[0]
    assert torch.equal(sample(chosen), sample(accelerated(model, every_second)))
    with pytest.raises(ValueError, match="TeaCache, Every second, got 'FORA'"):
        Acceleration(method="FORA")


def test_no_code_compares_names_of_methods():
    for path in sorted((ROOT / "nodes").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare | ast.Match):
                constants = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
                assert not constants & set(POLICIES), f"{path}:{node.lineno}"
