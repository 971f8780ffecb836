"""A hostile peer that has shaken hands with one of our sessions, and seals records by hand from then on."""

from OpenSSL import SSL

from mixnet.benchmarks.processes.load.forger import ALERT, CCS, DATA, HANDSHAKE, KEY_UPDATE, Forger
from mixnet.link.tls import CIPHER
from tests.mixnet.link.ends import given_to, raw_context, raw_session, step, taken

__all__ = ["ALERT", "CCS", "DATA", "GOODBYE", "HANDSHAKE", "KEY_UPDATE", "KEY_UPDATE_REQUESTED", "TICKET", "facing"]

KEY_UPDATE_REQUESTED = b"\x18\0\0\x01\x01"
TICKET = b"\x04\0\0\x35" + bytes(8) + b"\x08" + bytes(8) + b"\0\x20" + bytes(32) + b"\0\0"  # 57 bytes, as OpenSSL's
GOODBYE = b"\x01\0"
KEY_LOG = {"responder": b"SERVER_TRAFFIC_SECRET_0", "initiator": b"CLIENT_TRAFFIC_SECRET_0"}


def facing(ours, side, *, tickets=True, behind=None):
    """(a forger, its OpenSSL) after a handshake with `ours`, which the forger's side, such as "initiator", plays.

    What `behind(forger)` gives goes out in one piece with the side's last message of the handshake.
    """
    keys = {}
    context = raw_context()
    context.set_tls13_ciphersuites(CIPHER)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)  # its tickets have the size of ours
    context.set_keylog_callback(lambda _connection, line: keys.update([line.split()[::2]]))
    raw = raw_session(context, server=side == "responder")
    done = [False, False]
    while not all(done):
        done[0] = ours.handshake_untrusted()
        given_to(raw, ours.take())
        done[1] = step(raw)
        flight = taken(raw)
        if behind and KEY_LOG[side] in keys:
            flight, behind = flight + behind(Forger(bytes.fromhex(keys[KEY_LOG[side]].decode()))), None
        if tickets or not (side == "responder" and done[1]):  # the last flight of a responder is its tickets
            ours.put_untrusted(flight)
    sent = 2 if tickets and side == "responder" else 0
    return Forger(bytes.fromhex(keys[KEY_LOG[side]].decode()), sent), raw
