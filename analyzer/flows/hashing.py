"""Keyed hashes of a conversation's ends, alike in both directions: a hostile capture cannot know where its flows fall."""

from analyzer.kernels import kernel


@kernel
def half_hash(words, at, port, key):
    """A keyed hash of one endpoint. Bits 15..46 of each product: the same whether integers wrap at 64 bits or not."""
    h = key ^ port
    for k in range(4):
        h = (((h ^ words[at + k]) * 0x5851F42D) >> 15) & 0xFFFFFFFF
        h = ((h ^ (h >> 13)) * 0x2545F491 >> 11) & 0xFFFFFFFF
    return h


@kernel
def bucket_of(words, at, port_a, port_b, proto, key, buckets):
    both = half_hash(words, at, port_a, key) + half_hash(words, at + 4, port_b, key) + proto
    return ((both * 0x9E3779B1) >> 17) & (buckets - 1)


@kernel
def ends_key(words, at, port_a, port_b, proto, key):
    """62 bits that stand for a conversation, never 0."""
    other = key ^ 0x3C6EF372
    first = half_hash(words, at, port_a, key) + half_hash(words, at + 4, port_b, key) + proto
    second = half_hash(words, at, port_a, other) + half_hash(words, at + 4, port_b, other) + proto
    return ((first & 0x7FFFFFFF) << 31 | (second & 0x7FFFFFFF)) + 1
