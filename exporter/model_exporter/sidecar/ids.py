"""UUIDv7 (RFC 9562), many at once."""

import os

import numpy as np
from numpy.typing import NDArray

NS_PER_MS = 1_000_000


def uuid7s(unix_ns: NDArray[np.int64]) -> list[str]:
    """Return one UUIDv7 for each timestamp, shape (n,).

    The 12 bits after the version hold the fraction of the millisecond (RFC 9562, 6.2, method 3),
    so that ids of one process sort by time; 62 bits are random.

    Examples
    --------
    >>> uuid7s(np.array([1_700_000_000_123_456_789]))[0][:15]
    '018bcfe5-687b-7'
    """
    size = unix_ns.size
    octets = np.zeros((size, 16), dtype=np.uint8)
    milliseconds, rest = np.divmod(unix_ns, NS_PER_MS)
    big_endian = milliseconds.astype(">u8").view(np.uint8).reshape(size, 8)
    octets[:, :6] = big_endian[:, 2:]
    fraction = rest * 4096 // NS_PER_MS
    octets[:, 6] = 0x70 | (fraction >> 8)
    octets[:, 7] = fraction & 0xFF
    octets[:, 8:] = np.frombuffer(os.urandom(8 * size), dtype=np.uint8).reshape(size, 8)
    octets[:, 8] = 0x80 | (octets[:, 8] & 0x3F)
    text = octets.tobytes().hex()
    return [
        f"{text[i : i + 8]}-{text[i + 8 : i + 12]}-{text[i + 12 : i + 16]}"
        f"-{text[i + 16 : i + 20]}-{text[i + 20 : i + 32]}"
        for i in range(0, 32 * size, 32)
    ]
