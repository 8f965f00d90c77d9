"""Database access of the service: connections, tables, migrations and queries."""
