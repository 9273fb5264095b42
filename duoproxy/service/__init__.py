"""Wiring: the twistd plugin, logs, events; may import everything."""
