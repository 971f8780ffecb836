"""beta and gamma: nested routing commands that look alike at every hop (SPEC.md section 2).

Promises: beta has one length at every hop of every route. A hop takes its command off the front and finds the same
number of pseudo-random bytes at the end, which the sender foresaw (the filler): so the next gamma covers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mixnet.crypto import chacha20, mac, xor
from mixnet.errors import LocalError
from mixnet.sphinx.geometry import GEOMETRY
from mixnet.sphinx.keys import SharedSecret

_STEP = GEOMETRY.step_size
_BETA = GEOMETRY.beta_size
_GAMMA = GEOMETRY.gamma_size
_NOTHING = bytes(_BETA + _STEP)
_GROWTH = bytes(_STEP)
LENGTH = bytes([GEOMETRY.command_size])  # sphinxmix' length byte, always the same here


class Opened(NamedTuple):
    """A beta without its outer layer: the command with its length byte, and beta and gamma for the next hop."""

    command: bytes
    beta: bytes
    gamma: bytes


def build(secrets: Sequence[SharedSecret], commands: Sequence[bytes], padding: bytes) -> tuple[bytes, bytes]:
    """(beta, gamma) for the first hop: 308 and 16 bytes.

    `commands` are 37 bytes each, one a secret; `padding` are `GEOMETRY.padding_size(hops)` random bytes for the last
    hop, who would otherwise see by the zeros how long the route was.
    """
    if len(padding) != GEOMETRY.padding_size(len(secrets)) or len(commands) != len(secrets):
        raise LocalError("a header takes a command for each hop and the padding that its length leaves")
    streams = [chacha20(secret.rho(), _NOTHING) for secret in secrets]
    filler = _filler(streams[:-1])
    plain = LENGTH + commands[-1] + padding
    beta = xor(plain, streams[-1][: len(plain)]) + filler
    gamma = mac(secrets[-1].mu(), beta)
    for secret, stream, command in zip(secrets[-2::-1], streams[-2::-1], commands[-2::-1], strict=True):
        beta = xor(LENGTH + command + gamma + beta[: _BETA - _STEP], stream[:_BETA])
        gamma = mac(secret.mu(), beta)
    return beta, gamma


def _filler(streams: Sequence[bytes]) -> bytes:
    """What will have grown at the end of beta when it reaches the last hop, given the streams of the hops before it."""
    filler = b""
    for passed, stream in enumerate(streams):
        filler = xor(filler + _GROWTH, stream[_BETA - passed * _STEP :])
    return filler


def open_layer(rho: bytes, beta: bytes) -> Opened:
    """Take one layer off a beta of 308 bytes; the caller has checked its gamma, or discards the result."""
    plain = chacha20(rho, beta + _GROWTH)
    command_end = _STEP - _GAMMA
    return Opened(plain[:command_end], plain[_STEP:], plain[command_end:_STEP])
