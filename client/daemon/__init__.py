"""One profile's daemon: wiring, process, start and stop (spec/07-client.md 7.8)."""
