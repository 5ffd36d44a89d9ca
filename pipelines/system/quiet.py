"""Silences Reverb, which reports every server and every checkpoint and has no setting for it."""

from __future__ import annotations

import ctypes
import os

_BADBIT = 1
_CLEAR = "_ZNSt9basic_iosIcSt11char_traitsIcEE5clearESt12_Ios_Iostate"  # basic_ios<char>::clear


def silence_reverb() -> None:
    """Makes C++'s `std::clog`, where Reverb alone writes, swallow what it is given.

    Fatal errors go to `std::cerr` and are still seen. Nothing happens where C++'s library is not
    GCC's, or when TF_CPP_MIN_LOG_LEVEL is 0. Reverb must have been imported.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    try:
        library = ctypes.CDLL("libstdc++.so.6")
        clog = ctypes.addressof(ctypes.c_char.in_dll(library, "_ZSt4clog"))
        clear = library[_CLEAR]
    except (OSError, ValueError, AttributeError):
        return
    table = ctypes.c_void_p.from_address(clog).value
    if not table:
        return  # Nobody has set it up yet.
    # In the common C++ ABI, a stream's state lies where the third word before its virtual table
    # says.
    offset = ctypes.c_ssize_t.from_address(table - 3 * ctypes.sizeof(ctypes.c_void_p)).value
    clear.argtypes, clear.restype = [ctypes.c_void_p, ctypes.c_int], None
    clear(clog + offset, _BADBIT)
