"""`make demo`: plain sampling beside RALU, from the workflow files, on a real ComfyUI server.

Of each model plain sampling in many steps, as few plain steps as *balanced* takes, *balanced* as
the node RALU draws it in front of a KSampler, and the paper's presets.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from PIL import Image

from lab.bench.results import markdown
from lab.comfy import HostError, workflow
from lab.comfy.locate import REPOSITORY
from lab.comfy.watched import Bench, Run, bench_server
from lab.models.stand_in_prompt import with_stand_ins
from lab.models.stand_ins import STAND_INS, TRAINED, Miniature, StandIn
from lab.showcase.contact_sheet import Section, contact_sheet, outline
from ralu_core.cost import CallCost

OUT = REPOSITORY / "out" / "demo"
# The picture of docs/figures.md, and its rows of each model.
COMPARISON, COMPARED = "comparison.jpg", 2
DIAL, FEW = "balanced", 7  # steps
FULL_SIZE = 1024  # pixels a side of the picture that the full-size model would make
# A named ground, or every method would choose a colour of its own.
PROMPTS = (
    "frog face on purple",
    "soccer ball on pink",
    "hamburger on green",
    "strawberry on white",
    "sunflower on blue",
    "rocket on black",
)


@dataclass(frozen=True)
class Shown:
    """One model: the file it stands in for, plain steps, the workflows to run."""

    file: str
    plain_steps: int
    workflows: tuple[str, ...]

    @property
    def stand_in(self) -> StandIn:
        return STAND_INS[self.file]

    @property
    def miniature(self) -> Miniature:
        assert self.stand_in.miniature is not None
        return self.stand_in.miniature


SHOWN = (
    Shown("flux1-dev.safetensors", 50, ("flux_dev_5x", "flux_dev_7x")),
    Shown("sd3_medium_incl_clips_t5xxlfp8.safetensors", 28, ("sd3_medium_2x", "sd3_medium_3x")),
)


@dataclass(frozen=True)
class Result:
    """A picture, the regions that grew early (None for plain sampling), and how it was made."""

    picture: Image.Image
    early: Image.Image | None
    run: Run
    seconds: float

    def flops(self, cost: CallCost, scale: float = 1) -> float:
        """FLOPs of the calls that were counted, each on `scale` times the tokens."""
        return sum(
            call.pictures * cost.flops(round(scale * call.tokens)) for call in self.run.calls
        )


@dataclass(frozen=True)
class Method:
    """A way to sample a model, the files of its pictures, and its result for each prompt."""

    name: str
    file: str
    results: list[Result]

    @property
    def seconds(self) -> float:
        return median(result.seconds for result in self.results)


def sample(bench: Bench, shown: Shown, prompts: Sequence[str], size: int) -> list[Method]:
    """Plain sampling first, then the dial, then every workflow of a model; prompts take turns."""
    graphs = {name: _graph(bench, shown, name, size) for name in shown.workflows}
    first = graphs[shown.workflows[0]]
    many, few = (workflow.as_plain(first, steps) for steps in (shown.plain_steps, FEW))
    model = shown.workflows[0].rsplit("_", 1)[0]
    ways = [
        (Method("plain", f"{model}_plain", []), many),
        (Method("plain", f"{model}_plain_{FEW}", []), few),
        (Method(f"RALU, {DIAL}", f"{model}_{DIAL}", []), workflow.in_front(many, DIAL)),
        *((Method(_title(graph), name, []), graph) for name, graph in graphs.items()),
    ]
    bench.run(workflow.as_plain(first, steps=1))  # warm up
    for number, text in enumerate(prompts, 1):
        print(f"{shown.miniature.title}, {size}x{size}: {text} ...", flush=True)
        for method, graph in ways:
            method.results.append(_make(bench, workflow.with_text(graph, text, number)))
    return [method for method, _ in ways]


def _graph(bench: Bench, shown: Shown, name: str, size: int) -> workflow.Prompt:
    prompt = workflow.to_prompt(workflow.read_workflow(name), bench.object_info)
    prompt = with_stand_ins(workflow.with_size(prompt, size, size), trained=True)
    (sampler,) = workflow.nodes_of(prompt, "RALU_Sampler")
    prompt[sampler]["inputs"]["cfg"] = shown.miniature.architecture.cfg
    return prompt


def _title(graph: workflow.Prompt) -> str:
    (schedule,) = workflow.nodes_of(graph, "RALU_Schedule")
    return f"paper, {graph[schedule]['inputs']['preset'].split()[-1]}"


def _make(bench: Bench, prompt: workflow.Prompt) -> Result:
    run = bench.run(prompt)
    (sampler,) = (node for kind in workflow.SAMPLERS for node in workflow.nodes_of(prompt, kind))
    early = None
    if prompt[sampler]["class_type"] == "RALU_Sampler":
        early = _image(bench, run, workflow.titled(prompt, "Early regions (white)"))
    picture = _image(bench, run, workflow.titled(prompt, "Picture"))
    return Result(picture, early, run, run.seconds[sampler])


def _image(bench: Bench, run: Run, node: str) -> Image.Image:
    return Image.open(io.BytesIO(bench.picture(run, node))).convert("RGB")


def save(methods: list[Method], out: Path) -> None:
    """Every picture as a file; those of the first prompt are named by the workflow alone."""
    for method in methods:
        for number, result in enumerate(method.results, 1):
            name = method.file if number == 1 else f"{method.file}_{number}"
            result.picture.save(out / f"{name}.png")
            if result.early is not None:
                outline(result.picture, result.early).save(out / f"{name}_edges.png")


def section(shown: Shown, methods: list[Method], prompts: Sequence[str]) -> Section:
    """Pictures of a model by every method; beside the first preset's the regions it grew early."""
    columns = [(method.name, f"{len(method.results[0].run.calls)} steps") for method in methods]
    staged = next(n for n, method in enumerate(methods) if method.results[0].early is not None)
    columns.insert(staged + 1, ("grew early", f"in {methods[staged].name}"))
    rows = []
    for prompt, *results in zip(prompts, *(one.results for one in methods), strict=True):
        pictures = [result.picture for result in results]
        early = results[staged].early
        assert early is not None
        pictures.insert(staged + 1, outline(pictures[staged], early))
        rows.append((prompt, pictures))
    return Section(shown.miniature.title, columns, rows)


def table(shown: Shown, methods: list[Method], size: int) -> list[tuple[str, ...]]:
    """A line for each method, medians over its prompts; the first method is plain sampling."""
    lines, baseline = [], (0.0, 0.0, 0.0)
    for method in methods:
        here = median(one.flops(shown.miniature.architecture.cost) for one in method.results)
        scale = (FULL_SIZE / size) ** 2
        full = median(one.flops(shown.stand_in.size, scale) for one in method.results)
        baseline = baseline if lines else (here, full, method.seconds)
        run = method.results[0].run
        lines.append(
            (
                f"{shown.miniature.title}, {method.name}",
                str(len(run.calls)),
                ", ".join(f"{calls} x {tokens}" for calls, tokens in run.tokens_per_stage()),
                f"{here / 1e9:.0f}",
                f"{baseline[0] / here:.2f}x",
                f"{full / 1e12:.0f}",
                f"{baseline[1] / full:.2f}x",
                f"{method.seconds:.2f}",
                f"{baseline[2] / method.seconds:.2f}x",
            )
        )
    return lines


HEADER = ("run", "calls", "calls x tokens", "GFLOP", "fewer", "full-size TFLOP", "fewer",
          "seconds", "faster")  # fmt: skip


def legend(shown: Sequence[Shown], count: int) -> str:
    names = " and ".join(one.stand_in.title for one in shown)
    return (
        f"Medians over {count} prompts. Calls of the network and their tokens are counted inside "
        "it. FLOPs are those of its blocks in these calls: of the miniature, which makes the "
        f"pictures, and of the full-size model ({names}) at {FULL_SIZE}x{FULL_SIZE}. Seconds are "
        "the sampler node's on this computer."
    )


def left_out(shown: Sequence[Shown]) -> list[str]:
    """A sentence for each model that has no trained miniature."""
    return [
        f"{one.stand_in.title} is left out: no trained miniature of it is in {TRAINED}."
        for one in shown
        if not one.stand_in.is_trained
    ]


def run_demo(out: Path, size: int, prompts: Sequence[str]) -> str:
    """Write pictures, contact sheet and table below `out`; returns the table."""
    out.mkdir(parents=True, exist_ok=True)
    trained = [shown for shown in SHOWN if shown.stand_in.is_trained]
    if not trained:
        raise HostError(" ".join(left_out(SHOWN)))
    sections, lines = [], []
    with bench_server() as bench:
        print(f"ComfyUI {bench.server.host.version} is up after {bench.server.boot_seconds:.0f} s.")
        for shown in trained:
            methods = sample(bench, shown, prompts, size)
            save(methods, out)
            sections.append(section(shown, methods, prompts))
            lines += table(shown, methods, size)
    contact_sheet(sections).save(out / "contact_sheet.png")
    short = [replace(one, rows=one.rows[:COMPARED]) for one in sections]
    contact_sheet(short).save(out / COMPARISON, quality=88)
    parts = (markdown(HEADER, lines), legend(trained, len(prompts)), *left_out(SHOWN))
    text = "\n\n".join(parts)
    (out / "table.md").write_text(f"{text}\n", encoding="utf-8")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the pictures")
    parser.add_argument("--size", type=int, default=256, choices=(128, 256), help="pixels a side")
    parser.add_argument(
        "--prompts", nargs="+", default=PROMPTS, help="see lab/models/miniature/README.md"
    )
    options = parser.parse_args()
    try:
        print(run_demo(options.out, options.size, options.prompts))
    except (HostError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\nPictures: {options.out}/contact_sheet.png and the files beside it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
