"""How strangers become contacts, and how a broken session is renewed (spec/07-client.md 7.1 and 7.15)."""
