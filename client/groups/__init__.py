"""Groups: members who agree on who they are, and pass each other's messages on (SPEC.md section 7, Groups).

    changes ─▶ roster ─▶ registry ─▶ groups ◀─ bodies (sessions)
    rollercoaster ─▶ delivery ─▶ dispatch

Pure: changes, roster, rollercoaster, delivery, posts. The others use the store in the caller's transaction.
"""
