"""The command line that starts a server, read by ComfyUI itself."""

from __future__ import annotations

from comfy.cli_args import parser

from lab.comfy import find_host
from lab.comfy.server import server_command


def test_the_real_command_line_is_understood(tmp_path):
    command = server_command(find_host(), tmp_path, 8123, ["extra", "ralu"], [])
    args = parser.parse_args(command[2:])
    assert (args.port, args.listen, args.base_directory) == (8123, "127.0.0.1", str(tmp_path))
    assert args.disable_all_custom_nodes and args.whitelist_custom_nodes == ["extra", "ralu"]
    assert args.disable_api_nodes and args.disable_auto_launch
    assert args.database_url == "sqlite:///:memory:"
