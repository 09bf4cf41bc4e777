"""The IRC network: pages in channels and in private, on servers rich and poor."""
