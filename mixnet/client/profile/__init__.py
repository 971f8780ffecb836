"""A profile's folder: keys, lock, passphrase, what it holds, its erasure (spec/07-client.md 7.8 and 7.11)."""
