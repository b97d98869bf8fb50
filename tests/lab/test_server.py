"""The shim, the server and the client of lab.comfy: real processes, no ComfyUI is started."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from trees import make_tree

from lab.comfy import HostError
from lab.comfy.client import Preview, decode_preview, describe_rejection
from lab.comfy.locate import REPOSITORY, Host
from lab.comfy.server import comfy_server

PYTHON = Path(sys.executable)


def run_script(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True)


# The shim


def test_torchvision_imports_beside_any_torch():
    code = (
        "import sys; assert 'torch' not in sys.modules\n"
        "import torchvision, torchaudio, torch\n"
        "torch.library.define('ralu_probe::twice', '(Tensor x) -> Tensor')\n"
        "torch.library.register_fake('ralu_probe::twice', lambda x: x)\n"
        "print(torch.ops.ralu_probe.twice(torch.ones(3, device='meta')).shape)"
    )
    done = run_script(code, PYTHONPATH=str(REPOSITORY / "lab" / "comfy" / "shim"))
    assert done.stdout.strip() == "torch.Size([3])", done.stderr


# The server

SERVES = """
import sys, http.server
print("started", sys.argv[1:], flush=True)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        if self.path == "/die":
            print("dying words", flush=True); import os; os._exit(3)
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


def fake_host(folder: Path, main: str) -> Host:
    return Host("9.9.9", make_tree(folder / "ComfyUI", main), PYTHON)


def test_server_that_cannot_start_quotes_its_log(tmp_path):
    host = fake_host(tmp_path, "raise SystemExit('no such luck')")
    stops = pytest.raises(HostError, match=r"(?s)stopped with status 1:.*no such luck")
    with stops, comfy_server(host, with_ralu=False):
        pytest.fail("it started")


def test_server_that_never_answers_is_stopped(tmp_path):
    main = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    stops = pytest.raises(HostError, match="did not answer within 5 s")
    with stops as raised, comfy_server(fake_host(tmp_path, main), with_ralu=False, boot_limit=5):
        pytest.fail("it started")
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(raised.value).split()[-1]), 0)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_server_stops_on_every_way_out(tmp_path, error):
    host, base = fake_host(tmp_path, SERVES), tmp_path / "base"
    with pytest.raises(error), comfy_server(host, base=base, with_ralu=False) as server:
        assert server.process.poll() is None
        raise error
    assert server.process.returncode is not None
    assert "--disable-all-custom-nodes" in (base / "comfyui.log").read_text()


def test_error_after_the_server_died_carries_its_last_words(tmp_path):
    host = fake_host(tmp_path, SERVES)
    with pytest.raises(ValueError) as raised, comfy_server(host, with_ralu=False) as server:
        urllib.request.urlopen(f"{server.url}/die").read()
        server.process.wait(10)
        raise ValueError("no answer")
    assert "dying words" in "".join(raised.value.__notes__)


def test_server_killed_with_its_parent(tmp_path):
    make_tree(tmp_path / "ComfyUI", SERVES)
    code = (
        "import os, signal; from pathlib import Path; from lab.comfy import Host\n"
        "from lab.comfy.server import comfy_server\n"
        f"host = Host('9.9.9', Path({str(tmp_path / 'ComfyUI')!r}), Path({sys.executable!r}))\n"
        "with comfy_server(host, with_ralu=False) as server:\n"
        "    print(server.process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = int(run_script(code).stdout)
    for _ in range(50):
        if not Path(f"/proc/{process}/cmdline").exists():
            return
        time.sleep(0.1)
    pytest.fail("the server outlived its parent")


def test_packs_and_models_are_linked(tmp_path):
    pack, models, base = tmp_path / "extra", tmp_path / "weights", tmp_path / "base"
    for folder in (pack, models):
        folder.mkdir()
    (pack / "__init__.py").touch()
    host = fake_host(tmp_path, SERVES)
    with comfy_server(host, [pack], models, ["--preview-size", "64"], base=base) as server:
        links = {f.name: f.resolve() for f in (base / "custom_nodes").iterdir()}
        assert links == {"extra": pack, "ralu": REPOSITORY}
        assert (base / "models").resolve() == models
        for text in ("--whitelist-custom-nodes", "'extra', 'ralu'", "'--preview-size', '64'"):
            assert text in server.tail()


def test_folder_that_is_no_pack_is_refused(tmp_path):
    stops = pytest.raises(HostError, match=r"no node pack, it has no __init__\.py")
    with stops, comfy_server(fake_host(tmp_path, SERVES), [tmp_path]):
        pytest.fail("it started")


# The client


def test_previews_are_decoded():
    metadata = json.dumps({"node_id": "7", "image_type": "image/png"}).encode()
    named = struct.pack(">II", 4, len(metadata)) + metadata + b"PNG"
    assert decode_preview(named) == Preview("7", b"PNG")
    assert decode_preview(struct.pack(">II", 1, 1) + b"JPG") == Preview("", b"JPG")
    assert decode_preview(struct.pack(">II", 3, 0) + b"text") is None


def test_rejection_names_node_class_and_input():
    error = {"type": "value_bigger_than_max", "message": "too big", "details": "ratio"}
    node_errors = {"3": {"class_type": "RALU_Sampler", "errors": [error]}}
    text = describe_rejection({"node_errors": node_errors})
    assert "node 3 (RALU_Sampler): value_bigger_than_max: too big: ratio" in text
