"""A profile's folder: keys, lock, passphrase, what it holds, its erasure."""
