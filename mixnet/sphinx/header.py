"""beta and gamma: nested routing commands that look alike at every hop (spec/02-sphinx.md 2.6 and 2.7).

Promises: beta has one length at every hop of every route. A hop takes its command off the front and finds the same
number of pseudo-random bytes at the end, which the sender foresaw (the filler): so the next gamma covers them.
"""

from __future__ import annotations

from collections.abc import Sequence

from mixnet.crypto import chacha20, mac, xor
from mixnet.errors import LocalError
from mixnet.sphinx.geometry import GEOMETRY
from mixnet.sphinx.keys import SharedSecret

_STEP = GEOMETRY.step_size
_BETA = GEOMETRY.beta_size
_COMMAND_END = _STEP - GEOMETRY.gamma_size
_NOTHING = bytes(_BETA + _STEP)
_GROWTH = bytes(_STEP)
LENGTH = bytes([GEOMETRY.command_size])  # sphinxmix' length byte, always the same here


def build(secrets: Sequence[SharedSecret], commands: Sequence[bytes], padding: bytes) -> tuple[bytes, bytes]:
    """(beta, gamma) for the first hop: 308 and 16 bytes.

    `commands` are 37 bytes each, one a secret; `padding` are `GEOMETRY.padding_size(hops)` random bytes for the last
    hop, who would otherwise see by the zeros how long the route was.
    """
    if len(padding) != GEOMETRY.padding_size(len(secrets)) or len(commands) != len(secrets):
        raise LocalError("a header takes a command for each hop and the padding that its length leaves")
    streams = [chacha20(secret.rho(), _NOTHING) for secret in secrets]
    plain = LENGTH + commands[-1] + padding
    beta = xor(plain, streams[-1][: len(plain)]) + _filler(streams[:-1])
    gamma = mac(secrets[-1].mu(), beta)
    for secret, stream, command in zip(secrets[-2::-1], streams[-2::-1], commands[-2::-1], strict=True):
        beta = xor(LENGTH + command + gamma + beta[: _BETA - _STEP], stream[:_BETA])
        gamma = mac(secret.mu(), beta)
    return beta, gamma


def _filler(streams: Sequence[bytes]) -> bytes:
    """What will have grown at the end of beta when it reaches the last hop, given the streams of the hops before it."""
    filler = 0  # a number: a step's growth is a shift
    for passed, stream in enumerate(streams):
        filler = filler << 8 * _STEP ^ int.from_bytes(stream[_BETA - passed * _STEP :])
    return filler.to_bytes(len(streams) * _STEP)


def open_layer(rho: bytes, beta: bytes) -> tuple[bytes, bytes, bytes]:
    """Take one layer off a beta of 308 bytes: the command with its length byte; beta and gamma for the next hop.

    The caller has checked its gamma, or discards the result.
    """
    plain = chacha20(rho, beta + _GROWTH)
    return plain[:_COMMAND_END], plain[_STEP:], plain[_COMMAND_END:_STEP]
