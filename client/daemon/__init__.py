"""One profile's daemon: wiring, process, start and stop."""
