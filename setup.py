"""The package: what Lookahead needs, at which version, and why.

TensorFlow is an extra because extras only add: `[cpu]` and `[gpu]` each bring one TensorFlow, and
a base that named `tensorflow-cpu` would leave two of them in the same folder under `[gpu]`.

    make setup                  exactly as tried, from requirements.lock
    pip install -e '.[cpu]'     the newest that fits; so does '.[gpu]'

The native ops are built against the TensorFlow named here, which pyproject.toml has pip bring for
the build. Where they cannot be built all else is installed, and plain TensorFlow serves instead;
`pip install -v` shows what this file says of it.
"""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

TENSORFLOW_VERSION = "2.15.1"  # The one that dm-reverb 0.14.0 is built against.

REQUIREMENTS = [
    # Data and learning.
    "dm-reverb==0.14.0",  # Newest release.
    "tensorflow-probability==0.23.0",  # With tf-agents 0.19.0, the pair for TensorFlow 2.15.
    "tf-agents==0.19.0",
    "dm-acme==0.2.2",  # Later ones import launchpad, or a JAX interface that is gone.
    "jax==0.4.13",  # Acme's Reverb adders import jax.numpy and use what newer ones lack.
    "jaxlib==0.4.13",  # The one built for jax 0.4.13.
    "dm-sonnet==2.0.2",  # Networks, Acme's and ours.
    "trfl==1.2.0",  # Acme's losses.
    "numpy>=1.26,<2",  # TensorFlow 2.15 is compiled against NumPy 1.
    # Environments.
    "dm-env",  # The interface that every environment has.
    "dm-control==1.0.50",  # The newest that runs on mujoco 3.
    "mujoco==3.17.0",  # dm-control 1.0.50 breaks on mujoco 4.
    "ale-py==0.12.1",  # Carries the Atari ROMs.
    "open_spiel==2.0.2",  # Board games in C++, with reference players.
    "gymnasium==1.3.0",  # Classic control; the old gym that tf-agents brings is not imported.
    # Running and showing. Where no version is named, any recent one does.
    "gin-config==0.5.0",  # What the gin files were tried with.
    "ray>=2.55,<2.56",  # Places and restarts the processes of a distributed run.
    "absl-py",  # Flags and logging.
    "matplotlib",  # Learning curves.
    "pillow",  # GIF videos and image strips.
    "tqdm",  # The progress bar.
    "aiohttp>=3.13,<4",  # The server's REST.
    "grpcio",  # The server's gRPC; TensorFlow's TensorBoard brings it as well.
    "prometheus-client",  # The server's metrics.
    "setuptools<81",  # tensorboard 2.15 imports pkg_resources, which setuptools 81 drops.
]

EXTRAS = {
    "cpu": [f"tensorflow-cpu=={TENSORFLOW_VERSION}"],
    "gpu": [f"tensorflow[and-cuda]=={TENSORFLOW_VERSION}"],
    "dev": [
        "pytest",
        "pytest-timeout",  # A test that hangs fails, and names itself.
        "pytest-xdist",  # Files of tests side by side, one a core.
        "ruff",
        "clang-format",
    ],
}

# Contraction off: a fused multiply-add on some machines would make trees differ between machines.
CPP_FLAGS = ["-O3", "-g0", "-Wall", "-Wextra", "-Wno-psabi", "-ffp-contract=off", "-fno-math-errno"]


# The same for the GPU. Machine code for A100 and H100, and PTX for what comes after them.
NVCC_FLAGS = [
    *["-std=c++17", "-O3", "-fmad=false", "-Xcompiler=-fPIC,-Wall,-Wextra", "-I."],
    "-gencode=arch=compute_80,code=sm_80",
    "-gencode=arch=compute_90,code=[sm_90,compute_90]",
]


def cuda_link_flags(nvcc: str) -> list[str]:
    """CUDA's runtime as a static library that no other copy in the process meets."""
    command = [nvcc, "--dryrun", "-x", "cu", os.devnull]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    folders = shlex.split(re.search(r"LIBRARIES=(.*)", said)[1])
    hidden = "-Wl,--exclude-libs,libcudart_static.a"
    return [*folders, "-lcudart_static", "-lrt", "-lpthread", "-ldl", hidden]


def say(text: str) -> None:
    """Prints a line for whoever waits."""
    print(text, flush=True)


def side_by_side(compile_one: Callable[[str], list[str]], sources: list[str]) -> list[str]:
    """Compiles one file a core at a time, and tells of each; returns all object files."""
    cores, done, telling = len(os.sched_getaffinity(0)), itertools.count(1), threading.Lock()

    def compile_and_tell(source: str) -> list[str]:
        objects = compile_one(source)
        with telling:
            say(f"compiled {source}, {next(done)} of {len(sources)}")
        return objects

    with ThreadPoolExecutor(cores) as pool:
        try:
            return list(itertools.chain(*pool.map(compile_and_tell, sources)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def up_to_date(library: Path, extension: Extension) -> bool:
    """Whether the library is younger than all that it is made of."""
    made_of = [*extension.sources, *extension.depends]
    return library.exists() and all(
        os.path.getmtime(path) < library.stat().st_mtime for path in made_of
    )


class BuildOps(build_ext):
    """Builds the native ops against the installed TensorFlow; without one, leaves them out."""

    def get_ext_filename(self, fullname: str) -> str:
        """TensorFlow loads a plain library, so the name says nothing of Python's version."""
        return fullname.replace(".", "/") + ".so"

    def build_extensions(self) -> None:
        """Builds all of them, each one's files side by side."""
        compile_all = self.compiler.compile
        self.compiler.compile = lambda sources, **options: side_by_side(
            lambda source: compile_all([source], **options), sources
        )
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        """Compiles and links with TensorFlow's own flags, or says why not.

        Where the checkout has a library that is up to date, it is taken.
        """
        name = extension.name.rpartition(".")[0].replace(".", "/")
        library = Path(self.get_ext_filename(extension.name))
        target = Path(self.get_ext_fullpath(extension.name))
        if up_to_date(library, extension):
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(library), str(target))
            return
        target.unlink(missing_ok=True)
        try:
            self.add_tensorflow(extension)
            self.add_cuda(extension)
            super().build_extension(extension)
        except (BaseError, CCompilerError, ImportError) as error:
            say(f"warning: {name} is not built: {error}; plain TensorFlow serves instead, slower")
            return
        say(f"{name} is built, for {'CPUs and CUDA' if extension.extra_objects else 'CPUs'}")

    def copy_extensions_to_source(self) -> None:
        """Brings the checkout up to date; nobody is to load there what other sources made."""
        for extension in self.extensions:
            library = Path(self.get_ext_filename(extension.name))
            if not (Path(self.build_lib) / library).exists():
                library.unlink(missing_ok=True)
        super().copy_extensions_to_source()

    def add_tensorflow(self, extension: Extension) -> None:
        """Sets the flags; ImportError where there is no TensorFlow."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow as tf

        flags = [flag.replace("-I", "-isystem") for flag in tf.sysconfig.get_compile_flags()]
        extension.extra_compile_args = [*CPP_FLAGS, *flags]
        extension.extra_link_args = tf.sysconfig.get_link_flags()

    def add_cuda(self, extension: Extension) -> None:
        """Compiles the CUDA sources of an extension where nvcc is; elsewhere it is for CPUs alone.

        TensorFlow's headers are not needed, nor is a TensorFlow that knows GPUs.
        """
        sources = [path for path in extension.depends if path.endswith(".cu")]
        nvcc = shutil.which("nvcc")
        if not sources or nvcc is None:
            return
        try:
            objects = [self.compile_cuda(nvcc, source) for source in sources]
            libraries = cuda_link_flags(nvcc)
        except (OSError, TypeError, subprocess.CalledProcessError) as error:
            say(f"warning: {extension.name} is built without CUDA: {error}")
            return
        extension.extra_objects = objects
        extension.extra_link_args = [*extension.extra_link_args, *libraries]
        extension.define_macros = [("LOOKAHEAD_CUDA", "1")]

    def compile_cuda(self, nvcc: str, source: str) -> str:
        """The object file of a CUDA source, in the build's own folder."""
        target = Path(self.build_temp) / Path(source).with_suffix(".cu.o")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([nvcc, *NVCC_FLAGS, "-c", source, "-o", str(target)], check=True)
        return str(target)


def native_ops(name: str) -> Extension:
    """The library of ops/<name>, of all its C++ files and, where nvcc is, its CUDA files.

    Optional: the twins serve without it.
    """
    folder = Path("ops") / name
    others = [*folder.glob("cc/**/*.h"), *folder.glob("cc/**/*.cu"), Path("setup.py")]
    return Extension(
        f"ops.{name}._{name}_ops",
        sources=[str(path) for path in sorted(folder.glob("cc/**/*.cc"))],
        depends=[str(path) for path in sorted(others)],
        include_dirs=["."],
        language="c++",
        optional=True,
    )


setup(
    name="lookahead",
    version="0.1.0",
    description="Model-based reinforcement learning on TensorFlow",
    packages=find_packages(include=["agents*", "pipelines*", "ops*"]),
    package_data={
        "pipelines.environments": ["models/*.xml"],
        "pipelines.engines": ["web_page/*"],
        "pipelines.reports": ["page.css", "page.js"],
        "pipelines.server": ["page.css", "page.html", "page.js"],
    },
    # Not in a package: one named gin is the library that reads them.
    data_files=[("share/lookahead/gin", [str(path) for path in sorted(Path("gin").glob("*.gin"))])],
    ext_modules=[native_ops("mcts"), native_ops("cem"), native_ops("games")],
    cmdclass={"build_ext": BuildOps},
    python_requires="==3.11.*",  # The newest that TensorFlow 2.15 and dm-reverb 0.14 are built for.
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
)
