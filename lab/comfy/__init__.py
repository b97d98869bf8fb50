"""The real ComfyUI for the lab and the tests: install it, start it, talk to it.

`python3 -m lab.comfy.provision` installs, `lab.comfy.server.comfy_server` starts a server,
`lab.comfy.client.Client` runs prompts on it, and `activate` imports ComfyUI into this process.
"""

from lab.comfy.errors import HostError
from lab.comfy.locate import Host, activate, find_host

__all__ = ["Host", "HostError", "activate", "find_host"]
