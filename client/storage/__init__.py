"""The encrypted SQLite database: one file for each group of tables."""
