"""The two keys by which a profile is reached (spec/06-providers.md 6.1): its mailbox's identity and its Sphinx key.

Promises: they are made once and live in the encrypted store alone. The mailbox identity is random, a pseudonym that
says nothing of contacts; the Sphinx key is the last hop's, so that not even the provider can open what it stores.
"""

from __future__ import annotations

from dataclasses import dataclass

from mixnet.client.model.errors import DamagedStore
from mixnet.client.storage.database import Store
from mixnet.crypto import SigningKey, SphinxSecret

_MAILBOX = "mailbox identity"
_SPHINX = "sphinx secret"


@dataclass(frozen=True, slots=True)
class Keys:
    """The mailbox identity, and the Sphinx key that opens our mail."""

    mailbox: SigningKey
    sphinx: SphinxSecret


def load_keys(store: Store) -> Keys:
    """The profile's keys; made now in a store that holds nothing yet, else DamagedStore if there are none."""
    with store.transaction():
        mailbox, sphinx = store.setting(_MAILBOX), store.setting(_SPHINX)
        if mailbox is not None and sphinx is not None:
            return Keys(SigningKey(mailbox), SphinxSecret(sphinx))
        if store.has("SELECT 1 FROM settings UNION ALL SELECT 1 FROM contacts UNION ALL SELECT 1 FROM messages"):
            raise DamagedStore
        keys = Keys(SigningKey.generate(), SphinxSecret.generate())
        save_keys(store, keys)
        return keys


def save_keys(store: Store, keys: Keys) -> None:
    """Give a new profile keys from elsewhere: a simulated world's follow from its seed."""
    store.set_setting(_MAILBOX, keys.mailbox.expose())
    store.set_setting(_SPHINX, keys.sphinx.expose())
