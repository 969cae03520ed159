"""Every preset of the catalogue on the smallest tree that is one, and what its own configuration changes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from kernel.errors import ShipoffError
from kernel.frameworks import BY_ID, CATALOG
from orchestrator.build.detect import FRAMEWORKS, plan
from orchestrator.build.plan import BuildPlan, BuildSettings
from orchestrator.build.tree import SourceTree


def planned(texts: Mapping[str, str], **settings: str) -> BuildPlan:
    return plan(SourceTree.of_texts(texts), BuildSettings(**settings))


def node(packages: str = "", dev: str = "", **scripts: str) -> dict[str, str]:
    named = {"dependencies": dict.fromkeys(packages.split(), "1"), "devDependencies": dict.fromkeys(dev.split(), "1")}
    return {"package.json": json.dumps({"scripts": scripts, **named}), "package-lock.json": "{}"}


def php(package: str) -> dict[str, str]:
    return {"composer.json": json.dumps({"require": {"php": "^8.2", package: "*"}}), "public/index.php": "<?php"}


BUILT = {"build": "make"}
ANGULAR = {
    "architect": {"build": {"builder": "@angular/build:application", "options": {"browser": "src/main.ts"}}},
    "projectType": "application",
}
DJANGO = {"manage.py": "", "mysite/wsgi.py": "application = get_wsgi_application()", "requirements.txt": "django"}
MINIMAL: dict[str, dict[str, str]] = {
    "laravel": php("laravel/framework"),
    "lumen": php("laravel/lumen-framework"),
    "symfony": php("symfony/framework-bundle"),
    "django": DJANGO,
    "hugo": {"hugo.toml": "baseURL = 'https://example.org/'", "content/post.md": "# x"},
    "next": node("next react", **BUILT),
    "nuxt": node("nuxt vue", **BUILT),
    "nest": node("@nestjs/core @nestjs/platform-express", **BUILT, start="nest start"),
    "angular": {**node("@angular/core", **BUILT), "angular.json": json.dumps({"projects": {"app": ANGULAR}})},
    "sveltekit": node(dev="@sveltejs/kit @sveltejs/adapter-static svelte vite", **BUILT),
    "astro": node("astro", **BUILT),
    "react": node("react react-dom", dev="vite @vitejs/plugin-react", **BUILT),
    "vue": node("vue", dev="vite @vitejs/plugin-vue", **BUILT),
    "svelte": node(dev="vite svelte", **BUILT),
    "vite": node(dev="vite", **BUILT),
    "spa": node("parcel", **BUILT),
    "express": node("express", start="node server.js"),
    "fastify": node("fastify", start="node server.js"),
    "node": node("koa", start="node server.js"),
    "fastapi": {"main.py": "app = FastAPI()", "requirements.txt": "fastapi"},
    "flask": {"app.py": "app = Flask(__name__)", "requirements.txt": "flask"},
    "asgi": {"main.py": "app = Starlette()", "requirements.txt": "starlette"},
    "wsgi": {"wsgi.py": "application = Bottle()", "requirements.txt": "bottle"},
    "php": {"public/index.php": "<?php"},
    "static": {"index.html": ""},
}


@pytest.mark.parametrize("framework", MINIMAL)
def test_the_smallest_tree_is_recognised_and_built_as_the_catalogue_says(framework: str) -> None:
    found, usual = planned(MINIMAL[framework]), BY_ID[framework]
    assert found.framework == framework
    assert (found.kind, found.runtime, found.spa) == (usual.kind, usual.runtime, usual.spa)
    assert (found.install, found.build, found.run, found.output_dir) == (
        usual.install,
        usual.build,
        usual.run,
        usual.output,
    )


@pytest.mark.parametrize("framework", MINIMAL)
def test_every_preset_gives_way_field_by_field(framework: str) -> None:
    found = planned(MINIMAL[framework], framework=framework, build_command="mine", run_command="./serve")
    assert (found.framework, found.build, found.run, found.kind) == (framework, "mine", "./serve", "dynamic")
    file = {**MINIMAL[framework], "shipoff.toml": '[build]\ninstall = "get"\noutput = "out"\n'}
    found = planned(file, framework=framework)
    assert (found.kind, found.output_dir, found.install.rpartition(" && ")[2]) == ("static", "out", "get")


def test_the_catalogue_and_the_code_that_recognises_agree() -> None:
    assert list(FRAMEWORKS) == [one.id for one in CATALOG]
    assert set(MINIMAL) == set(FRAMEWORKS) - {"procfile", "custom"}
    assert len({one.name for one in CATALOG}) == len(CATALOG)
    for one in CATALOG:
        assert one.detection, one.id


@pytest.mark.parametrize("framework", ["spa", "vite", "node", "wsgi", "php"])
def test_what_projects_named_before_there_were_finer_presets_still_works(framework: str) -> None:
    tree = {
        "spa": node("react-scripts react", **BUILT),
        "vite": MINIMAL["react"],
        "node": MINIMAL["express"],
        "wsgi": DJANGO,
        "php": MINIMAL["laravel"],
    }[framework]
    assert planned(tree, framework=framework).framework == framework


@pytest.mark.parametrize(
    ("texts", "framework", "kind", "output", "run"),
    [
        (node("react-scripts react", **BUILT), "react", "static", "build", ""),
        (node("vue", dev="@vue/cli-service", **BUILT), "vue", "static", "dist", ""),
        (
            {**node("vue", dev="vite", **BUILT), "vite.config.ts": "build: { outDir: 'www' }"},
            "vue",
            "static",
            "www",
            "",
        ),
        ({**node("astro", **BUILT), "astro.config.mjs": "outDir: './site'"}, "astro", "static", "site", ""),
        (node("astro @astrojs/node", **BUILT), "astro", "dynamic", "", "exec node dist/server/entry.mjs"),
        (
            node(dev="@sveltejs/kit @sveltejs/adapter-node vite svelte", **BUILT),
            "sveltekit",
            "dynamic",
            "",
            "exec node build",
        ),
        (node("nuxt", build="nuxt generate"), "nuxt", "static", ".output/public", ""),
        (node("@nestjs/core", **{"start:prod": "node dist/src/main"}), "nest", "dynamic", "", "node dist/src/main"),
        (
            node("@nestjs/core", **{"start:prod": "npm run x"}),
            "nest",
            "dynamic",
            "",
            "exec npm run start:prod",
        ),
        ({"hugo.yaml": "publishDir: www"}, "hugo", "static", "www", ""),
        ({"hugo.toml": 'publishDir = "../../etc"'}, "hugo", "static", "public", ""),
        ({"config.toml": "title = 'x'", "archetypes/default.md": ""}, "hugo", "static", "public", ""),
        ({"config/_default/hugo.toml": "", "content/a.md": ""}, "hugo", "static", "public", ""),
    ],
)
def test_a_frameworks_own_configuration_counts(
    texts: dict[str, str], framework: str, kind: str, output: str, run: str
) -> None:
    found = planned(texts)
    assert (found.framework, found.kind, found.output_dir, found.run) == (framework, kind, output, run)


@pytest.mark.parametrize(
    ("build", "output"),
    [
        ({"builder": "@angular/build:application", "options": {"outputPath": "out"}}, "out/browser"),
        ({"builder": "@angular/build:application", "options": {"outputPath": {"base": "o", "browser": ""}}}, "o"),
        (
            {"builder": "@angular-devkit/build-angular:application", "options": {"outputPath": {"base": "./o"}}},
            "o/browser",
        ),
        ({"builder": "@angular-devkit/build-angular:browser", "options": {"outputPath": "dist/x"}}, "dist/x"),
        ({"builder": "@angular/build:application", "options": {"outputPath": "../../etc"}}, "dist/shop/browser"),
        ({}, "dist/shop/browser"),
    ],
)
def test_angular_says_where_its_files_go(build: dict[str, object], output: str) -> None:
    projects = {
        "lib": {"projectType": "library"},
        "shop": {"projectType": "application", "architect": {"build": build}},
    }
    found = planned({**node("@angular/core", **BUILT), "angular.json": json.dumps({"projects": projects})})
    assert (found.framework, found.kind, found.output_dir, found.spa) == ("angular", "static", output, True)


def test_angular_with_a_server_for_its_pages_runs_it() -> None:
    options = {"outputPath": "dist/shop", "outputMode": "server", "ssr": {"entry": "src/server.ts"}}
    target = {"build": {"builder": "@angular/build:application", "options": options}}
    workspace = json.dumps({"projects": {"shop": {"projectType": "application", "architect": target}}})
    found = planned({**node("@angular/core express", **BUILT), "angular.json": workspace})
    assert (found.kind, found.run, found.output_dir) == ("dynamic", "exec node dist/shop/server/server.mjs", "")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"projects": []}', '{"projects": {"a": 1}}', '{"projects": {"a": {"architect": 3}}}']
)
def test_an_odd_angular_json_breaks_nothing(text: str) -> None:
    assert planned({**node("@angular/core", **BUILT), "angular.json": text}).kind == "static"


def test_assets_beside_a_php_or_python_application_do_not_make_it_a_site() -> None:
    assets = node(dev="vite laravel-vite-plugin", **BUILT)
    found = planned({**MINIMAL["laravel"], **assets})
    assert (found.framework, found.build) == ("laravel", "npm ci --include=dev && npm run build")
    assert planned({**DJANGO, **assets}).framework == "django"


def test_sveltekit_with_a_fallback_page_answers_unknown_paths_with_it() -> None:
    tree = {**MINIMAL["sveltekit"], "svelte.config.js": "adapter({ fallback: 'index.html' })"}
    assert planned(tree).spa is True


def test_django_chooses_its_server_and_gathers_files_for_whitenoise() -> None:
    both = {**DJANGO, "mysite/asgi.py": "application = get_asgi_application()"}
    assert "gunicorn" in planned(both).run
    assert "uvicorn mysite.asgi:application" in planned({**both, "requirements.txt": "django\nchannels"}).run
    found = planned({**both, "requirements.txt": "django\nwhitenoise"})
    assert found.build == "python manage.py collectstatic --noinput"


def test_fastify_listens_where_the_router_reaches_it() -> None:
    assert planned(MINIMAL["fastify"]).run_env == {"FASTIFY_ADDRESS": "0.0.0.0"}


def test_custom_needs_words_and_takes_any_command() -> None:
    with pytest.raises(ShipoffError, match="FRAMEWORK_UNKNOWN"):
        planned({"index.html": ""}, framework="custom")
    found = planned({"index.html": "", "bin/serve": ""}, framework="custom", run_command="bin/serve")
    assert (found.framework, found.kind, found.run, found.runtime) == ("custom", "dynamic", "bin/serve", "none")
