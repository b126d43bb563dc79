"""The three envelopes in which a listing is documented or has been seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from auditlens.simulator.feed import Listing

__all__ = ["ENVELOPES", "Place"]


@dataclass(frozen=True)
class Place:
    """Where in a listing a page stands; ``link`` builds the address of another page."""

    page: int
    size: int
    link: Callable[[int], str]


def modern(listing: Listing, place: Place) -> bytes:
    """``results``, ``count``, ``total_pages``, ``meta`` and ``links``."""
    total = -(-listing.count // place.size)
    following = place.page + 1 if place.page < total else None
    previous = place.page - 1 if place.page > 1 else None
    tail = {
        "count": listing.count,
        "total_pages": total,
        "meta": {"page": place.page, "previous_page": previous, "next_page": following},
        "links": {"next": link(place, following), "previous": link(place, previous)},
    }
    return b'{"results":' + array(listing) + b"," + msgspec.json.encode(tail)[1:]


def plain(listing: Listing, place: Place) -> bytes:
    """``count``, ``next``, ``previous`` and ``results``."""
    following = place.page + 1 if place.page * place.size < listing.count else None
    previous = place.page - 1 if place.page > 1 else None
    head = {
        "count": listing.count,
        "next": link(place, following),
        "previous": link(place, previous),
    }
    return msgspec.json.encode(head)[:-1] + b',"results":' + array(listing) + b"}"


def bare(listing: Listing, place: Place) -> bytes:
    """Nothing but the records; who reads it goes on until a page is empty."""
    assert place.page >= 1
    return array(listing)


def array(listing: Listing) -> bytes:
    return b"[" + b",".join(listing.records) + b"]"


def link(place: Place, page: int | None) -> str | None:
    return None if page is None else place.link(page)


ENVELOPES: dict[str, Callable[[Listing, Place], bytes]] = {
    "modern": modern,
    "plain": plain,
    "array": bare,
}
