"""Messages as a WebSocket server sends them (RFC 6455)."""

from __future__ import annotations

import struct

FINAL, TEXT, BINARY = 0x80, 0x1, 0x2


def encode_ws_frame(opcode: int, payload: bytes) -> bytes:
    """A whole message: one frame, not masked (section 5.2)."""
    length = len(payload)
    if length < 126:  # this limit, 126 and 127 are the RFC's
        return struct.pack(">BB", FINAL | opcode, length) + payload
    if length < 2**16:
        return struct.pack(">BBH", FINAL | opcode, 126, length) + payload
    return struct.pack(">BBQ", FINAL | opcode, 127, length) + payload
