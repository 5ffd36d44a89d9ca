"""Offscreen frames of a dm_control simulation, cheaply.

Where the 28 ms of cartpole's 64×64 frame go on a CPU (llvmpipe; in the order they are saved):
shadows, mapped at 2048×2048, take 23; four samples a pixel 3.5; the scene drawn again as
reflections 1; round shapes cut finer than a small frame can show 0.3 (1.2 in cheetah's); 0.6
remain. `physics.render` adds 2.5 by making a scene and setting the frame buffer anew at each call.
So one camera is kept per frame size, and `cheapen` and the camera's flags drop the rest. Sky,
haze, textures and lights stay.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import warnings
from typing import Any

import numpy as np

from pipelines.system.errors import UserError, first_line

_PACKAGES = "Debian's libegl1 and libegl-mesa0 (EGL), or libosmesa6 (OSMesa)"
_EXPECTED = f"expected egl or osmesa, which need {_PACKAGES}"
_EGL_PLATFORM_DEVICE = 0x313F
_MAX_EGL_DEVICES = 16
# Round shapes of 16 slices and 8 stacks instead of 28 and 16 halve a frame's time and move its
# edges by less than a pixel at 64×64.
_CHEAP_SLICES = 16
_CHEAP_STACKS = 8


def select_renderer() -> str:
    """Sets MUJOCO_GL, if it is unset, to a renderer that works here, and returns its value.

    dm_control reads the variable when it is imported, so this comes first. The order is egl,
    osmesa, and then `off`, with which the simulator runs but gives no frames.
    """
    if "MUJOCO_GL" not in os.environ and "dm_control._render" not in sys.modules:
        if _egl_works():
            os.environ["MUJOCO_GL"] = "egl"
        else:
            os.environ["MUJOCO_GL"] = "osmesa" if _osmesa_works() else "off"
    return os.environ.get("MUJOCO_GL", "")


# Why no frame can be drawn in this process, once that is known. A second try would end it: after a
# context that could not be made MuJoCo aborts.
_failures: list[str] = []


def import_suite() -> Any:
    """Returns the module `dm_control.suite`, with a renderer selected.

    Raises:
      UserError: if the renderer that MUJOCO_GL asks for cannot be loaded.
    """
    renderer = select_renderer()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GLFW's, of what `check_renderer` says.
            importlib.import_module("dm_control._render")
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        if isinstance(error, ModuleNotFoundError):
            raise
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"the renderer MUJOCO_GL={renderer} cannot be loaded ({reason}), {_EXPECTED}"
        ) from error
    from dm_control import suite

    return suite


def check_renderer() -> None:
    """Raises UserError, naming the packages to install, if no frame can be rendered here."""
    from dm_control import _render

    if _render.BACKEND is None or _render.BACKEND == "off":
        raise UserError(f"no offscreen renderer was found, install {_PACKAGES}")
    if _render.BACKEND == "glfw" and not _glfw_works():
        raise UserError(f"the renderer MUJOCO_GL=glfw finds no display, {_EXPECTED}")
    if _failures:
        raise UserError(_failures[0])


def cheapen(model: Any) -> None:
    """Strips `model` (a dm_control MjModel) of costly visual quality; before the first frame."""
    quality = model.vis.quality
    quality.shadowsize = 0
    quality.offsamples = 0
    quality.numslices = _CHEAP_SLICES
    quality.numstacks = _CHEAP_STACKS


class FrameRenderer:
    """Draws frames of one simulation, with one kept camera per frame size.

    An OpenGL context belongs to the thread that draws first; later frames must come from it too.
    """

    def __init__(self, physics: Any, camera_id: int | str, cheap: bool) -> None:
        self._physics = physics
        self._camera_id = camera_id
        self._cheap = cheap
        self._cameras: dict[tuple[int, int], Any] = {}

    def __call__(self, height: int, width: int) -> np.ndarray:
        """Returns the present state as uint8 [height, width, 3]; the array is the caller's own.

        Raises:
          UserError: frames cannot be drawn here.
        """
        if (height, width) not in self._cameras:
            self._cameras[height, width] = self._make_camera(height, width)
        return self._cameras[height, width].render().copy()

    def close(self) -> None:
        """Frees the cameras, the OpenGL context and the simulation."""
        self._cameras.clear()
        self._physics.free()

    def _make_camera(self, height: int, width: int) -> Any:
        import mujoco
        from dm_control.mujoco import engine

        check_renderer()
        limits = self._physics.model.vis.global_
        if not (0 < height <= limits.offheight and 0 < width <= limits.offwidth):
            raise ValueError(
                f"frame size is {height}x{width}, "
                f"expected 1x1 to {limits.offheight}x{limits.offwidth}"
            )
        try:
            camera = engine.Camera(self._physics, height, width, camera_id=self._camera_id)
        except (mujoco.FatalError, RuntimeError, ImportError, AttributeError, OSError) as error:
            _failures.append(f"the renderer draws no frame ({first_line(error)}), {_EXPECTED}")
            raise UserError(_failures[0]) from error
        if self._cheap:
            camera.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
            camera.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        return camera


def _egl_works() -> bool:
    """Whether a headless EGL display can be initialised, asked the way dm_control will."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    egl.eglInitialize.argtypes = [ctypes.c_void_p] * 3
    query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query_address or not display_address:
        return False
    void_p, c_uint, c_int = ctypes.c_void_p, ctypes.c_uint, ctypes.c_int
    query = ctypes.CFUNCTYPE(c_uint, c_int, void_p, void_p)(query_address)
    get_display = ctypes.CFUNCTYPE(void_p, c_uint, void_p, void_p)(display_address)
    devices = (void_p * _MAX_EGL_DEVICES)()
    count = c_int(0)
    if not query(_MAX_EGL_DEVICES, devices, ctypes.byref(count)):
        return False
    displays = [
        get_display(_EGL_PLATFORM_DEVICE, device, None) for device in devices[: count.value]
    ]
    return any(display and egl.eglInitialize(display, None, None) for display in displays)


def _glfw_works() -> bool:
    import glfw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(glfw.init())


def _osmesa_works() -> bool:
    """Whether an OSMesa library is there, under the names that PyOpenGL tries."""
    for suffix in ("", *(f".{version}" for version in range(9, -1, -1))):
        try:
            ctypes.CDLL(f"libOSMesa.so{suffix}")
        except OSError:
            continue
        return True
    return False
