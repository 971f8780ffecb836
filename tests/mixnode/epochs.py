"""The epochs of tests that let a node's keys come and go."""

from __future__ import annotations

from mixnet.clock import Epochs

EPOCHS = Epochs(1000.0, 100.0)
GRACE = 50.0
