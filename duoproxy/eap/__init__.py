"""EAP as a server: packets, the authenticator's machine, and the methods it can run. It knows no RADIUS."""
