#!/usr/bin/env bash
# What Lookahead needs from the system, outside of its virtual environment.
#
#   tools/system.sh python [PYTHON]     prints the Python 3.11 that makes .venv: PYTHON or one on PATH
#   tools/system.sh renderer PYTHON     draws one frame with EGL or OSMesa, by PYTHON's dm_control
#
# What is missing is installed where the user is root on Debian, and otherwise named in one line.
set -euo pipefail

fail() {
  echo "error: $1" >&2
  exit 1
}

# install WHAT PACKAGE...
install() {
  local what=$1 command="apt-get install --yes --no-install-recommends ${*:2}"
  if [[ $(id -u) != 0 || ! -e /etc/debian_version ]]; then
    fail "$what is missing; install it (on Debian: sudo $command)"
  fi
  echo "$what is missing; installing it: $command" >&2
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get --quiet=2 update && $command; } >/dev/null; then
    fail "$what is missing, and this failed: $command"
  fi
}

find_python() {
  local candidates candidate version found="none${1:+ ($1)}"
  # Each is run, not only looked for: a pyenv shim exists for versions that are switched off.
  mapfile -t candidates < <(if [[ -n $1 ]]; then echo "$1"; else type -aP python3.11 python3 python; fi)
  for candidate in "${candidates[@]}"; do
    version=$("$candidate" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
    if [[ $version == 3.11.* ]]; then
      # Debian leaves ensurepip, which venv needs, to a package of its own.
      "$candidate" -c 'import ensurepip' &>/dev/null || install "venv of $candidate" python3.11-venv
      echo "$candidate"
      return
    fi
    [[ $found != none* ]] || found="$version ($candidate)"
  done
  fail "Python 3.11 is needed, found $found; install it, or name it: make setup PYTHON=/path/to/python3.11"
}

draws_frame() {
  local python=$1 backend
  for backend in ${MUJOCO_GL:-egl osmesa}; do
    if MUJOCO_GL=$backend "$python" - &>/dev/null <<'PROGRAM'; then
from dm_control import suite

assert suite.load("cartpole", "balance").physics.render(64, 64).any()
PROGRAM
      return 0
    fi
  done
  return 1
}

find_renderer() {
  draws_frame "$1" && return
  install "a renderer (EGL or OSMesa)" libegl1 libgl1 libgl1-mesa-dri
  draws_frame "$1" || fail "EGL is installed, but draws no frame; see: MUJOCO_GL=egl $1 -c 'import mujoco.egl'"
}

case ${1:-} in
  python) find_python "${2:-}" ;;
  renderer) find_renderer "${2:?the Python that has dm_control}" ;;
  *) fail "usage: tools/system.sh python [PYTHON] | renderer PYTHON" ;;
esac
