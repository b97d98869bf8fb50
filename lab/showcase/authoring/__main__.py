"""Ask a ComfyUI for its nodes and write every workflow file."""

from __future__ import annotations

import json

from lab.comfy.client import Client
from lab.comfy.pins import HOSTS
from lab.comfy.server import comfy_server
from lab.comfy.workflow import WORKFLOWS
from lab.showcase.authoring.sheet import Sheet
from lab.showcase.authoring.workflows import DRAWINGS


def main() -> None:
    with comfy_server(HOSTS[-1].version) as server:
        object_info = Client(server.url).get("/object_info")
    for name, draw in DRAWINGS.items():
        sheet = Sheet(name, object_info)
        draw(sheet)
        text = json.dumps(sheet.to_json(), indent=2, ensure_ascii=False)
        (WORKFLOWS / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
