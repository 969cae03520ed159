"""What is recognised, and what the owner's words change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from orchestrator.build.detect import FRAMEWORKS, detect, plan
from orchestrator.build.plan import BuildPlan, BuildSettings
from orchestrator.build.running import Health
from orchestrator.build.tree import SourceTree

EXPRESS = json.dumps({"scripts": {"start": "node server.js"}, "dependencies": {"express": "5"}})
VITE = json.dumps({"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}})
NEXT = json.dumps({"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "16"}})
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\napi = FastAPI()\n"


def planned(texts: Mapping[str, str], **settings: str) -> BuildPlan:
    return plan(SourceTree.of_texts(texts), BuildSettings(**settings))


@pytest.mark.parametrize(
    ("texts", "framework", "kind", "output"),
    [
        ({"index.html": ""}, "static", "static", ""),
        ({"public/index.html": "", "README.md": ""}, "static", "static", "public"),
        ({"about.html": ""}, "static", "static", ""),
        ({"package.json": VITE, "index.html": ""}, "vite", "static", "dist"),
        (
            {"package.json": VITE, "vite.config.ts": "build: { outDir: './public_html' }"},
            "vite",
            "static",
            "public_html",
        ),
        ({"package.json": VITE, "vite.config.ts": "build: { outDir: '../../etc' }"}, "vite", "static", "dist"),
        (
            {"package.json": json.dumps({"scripts": {"build": "x"}, "dependencies": {"gatsby": "5"}})},
            "spa",
            "static",
            "public",
        ),
        ({"package.json": NEXT}, "next", "dynamic", ""),
        ({"package.json": NEXT, "next.config.mjs": "export default { output: 'export' }"}, "next", "static", "out"),
        ({"package.json": EXPRESS}, "express", "dynamic", ""),
        ({"package.json": "{}", "index.html": ""}, "static", "static", ""),
        ({"app.py": FLASK, "requirements.txt": "flask"}, "flask", "dynamic", ""),
        ({"main.py": FASTAPI, "requirements.txt": "fastapi"}, "fastapi", "dynamic", ""),
        ({"main.py": FASTAPI, "package.json": VITE.replace("build", "check")}, "vite", "static", "dist"),
        ({"shop/wsgi.py": "application = get_wsgi_application()", "manage.py": ""}, "django", "dynamic", ""),
        ({"asgi.py": "async def app(scope, receive, send): pass"}, "asgi", "dynamic", ""),
        ({"wsgi.py": "def application(environ, start_response): pass"}, "wsgi", "dynamic", ""),
        ({"index.php": ""}, "php", "dynamic", ""),
        ({"public/index.php": "", "composer.json": "{}"}, "php", "dynamic", ""),
        ({"Procfile": "web: ./serve\nworker: x\n", "index.html": ""}, "procfile", "dynamic", ""),
    ],
)
def test_frameworks_are_recognised(texts: dict[str, str], framework: str, kind: str, output: str) -> None:
    found = planned(texts)
    assert (found.framework, found.kind, found.output_dir) == (framework, kind, output)


@pytest.mark.parametrize(
    ("texts", "run"),
    [
        ({"app.py": FLASK}, "app:app"),
        ({"src/app.py": FLASK}, "--pythonpath src app:app"),
        ({"shop/__init__.py": FLASK}, "shop:app"),
        ({"main.py": FASTAPI}, "uvicorn main:api "),
        ({"app/main.py": FASTAPI}, "uvicorn app.main:api "),
        ({"service.py": FASTAPI}, "uvicorn service:api "),
        ({"app.py": "def create_app(config=None):\n    return Flask(__name__)\n"}, "'app:create_app()'"),
        ({"main.py": "def create_app():\n    return FastAPI()\n"}, "uvicorn main:create_app "),
        ({"app.py": "admin = Flask('a')\napp: Flask = Flask('b')\n"}, "app:app"),
        ({"asgi.py": "app = falcon.asgi.App()"}, "uvicorn asgi:app "),
        ({"wsgi.py": "api = falcon.App()"}, "wsgi:api"),
    ],
)
def test_the_app_object_is_found(texts: dict[str, str], run: str) -> None:
    assert run in planned(texts).run


@pytest.mark.parametrize(
    "text",
    [
        "app = Flask(",
        "def create_app(config):\n    return Flask('x')\n",
        "def helper():\n    app = Flask('x')\n",
        "app = make()",
    ],
)
def test_what_is_no_app_object_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ShipoffError, match="FRAMEWORK_UNKNOWN"):
        planned({"app.py": text})


@pytest.mark.parametrize(
    ("texts", "install"),
    [
        ({"package.json": EXPRESS, "package-lock.json": ""}, "npm ci --omit=dev"),
        ({"package.json": EXPRESS}, "npm install --omit=dev"),
        ({"package.json": NEXT, "package-lock.json": ""}, "npm ci --include=dev"),
        ({"package.json": VITE, "pnpm-lock.yaml": ""}, "npx --yes pnpm@10 install --frozen-lockfile"),
        (
            {"package.json": VITE.replace("{", '{"packageManager": "pnpm@9.1.0+sha512.x", ', 1), "pnpm-lock.yaml": ""},
            "npx --yes pnpm@9.1.0 install --frozen-lockfile",
        ),
        ({"package.json": EXPRESS, "yarn.lock": ""}, "npx --yes yarn@1 install --frozen-lockfile --production"),
        (
            {"app.py": FLASK, "requirements.txt": "flask\ngunicorn"},
            "uv venv --quiet --allow-existing .venv && uv pip install -r requirements.txt",
        ),
        (
            {"app.py": FLASK, "requirements.txt": "flask\n"},
            "uv venv --quiet --allow-existing .venv && uv pip install -r requirements.txt gunicorn",
        ),
        (
            {"main.py": FASTAPI, "pyproject.toml": "[project]\nname='x'\ndependencies=['fastapi', \"uvicorn>=0.3\"]"},
            "uv venv --quiet --allow-existing .venv && uv pip install -r pyproject.toml",
        ),
        (
            {"main.py": FASTAPI, "pyproject.toml": "[project]\nname='x'", "uv.lock": ""},
            "uv sync --frozen --no-dev --no-install-project && uv pip install uvicorn",
        ),
        ({"index.php": "", "composer.json": '{"require": {"php": ">=8", "ext-json": "*"}}'}, ""),
        (
            {"index.php": "", "composer.json": '{"require": {"monolog/monolog": "3"}}'},
            "composer install --no-dev --no-progress --prefer-dist --optimize-autoloader",
        ),
        ({"index.html": ""}, ""),
    ],
)
def test_dependencies_are_installed_as_the_project_pins_them(texts: dict[str, str], install: str) -> None:
    assert planned(texts).install == install


@pytest.mark.parametrize(
    ("package", "run"),
    [
        ({"scripts": {"start": "node a.js"}}, "node a.js"),
        ({"scripts": {"start": "node a.js", "prestart": "node b.js"}}, "exec npm start"),
        ({"scripts": {"start": "npm run serve"}}, "exec npm start"),
        ({"main": "it's.js"}, "exec node 'it'\\''s.js'"),
        ({}, "exec node server.js"),
    ],
)
def test_a_node_server_is_started_without_a_process_between(package: dict[str, object], run: str) -> None:
    assert planned({"package.json": json.dumps(package), "it's.js": "", "server.js": ""}).run == run


def test_a_server_that_vite_builds_pages_for_is_no_static_site() -> None:
    both = json.dumps(
        {"scripts": {"build": "vite build", "start": "node s.js"}, "dependencies": {"vite": "7", "express": "5"}}
    )
    found = planned({"package.json": both})
    assert (found.framework, found.kind, found.build, found.run) == ("express", "dynamic", "npm run build", "node s.js")


def test_a_projects_gunicorn_configuration_is_left_alone() -> None:
    assert planned({"app.py": FLASK, "gunicorn.conf.py": ""}).run == 'exec gunicorn --bind "0.0.0.0:$PORT" app:app'


def test_what_the_owner_says_wins_field_by_field() -> None:
    found = planned(
        {"package.json": NEXT},
        build_command="make",
        run_command="./serve",
        health_path="healthz",
        install_command="./get",
    )
    assert (found.framework, found.install, found.build, found.run) == ("next", "./get", "make", "./serve")
    assert found.health == Health(path="/healthz", strict=True)


def test_an_output_makes_it_static_and_a_run_command_makes_it_dynamic() -> None:
    static = planned({"package.json": EXPRESS}, output_dir="out/", build_command="make")
    assert (static.kind, static.output_dir, static.run, static.build) == ("static", "out", "", "make")
    dynamic = planned({"package.json": VITE}, run_command="vite preview")
    assert (dynamic.kind, dynamic.run, dynamic.spa) == ("dynamic", "vite preview", False)


def test_nothing_needs_to_be_recognised_when_the_owner_says_enough() -> None:
    found = planned({"serve": ""}, run_command="./serve")
    assert (found.framework, found.kind, found.runtime, found.run) == ("custom", "dynamic", "none", "./serve")
    found = planned({"pages/a.txt": ""}, output_dir="pages")
    assert (found.framework, found.kind, found.output_dir) == ("custom", "static", "pages")


def test_a_program_beside_html_gets_its_language() -> None:
    found = planned({"index.html": "", "serve.py": "x = 1", "requirements.txt": "x"}, run_command="python serve.py")
    assert (found.runtime, found.kind) == ("python", "dynamic")
    assert found.install.endswith("uv pip install -r requirements.txt")


def test_the_owners_install_command_finds_a_venv_to_install_into() -> None:
    found = planned({"app.py": FLASK}, install_command="pip install flask")
    assert found.install == "uv venv --quiet --allow-existing .venv --seed && pip install flask"


def test_an_unknown_tree_names_what_was_looked_for_and_what_to_say() -> None:
    with pytest.raises(ShipoffError) as failed:
        planned({"src/main.rs": "", "Cargo.toml": ""})
    assert failed.value.code == "FRAMEWORK_UNKNOWN"
    for word in ("package.json", "index.html", "Flask", "index.php", "Procfile", "Cargo.toml", "src/"):
        assert word in failed.value.detail
    for word in ("framework", "output_dir", "run_command", "$PORT"):
        assert word in failed.value.hint


def test_an_unknown_framework_is_named_with_the_known_ones() -> None:
    with pytest.raises(ShipoffError, match=r"no framework 'rails'.*vite"):
        planned({"index.html": ""}, framework="rails")


@pytest.mark.parametrize("framework", sorted(set(FRAMEWORKS) - {"static"}))
def test_a_named_framework_that_is_not_there_is_an_error(framework: str) -> None:
    with pytest.raises(ShipoffError, match="FRAMEWORK_UNKNOWN"):
        planned({"index.html": ""}, framework=framework)


def test_a_named_framework_is_not_overruled_by_another() -> None:
    assert planned({"index.html": "", "package.json": EXPRESS}, framework="static").framework == "static"


@pytest.mark.parametrize("value", ["../out", "a/../../b", "//etc", "a\0b"])
def test_paths_that_leave_the_repository_are_refused(value: str) -> None:
    with pytest.raises(ShipoffError, match="BUILD_PLAN_INVALID"):
        planned({"index.html": ""}, output_dir=value)


def test_a_monorepos_app_is_found_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "apps/web").mkdir(parents=True)
    (tmp_path / "apps/web/index.html").write_text("x")
    (tmp_path / "package.json").write_text(EXPRESS)
    found = detect(tmp_path, BuildSettings(root_dir="/apps/web/"))
    assert (found.framework, found.root_dir) == ("static", "apps/web")


def test_a_root_dir_that_is_a_link_out_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    for value in ("out", "none", ".."):
        with pytest.raises(ShipoffError, match="BUILD_PLAN_INVALID"):
            detect(tmp_path, BuildSettings(root_dir=value))


def test_a_plan_survives_its_row() -> None:
    found = planned({"package.json": NEXT})
    assert BuildPlan.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_links_in_a_tree_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "index.html").symlink_to("/etc/passwd")
    assert SourceTree.at(tmp_path).files == frozenset()


@pytest.mark.parametrize(
    "name", ["static-html", "node-express", "python-flask", "python-fastapi", "php-plain", "vite-spa", "next"]
)
def test_every_example_is_recognised(name: str) -> None:
    root = Path(__file__).parents[4] / "examples" / name
    expected = {"static-html": "static", "node-express": "express", "vite-spa": "react"}
    want = expected.get(name) or name.removeprefix("python-").removesuffix("-plain")
    assert detect(root, BuildSettings()).framework == want
