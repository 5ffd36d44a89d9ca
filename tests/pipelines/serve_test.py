"""The program: what is wrong on its command line, and an end that loses nobody."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request

import pytest

from pipelines import serve
from tests.pipelines.server import served


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    """Of a run that has saved a policy."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    served.save(folder / "policy" / "best")
    (folder / "config.gin").touch()
    return folder


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "--logdir is missing; expected the log directory of a run"),
        (["--logdir=/nothing"], "no run in '/nothing'"),
        (["--logdir={}", "--policy=last"], "no policy in"),
        (["--logdir={}", "--logdir={}"], "two policies are called 'small'"),
        (["--logdir={}", "--name=a/b"], "--name is 'a/b'; expected letters"),
        (["--logdir={}", "--name=a", "--name=b"], "got 2 of --name; expected one for each of 1"),
        (["--logdir={}", "--port=x"], "--port is 'x'; expected"),
        (["--logdir={}", "--max_batch=0"], "--max_batch is '0'; expected"),
        (["--logdir={}", "--token_file=/nothing"], "--token_file: cannot read '/nothing'"),
        (["--logdir={}", "--tls_key=/nothing"], "expected both or neither"),
        (["--logdir={}", "--host=203.0.113.7"], "--port: cannot listen on 203.0.113.7:"),
    ],
)
def test_a_wrong_command_line_is_one_line(logdir, flags, says, capsys):
    argv = ["serve.py", *(flag.format(logdir) for flag in flags)]
    assert serve.main(argv) == 2
    shown = capsys.readouterr().err.strip().splitlines()[-1]
    assert shown.startswith("error: ") and says in shown


def test_it_serves_without_agents_and_answers_before_it_ends(logdir):
    code = (
        "import sys; from pipelines import serve; status = serve.main(sys.argv); "
        "assert not [m for m in sys.modules if m.split('.')[0] in ('agents', 'sonnet', 'gin')]; "
        "sys.exit(status)"
    )
    flags = [f"--logdir={logdir}", "--port=0", "--grpc_port=-1", "--max_batch=4"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    url = re.search(r"http://127\.0\.0\.1:\d+", line)[0]
    row = {"observation_board": [1, 2, 3], "observation_legal_actions": [True] * 4}
    data, statuses = json.dumps({"instances": [row] * 4}).encode(), []

    def ask():
        with urllib.request.urlopen(f"{url}/v1/models/small:predict", data, timeout=30) as found:
            statuses.append(found.status)

    ask()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    for thread in threads:
        thread.join()
    assert process.returncode == 0, errors
    events = [json.loads(line)["event"] for line in errors.splitlines()]
    assert events == ["serving", "draining", "ended"]
    assert statuses and set(statuses) == {200}
