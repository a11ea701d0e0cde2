"""Rows that are not in memory: files, tables and functions, read block by block."""

from csoftmax.sources.cache import cached
from csoftmax.sources.kinds import Features, Values, source_of
from csoftmax.sources.parts import Part, Selected, named, parts
from csoftmax.sources.protocol import BLOCK_BYTES, Block, Source, Takes, rows_at_once
from csoftmax.sources.survey import Surveyed, bytes_of

__all__ = [
    "BLOCK_BYTES",
    "Block",
    "Features",
    "Part",
    "Selected",
    "Source",
    "Surveyed",
    "Takes",
    "Values",
    "bytes_of",
    "cached",
    "named",
    "parts",
    "rows_at_once",
    "source_of",
]
