"""How far addresses reach in all their forms, and that nothing nearer is dialled than a network's authorities."""

from __future__ import annotations

import socket

import pytest
import trio

from mixnet.errors import Unavailable
from mixnet.network import TCP, Address
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.reach import Reach, reach_of

NOWHERE = (
    *("169.254.169.254", "224.0.0.1", "0.0.0.0", "255.255.255.255", "fe80::1", "ff02::1", "::", "::ffff:169.254.1.1"),
    *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::ffff:0.0.0.0"),
)
MACHINE = ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1")
PRIVATE = ("10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fec0::1", "::ffff:10.0.0.1", "198.18.0.1")
ANYWHERE = ("1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8")


def test_an_address_has_its_reach_in_every_form() -> None:
    for least in Reach:
        assert not any(least.allows(ip) or least.allows_host(ip) for ip in NOWHERE)
        for reach, ips in zip(Reach, (MACHINE, PRIVATE, ANYWHERE), strict=True):
            assert {least.allows(ip) for ip in ips} == {least.allows_host(ip) for ip in ips} == {reach >= least}


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST.", "a.localhost", "127.1", "2130706433", "0x7f.1", "0x7f000001"]
)
def test_a_name_of_this_machine_is_none_of_a_network_elsewhere(name: str) -> None:
    assert not Reach.PRIVATE.allows_host(name)
    assert not Reach.ANYWHERE.allows_host(name)
    assert not Reach.ANYWHERE.allows(name)


def test_names_of_private_networks_are_told_from_others() -> None:
    assert [reach_of(name) for name in ("mix-1", "mix.internal", "mix.example.org")] == [1, 1, 2]


def test_a_network_reaches_as_far_as_the_nearest_of_its_authorities() -> None:
    def reach(*hosts: str) -> Reach:
        authorities = tuple(AuthorityInfo(bytes([n]) * 32, f"{host}:4000") for n, host in enumerate(hosts))
        return Bootstrap(0.0, 60.0, authorities).reach

    assert reach("one.example.org", "1.1.1.1", "[2606:4700::1111]") is Reach.ANYWHERE
    assert reach("one.example.org", "10.0.0.1") is Reach.PRIVATE
    assert reach("10.0.0.1", "[::1]") is Reach.MACHINE


async def test_what_a_name_stands_for_is_judged_when_it_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[str] = []

    def resolve(_host: object, port: int, **_named: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answers]

    dialled: list[str] = []

    async def dial(host: str, _port: int, **_named: object) -> None:
        dialled.append(host)
        raise OSError("nobody is asked")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(trio, "open_tcp_stream", dial)
    network, address = TCP().within(Reach.ANYWHERE), Address("node.example.org", 4000)
    for answers[:], expected in (["127.0.0.1", "169.254.169.254"], []), (["10.0.0.1", "1.1.1.1"], ["1.1.1.1"]):
        dialled.clear()
        with pytest.raises(Unavailable):
            await network.dial(address)
        assert dialled == expected
