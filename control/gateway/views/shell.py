"""`shipoff exec`: a WebSocket carries a command's input, output and end between a terminal and the orchestrator.

The client's first message is a JSON text (`models.shell.Shell`). Then binary messages are bytes, in one direction
stdin, in the other a channel (1 stdout, 2 stderr) and its bytes; text messages are JSON: `{"resize": [rows, cols]}` and
`{"end": true}` from the client, `{"begun": "ins_…"}`, and at last `{"exit": status}` or `{"error": {code, detail,
hint}}` from us.

Whoever runs a command is asked again each minute whether they still may, and the command ends when they may not.

A message is read when the one before has been passed on, so a slow end slows the other down and nothing piles up here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, cast

import orjson
from aiohttp import WSMessage, WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from control.gateway.call import Call
from control.gateway.models.shell import Shell
from control.gateway.problems import BODY_INVALID, REQUEST_INVALID, InvalidFieldsError
from control.gateway.stream import while_allowed
from kernel.errors import ShipoffError
from proto.orchestrator.v1.running_pb2 import ExecInput, ExecOutput, ExecSize, ExecStart

FIRST_S: Final = 10.0  # the command must be said within this
PING_S: Final = 30.0  # a client that is gone without a word is noticed within this
MESSAGE_BYTES: Final = 1 << 20
STDOUT: Final = b"\x01"
STDERR: Final = b"\x02"


class Order(BaseModel):
    """A text message of the client after the first."""

    model_config = ConfigDict(extra="forbid", strict=True)

    resize: tuple[int, int] | None = None
    end: bool = Field(default=False)


async def run(call: Call) -> web.StreamResponse:
    """GET /v1/projects/{project}/exec: runs a command in a running instance, over a WebSocket."""
    if call.request.headers.get("Upgrade", "").lower() != "websocket":
        raise REQUEST_INVALID("a command needs a WebSocket")
    socket = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=MESSAGE_BYTES)
    await socket.prepare(call.request)
    try:
        start = await _first(socket, call.found.id, call.who.actor_id)
        # what kernel/rpc makes of the call
        outputs = cast("AsyncGenerator[ExecOutput, None]", call.clients.running.Exec(_inputs(socket, start)))
        async with while_allowed(call.still, call.parts.settings.ask_again_s), aclosing(outputs):
            async for output in outputs:
                await _pass_on(socket, output)
    except ShipoffError as failure:
        if not socket.closed:
            said = {"code": failure.code, "detail": failure.detail, "hint": failure.hint}
            await _say(socket, {"error": said})
    await socket.close()
    return socket


async def _first(socket: web.WebSocketResponse, project_id: str, account_id: str) -> ExecStart:
    try:
        asked = Shell.model_validate(orjson.loads(await socket.receive_str(timeout=FIRST_S)))
    except (TypeError, TimeoutError, orjson.JSONDecodeError) as error:
        raise REQUEST_INVALID("the first message must be JSON and say what to run") from error
    except ValidationError as error:
        raise InvalidFieldsError.of(BODY_INVALID, error) from None
    return ExecStart(
        project_id=project_id,
        account_id=account_id,
        environment=asked.environment,
        instance=asked.instance,
        process=asked.process,
        arguments=asked.command,
        tty=asked.tty,
        size=ExecSize(rows=asked.rows, cols=asked.cols),
        term=asked.term,
    )


async def _inputs(socket: web.WebSocketResponse, start: ExecStart) -> AsyncIterator[ExecInput]:
    """What the client says, as messages of the orchestrator; ends when the client goes."""
    yield ExecInput(start=start)
    async for message in socket:
        if (given := _input(message)) is not None:
            yield given


def _input(message: WSMessage) -> ExecInput | None:
    if message.type is WSMsgType.BINARY:
        return ExecInput(data=message.data)
    if message.type is not WSMsgType.TEXT:
        return None
    try:
        order = Order.model_validate_json(message.data)
    except ValidationError:
        return None
    if order.resize is not None:
        return ExecInput(size=ExecSize(rows=max(order.resize[0], 1), cols=max(order.resize[1], 1)))
    return ExecInput(end=True) if order.end else None


async def _pass_on(socket: web.WebSocketResponse, output: ExecOutput) -> None:
    match output.WhichOneof("output"):
        case "stdout":
            await socket.send_bytes(STDOUT + output.stdout)
        case "stderr":
            await socket.send_bytes(STDERR + output.stderr)
        case "begun":
            await _say(socket, {"begun": output.begun.instance_id})
        case "exit":
            await _say(socket, {"exit": output.exit.status})


async def _say(socket: web.WebSocketResponse, value: Any) -> None:
    await socket.send_str(orjson.dumps(value).decode())
