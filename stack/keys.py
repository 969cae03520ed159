"""The keys that seal secrets at rest, replaced in steps: a new one in front, everything under it, the old ones out.

The ring is in the state directory's secrets: `env_key` as long as it is one key, `env_keys` while it is several. The
services read it when they start, so each change of it takes a restart; in between everything opens.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from kernel.errors import define
from stack.state import State

KEYS_NOT_IN_USE = define(
    "KEYS_NOT_IN_USE",
    source="client",
    status=409,
    hint="the services read their keys when they start: shipoff down, shipoff up, then again",
)
KEYS_STILL_NEEDED = define(
    "KEYS_STILL_NEEDED", source="client", status=409, hint="bring everything under the new key: shipoff rotate-keys"
)
KEYS_IN_ROTATION = define(
    "KEYS_IN_ROTATION",
    source="client",
    status=409,
    hint="end that first: shipoff rotate-keys, then shipoff rotate-keys --drop",
)
SERVICES: Final = ("auth", "projects", "orchestrator")  # that seal something
_DONE: Final = "resealed_under"


def add(state: State) -> str:
    """Puts a new key in front of the ring; returns its name.

    Raises:
        ShipoffError: KEYS_IN_ROTATION when there are several already.
    """
    known = state.secrets()
    if known.get("env_keys"):
        raise KEYS_IN_ROTATION("the ring has several keys already")
    name = f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(3)}"
    fresh = base64.b64encode(secrets.token_bytes(32)).decode()
    state.keep_secrets({"env_keys": f"{name}:{fresh},first:{known['env_key']}"})
    return name


async def reseal(state: State) -> AsyncIterator[str]:
    """Brings what all services keep under the ring's first key; tells a line for each batch.

    Raises:
        ShipoffError: KEYS_NOT_IN_USE, or a service's; calling it again goes on where it stopped.
    """
    primary, broken = _names(state)[0], 0
    for service in SERVICES:
        async for told, faults in _of_service(state, service, primary):
            yield told
            broken += faults
    if not broken:
        state.note(_DONE, primary)


def drop(state: State) -> list[str]:
    """Takes all keys but the first out of the ring; returns their names.

    Raises:
        ShipoffError: KEYS_STILL_NEEDED when something may be sealed by them.
    """
    names = _names(state)
    if len(names) > 1:
        if state.fact(_DONE) != names[0]:
            raise KEYS_STILL_NEEDED(f"what the keys {', '.join(names[1:])} sealed is not all under {names[0]}")
        first = state.secrets()["env_keys"].partition(",")[0]
        state.keep_secrets({"env_key": first.rpartition(":")[2], "env_keys": ""})
    return names[1:]


def _names(state: State) -> list[str]:
    ring = state.secrets().get("env_keys", "")
    return [entry.rpartition(":")[0] for entry in ring.split(",")] if ring else [""]


async def _of_service(state: State, service: str, primary: str) -> AsyncIterator[tuple[str, int]]:
    from kernel.rpc import RpcClient
    from proto.sealing.v1.sealing_pb2 import ResealRequest
    from proto.sealing.v1.sealing_pb2_grpc import SealingStub

    client, broken = RpcClient(state.address(service), state.secrets()["service_token"]), 0
    try:
        async for got in client.stub(SealingStub).Reseal(ResealRequest()):
            if primary and got.keys[0] != primary:
                raise KEYS_NOT_IN_USE(f"{service} still seals with the key {got.keys[0]}")
            told = f"{service}: {got.table}: {got.resealed} sealed anew, {got.changed} changed meanwhile"
            yield told + (f", {got.broken} that no key opens" if got.broken else ""), got.broken - broken
            broken = got.broken
    finally:
        await client.close()
