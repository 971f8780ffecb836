"""The encrypted SQLite database: one file for each group of tables (spec/07-client.md 7.7)."""
