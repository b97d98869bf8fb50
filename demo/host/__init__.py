"""The real ComfyUI for the demo and the tests: install it, start it, talk to it.

`python3 -m demo.host.provision` installs, `demo.host.server.comfy_server` starts a server,
`demo.host.client.Client` runs prompts on it, and `activate` imports ComfyUI into this process.
"""

from demo.host.errors import HostError
from demo.host.locate import Host, activate, find_host

__all__ = ["Host", "HostError", "activate", "find_host"]
