"""Who owned what when: the CMDB as it stood on the day of a charge, not as it stands today."""

from __future__ import annotations

import ibis
from ibis.expr.types import BooleanValue, Table, Value

#: owners that the CMDB can name when a tag does not
CMDB_OWNERS = ("service_id", "team", "environment", "cost_center", "business_unit", "product")
_DAWN = ibis.date("0001-01-01")
_FAR = ibis.date("9999-12-31")
_NOTHING = ("", "null", "none", "n/a", "na", "-", "untagged", "unknown")


def clean(value: Value) -> Value:
    """Text without blanks around it; null where it says nothing.

    Example
    -------
    >>> import ibis
    >>> ibis.duckdb.connect().execute(clean(ibis.literal("  payments ")))
    'payments'
    """
    text = value.strip()
    return ibis.ifelse(text.lower().isin(_NOTHING), ibis.null("string"), text)


def as_it_stood(current: Table, history: Table, delivery: Table, ledger: Table) -> Table:
    """The CMDB's items with the days that they say, or that their deliveries say for them.

    An item that says a day itself (``valid_from`` or ``valid_to``) is taken at its word, from the newest delivery. One
    that says none stood from the day on which a delivery of its source first said so until the day on which a newer
    delivery no longer did: today's CMDB does not rewrite last year's charges. Of several deliveries of one day the last
    one counts, for whoever delivers twice a day corrects. The day of a delivery is :func:`snapshot_day`.

    Parameters
    ----------
    current, history : ``cmdb_item`` of the current deliveries, and of all that the version knows
    delivery, ledger : when and in which order they came

    Returns
    -------
    one row per item and unbroken stretch: the columns of ``cmdb_item`` that name owners, valid_from, valid_to, and
    ``inferred``: whether the days are those of deliveries
    """
    names = ("ci_id", "ci_class", "resource_id", *CMDB_OWNERS)
    undated = current.valid_from.isnull() & current.valid_to.isnull()
    said = current.filter(~undated).select(*names, "valid_from", "valid_to", inferred=ibis.literal(False))

    came = delivery.filter(delivery.dataset == "cmdb_item").select("batch_id", "source_system", "mode").distinct()
    days = ledger.select("batch_id", "entry", day=snapshot_day(ledger.source_file, ledger.recorded_at))
    came = came.join(days, "batch_id")
    came = came.mutate(
        whole=(came["mode"] == "replace").cast("int64").sum().over(
            ibis.cumulative_window(group_by="source_system", order_by="entry"))
    )  # fmt: skip
    wholes = came.group_by(["source_system", "whole"]).agg(day=came.day.min())
    newest = wholes.group_by(["source_system", "day"]).agg(whole=wholes.whole.max())
    by_day = ibis.window(group_by=newest.source_system, order_by=newest.day)
    stood = newest.mutate(number=ibis.row_number().over(by_day), until=newest.day.lead().over(by_day))

    rows = history.filter(history.valid_from.isnull() & history.valid_to.isnull()).select(*names, "batch_id")
    rows = rows.join(came.select("batch_id", "source_system", "whole"), "batch_id")
    rows = rows.join(stood, ["source_system", "whole"])
    rows = rows.select(*names, "source_system", "number", "day", "until").distinct()
    # an item that nothing changed in stands in one stretch through many deliveries
    same = ibis.window(group_by=[rows[name] for name in ("source_system", *names)], order_by=rows.number)
    rows = rows.mutate(stretch=rows.number - ibis.row_number().over(same))
    inferred = rows.group_by(["source_system", *names, "stretch"]).agg(
        valid_from=rows.day.min(), last=rows.number.max(), valid_to=rows.until.argmax(rows.number),
        open=rows.until.isnull().any(),
    )  # fmt: skip
    inferred = inferred.mutate(valid_to=ibis.ifelse(inferred.open, ibis.null("date"), inferred.valid_to))
    return said.union(inferred.select(*names, "valid_from", "valid_to", inferred=ibis.literal(True)))


def snapshot_day(source_file: Value, recorded_at: Value) -> Value:
    """The day a dump shows: what its name or its folder says, else when the store learned it.

    So the dumps of past months, taken in together, each stand for their own time. A day after the store learned it is
    none of the dump's.

    Example
    -------
    >>> import ibis
    >>> rows = ibis.memtable({"name": ["cmdb-20250630.csv", "2025-06-30/cmdb.csv", "cmdb.csv", "2025-08-31.csv"]})
    >>> learned = ibis.timestamp("2025-08-01 09:00:00")
    >>> [str(day) for day in ibis.duckdb.connect().execute(snapshot_day(rows.name, learned).name("day")).dt.date]
    ['2025-06-30', '2025-06-30', '2025-08-01', '2025-08-01']
    """
    learned = recorded_at.date()
    found = []
    for place in (r"([^/!]*)$", r"([^/!]*)[/!][^/!]*$"):
        text = source_file.re_extract(place, 1)
        pattern = r"(?:^|[^0-9])(20[0-9]{2})-?([01][0-9])-?([0-3][0-9])(?:T?[0-9]{4,6}Z?)?(?:[^0-9]|$)"
        year, month, day = (text.re_extract(pattern, group) for group in (1, 2, 3))
        found.append((year + "-" + month + "-" + day).try_cast("date"))
    said = ibis.coalesce(*found)
    return ibis.ifelse(said <= learned, said, learned)


def dated_owners(cmdb: Table) -> Table:
    """Who owned what when, one owner per item and day; see :func:`one_owner_a_day` for who stands over whom.

    Parameters
    ----------
    cmdb : ``cmdb_item``, or what :func:`as_it_stood` made of it

    Returns
    -------
    one row per resource_id (``owned_key``) and stretch of days ``[owned_from, owned_to)``: service_id, team,
    environment, cost_center, business_unit, product
    """
    return one_owner_a_day(cmdb, clean(cmdb.resource_id), ibis.literal(True))


def dated_services(cmdb: Table) -> Table:
    """Who answered for a service when: the CMDB's items of class service, one per service and day.

    Returns
    -------
    one row per service_id (``owned_key``) and stretch of days ``[owned_from, owned_to)``
    """
    return one_owner_a_day(cmdb, clean(cmdb.service_id), cmdb.ci_class.lower().isin(("service", "application")))


def one_owner_a_day(cmdb: Table, key: Value, wanted: BooleanValue) -> Table:
    """The items' claims without overlap: a charge is never owned twice, and never by nobody while somebody claims it.

    On a day that several items claim the one stands that says its days itself, then the one that began last, then the
    greater ``ci_id``, then the greater owners as text; when it ends, the next of them stands again. Who is the first to
    claim a key by an inferred day has owned it from the beginning.
    """
    inferred = cmdb.inferred if "inferred" in cmdb.columns else ibis.literal(False)
    owners = {name: clean(cmdb[name]) for name in CMDB_OWNERS}
    claims = cmdb.mutate(owned_key=key, wanted=wanted, inferred=inferred, **owners)
    claims = claims.filter(claims.wanted.fill_null(False) & claims.owned_key.notnull())
    first = claims.valid_from.min(where=claims.inferred).over(ibis.window(group_by=claims.owned_key))
    since = ibis.ifelse(claims.inferred & (claims.valid_from == first), _DAWN, claims.valid_from)
    claims = claims.select(
        "owned_key", "ci_id", "inferred", *CMDB_OWNERS,
        owned_from=since.fill_null(_DAWN), ends=claims.valid_to.fill_null(_FAR),
    )  # fmt: skip
    claims = claims.filter(claims.owned_from < claims.ends)
    edges = claims.select("owned_key", day=claims.owned_from).union(claims.select("owned_key", day=claims.ends))
    edges = edges.distinct()
    until = edges.day.lead().over(ibis.window(group_by=edges.owned_key, order_by=edges.day))
    spans = edges.mutate(owned_to=until).rename(span_key="owned_key")
    held = spans.join(
        claims,
        [spans.span_key == claims.owned_key, claims.owned_from <= spans.day, spans.day < claims.ends],
    )
    order = [held.inferred, held.owned_from.desc(), held.ci_id.fill_null("").desc()]
    order += [held[name].fill_null("").desc() for name in CMDB_OWNERS]
    held = held.mutate(place=ibis.row_number().over(group_by=[held.owned_key, held.day], order_by=order))
    best = held.filter(held.place == 0)
    return best.select("owned_key", *CMDB_OWNERS, owned_from=best.day, owned_to=best.owned_to)
