"""Pictures for tests: real PNG files, of one colour."""

import struct
import zlib

from tocsin.domain.message import Picture


def png(width: int = 4, height: int = 3, *, more: int = 0) -> bytes:
    """A grey picture. more: how many bytes its comment has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0)  # one bit a point
    rows = zlib.compress((b"\0" + b"\xaa" * -(-width // 8)) * height)
    chunks = [chunk(b"IHDR", head), chunk(b"tEXt", b"x" * more), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def picture(width: int = 4, height: int = 3) -> Picture:
    return Picture.of("disk.png", png(width, height), "the disk of db-1 over six hours")
