"""What binds an authentication inside TLS to the TLS connection that it goes through.

Source: RFC 5929 §4 (tls-server-end-point).
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

_TOO_WEAK = frozenset({"md5", "sha1"})


def server_end_point(certificate: x509.Certificate) -> bytes | None:
    """Give the channel bindings of a server's certificate.

    Args:
        certificate: the one that the server showed in its handshake.

    Returns:
        the type's name and the certificate's hash; None for a signature without a hash of its own (Ed25519), for which
        the RFC defines nothing.
    """
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    digest = hashes.Hash(hashes.SHA256() if algorithm.name in _TOO_WEAK else algorithm)
    digest.update(certificate.public_bytes(Encoding.DER))
    return b"tls-server-end-point:" + digest.finalize()
