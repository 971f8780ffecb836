"""How strangers become contacts, and how a broken session is renewed."""
