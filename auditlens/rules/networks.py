"""An IPv4 network as a pattern: for engines that cannot count addresses."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

__all__ = ["network_regex"]

OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"


def network_regex(cidr: str) -> str:
    """Write an IPv4 network as a pattern for exactly the addresses in it."""
    network = ip_network(cidr)
    assert isinstance(network, IPv4Network)
    first = network.network_address.packed
    last = network.broadcast_address.packed
    parts = []
    for low, high in zip(first, last, strict=True):
        if (low, high) == (0, 255):
            parts.append(OCTET)
        else:
            parts.append("(" + "|".join(str(one) for one in range(low, high + 1)) + ")")
    return "^" + r"\.".join(parts) + "$"
