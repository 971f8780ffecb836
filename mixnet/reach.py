"""From where an address can be reached: this machine, a private network, or anywhere (spec/05-directory.md 5.3).

Promises: pure; what leads nowhere in particular (link-local, multicast, unspecified, reserved) has no reach at all,
however it is written: IPv6 forms that carry an IPv4 address are judged by that one.
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PRIVATE_NAMES = frozenset(("internal", "local", "lan", "home", "corp", "test", "arpa"))  # last parts of private names


class Reach(IntEnum):
    """Who can reach an address, ascending."""

    MACHINE = 0
    PRIVATE = 1
    ANYWHERE = 2

    def allows(self, ip: str) -> bool:
        """Whether who keeps to addresses of this reach may dial `ip`, an address in digits; False for what is none."""
        found = _reach(ip)
        return found is not None and found >= self

    def allows_host(self, host: str) -> bool:
        """The same for the host of an address as it is written; what a name stands for is judged when it is dialled."""
        found = _named(host)
        return found is not None and found >= self


def reach_of(host: str) -> Reach:
    """How far a host that its readers trust can be reached from; what leads nowhere counts as this machine."""
    return _named(host) or Reach.MACHINE


def _named(host: str) -> Reach | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        *labels, last = host.rstrip(".").lower().split(".")
        if last == "localhost":
            return Reach.MACHINE
        if last.isdecimal() or last.startswith("0x"):
            return None  # resolvers take `127.1` and `0x7f000001` for addresses
        return Reach.PRIVATE if not labels or last in _PRIVATE_NAMES else Reach.ANYWHERE
    return _reach(host)


def _reach(text: str) -> Reach | None:
    try:
        ip = _inner(ipaddress.ip_address(text))
    except ValueError:
        return None
    if ip.is_loopback:
        return Reach.MACHINE
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return None
    inside = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return Reach.ANYWHERE if ip.is_global and not inside else Reach.PRIVATE


def _inner(ip: _Ip) -> _Ip:
    """The IPv4 address that an IPv6 one leads to, if it does."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(ip.packed[12:])
        carried = ip.ipv4_mapped or ip.sixtofour
        if carried is not None:
            return carried
    return ip
