"""What the measurements share: processes, a stand-in for Duo's API, a RADIUS load, FreeRADIUS as the competitor."""
