#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A VNC client (RFC 6143) that looks once: rfb.py PORT [KEYS]. It types the keys, a "~" being
Return, asks for the whole screen and prints its size, how many colours it has, and the colours of
the upper and of the lower half if each has only one."""

import socket
import struct
import sys

RETURN = 0xff0d


def take(sock, count):
    data = bytearray()
    while len(data) < count:
        part = sock.recv(min(count - len(data), 65536))
        if not part:
            raise EOFError(f"the server ends the connection {count - len(data)} bytes early")
        data += part
    return bytes(data)


def start(sock):
    """The handshake: version 3.8, no authentication, shared. Returns width and height."""
    version = take(sock, 12)
    if not version.startswith(b"RFB 003."):
        raise ValueError(f"not RFB: {version!r}")
    sock.sendall(b"RFB 003.008\n")
    kinds = take(sock, take(sock, 1)[0])
    if 1 not in kinds:
        raise ValueError(f"security types {list(kinds)}, none of them without password")
    sock.sendall(b"\1")
    if take(sock, 4) != b"\0\0\0\0":
        raise ValueError("refused")
    sock.sendall(b"\1")
    width, height = struct.unpack(">HH", take(sock, 4))
    take(sock, 16)
    take(sock, struct.unpack(">I", take(sock, 4))[0])
    # 32 bits a pixel, little endian, red at 16, green at 8, blue at 0; raw encoding.
    sock.sendall(struct.pack(">B3x4B3H3B3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
    sock.sendall(struct.pack(">BxHi", 2, 1, 0))
    return width, height


def screen(sock, width, height):
    """All pixels, one number each."""
    sock.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
    pixels = [None] * (width * height)
    while None in pixels:
        if take(sock, 1) != b"\0":
            raise ValueError("not a frame buffer update")
        for _ in range(struct.unpack(">xH", take(sock, 3))[0]):
            x, y, wide, high, encoding = struct.unpack(">HHHHi", take(sock, 12))
            if encoding != 0:
                raise ValueError(f"encoding {encoding}")
            row = struct.Struct(f"<{wide}I")
            for line in range(y, y + high):
                pixels[line * width + x:line * width + x + wide] = row.unpack(take(sock, row.size))
    return [p & 0xffffff for p in pixels]


def main():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) as sock:
        sock.settimeout(60)
        width, height = start(sock)
        for char in sys.argv[2] if len(sys.argv) > 2 else "":
            for down in (1, 0):
                key = RETURN if char == "~" else ord(char)
                sock.sendall(struct.pack(">BBxxI", 4, down, key))
        pixels = screen(sock, width, height)
    half = len(pixels) // 2
    words = [f"{width}x{height}", f"colours={len(set(pixels))}"]
    for name, part in (("upper", pixels[:half]), ("lower", pixels[half:])):
        found = set(part)
        words.append(f"{name}={found.pop():06x}" if len(found) == 1 else f"{name}=mixed")
    print(*words)


main()
