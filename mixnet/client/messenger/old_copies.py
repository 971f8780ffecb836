"""What users read when a session is broken because a profile was restored from an old copy (spec/07-client.md 7.5)."""

from __future__ import annotations

_REMEDY = (
    "give a fresh invitation (`mixnet invite`) to the contact, who accepts it; what did not arrive is sent again then"
)
UNOPENED = f"a message of this contact does not open: one of you uses an old copy of a profile; {_REMEDY}"
OUTDATED = f"this profile is older than what the contact knows of it: nothing sent from here arrives; {_REMEDY}"
TOLD = f"the contact can't go on with this session: one of you uses an old copy of a profile; {_REMEDY}"
BETWEEN_DEVICES = (
    "one of these two devices uses an old copy of its profile, so nothing gets across: revoke the satellite at its home"
    " (`mixnet device revoke`) and link it again with a new profile"
)
ANONYMOUS = (
    "one of you uses an old copy of a profile, so this conversation can't go on: end it; whoever began it can write to"
    " the address anew"
)
BROKEN = (UNOPENED, OUTDATED, TOLD, ANONYMOUS)
LAPSED = (
    "the session was broken by an old copy of a profile and not renewed in time, so nobody can tell whether this was"
    " delivered: renew it by an invitation, then ask whether it came"
)
