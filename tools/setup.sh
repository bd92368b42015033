#!/bin/sh
# Makes the virtual environment that the Makefile's targets run in: tools/setup.sh DIRECTORY [LOCK FILE]
# Debian packages are installed only when root and only when missing.
set -eu
venv=$1
lock=${2:-requirements.lock}

complete() {
    "$1" -c 'import ensurepip, os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null
}

can_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

# Debian builds its Python with profiles and link-time optimisation: the gateway is a fifth faster on it than on a Python
# that was built without, as those of version managers are. So it goes first, where it has all that is needed or can get it.
python=${PYTHON:-}
if [ -z "$python" ]; then
    python=python3.11
    if [ -x /usr/bin/python3.11 ] && { complete /usr/bin/python3.11 || can_install; }; then
        python=/usr/bin/python3.11
    fi
fi

missing=
"$python" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
# What limits over many machines are tested with: each test starts a server of its own.
command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1 || missing="$missing redis-server"
# What the path of a call is compiled with; a python that is not Debian's brings its own headers.
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
"$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null || missing="$missing python3-dev"
if [ -n "$missing" ]; then
    if can_install; then
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of package names
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "setup: these Debian packages are missing; install them as root:$missing" >&2
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$lock"
# Nothing is compiled here: that is the Makefile's, which knows when it has to be done again.
TRUNKLINE_COMPILE=0 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
