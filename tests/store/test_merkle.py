"""The Merkle tree against the reference vectors of Certificate Transparency, then as properties."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_kit.store.merkle import EMPTY_ROOT, Tree, leaf_hash, node_hash, root, verify_consistency, verify_inclusion

# the eight inputs and their results as in the test data of certificate-transparency (merkletree/merkle_tree_test.cc)
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
#: (leaf from 1, tree size, path)
INCLUSION = [
    (1, 1, []),
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (2, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip
#: (first size, second size, path)
CONSISTENCY = [
    (1, 1, []),
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip

LEAVES = [leaf_hash(bytes.fromhex(data)) for data in INPUTS]


def hexed(proof: list[bytes]) -> list[str]:
    return [step.hex() for step in proof]


def test_the_roots_of_the_reference() -> None:
    assert root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()
    tree = Tree(LEAVES)
    for size, expected in enumerate(ROOTS, start=1):
        assert root(LEAVES[:size]).hex() == tree.root(size).hex() == expected


@pytest.mark.parametrize(("leaf", "size", "path"), INCLUSION)
def test_the_inclusion_paths_of_the_reference(leaf: int, size: int, path: list[str]) -> None:
    proof = Tree(LEAVES).inclusion(leaf - 1, size)
    assert hexed(proof) == path
    assert verify_inclusion(LEAVES[leaf - 1], leaf - 1, size, proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("first", "second", "path"), CONSISTENCY)
def test_the_consistency_paths_of_the_reference(first: int, second: int, path: list[str]) -> None:
    proof = Tree(LEAVES).consistency(first, second)
    assert hexed(proof) == path
    old, new = (bytes.fromhex(ROOTS[size - 1]) for size in (first, second))
    assert verify_consistency(first, second, proof, old, new)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 writes it down."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(naive_root(leaves[:half]), naive_root(leaves[half:]))


@pytest.mark.parametrize("size", range(1, 36))
def test_every_pair_of_sizes(size: int) -> None:
    leaves = [leaf_hash(n.to_bytes(2, "big")) for n in range(size)]
    tree, whole = Tree(leaves), naive_root(leaves)
    assert tree.root() == whole
    for m in range(1, size + 1):
        included, consistent = tree.inclusion(m - 1), tree.consistency(m)
        assert max(len(included), len(consistent) - 1) <= (size - 1).bit_length()
        assert verify_inclusion(leaves[m - 1], m - 1, size, included, whole)
        assert verify_consistency(m, size, consistent, naive_root(leaves[:m]), whole)
        assert not any(
            verify_inclusion(leaves[m - 1], other, size, included, whole) for other in range(size) if other != m - 1
        )


def flip(data: bytes, position: int) -> bytes:
    at = position % len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 300), st.data())
def test_anything_tampered_with_fails(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(n.to_bytes(2, "big")) for n in range(size)]
    tree, whole = Tree(leaves), root(leaves)
    index, position = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, 1000))
    proof = tree.inclusion(index)
    assert verify_inclusion(leaves[index], index, size, proof, whole)
    assert not verify_inclusion(flip(leaves[index], position), index, size, proof, whole)
    assert not verify_inclusion(leaves[index], index, size, proof, flip(whole, position))
    assert not verify_inclusion(leaves[index], index, size, [*proof, whole], whole)
    first = index + 1
    old, between = tree.root(first), tree.consistency(first)
    assert verify_consistency(first, size, between, old, whole)
    assert not verify_consistency(first, size, between, flip(old, position), whole)
    assert not verify_consistency(first, size, between, old, flip(whole, position))
    assert not verify_consistency(first, size, [*between, whole], old, whole)
    for kept, check in ((proof, "in"), (between, "co")):
        if not kept:
            continue
        at = data.draw(st.integers(0, len(kept) - 1))
        for changed in ([*kept[:at], flip(kept[at], position), *kept[at + 1 :]], [*kept[:at], *kept[at + 1 :]]):
            if check == "in":
                assert not verify_inclusion(leaves[index], index, size, changed, whole)
            else:
                assert not verify_consistency(first, size, changed, old, whole)


def test_what_is_not_there_is_refused() -> None:
    tree = Tree(LEAVES)
    with pytest.raises(ValueError, match="leaf 8 is not in a tree of 8"):
        tree.inclusion(8)
    with pytest.raises(ValueError, match="no consistency proof from 0 to 8"):
        tree.consistency(0)
    with pytest.raises(ValueError, match="no root of size 9"):
        tree.root(9)
    assert not verify_inclusion(LEAVES[0], 8, 8, [], bytes(32))
    assert not verify_consistency(0, 8, [], EMPTY_ROOT, tree.root())
