"""What nginx's configuration is made of."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from control.gateway.settings import MIB
from kernel.settings import Settings


class NginxSettings(Settings):
    """Settings of nginx in front of the gateway, read from `SHIPOFF_NGINX_…`, else `SHIPOFF_…`.

    Attributes:
        listen: host:port, for TLS when there is a certificate.
        server_name: the name that clients ask for; `_` is any.
        upstream: the gateway, host:port.
        certificate, certificate_key: PEM files, the chain in the first; none is plain HTTP.
        run_dir: nginx's own: its pid and what it holds on disk of bodies; must be there.
        body_bytes, push_bytes: the gateway's settings of the same names.
        hook_bytes: of a webhook's body (control/gateway/webhooks).
        request_s: in which the gateway answers what does not stream; longer than its own `request_s`.
        stream_s: that a stream may be silent; longer than a push waits for its deployment.
        connections: at a time for each worker; each client takes two.
    """

    listen: str = "127.0.0.1:8443"
    server_name: str = "_"
    upstream: str = "127.0.0.1:8000"
    certificate: str = ""
    certificate_key: str = ""
    run_dir: str = "/run/shipoff-nginx"
    body_bytes: int = Field(default=MIB, gt=0)
    push_bytes: int = Field(default=500 * MIB, gt=0)
    hook_bytes: int = Field(default=25 * MIB, gt=0)
    request_s: int = Field(default=75, gt=0)
    stream_s: int = Field(default=24 * 3600, gt=0)
    connections: int = Field(default=4096, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """No value may end its line in the configuration, or begin another."""
        for name in ("listen", "server_name", "upstream", "certificate", "certificate_key", "run_dir"):
            if any(char in ";{}\"'\\$#" or char.isspace() for char in getattr(self, name)):
                raise ValueError(f"{name} has a character that nginx's configuration gives a meaning")
        if bool(self.certificate) != bool(self.certificate_key):
            raise ValueError("certificate and certificate_key are there together or not at all")
        return self
