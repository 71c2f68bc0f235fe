"""What stands of the deliveries that came before, and which of them a report that comes goes on with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from finops_kit.store import Writer
from finops_kit.store.chains import Chain, read_chains


class Standing:
    """What was delivered of every account and period, at the version that a writer sees.

    Parameters
    ----------
    mapping : the SHA-256 of the mapping that the files are read by; what was read by another is other content

    Attributes
    ----------
    told : by account and period of each data set
    batches : every batch that delivers something
    """

    def __init__(self, writer: Writer, mapping: str = "") -> None:
        self._mapping = mapping
        self.told = read_chains(writer.connection, "lake.")
        self.batches: set[str] = set()
        self._batches: dict[str, list[str]] = {}
        for told in self.told.values():
            self.batches |= {one["batch_id"] for one in told.replays}
            for chain in told.chains:
                self.batches |= set(chain.batches)
                for content, batch in zip(self._contents(chain), chain.batches, strict=True):
                    batches = self._batches.setdefault(content, [])
                    batches += [batch] * (batch not in batches)

    def _contents(self, chain: Chain) -> list[str]:
        """The SHA-256 of each file of a chain; empty for what was read by another mapping."""
        return [one["source_hash"] if self._mapping in ("", one["mapping"]) else "" for one in chain.came]

    def stored(self, contents: Sequence[str | None], listed: bool, newest: bool = False) -> list[str | None]:
        """The batch that stored each file of a report already, where the report goes on with it.

        A report goes on with a delivery of which it holds every file. Otherwise it is another one, and its files count
        anew, those too that were stored before: storing them again is right, never too much.

        Parameters
        ----------
        contents : the SHA-256 of each file; None where it cannot be read
        listed : a manifest lists the files, so there are no others
        newest : only what counts now is left as it is

        Returns
        -------
        None for each file that is to be stored
        """
        mine = Counter(one for one in contents if one is not None)
        delivered = [one for one in contents if one is not None and one in self._batches]
        if not delivered:
            return [None] * len(contents)
        whole = len(delivered) == len(contents)
        if whole and (known := self._as_it_stands(mine, listed, newest)):
            return _in_turn(contents, known)
        if newest:
            return [None] * len(contents)
        own = {batch for one in mine for batch in self._batches.get(one, ())}
        going: set[str] = set()
        for told in self.told.values():
            chain = next((one for one in told.live() if own & set(one.batches)), None)
            if chain is None:
                continue
            if not chain.adds and Counter(self._contents(chain)) - mine:
                return [None] * len(contents)
            going |= own & set(chain.batches)
        for told in self.told.values():  # what of it was overtaken in another period cannot go on in this one
            live = {batch for chain in told.live() for batch in chain.batches}
            if any(set(chain.batches) & going - live for chain in told.chains):
                return [None] * len(contents)
        out = _in_turn(contents, {one: [b for b in self._batches.get(one, ()) if b in going] for one in mine})
        return out if None in out else [None] * len(out)  # all of it waits, and now it is said to be the whole

    def _as_it_stands(self, mine: Counter[str], listed: bool, newest: bool) -> dict[str, list[str]] | None:
        """The batches of a report that came together before and waits for nothing; None where there are none."""
        out: dict[str, list[str]] = {}
        for told in self.told.values():
            contents = [self._contents(chain) for chain in told.chains]
            here = {one for one in mine if any(one in found for found in contents)}
            if not here:
                continue
            fits = [number for number, found in enumerate(contents) if here <= set(found)]
            if not fits:
                return None
            chain, found = told.chains[fits[-1]], contents[fits[-1]]
            if not chain.adds and ((listed and set(found) - here) or (newest and chain is not told.current)):
                return None
            if chain is told.waiting and (listed or not chain.listed - chain.parts):
                return None
            for content, batch in zip(found, chain.batches, strict=True):
                batches = out.setdefault(content, [])
                batches += [batch] * (batch not in batches)
        return out


def _in_turn(contents: Sequence[str | None], batches: dict[str, list[str]]) -> list[str | None]:
    """A batch for each file; files of the same content take one after the other."""
    left = {content: list(found) for content, found in batches.items()}
    return [left[one].pop(0) if one is not None and left.get(one) else None for one in contents]
