"""Making contacts by invitations, and renewing a broken session (spec/07-client.md 7.1 and 7.15)."""
