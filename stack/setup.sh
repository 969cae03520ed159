#!/bin/sh
# Makes .venv with exactly what requirements.txt pins (hashes checked), and this project in it, editable.
# Needs python >= 3.11 and nothing else: pip is taken from the venv, from the system, or out of Debian's package.
# Does nothing when nothing changed since the last time; may be interrupted anywhere.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=${VENV:-.venv}
say() { echo "setup: $*" >&2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "needs Python 3.11 or newer as \`$python\` (choose another with PYTHON=…)"
    exit 1
}

# The router's data path compiled, where there is a C compiler: without, it runs as the Python that it is.
compile() {
    "$venv/bin/python" -c 'from router.native import is_fresh; raise SystemExit(not is_fresh())' && return
    cc=$("$venv/bin/python" -c 'import sysconfig; print((sysconfig.get_config_var("CC") or "cc").split()[0])')
    command -v "$cc" >/dev/null || { say "no C compiler here: the router runs as pure Python, at a third of its speed"; return 0; }
    say "compiling the router's data path"
    "$venv/bin/python" -c 'from router.native import build; build()' >"$venv/native.log" 2>&1 || {
        say "it could not be compiled, so the router runs as pure Python; why: $venv/native.log"
    }
}

stamp=$({ cat requirements.txt pyproject.toml stack/setup.sh; "$python" -VV; pwd; } | sha256sum | cut -d' ' -f1)
[ "$(cat "$venv/setup.stamp" 2>/dev/null || true)" = "$stamp" ] && [ -x "$venv/bin/shipoff" ] && {
    compile
    exit 0
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# Prints a command that installs packages into the venv: pip's own module, wherever it comes from.
find_pip() {
    if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        echo "$venv/bin/python -m pip"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        echo "$python -m pip --python $venv/bin/python"
    elif wheel=$(debian_pip); then
        echo "$venv/bin/python $wheel/pip"
    else
        say "there is no pip here and none could be fetched; install the package python3-venv or python3-pip"
        return 1
    fi
}

# Fetches Debian's pip wheel without being root and without touching the system; a wheel can be run as it is.
debian_pip() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    say "no pip here: taking it out of Debian's package"
    mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
    apt="apt-get -qq -o Dir::State::lists=$scratch/lists -o Dir::Cache=$scratch/cache -o Debug::NoLocking=1"
    apt="$apt -o APT::Sandbox::User= -o Acquire::Languages=none"
    (cd "$scratch" && $apt update && $apt download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .) >&2 || return 1
    ls "$scratch"/usr/share/python-wheels/pip-*.whl
}

if ! "$venv/bin/python" -c '' 2>/dev/null; then
    say "making $venv"
    rm -rf "$venv"
    # Debian splits ensurepip into python3-venv; the venv itself works without.
    "$python" -m venv "$venv" >/dev/null 2>&1 || { rm -rf "$venv"; "$python" -m venv --without-pip "$venv"; }
fi
rm -f "$venv/setup.stamp"

# uv installs in seconds what pip installs in minutes; its own hash is checked by pip.
wanted=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.txt)
if [ "$("$venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$wanted" ]; then
    pip=$(find_pip)
    awk '/^[^ #]/ { keep = /^uv==/ } keep' requirements.txt >"$scratch/uv.txt"
    $pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$scratch/uv.txt"
fi

# uv does not read pip's settings: pass on which index this machine uses, and trust what the system trusts.
index=$("$python" -m pip config get global.index-url 2>/dev/null || true)
index=${PIP_INDEX_URL:-$index}
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" UV_NATIVE_TLS="${UV_NATIVE_TLS:-true}" UV_NO_PROGRESS=1 UV_LINK_MODE="${UV_LINK_MODE:-copy}"
say "installing $(grep -c '^[^ #].*==' requirements.txt) packages"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode --require-hashes -r requirements.txt || {
    say "uv could not; trying pip"
    pip=$(find_pip)
    $pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
}
# A plain path in a .pth file: no import hook, and new packages are seen without installing again.
"$venv/bin/uv" pip install --quiet --offline --python "$venv/bin/python" --no-deps --no-build-isolation \
    -C editable_mode=compat --editable .
compile
echo "$stamp" >"$venv/setup.stamp"
say "ready: $venv/bin/shipoff"
