"""The memory: what is remembered for a site, in SQLite or PostgreSQL."""
