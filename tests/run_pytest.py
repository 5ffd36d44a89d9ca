"""Runs the test files that the command line names; the main program of Bazel's test rules."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:]))
