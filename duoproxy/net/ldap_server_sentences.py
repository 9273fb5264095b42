"""What the log says of clients that speak LDAP to us, each text with cause and remedy."""

from __future__ import annotations


def ldap_client_too_many(address: str, limit: int) -> str:
    """A client has its share of the connections."""
    return (
        f"A connection of {address} was closed at once: it has its share of the {limit} that are served. Let it close "
        "connections that it does not use, or raise max_connections."
    )


def ldap_client_fault(address: str, what: str) -> str:
    """A connection was ended for what the client, or the directory, sent."""
    return f"The LDAP connection of {address} was ended: {what}"


def ldap_client_early_octets(address: str, count: int) -> str:
    """Octets stood behind StartTLS in the clear."""
    return (
        f"{address} sent {count} octets behind its StartTLS without waiting for the answer; they were thrown away, "
        "since somebody may have put them in. Look at that client, and at the network between."
    )


def ldap_client_no_directory(address: str, fault: str) -> str:
    """A request other than a bind found no directory."""
    return f"A request of {address} was answered with unavailable (52): {fault}."
