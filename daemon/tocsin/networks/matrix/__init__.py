"""The Matrix network: pages in rooms and in private, encrypted where the room is."""
