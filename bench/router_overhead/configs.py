"""The peers' configurations: one worker, keep-alive both ways, the headers that ours sets, no access log.

Each is what an operator who wants speed would write. What they do not do and ours does is in the README.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from bench.router_overhead.certificate import Certificate
from bench.router_overhead.processes import descriptors
from bench.router_overhead.programs import found

Command = tuple[list[str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxy lives.

    Attributes:
        directory: for its files.
        port: where it listens for HTTP.
        tls: where it listens for HTTPS.
        upstream: the port of the app.
    """

    directory: Path
    port: int
    tls: int
    upstream: int
    certificate: Certificate


def nginx(place: Place) -> Command:
    """One worker; bodies are passed on as they come."""
    home = place.directory
    user = "user root;" if os.geteuid() == 0 else ""  # its cache lies in a directory of nobody else
    (home / "nginx.conf").write_text(f"""
daemon off; {user} worker_processes 1; pid {home}/pid; error_log stderr;
events {{ worker_connections {descriptors() - 100}; }}
http {{
  access_log off; client_max_body_size 0; keepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  proxy_cache_path {home}/kept levels=1:2 keys_zone=kept:10m use_temp_path=off;
  proxy_cache_key $scheme$host$request_uri;
  map $http_upgrade $upgrading {{ default upgrade; '' ''; }}
  upstream app {{ server 127.0.0.1:{place.upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{place.port} backlog=4096; listen 127.0.0.1:{place.tls} ssl backlog=4096; server_name _;
    ssl_certificate {place.certificate.chain}; ssl_certificate_key {place.certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m;
    location / {{
      proxy_pass http://app; proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0;
      proxy_set_header Host $host; proxy_set_header Connection $upgrading; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-Id $request_id;
    }}
    location = /kept {{
      proxy_pass http://app; proxy_http_version 1.1; proxy_cache kept;
      proxy_set_header Host $host; proxy_set_header Connection "";
    }}
  }}
}}
""")
    return [found("nginx"), "-c", str(home / "nginx.conf"), "-e", "stderr"], {}


def haproxy(place: Place) -> Command:
    """One thread."""
    (place.directory / "haproxy.cfg").write_text(f"""
global
  nbthread 1
  maxconn {descriptors() // 2 - 100}
  tune.ssl.default-dh-param 2048
  ssl-default-bind-options ssl-min-ver TLSv1.2
cache kept
  total-max-size 64
  max-age 3600
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  timeout http-request 30s
  timeout http-keep-alive 600s
  timeout tunnel 1h
  option http-keep-alive
  option forwardfor
  http-reuse always
frontend front
  bind 127.0.0.1:{place.port} backlog 4096
  bind 127.0.0.1:{place.tls} ssl crt {place.certificate.both} alpn http/1.1 backlog 4096
  unique-id-format %{{+X}}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  default_backend app
backend app
  http-request cache-use kept if {{ path /kept }}
  http-response cache-store kept if {{ status 200 }}
  server one 127.0.0.1:{place.upstream} pool-max-conn 256
""")
    return [found("haproxy"), "-db", "-f", str(place.directory / "haproxy.cfg")], {}


def envoy(place: Place) -> Command:
    """One worker thread (and the main thread, which is counted too)."""
    app = {"socket_address": {"address": "127.0.0.1", "port_value": place.upstream}}
    cluster = {
        "name": "app",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [{"max_connections": 40_000, "max_requests": 40_000}]},
        "load_assignment": {
            "cluster_name": "app",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": app}}]}],
        },
    }
    listeners = [_envoy_listener(place.port, None), _envoy_listener(place.tls, place.certificate)]
    config = {"static_resources": {"listeners": listeners, "clusters": [cluster]}}
    (place.directory / "envoy.json").write_bytes(orjson.dumps(config))
    argv = [found("envoy"), "-c", str(place.directory / "envoy.json"), "--concurrency", "1", "--disable-hot-restart"]
    return [*argv, "-l", "error"], {}


def _envoy_listener(port: int, certificate: Certificate | None) -> dict[str, Any]:
    extensions = "type.googleapis.com/envoy.extensions"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}
    manager = {
        "@type": f"{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",
        "use_remote_address": True,
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{extensions}.filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    chain: dict[str, Any] = {"filters": [{"name": "http", "typed_config": manager}]}
    if certificate is not None:
        files = {
            "certificate_chain": {"filename": str(certificate.chain)},
            "private_key": {"filename": str(certificate.key)},
        }
        tls = {
            "@type": f"{extensions}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_certificates": [files],
                "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},  # off by default for servers
            },
        }
        chain["transport_socket"] = {"name": "tls", "typed_config": tls}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"address": address, "filter_chains": [chain]}


def traefik(place: Place) -> Command:
    """One thread that runs Go; its router and its load balancer are the file provider's."""
    service = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{place.upstream}"}], "passHostHeader": True}}
    rule = {"rule": "PathPrefix(`/`)", "service": "app"}
    files = {"certFile": str(place.certificate.chain), "keyFile": str(place.certificate.key)}
    rules = {
        "http": {
            "routers": {
                "plain": {**rule, "entryPoints": ["web"]},
                "secure": {**rule, "entryPoints": ["secure"], "tls": {}},
            },
            "services": {"app": service},
        },
        "tls": {"certificates": [files], "stores": {"default": {"defaultCertificate": files}}},
    }
    (place.directory / "routes.yml").write_bytes(orjson.dumps(rules))
    argv = [found("traefik"), "--log.level=ERROR", "--global.checkNewVersion=false"]
    argv += [f"--providers.file.filename={place.directory}/routes.yml", "--serversTransport.maxIdleConnsPerHost=256"]
    for name, port in (("web", place.port), ("secure", place.tls)):
        argv += [
            f"--entryPoints.{name}.address=127.0.0.1:{port}",
            f"--entryPoints.{name}.transport.respondingTimeouts.readTimeout=0",
        ]
    return argv, {"GOMAXPROCS": "1"}


def caddy(place: Place) -> Command:
    """One thread that runs Go."""
    home = place.directory
    answer = (
        f"reverse_proxy 127.0.0.1:{place.upstream} {{\n  transport http {{\n   keepalive_idle_conns_per_host 256\n"
        "  }\n }\n"
    )
    files = f"{place.certificate.chain} {place.certificate.key}"
    options = " admin off\n auto_https off\n log {\n  level ERROR\n }\n"
    (home / "Caddyfile").write_text(
        f"{{\n{options}}}\nhttp://:{place.port} {{\n bind 127.0.0.1\n {answer}}}\n"
        f"https://:{place.tls} {{\n bind 127.0.0.1\n tls {files}\n {answer}}}\n"
    )
    argv = [found("caddy"), "run", "--adapter", "caddyfile", "--config", str(home / "Caddyfile")]
    return argv, {"GOMAXPROCS": "1", "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}


ALL: Final[dict[str, Callable[[Place], Command]]] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "envoy": envoy,
    "traefik": traefik,
    "caddy": caddy,
}
