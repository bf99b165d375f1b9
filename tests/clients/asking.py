"""One question to one port, as bytes: no client library knows better."""

from __future__ import annotations

import socket
from typing import NamedTuple

from appliance.wire.headers import request_frame, response_body

SECONDS = 60
CORRELATION = 4711


class Place(NamedTuple):
    host: str
    port: int


def ask(place: Place, api_key: int, api_version: int, body: bytes) -> bytes | None:
    """Return the body of the answer, None where the connection was closed instead."""
    frame = request_frame(api_key, api_version, CORRELATION, "every-api", body)
    with socket.create_connection(place, SECONDS) as sock, sock.makefile("rb") as answers:
        sock.sendall(frame)
        try:
            size = answers.read(4)
            whole = size + answers.read(int.from_bytes(size, "big"))
        except ConnectionResetError:
            return None
        if not size:
            return None
        assert whole[4:8] == CORRELATION.to_bytes(4, "big")
        return whole[response_body(whole, 0, len(whole), api_key, api_version) :]
