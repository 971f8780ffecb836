"""The key of a channel whose acknowledgements are sealed and opened."""

from mixnet.client.arq.fragments import ChannelKey
from mixnet.crypto import SymmetricKey

CHANNEL = ChannelKey(b"c" * 16, SymmetricKey(b"k" * 32))
