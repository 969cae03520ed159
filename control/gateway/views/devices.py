"""Signing in programs without a browser (RFC 8628): they show a code, which a person types elsewhere."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import auth as auth_models
from control.gateway.models import oauth as models
from control.gateway.sender import client
from control.gateway.views.oauth import tokens_of
from proto.auth.v1 import accounts_pb2, oauth_pb2


async def create(call: Call, body: models.StartDevice) -> models.DeviceShape:
    """POST /v1/auth/device: begins the sign-in of a program without a browser.

    It shows `user_code` and `verification_uri`, and asks `/v1/auth/device/token` every `interval` seconds.
    """
    seen = accounts_pb2.Client(address=client(call.request).address, user_agent=body.name)
    started = await call.clients.oauth.StartDevice(oauth_pb2.StartDeviceRequest(client=seen))
    return models.device(started, call.parts.settings.public_url.rstrip("/") + "/device")


async def exchange(call: Call, body: models.ExchangeDevice) -> auth_models.TokensShape:
    """POST /v1/auth/device/token: opens a session, once somebody has said yes.

    Until then it is refused with 400: with `AUTHORIZATION_PENDING`, or with `SLOW_DOWN`, which makes the interval five
    seconds longer; in the end with `ACCESS_DENIED` or `EXPIRED_TOKEN`.
    """
    request = oauth_pb2.ExchangeDeviceRequest(device_code=body.device_code, client=client(call.request))
    return tokens_of(await call.clients.oauth.ExchangeDevice(request))
