"""Run prompts on a ComfyUI server and read what comes back."""

from __future__ import annotations

import asyncio
import http.client
import json
import struct
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from lab.comfy.errors import HostError

PREVIEW, PREVIEW_WITH_METADATA = 1, 4

# Without it the server sends no previews that name their node.
FEATURES = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}


@dataclass(frozen=True)
class Progress:
    """One step of a progress bar: `value` of `maximum` in node `node`."""

    value: int
    maximum: int
    node: str


@dataclass(frozen=True)
class Preview:
    """One live preview: an encoded image; `node` is "" when the server is mute."""

    node: str
    image: bytes = field(repr=False)


@dataclass
class Watch:
    """What happened while a prompt ran, in order of arrival.

    on_event is called with (type, data) for every message about this prompt.
    """

    progress: list[Progress] = field(default_factory=list)
    previews: list[Preview] = field(default_factory=list)
    on_event: Callable[[str, dict[str, Any]], None] | None = None


class PromptFailed(HostError):
    """The server refused a prompt, or a node failed; `detail` is what the server said."""

    def __init__(self, message: str, detail: dict[str, Any]):
        super().__init__(message)
        self.detail = detail


class PromptInterrupted(PromptFailed):
    """The prompt was interrupted."""


def describe_rejection(body: dict[str, Any]) -> str:
    """The server's answer to a prompt that it did not accept as a whole."""
    error = body.get("error") or {"message": "some outputs failed validation"}
    lines = [f"ComfyUI refused the prompt: {error['message']} {error.get('details', '')}".strip()]
    for node, info in (body.get("node_errors") or {}).items():
        for entry in info["errors"]:
            where = f"node {node} ({info['class_type']})"
            lines.append(f"{where}: {entry['type']}: {entry['message']}: {entry['details']}")
    return "\n".join(lines)


def describe_failure(detail: dict[str, Any]) -> str:
    """An execution_error message as a sentence."""
    where = f"Node {detail.get('node_id')} ({detail.get('node_type')})"
    return f"{where} raised {detail.get('exception_type')}: {detail['exception_message'].strip()}"


def decode_preview(frame: bytes) -> Preview | None:
    """The preview in a binary websocket frame, or None when the frame is something else."""
    (kind,) = struct.unpack_from(">I", frame)
    if kind == PREVIEW:
        return Preview("", frame[8:])
    if kind == PREVIEW_WITH_METADATA:
        (length,) = struct.unpack_from(">I", frame, 4)
        metadata = json.loads(frame[8 : 8 + length])
        return Preview(metadata["node_id"], frame[8 + length :])
    return None


class Client:
    """One client of the server at `url`; `timeout` seconds for each plain request."""

    def __init__(self, url: str, timeout: float = 30.0):
        self.url, self.timeout = url.rstrip("/"), timeout
        self.id = uuid.uuid4().hex

    def request(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        """GET `path`, or POST `body` as JSON; raises urllib.error.HTTPError or HostError."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:  # the second: an answer cut short
            raise HostError(f"No ComfyUI answers at {self.url}: {error}") from None

    def get(self, path: str) -> Any:
        """GET `path` and decode its JSON, for example "/object_info/KSampler"."""
        return json.loads(self.request(path))

    def queue(self, prompt: dict[str, Any], workflow: dict[str, Any] | None = None) -> str:
        """Queue a prompt in API format; returns its id. Raises PromptFailed when refused.

        workflow  the UI workflow to store in the pictures it saves.
        A prompt of which only some outputs are valid counts as refused: it is interrupted.
        """
        body: dict[str, Any] = {"prompt": prompt, "client_id": self.id}
        if workflow is not None:
            body["extra_data"] = {"extra_pnginfo": {"workflow": workflow}}
        try:
            answer = json.loads(self.request("/prompt", body))
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None
        if answer.get("node_errors"):
            self.cancel(answer["prompt_id"])
            raise PromptFailed(describe_rejection(answer), answer)
        return answer["prompt_id"]

    def _refused(self, error: urllib.error.HTTPError) -> PromptFailed:
        text = error.read().decode(errors="replace")
        try:
            body = json.loads(text)
        except ValueError:
            body = {"error": {"message": f"status {error.code}", "details": text[:300]}}
        return PromptFailed(describe_rejection(body), body)

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt out of the queue and stop it if it runs."""
        self.request("/queue", {"delete": [prompt_id]})
        self.request("/interrupt", {"prompt_id": prompt_id})

    def interrupt(self) -> None:
        """Stop the prompt that runs now."""
        self.request("/interrupt", {})

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """What the server keeps of a finished prompt: status and outputs; None until then."""
        return self.get(f"/history/{prompt_id}").get(prompt_id)

    def view(self, filename: str, subfolder: str = "", type: str = "output") -> bytes:
        """The bytes of a picture as named in a prompt's outputs: `client.view(**image)`."""
        query = {"filename": filename, "subfolder": subfolder, "type": type}
        return self.request(f"/view?{urllib.parse.urlencode(query)}")

    def run(
        self,
        prompt: dict[str, Any],
        timeout: float = 600.0,
        watch: Watch | None = None,
        workflow: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Run a prompt to its end; returns its history entry, with the outputs by node id.

        timeout  seconds; when they have passed the prompt is cancelled and HostError raised.
        watch    collects progress and previews.
        Raises PromptFailed with node, class and message, or PromptInterrupted.
        """
        return asyncio.run(self._run(prompt, timeout, watch or Watch(), workflow))

    async def _run(
        self,
        prompt: dict[str, Any],
        timeout: float,
        watch: Watch,
        workflow: dict[str, Any] | None,
    ) -> dict[str, Any]:
        address = f"{self.url}/ws?clientId={self.id}"
        limit = aiohttp.ClientTimeout(total=self.timeout)  # of the handshake
        prompt_id = ""
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                await socket.send_json(FEATURES)
                prompt_id = await asyncio.to_thread(self.queue, prompt, workflow)
                await asyncio.wait_for(_follow(socket, prompt_id, watch), timeout)
        except aiohttp.ClientError as error:
            raise HostError(f"The connection to {self.url} failed: {error}") from None
        except asyncio.TimeoutError:
            if not prompt_id:
                raise HostError(
                    f"No ComfyUI answers at {self.url}: no websocket within {self.timeout:g} s."
                ) from None
            self.cancel(prompt_id)
            last = watch.progress[-1] if watch.progress else "none"
            raise HostError(
                f"The prompt took longer than {timeout:g} s and was cancelled; progress: {last}."
            ) from None
        entry = self.history(prompt_id)
        if entry is None:
            raise HostError(f"Prompt {prompt_id} ended but the server kept no history of it.")
        return entry


async def _follow(socket: aiohttp.ClientWebSocketResponse, prompt_id: str, watch: Watch) -> None:
    """Read messages until the prompt has ended and its history is written."""
    failure: PromptFailed | None = None
    async for message in socket:
        if message.type == aiohttp.WSMsgType.BINARY:
            preview = decode_preview(message.data)
            if preview is not None:
                watch.previews.append(preview)
        elif message.type == aiohttp.WSMsgType.TEXT:
            event = json.loads(message.data)
            kind, data = event["type"], event["data"]
            if data.get("prompt_id") != prompt_id:
                continue
            _note(kind, data, watch)
            failure = failure or _failure(kind, data)
            if kind == "executing" and data["node"] is None:
                break
    else:
        raise HostError("The server closed the connection while the prompt ran.")
    if failure is not None:
        raise failure


def _note(kind: str, data: dict[str, Any], watch: Watch) -> None:
    if kind == "progress":
        watch.progress.append(Progress(data["value"], data["max"], data["node"]))
    if watch.on_event is not None:
        watch.on_event(kind, data)


def _failure(kind: str, data: dict[str, Any]) -> PromptFailed | None:
    if kind == "execution_error":
        return PromptFailed(describe_failure(data), data)
    if kind == "execution_interrupted":
        where = f"node {data.get('node_id')} ({data.get('node_type')})"
        return PromptInterrupted(f"The prompt was interrupted in {where}.", data)
    return None
