"""The commands that an administrator types."""
