"""What every program's command line has in common: help, flags, one line for bad input.

Exit statuses: 0, done (stopping a run on request included); 2, after one line `error: …` that says
what is wrong and what was expected. Anything else is a fault of the program, with its traceback.
Output that nobody reads changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence

from absl import flags

from pipelines.system import output
from pipelines.system.errors import UserError, first_line, nearest

_HELP = {"--help", "-help", "-h", "--h"}


def run_program(
    argv: list[str],
    flag_values: flags.FlagValues,
    usage: str,
    action: Callable[..., None],
    names: Sequence[str] = (),
) -> int:
    """Answers `--help`, reads flags, does `action`; returns the exit status.

    With `names` the command line has one of them beside its flags, and `action` is called with it.
    `action` imports what takes long itself, so that help and wrong flags are answered at once.
    """
    with output.lossy():
        if _HELP & set(argv[1:]):
            ours = [name for name in flag_values.flags_by_module_dict() if name != "absl.flags"]
            print(usage + "".join(flag_values.module_help(name) for name in ours))
            return 0
        try:
            rest = read_flags(argv, flag_values, any_names=bool(names))
            quieten_libraries()
            action(*_only_one_of(names, rest))
        except UserError as error:
            print(f"error: {first_line(error)}", file=sys.stderr, flush=True)
            return 2
        except KeyboardInterrupt:  # No fault of the program: ended as the signal ends others.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        return 0


def again(argv: Sequence[str], *more: str) -> str:
    """The shell's line that does `argv` once more, with the interpreter that runs it now."""
    interpreter = pathlib.Path(sys.executable or "python")
    with contextlib.suppress(ValueError, OSError):
        interpreter = interpreter.relative_to(pathlib.Path.cwd())
    return shlex.join([str(interpreter), *argv, *more])


def read_flags(
    argv: list[str], flag_values: flags.FlagValues, any_names: bool = False
) -> list[str]:
    """Parses `argv` into `flag_values`; returns what is no flag, if `any_names` are expected.

    Raises:
      UserError: an unknown flag, a wrong value, or something that is not a flag and not expected.
    """
    for name in flag_values:
        flag_values[name].unparse()  # What an earlier call has left.
    try:
        rest = flag_values(argv)[1:]
    except flags.UnrecognizedFlagError as error:
        hint = nearest(f"--{error.flagname}", [f"--{name}" for name in flag_values])
        raise UserError(f"unknown flag '--{error.flagname}'{hint or '; see --help'}") from error
    except flags.Error as error:
        raise UserError(_wrong_value(error, flag_values)) from error
    if rest and not any_names:
        raise UserError(f"unexpected argument '{rest[0]}'; expected flags only, see --help")
    return rest


def _only_one_of(names: Sequence[str], rest: list[str]) -> list[str]:
    if names and (len(rest) != 1 or rest[0] not in names):
        hint = nearest(rest[0], names) if len(rest) == 1 else ""
        raise UserError(f"got '{' '.join(rest)}'; expected one of {', '.join(names)}{hint}")
    return rest


def quieten_libraries() -> None:
    """Sets what TensorFlow reads when it is imported; what the user has set stays.

    TF_CPP_MIN_LOG_LEVEL=0 brings back everything that TensorFlow, Reverb and gRPC have to say.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # TensorFlow leaves oneDNN's convolutions off on processors without AVX-512, where they are
    # twice as fast as its own all the same.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _wrong_value(error: flags.Error, flag_values: flags.FlagValues) -> str:
    """absl quotes Python's own complaint; this says what the flag takes instead."""
    found = re.match(r"flag --(\w+)=(.*?): ", str(error), re.DOTALL)
    if not found or found[1] not in flag_values:
        return first_line(error)
    parser = flag_values[found[1]].parser
    choices = getattr(parser, "enum_values", None)
    expected = f"one of {', '.join(choices)}" if choices else parser.syntactic_help
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in found[2])
    return f"--{found[1]} is '{shown}'; expected {expected}"
