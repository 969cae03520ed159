"""A build and an app try to get at what is the platform's; and no secret of ours stands where others can read."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

from tests.e2e.world import Platform, Repository, processes_under

Checkout = Callable[..., Repository]

# What a curious tenant tries; prints what it found as JSON. Runs in builds and, behind a request, in apps.
SNOOP = r"""
const fs = require('fs'), net = require('net'), os = require('os')
const read = (path) => { try { return fs.readFileSync(path, 'latin1') } catch (error) { return null } }
const list = (path) => { try { return fs.readdirSync(path) } catch (error) { return null } }
const knock = (port) => new Promise((done) => {
  const socket = net.connect(port, '127.0.0.1')
  socket.setTimeout(2000, () => { socket.destroy(); done(false) })
  socket.on('connect', () => { socket.destroy(); done(true) }).on('error', () => done(false))
})
module.exports = async (paths, ports) => ({
  environment: process.env,
  environments: (list('/proc') || []).filter((n) => /^\d+$/.test(n)).map((n) => read(`/proc/${n}/environ`)),
  arguments: (list('/proc') || []).filter((n) => /^\d+$/.test(n)).map((n) => read(`/proc/${n}/cmdline`)),
  files: paths.filter((path) => read(path) !== null || list(path) !== null),
  ports: (await Promise.all(ports.map(async (port) => [port, await knock(port)]))).filter(([, open]) => open),
  shadow: read('/etc/shadow'),
  uid: os.userInfo().uid,
})
"""
INDEX = """
const snoop = require('./snoop.js'), target = require('./target.json')
require('http').createServer(async (request, answer) => {
  answer.end(request.url === '/snoop' ? JSON.stringify(await snoop(target.paths, target.ports)) : 'fine')
}).listen(process.env.PORT)
"""
BUILD = """
const fs = require('fs'), target = require('./target.json')
require('./snoop.js')(target.paths, target.ports).then((found) => fs.writeFileSync('found.json', JSON.stringify(found)))
"""


def secrets_of(platform: Platform) -> list[str]:
    """Every secret that the platform keeps, and the owner's token."""
    kept = json.loads((platform.directory / "secrets.json").read_text())
    found = [platform.token]
    stack = [kept]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str) and len(value) >= 16:
            found.append(value)
    assert len(found) > 3
    return found


def test_a_build_and_an_app_get_at_nothing_of_the_platform(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("snoop")
    ports = [int(port) for port in json.loads((platform.directory / "ports.json").read_text()).values()]
    paths = [
        str(platform.directory),
        str(platform.directory / "secrets.json"),
        str(platform.directory / "postgres"),
        str(Path(__file__).parents[2]),
        "/root/.ssh",
        "/var/lib/postgresql",
    ]
    repository.write("target.json", json.dumps({"paths": paths, "ports": ports}))
    repository.write("snoop.js", SNOOP)
    repository.write("build.js", BUILD)
    repository.write(
        "index.js",
        INDEX.replace("'fine'", "request.url === '/build' ? require('fs').readFileSync('found.json') : 'fine'"),
    )
    repository.write(
        "package.json", '{"name": "snoop", "scripts": {"build": "node build.js", "start": "node index.js"}}'
    )
    repository.commit("curious")
    pushed = repository.push()
    assert pushed.status == 0, pushed.output
    for where in ("/build", "/snoop"):
        answer = platform.get("snoop", where)
        assert answer.status == 200
        found = json.loads(answer.text)
        assert found["files"] == [], where
        assert found["ports"] == [], where
        assert found["shadow"] is None, where
        assert found["uid"] != 0, where
        for secret in secrets_of(platform):
            assert secret not in answer.text, where


def test_no_secret_stands_in_logs_or_arguments(platform: Platform, checkout: Checkout) -> None:
    repository = checkout("quiet", "static-html")
    assert repository.push().status == 0
    secrets = secrets_of(platform)
    for log in (platform.directory / "logs").iterdir():
        text = log.read_text(errors="replace")
        for secret in secrets:
            assert secret not in text, log
    pids = processes_under(platform.directory)
    assert len(pids) > 8
    for pid in pids:
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue  # it ended meanwhile
        for secret in secrets:
            assert secret not in arguments, arguments


def test_what_holds_secrets_is_for_the_owner_only(platform: Platform) -> None:
    secrets = [secret.encode() for secret in secrets_of(platform)]
    open_to_others = []
    for path in platform.directory.rglob("*"):
        try:
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & 0o077 and path.stat().st_size < 1 << 20:
                content = path.read_bytes()
                open_to_others += [path for secret in secrets if secret in content]
        except OSError:
            continue  # gone meanwhile, or not even we may look
    guarded = [path for path in open_to_others if not _behind_closed_door(path, platform.directory)]
    assert guarded == []


def _behind_closed_door(path: Path, top: Path) -> bool:
    """Whether a folder on the way lets nobody else through."""
    return any(folder.stat().st_mode & 0o011 == 0 for folder in path.parents if folder.is_relative_to(top))
