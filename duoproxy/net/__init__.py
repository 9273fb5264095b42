"""Twisted adapters, one job each: sockets, TLS, HTTPS in; values out."""
