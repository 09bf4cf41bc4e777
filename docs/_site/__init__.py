"""What the site of `make docs` has that no page holds: its menu, pages from elsewhere, and what the code says of itself."""
