"""A pytest plugin: a server for the workflow files."""

from __future__ import annotations

import pytest
from PIL import Image
from workflow_bench import BOX, NAMES, PAINTED

from lab.comfy import workflow
from lab.comfy.watched import bench_server
from lab.showcase.authoring.small_files import write_small_files


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A server whose models folder holds the files that the workflows name, most of them empty."""
    models = tmp_path_factory.mktemp("models")
    for node in (node for name in NAMES for node in workflow.read_workflow(name)["nodes"]):
        for file in node["properties"].get("models", []):
            path = models / file["directory"] / file["name"]
            path.parent.mkdir(exist_ok=True)
            path.touch()
    write_small_files(models)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with bench_server(models=models) as bench:
            pictures = bench.server.base / "input"
            Image.linear_gradient("L").save(pictures / "example.png")
            painted = Image.linear_gradient("L").resize((320, 240)).convert("RGBA")
            painted.paste((0, 0, 0, 0), BOX)
            painted.save(pictures / PAINTED)
            bench.object_info = bench.client.get("/object_info")
            yield bench
