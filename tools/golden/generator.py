"""Random numbers and a hash for golden files: tests/golden_contours.h has the same, so that only results are stored."""


class Generator:
    """A linear congruential generator (modulus 2^32); below(n) uses its upper bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) % n


def fnv1a(text):
    hashed = 0xCBF29CE484222325
    for byte in text.encode():
        hashed = ((hashed ^ byte) * 0x100000001B3) % 2**64
    return "%016x" % hashed
