"""Python: an app object of a known kind, served by gunicorn (WSGI) or uvicorn (ASGI) from a venv made by uv."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from orchestrator.build.plan import BuildPlan
from orchestrator.build.tree import SourceTree

VENV: Final = "uv venv --quiet --allow-existing .venv"
Interface = Literal["wsgi", "asgi"]

# Class or function whose result is an app -> (framework, interface).
_MAKERS: Final[dict[str, tuple[str, Interface]]] = {
    "Flask": ("flask", "wsgi"),
    "FastAPI": ("fastapi", "asgi"),
    "Starlette": ("asgi", "asgi"),
    "Quart": ("asgi", "asgi"),
    "Litestar": ("asgi", "asgi"),
    "Sanic": ("asgi", "asgi"),
    "BlackSheep": ("asgi", "asgi"),
    "get_asgi_application": ("asgi", "asgi"),
    "get_wsgi_application": ("wsgi", "wsgi"),
    "Bottle": ("wsgi", "wsgi"),
    "default_app": ("wsgi", "wsgi"),
    "make_wsgi_app": ("wsgi", "wsgi"),
    "falcon.App": ("wsgi", "wsgi"),
    "falcon.asgi.App": ("asgi", "asgi"),
}
_FILES: Final = ("app", "main", "wsgi", "asgi", "server", "api", "application", "run", "web")
_FOLDERS: Final = ("", "src/", "app/", "api/", "backend/", "server/")


@dataclass(frozen=True, slots=True)
class AppObject:
    """Where an app object is: the import path that servers take, its framework and interface."""

    target: str
    framework: str
    interface: Interface
    factory: bool = False


def is_python(tree: SourceTree) -> bool:
    """Whether this is a Python project."""
    return tree.has("requirements.txt", "pyproject.toml", "uv.lock", "setup.py", "Pipfile", "manage.py") or any(
        name.endswith(".py") for name in tree.files if "/" not in name
    )


def django(tree: SourceTree) -> BuildPlan | None:
    """Django: by WSGI, unless it names an ASGI server or Channels; static files are gathered when WhiteNoise serves."""
    if not tree.has("manage.py") and not _names(tree, "django"):
        return None
    found = [app for app in _apps(tree) if app.framework in ("wsgi", "asgi")]
    asynchronous = any(_names(tree, name) for name in ("channels", "daphne", "uvicorn"))
    found.sort(key=lambda app: (app.interface == "asgi") is not asynchronous)
    if not found:
        return None
    build = "python manage.py collectstatic --noinput" if _names(tree, "whitenoise") and tree.has("manage.py") else ""
    return replace(_planned(tree, "django", found[0]), build=build)


def fastapi(tree: SourceTree) -> BuildPlan | None:
    """A FastAPI object."""
    return _plan(tree, "fastapi")


def flask(tree: SourceTree) -> BuildPlan | None:
    """A Flask object or factory."""
    return _plan(tree, "flask")


def asgi(tree: SourceTree) -> BuildPlan | None:
    """Any ASGI app."""
    return _plan(tree, "asgi")


def wsgi(tree: SourceTree) -> BuildPlan | None:
    """Any WSGI app."""
    return _plan(tree, "wsgi")


def install(tree: SourceTree, *servers: str) -> str:
    """Makes the venv and installs what the project names, and the servers that it does not name."""
    extra = [server for server in servers if not _names(tree, server)]
    if tree.has("uv.lock"):
        steps = ["uv sync --frozen --no-dev --no-install-project"]
        return " && ".join(steps + ([f"uv pip install {' '.join(extra)}"] if extra else []))
    wanted: list[str] = []
    if tree.has("requirements.txt"):
        wanted.append("-r requirements.txt")
    elif tree.has("pyproject.toml"):
        wanted.append("-r pyproject.toml" if "project" in tree.toml("pyproject.toml") else ".")
    elif tree.has("setup.py"):
        wanted.append(".")
    wanted += extra
    return VENV + (f" && uv pip install {' '.join(wanted)}" if wanted else "")


def _plan(tree: SourceTree, framework: str) -> BuildPlan | None:
    found = next((app for app in _apps(tree) if app.framework == framework), None)
    return None if found is None else _planned(tree, framework, found)


def _planned(tree: SourceTree, framework: str, app: AppObject) -> BuildPlan:
    server = "gunicorn" if app.interface == "wsgi" else "uvicorn"
    return BuildPlan(framework, "dynamic", "python", install=install(tree, server), run=f"exec {_command(tree, app)}")


def _command(tree: SourceTree, app: AppObject) -> str:
    path = " --pythonpath src" if app.target.startswith("src/") else ""
    target = app.target.removeprefix("src/")
    if app.interface == "asgi":
        # Routers keep connections open; a server that closes them early makes them race with requests.
        options = '--host 0.0.0.0 --port "$PORT" --timeout-keep-alive 75 --proxy-headers --forwarded-allow-ips "*"'
        options += " --factory" if app.factory else ""
        return f"uvicorn {target} {options}{' --app-dir src' if path else ''}"
    call = f"'{target}()'" if app.factory else target
    if tree.has("gunicorn.conf.py"):  # the project knows better; only the port is ours
        return f'gunicorn --bind "0.0.0.0:$PORT"{path} {call}'
    return f'gunicorn --bind "0.0.0.0:$PORT" --threads 8 --keep-alive 75 --access-logfile - --log-file -{path} {call}'


def _apps(tree: SourceTree) -> list[AppObject]:
    """App objects in the customary places, the likeliest first."""
    found: list[AppObject] = []
    for name in _candidates(tree):
        found += _in_module(name, tree.text(name))
    return found


def _candidates(tree: SourceTree) -> list[str]:
    names = [f"{folder}{file}.py" for folder in _FOLDERS for file in _FILES]
    names += [f"{folder}__init__.py" for folder in _FOLDERS]
    known = [name for name in dict.fromkeys(names) if name in tree.files]
    # Packages with any name, one level down: Django's <project>/wsgi.py, <package>/main.py, <package>/__init__.py.
    packages = re.compile(rf"(src/)?\w+/({'|'.join(_FILES)}|__init__)\.py")
    others = sorted(name for name in tree.files if packages.fullmatch(name) and not name.startswith(("test", "docs/")))
    rest = sorted(
        name for name in tree.files if re.fullmatch(r"\w+\.py", name) and not name.startswith(("test", "conf"))
    )
    return list(dict.fromkeys([*known, *others, *rest]))


def _in_module(name: str, text: str) -> list[AppObject]:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return []
    module = name.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    target = ("src/" if name.startswith("src/") else "") + module
    found = [app for node in body if (app := _of_statement(target, node)) is not None]
    # A name that servers look for by themselves comes first: `app` and `application` before `admin_app`.
    return sorted(found, key=lambda app: (app.factory, app.target.partition(":")[2] not in ("app", "application")))


def _of_statement(target: str, node: ast.stmt) -> AppObject | None:
    match node:
        case (
            ast.Assign(targets=[ast.Name(id=variable)], value=ast.Call(func=maker))
            | ast.AnnAssign(target=ast.Name(id=variable), value=ast.Call(func=maker))
        ):
            kind = _made_by(ast.unparse(maker))
            return None if kind is None else AppObject(f"{target}:{variable}", *kind)
        case ast.FunctionDef(name="create_app" | "make_app" as function, args=arguments):
            return _factory(target, function, node, arguments)
        case ast.AsyncFunctionDef(name=function, args=ast.arguments(args=[_, _, _])) if function in (
            "app",
            "application",
        ):
            return AppObject(f"{target}:{function}", "asgi", "asgi")
        case ast.FunctionDef(name=function, args=ast.arguments(args=[_, ast.arg(arg="start_response")])):
            return AppObject(f"{target}:{function}", "wsgi", "wsgi")
    return None


def _factory(target: str, function: str, node: ast.FunctionDef, arguments: ast.arguments) -> AppObject | None:
    """A function without required arguments that makes an app."""
    if len(arguments.args) > len(arguments.defaults):
        return None
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and (kind := _made_by(ast.unparse(call.func))) is not None:
            return AppObject(f"{target}:{function}", *kind, factory=True)
    return None


def _made_by(maker: str) -> tuple[str, Interface] | None:
    return _MAKERS.get(maker) or _MAKERS.get(maker.rpartition(".")[2])


def _names(tree: SourceTree, package: str) -> bool:
    """Whether the project's own requirements have a package."""
    texts = "\n".join(tree.text(name) for name in ("requirements.txt", "pyproject.toml", "uv.lock", "setup.py"))
    return re.search(rf"(?im)(^|[\"'\s]){re.escape(package)}(?![\w-])", texts) is not None
