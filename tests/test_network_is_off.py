"""The block in conftest.py holds: otherwise a test could pass by asking the network."""

import socket
import urllib.request

import pytest
from conftest import NetworkBlocked

from artlab import files


def test_a_connection_to_the_network_is_refused():
    with socket.socket() as stranger, pytest.raises(NetworkBlocked, match=r"192\.0\.2\.1"):
        stranger.connect(("192.0.2.1", 80))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, pytest.raises(NetworkBlocked):
        stranger.sendto(b"hello", ("192.0.2.1", 53))


def test_a_name_is_not_even_looked_up():
    with pytest.raises(NetworkBlocked, match=r"example\.com"):
        urllib.request.urlopen("http://example.com/", timeout=1)


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_home_is_a_fresh_folder(tmp_path):
    assert files.home().is_relative_to(tmp_path)
    assert not files.home().exists()
