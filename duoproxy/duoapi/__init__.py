"""Duo's Auth API as values: what to send, how to sign it, what the answers mean. Pure; knows no HTTP client."""
