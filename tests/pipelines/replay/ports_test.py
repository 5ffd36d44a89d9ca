"""Protects the replay's tables from the network: who reaches the port, from the first moment on."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest
import reverb

from pipelines.replay import ports
from pipelines.replay.server import Replay
from tests.pipelines import episodes


def outside() -> str:
    """An address of this machine that other machines know; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        return probe.getsockname()[0]


def reached(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_replay_of_a_run_is_reached_from_this_machine_alone_unless_it_is_public():
    found = {}
    for public in (False, True):
        replay = Replay([episodes.table()], public=public)
        port = int(replay.address.rpartition(":")[2])
        found[public] = [reached(host, port) for host in ("127.0.0.1", outside())]
        assert replay.size(episodes.TABLE) == 0
        replay.close()
    assert found == {False: [True, False], True: [True, True]}


def test_who_connects_before_the_port_is_withdrawn_has_not_reached_the_listener():
    with ports.reserve(None) as reservation:
        port = reservation.getsockname()[1]
        with contextlib.ExitStack() as opened:
            with ports.for_this_machine_alone(port):
                listener = opened.enter_context(ports._bound_socket(port, share=True))
                listener.listen()
                early = opened.enter_context(socket.create_connection((outside(), port)))
            with pytest.raises(ConnectionResetError):
                early.recv(1)
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
            with socket.create_connection(("127.0.0.1", port)):
                listener.setblocking(True)
                listener.accept()[0].close()


def test_a_kernel_that_forbids_it_is_told_in_one_line(monkeypatch, capfd):
    def forbidden(bound, interface):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(ports, "_bind_to", forbidden)
    replay = Replay([episodes.table()])
    port = replay.address.rpartition(":")[2]
    assert replay.size(episodes.TABLE) == 0
    assert capfd.readouterr().err.endswith(
        f"\nwarning: replay port {port} is open to the network (Operation not permitted); expected "
        "Linux 5.7 or later\n"
    )
    replay.close()


def test_no_descriptor_is_left_behind():
    with ports.reserve(None) as reservation, ports._bound_socket(0, share=True) as other:
        other.listen()
        before = os.listdir("/proc/self/fd")
        with ports.for_this_machine_alone(other.getsockname()[1]):
            pass
        assert os.listdir("/proc/self/fd") == before
        assert reservation.fileno() > 0


def test_a_proxy_of_the_users_is_not_asked_for_a_server_on_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_grpc_proxy", "")
    monkeypatch.setenv("no_proxy", "example.org")
    replay = Replay([episodes.table()], timeout_s=2)
    assert replay.size(episodes.TABLE) == 0
    assert os.environ["no_grpc_proxy"] == "example.org,127.0.0.1"  # noqa: SIM112
    with pytest.raises(reverb.errors.DeadlineExceededError):
        reverb.Client(replay.address.replace("127.0.0.1", "localhost")).server_info(1)
    replay.close()
