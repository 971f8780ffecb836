"""A server has descriptors for all the connections that it grants, whatever its system grants by default."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from mixnet.errors import LocalError
from mixnet.open_files import SPARE, allow_files


def test_the_limit_is_raised_for_all_connections_and_never_lowered() -> None:
    program = (
        "import resource; from mixnet.open_files import allow_files\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "allow_files(100, 7); allow_files(5)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 107 + SPARE


def test_a_system_that_forbids_it_is_told_of_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (64, 64))
    with pytest.raises(LocalError, match=r"only 64 open files .* ask for fewer"):
        allow_files(1, remedy="ask for fewer")


@pytest.mark.parametrize("server", ["mixnode", "directory"])
def test_each_server_asks_for_them_before_it_serves(server: str) -> None:
    program = (
        "import resource, runpy, sys, trio\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 300))\n"
        f"import {server}.__main__ as main\n"
        "class Config:\n"
        "    connection_limit, workers, engine = 1024, 0, 'mixnet'\n"
        "main.load_config = lambda path: Config()\n"
        f"sys.argv = ['{server}', 'config.toml']\n"
        "trio.run = lambda *given: print('served')\n"
        f"sys.exit(main.main(*([sys.argv[1:]] if '{server}' == 'mixnode' else [])))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510
    assert (done.returncode, done.stdout) == (2, "")
    assert "open files are allowed" in done.stderr
