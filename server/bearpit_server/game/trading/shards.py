"""Which sixteenth of the exchange something belongs to."""

from zlib import crc32

SHARDS = 16


def shard_of(name: str) -> int:
    """The shard of a group or of an instrument on its own: any spread will do, as long as it stays."""
    return crc32(name.encode()) % SHARDS
