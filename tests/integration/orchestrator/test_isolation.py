"""What a tenant's process tries, and must not get."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import textwrap
from pathlib import Path
from typing import Any

import pytest

from orchestrator.drivers.local.egress.client import Egress
from tests.integration.orchestrator.workshop import Workshop, get

SECRET = "platform-secret-3fa9"


@pytest.fixture(autouse=True)
def _secret_in_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPOFF_S3_SECRET_KEY", SECRET)


async def attempt(workshop: Workshop, script: str, **env: str) -> Any:
    """Runs a script in a build; its last line is JSON."""
    job = workshop.job("python3 attempt.py", {"attempt.py": textwrap.dedent(script)}, runtime="python", env=env)
    result = await workshop.build(job)
    assert result.ok, workshop.lines
    return json.loads(workshop.said()[-1])


async def test_the_platforms_files_are_not_there(workshop: Workshop) -> None:
    hidden = workshop.scratch / "credentials"
    hidden.write_text(SECRET)
    repository = str(Path(__file__).parents[3])
    found = await attempt(
        workshop,
        """
        import json, os
        readable = []
        for path in json.loads(os.environ["PATHS"]):
            try:
                (os.listdir if os.path.isdir(path) else open)(path)
                readable.append(path)
            except OSError:
                pass
        print(json.dumps(readable))
        """,
        PATHS=json.dumps(
            [
                str(hidden),
                repository,
                f"{repository}/pyproject.toml",
                str(workshop.config.work_dir),
                str(workshop.config.run_dir),
                "/root/.bashrc",
                "/etc/shadow",
                "/var/log",
                "/sys",
                f"/proc/1/root{repository}",
                "/dev/sda",
                "/dev/mem",
            ]
        ),
    )
    assert found == []


async def test_no_process_of_the_platform_can_be_seen(workshop: Workshop) -> None:
    found = await attempt(
        workshop,
        """
        import json, os
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        environments = b""
        for pid in pids:
            try:
                environments += open(f"/proc/{pid}/environ", "rb").read()
            except OSError:
                pass
        print(json.dumps({"pids": pids, "names": [open(f"/proc/{pid}/comm").read().strip() for pid in pids],
                          "environments": environments.decode("latin-1"), "own": dict(os.environ)}))
        """,
    )
    assert max(found["pids"]) < 20
    assert SECRET not in found["environments"]
    assert not [name for name in found["own"] if name.startswith("SHIPOFF_")]
    assert SECRET not in json.dumps(found)


async def test_the_hosts_loopback_cannot_be_reached(workshop: Workshop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("0.0.0.0", 0)) as wide:
        ports = [server.getsockname()[1], wide.getsockname()[1]]
        outside = socket.gethostbyname(socket.gethostname())
        found = await attempt(
            workshop,
            """
            import json, os, socket, urllib.request, urllib.error
            ports, outside = json.loads(os.environ["PORTS"]), os.environ["OUTSIDE"]
            reached, answers = [], []
            for port in ports:
                for host in ("127.0.0.1", "::1", outside):
                    try:
                        socket.create_connection((host, port), timeout=2)
                        reached.append([host, port])
                    except OSError:
                        pass
                for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f000001", outside):
                    s = socket.create_connection(("127.0.0.1", 3128), timeout=5)
                    s.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
                    answers.append(s.recv(200).decode().split("\\r\\n")[0])
            print(json.dumps({"reached": reached, "answers": answers}))
            """,
            PORTS=json.dumps(ports),
            OUTSIDE=outside,
        )
    assert found["reached"] == []
    assert {answer.split(" ", 1)[1] for answer in found["answers"]} <= {"403 Forbidden", "502 Bad Gateway"}
    assert found["answers"].count("HTTP/1.1 403 Forbidden") >= 12


async def test_powers_are_gone(workshop: Workshop) -> None:
    found = await attempt(
        workshop,
        """
        import ctypes, json, os
        libc = ctypes.CDLL(None, use_errno=True)
        def errno(call, *args):
            ctypes.set_errno(0)
            return ctypes.get_errno() if call(*args) == -1 else 0
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        print(json.dumps({
            "capabilities": [status[name].strip() for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb", "CapInh")],
            "no_new_privileges": status["NoNewPrivs"].strip(),
            "seccomp": status["Seccomp"].strip(),
            "user_namespace": errno(libc.unshare, 0x10000000),
            "mount": errno(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None),
            "ptrace": errno(libc.ptrace, 16, os.getppid(), 0, 0),
            "keyctl": errno(libc.syscall, 250 if os.uname().machine == "x86_64" else 219, 0, -3, 0),
            "bpf": errno(libc.syscall, 321 if os.uname().machine == "x86_64" else 280, 0, 0, 0),
            "setuid": errno(libc.setuid, 0),
            "uid": os.getuid(),
        }))
        """,
    )
    assert set(found["capabilities"][:2]) == {"0000000000000000"}
    assert (found["no_new_privileges"], found["seccomp"]) == ("1", "2")
    for power in ("user_namespace", "mount", "ptrace", "keyctl", "bpf"):
        assert found[power] == errno.EPERM, power
    assert found["setuid"] in (errno.EPERM, errno.EINVAL)  # refused, or there is no root in this namespace
    assert found["uid"] != 0


async def test_nothing_but_its_own_directories_can_be_written(workshop: Workshop) -> None:
    found = await attempt(
        workshop,
        """
        import json, os
        written = []
        for directory in ("/", "/usr", "/etc", "/etc/shipoff", "/run", "/run/egress", "/dev", "/runtimes", "/var",
                          "/proc/sys/kernel", "/app", "/tmp", "/home/app", "/dev/shm"):
            try:
                open(os.path.join(directory, "probe"), "w").close()
                written.append(directory)
            except OSError:
                pass
        print(json.dumps(written))
        """,
    )
    assert found == ["/app", "/tmp", "/home/app", "/dev/shm"]


async def test_no_descriptor_of_the_platform_is_open(workshop: Workshop) -> None:
    job = workshop.job("for fd in /proc/$$/fd/*; do readlink $fd; done; true")
    assert (await workshop.build(job)).ok
    assert len(workshop.said()) == 3
    info = await workshop.start("for fd in /proc/$$/fd/*; do readlink $fd; done; echo end; sleep 60")
    assert len(await workshop.output(info.instance_id, "end")) == 4


async def test_the_way_out_survives_a_restart_of_the_proxy(workshop: Workshop) -> None:
    script = """
    import http.server, os, socket
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = b""
            try:
                with socket.create_connection(("127.0.0.1", 3128), timeout=5) as proxy:
                    proxy.sendall(b"CONNECT 127.0.0.1:1 HTTP/1.1\\r\\n\\r\\n")
                    answer = proxy.recv(100)
            except OSError as error:
                answer = repr(error).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)
    http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
    """
    info = await workshop.start("exec python3 s.py", {"s.py": textwrap.dedent(script)})
    assert b"403 Forbidden" in await get(info.address)
    egress = Egress(workshop.config)
    await egress.stop()
    async with asyncio.timeout(20):
        while b"403 Forbidden" in await get(info.address):
            await asyncio.sleep(0.02)
    await egress.ensure()
    assert b"403 Forbidden" in await get(info.address)


async def test_two_projects_have_two_uids_where_the_platform_is_root(workshop: Workshop) -> None:
    if os.geteuid() != 0:
        pytest.skip("without root every sandbox has the platform's uid, in a user namespace of its own")
    accounts = workshop.driver._ground.accounts
    one, two = accounts.uid_of("prj_one"), accounts.uid_of("prj_two")
    assert one is not None
    assert two is not None
    assert one != two
    assert min(one, two) >= 200_000
    assert accounts.uid_of("prj_one") == one


async def test_an_instance_sees_no_more_than_a_build(workshop: Workshop) -> None:
    script = """
    import http.server, json, os
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            environments = b""
            for name in os.listdir("/proc"):
                if name.isdigit():
                    try:
                        environments += open(f"/proc/{name}/environ", "rb").read()
                    except OSError:
                        pass
            body = json.dumps({"environments": environments.decode("latin-1"), "root": os.listdir("/"),
                               "fds": os.listdir("/proc/self/fd"), "uid": os.getuid()}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)
    http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
    """
    info = await workshop.start("exec python3 s.py", {"s.py": textwrap.dedent(script)}, env={"MINE": "yes"})
    found = json.loads((await get(info.address)).split(b"\r\n\r\n", 1)[1])
    assert SECRET not in found["environments"]
    assert "MINE=yes" in found["environments"]
    assert "work" not in found["root"]
    assert found["uid"] != 0
