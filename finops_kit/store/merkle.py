"""The Merkle tree over the ledger, as in RFC 6962 section 2.1 and RFC 9162 section 2.1: pure functions.

A tree's root commits to every leaf and to their order in 32 bytes. An inclusion proof shows with
O(log n) hashes that one leaf stands under a root; a consistency proof shows with as many that an
earlier root is a prefix of a later one, so that nothing was edited, taken out or put in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from finops_kit.store.ledger import canonical_bytes

#: the root of a tree with no leaf
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data): the prefix keeps a leaf from being passed off as a node.

    Source: RFC 6962 section 2.1.

    Example
    -------
    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right). Source: RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def entry_leaf(entry: Mapping[str, Any]) -> bytes:
    """The leaf of one ledger entry: the hash over its canonical bytes.

    ``entry_hash`` is no part of them, because it is SHA-256 over the same bytes and says nothing more;
    ``previous_hash`` is.
    """
    return leaf_hash(canonical_bytes(entry))


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


class Tree:
    """The subtrees of a list of leaves, each hashed once, so that proofs after the first are cheap.

    Example
    -------
    >>> tree = Tree([leaf_hash(bytes([n])) for n in range(7)])
    >>> proof = tree.inclusion(3)
    >>> verify_inclusion(tree.leaves[3], 3, 7, proof, tree.root())
    True
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = list(leaves)
        # complete subtrees by height: _levels[h][i] covers leaves [i * 2^h, (i + 1) * 2^h)
        self._levels = [self.leaves]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])

    def _range(self, start: int, size: int) -> bytes:
        """The root over ``size`` leaves from ``start``; start is a multiple of the covering power of two."""
        if size == 0:
            return EMPTY_ROOT
        height = size.bit_length() - 1
        if size == 1 << height:
            return self._levels[height][start >> height]
        left = _split(size)
        return node_hash(self._range(start, left), self._range(start + left, size - left))

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` leaves, all where nothing is said."""
        wanted = len(self.leaves) if size is None else size
        _check(0 <= wanted <= len(self.leaves), f"a tree of {len(self.leaves)} leaves has no root of size {wanted}")
        return self._range(0, wanted)

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The proof that leaf ``index`` (from 0) stands in the tree of the first ``size`` leaves.

        Source: RFC 6962 section 2.1.1, PATH(m, D[n]).
        """
        wanted = len(self.leaves) if size is None else size
        _check(0 <= index < wanted <= len(self.leaves), f"leaf {index} is not in a tree of {wanted} leaves")
        return self._path(index, 0, wanted)

    def _path(self, index: int, start: int, size: int) -> list[bytes]:
        if size == 1:
            return []
        left = _split(size)
        if index < left:
            return [*self._path(index, start, left), self._range(start + left, size - left)]
        return [*self._path(index - left, start + left, size - left), self._range(start, left)]

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """The proof that the tree of ``first`` leaves is a prefix of the tree of ``second``.

        Source: RFC 6962 section 2.1.2, PROOF(m, D[n]).
        """
        wanted = len(self.leaves) if second is None else second
        _check(
            0 < first <= wanted <= len(self.leaves),
            f"there is no consistency proof from {first} to {wanted} in a tree of {len(self.leaves)} leaves",
        )
        return self._subproof(first, 0, wanted, True)

    def _subproof(self, first: int, start: int, size: int, known: bool) -> list[bytes]:
        if first == size:
            return [] if known else [self._range(start, size)]
        left = _split(size)
        if first <= left:
            return [*self._subproof(first, start, left, known), self._range(start + left, size - left)]
        return [*self._subproof(first - left, start + left, size - left, False), self._range(start, left)]


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; of none, SHA-256 of nothing."""
    return Tree(leaves).root()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether ``proof`` shows that ``leaf`` stands at ``index`` in the tree of ``size`` leaves.

    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(step, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    return last == 0 and found == expected_root


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether ``proof`` shows that the tree of ``first`` leaves is a prefix of the tree of ``second``.

    Source: RFC 9162 section 2.1.4.2.
    """
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    steps = list(proof)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
