"""The rules, pure: no socket, no disk, no clock."""
