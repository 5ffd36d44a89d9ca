#!/usr/bin/env bash
# What Lookahead needs from the system, outside of its virtual environment.
#
#   tools/system.sh python [PYTHON]     prints the Python 3.11 that makes .venv: PYTHON or one on PATH
#   tools/system.sh libraries PYTHON    looks for a compiler and for a renderer's libraries: before
#                                       anything is fetched
#   tools/system.sh renderer PYTHON     draws one frame with EGL or OSMesa, by PYTHON's dm_control
#
# What is missing is installed where the user is root on Debian, and otherwise named in one line. It
# goes on without a compiler: plain TensorFlow then does what the native ops would.
set -euo pipefail

# MUJOCO_GL, if it is set, names the only renderer that will be used.
case ${MUJOCO_GL:-} in
  egl | osmesa) renderers=$MUJOCO_GL ;;
  *) renderers="egl osmesa" ;;
esac

fail() {
  echo "error: $*" >&2
  exit 1
}

may_install() { [[ $(id -u) == 0 && -e /etc/debian_version ]]; }

# install WHAT PACKAGE...
install() {
  local what=$1 command="apt-get install --yes --no-install-recommends ${*:2}"
  may_install || fail "$what is missing; install it (on Debian: sudo $command)"
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

find_libraries() {
  local compiler=${CXX:-g++}
  command -v "${compiler%% *}" >/dev/null || find_compiler
  has_renderer "$1" || install_renderer
}

find_compiler() {
  if may_install && (install g++ g++); then
    return
  fi
  echo "warning: g++ is missing: the native ops will not be built, and planners are slower; install it" \
    "(on Debian: sudo apt-get install g++), then: make setup" >&2
}

# Whether a renderer's library is there; draws_frame tells whether it works.
has_renderer() {
  "$1" - $renderers &>/dev/null <<'PROGRAM'
import ctypes
import sys

libraries = {
    "egl": ["libEGL.so.1"],
    "osmesa": ["libOSMesa.so", "libOSMesa.so.8", "libOSMesa.so.6"],
}
for library in sum(map(libraries.get, sys.argv[1:]), []):
    try:
        ctypes.CDLL(library)
        sys.exit(0)
    except OSError:
        pass
sys.exit(1)
PROGRAM
}

install_renderer() {
  if [[ $renderers == osmesa ]]; then
    install "a renderer (OSMesa)" libosmesa6
  else
    install "a renderer (EGL or OSMesa)" libegl1 libgl1 libgl1-mesa-dri
  fi
}

draws_frame() {
  local python=$1 backend
  for backend in $renderers; do
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
  install_renderer
  draws_frame "$1" || fail "the renderer is installed, but draws no frame; see: MUJOCO_GL=${renderers%% *}" \
    "$1 -c 'from dm_control import _render'"
}

case ${1:-} in
  python) find_python "${2:-}" ;;
  libraries) find_libraries "${2:?a Python}" ;;
  renderer) find_renderer "${2:?the Python that has dm_control}" ;;
  *) fail "usage: tools/system.sh python [PYTHON] | libraries PYTHON | renderer PYTHON" ;;
esac
