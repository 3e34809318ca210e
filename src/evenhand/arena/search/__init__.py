"""Search: the exact nearest images of a query, and queries that no bundle foresaw."""
