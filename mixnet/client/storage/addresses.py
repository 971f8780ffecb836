"""The table of the profile's own public addresses.

Promises: each address has keys of its own, apart from the profile's identity; the keys of one that is retired or has
expired are deleted, after which nobody, its owner included, can open a first message to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mixnet.client.e2e.public_address import PublicAddress
from mixnet.client.e2e.x3dh import Prekeys
from mixnet.client.model.destination import Home
from mixnet.client.model.durations import DAY
from mixnet.client.model.errors import BadLifetime, TooManyAddresses, UnknownAddress
from mixnet.client.model.views import AddressInfo
from mixnet.client.storage.database import Row, Store
from mixnet.crypto import SymmetricKey

AT_ONCE = 8  # addresses that take messages
LISTED = 64  # addresses in all; of the retired ones the oldest are forgotten
LONGEST = 3650 * DAY
_SELECT = "SELECT id, text, created_at, closes, prekeys FROM addresses "


@dataclass(frozen=True, slots=True)
class OpenAddress:
    """An address that takes messages, with its secret half."""

    address: PublicAddress
    prekeys: Prekeys = field(repr=False)


class AddressTable:
    """All addresses."""

    def __init__(self, store: Store, home: Home) -> None:
        """Use the store's table; addresses lead to `home`."""
        self._store, self._home = store, home

    def create(self, now: float, lifetime: float | None) -> AddressInfo:
        """A new address, good for `lifetime` seconds (None: until it is retired); TooManyAddresses, BadLifetime."""
        if lifetime is not None and not 0 < lifetime <= LONGEST:
            raise BadLifetime("an address is good for more than 0s and at most 3650d: choose another time")
        with self._store.transaction():
            self.expire(now)
            if (self._store.value(int, "SELECT count(*) FROM addresses WHERE prekeys IS NOT NULL") or 0) >= AT_ONCE:
                raise TooManyAddresses(f"a profile has at most {AT_ONCE} addresses: retire one first")
            prekeys = Prekeys.generate(SymmetricKey.generate())
            expires = 0.0 if lifetime is None else float(round(now + lifetime))
            made = PublicAddress(self._home.network_id, self._home.destination, prekeys.public, expires)
            values = (made.id, made.channel.channel, made.encode(), prekeys.serialize(), now, expires)
            self._store.run("INSERT INTO addresses VALUES (?, ?, ?, ?, ?, ?)", *values)
            oldest = "SELECT id FROM addresses WHERE prekeys IS NULL ORDER BY created_at DESC LIMIT -1 OFFSET ?"
            self._store.run(f"DELETE FROM addresses WHERE id IN ({oldest})", LISTED - AT_ONCE)  # noqa: S608
        return self.get(made.id)

    def all(self) -> list[AddressInfo]:
        """All of them, oldest first."""
        return [_info(row) for row in self._store.all(_SELECT + "ORDER BY created_at, id")]

    def get(self, id_: str) -> AddressInfo:
        """One of them; UnknownAddress."""
        address = self._store.row(_info, _SELECT + "WHERE id = ?", id_)
        if address is None:
            raise UnknownAddress(f"there is no address {id_!r}: `mixnet address list PROFILE` shows those there are")
        return address

    def retire(self, id_: str) -> AddressInfo:
        """Take no more first messages; conversations that have begun go on. UnknownAddress."""
        self.get(id_)
        with self._store.transaction():
            self._store.run("UPDATE addresses SET prekeys = NULL WHERE id = ?", id_)
        self._store.truncate_journal()
        return self.get(id_)

    def expire(self, now: float) -> None:
        """Delete the keys of addresses whose time is over."""
        self._store.run("UPDATE addresses SET prekeys = NULL WHERE closes > 0 AND closes <= ?", now)

    def listening(self, channel: bytes, now: float) -> OpenAddress | None:
        """The address whose first messages go to `channel`, if it takes any."""
        row = self._store.one("SELECT text, prekeys, closes FROM addresses WHERE channel = ?", channel)
        if row is None or row[1] is None or 0 < row[2] <= now:
            return None
        return OpenAddress(PublicAddress.parse_untrusted(row[0]), Prekeys.restore(bytes(row[1])))


def _info(row: Row) -> AddressInfo:
    id_, text, created_at, closes, prekeys = row
    return AddressInfo(id_, text, created_at, closes, retired=prekeys is None)
