"""What every program's command line has in common: help, flags, one line for bad input.

Exit statuses: 0, done (stopping a run on request included); 2, after one line `error: …` that says
what is wrong and what was expected. Anything else is a fault of the program, with its traceback.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

from absl import flags

from pipelines.errors import UserError, first_line, nearest

_HELP = {"--help", "-help", "-h", "--h"}


def run_program(
    argv: list[str], flag_values: flags.FlagValues, usage: str, action: Callable[[], None]
) -> int:
    """Answers `--help`, reads flags, does `action`; returns the exit status.

    `action` imports what takes long itself, so that help and wrong flags are answered at once.
    """
    if _HELP & set(argv[1:]):
        ours = [name for name in flag_values.flags_by_module_dict() if name != "absl.flags"]
        print(usage + "".join(flag_values.module_help(name) for name in ours))
        return 0
    try:
        read_flags(argv, flag_values)
        quieten_libraries()
        action()
    except UserError as error:
        print(f"error: {first_line(error)}", file=sys.stderr, flush=True)
        return 2
    return 0


def read_flags(argv: list[str], flag_values: flags.FlagValues) -> None:
    """Parses `argv` into `flag_values`.

    Raises:
      UserError: an unknown flag, a wrong value, or something that is not a flag.
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
    if rest:
        raise UserError(f"unexpected argument '{rest[0]}'; expected flags only, see --help")


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
    return f"--{found[1]} is '{found[2]}'; expected {expected}"
