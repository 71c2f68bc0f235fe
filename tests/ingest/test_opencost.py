"""Allocations of OpenCost and Kubecost: a data set of its own, exact, and never part of the bill."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

from tests_ingest import ask, fingerprint, focus_text

from finops_kit.ingest import ingest_paths

WINDOW = {"start": "2026-09-03T00:00:00Z", "end": "2026-09-04T00:00:00Z"}


def allocation(name: str, total: str, **change: Any) -> str:
    """One allocation as text, so that its numbers stand as they are written."""
    found = {
        "name": name, "window": WINDOW, "start": "2026-09-03T08:30:00Z", "end": "2026-09-03T13:50:00Z", "minutes": 320,
        "properties": {"cluster": "prod-1", "node": "n-1", "namespace": "shop", "controller": "web",
                       "controllerKind": "deployment", "providerID": "aws:///eu-central-1a/i-1", "services": ["web"],
                       "labels": {"app": "web", "team": "core"}},
        "cpuCoreHours": 1.6, "cpuCost": 0.0624, "cpuCostAdjustment": 0, "gpuCost": 0, "ramCost": 0.001597,
        "pvCost": 0.004544, "pvs": {"cluster=c:name=p": {"cost": 0.004544}}, "networkCost": 0, "loadBalancerCost": 0,
        "sharedCost": 0, "externalCost": 0, "totalCost": "@", **change,
    }  # fmt: skip
    return json.dumps(found).replace('"@"', total)


def answer(*steps: dict[str, str], **beside: Any) -> str:
    data = ", ".join("{" + ", ".join(f'"{name}": {text}' for name, text in step.items()) + "}" for step in steps)
    more = "".join(f', "{name}": {json.dumps(value)}' for name, value in beside.items())
    return f'{{"code": 200, "status": "success", "data": [{data}]{more}}}'


IDLE = allocation("__idle__", "0.5", properties={"cluster": "prod-1"})
WEB = allocation("web", "0.0685410000000000000000001")


def test_an_answer_is_kept_beside_the_bill_and_never_added(store, write):
    ingest_paths(store, [write("bill.csv", focus_text({"EffectiveCost": "10", "BilledCost": "10"}))])
    one = ingest_paths(store, [write("alloc.json", answer({}, {"web": WEB, "__idle__": IDLE}))]).files[0]
    assert (one.format, one.status, one.rows_read, one.rows_stored) == ("opencost", "stored", 2, 2), one.reason
    assert "never added" in one.reason
    assert ask(store, 'SELECT sum("BilledCost"), sum("EffectiveCost"), count(*) FROM charge') == [(D(10), D(10), 1)]
    assert ask(store, 'SELECT "ChargeDescription", "BilledCost", "EffectiveCost", "BillingCurrency", '
                      '"BillingAccountId", "SubAccountId", "ResourceId", "ResourceType", "Tags", '
                      '"AllocatedResourceId", "x_Columns"[\'cpuCost\'] FROM charge_allocated ORDER BY source_row') == [
        ("web", D(0), D("0.068541"), "USD", "prod-1", "shop", "prod-1/shop/deployment/web", "deployment",
         {"app": "web", "team": "core"}, "aws:///eu-central-1a/i-1", "0.0624"),
        ("__idle__", D(0), D("0.5"), "USD", "prod-1", None, None, "idle", {}, "prod-1", "0.0624")]  # fmt: skip
    assert ask(store, 'SELECT DISTINCT "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", '
                      '"ChargePeriodEnd" FROM charge_allocated') == [
        tuple(datetime(2026, 9, *at, tzinfo=UTC) for at in ((3,), (4,), (3, 8, 30), (3, 13, 50)))]  # fmt: skip


def test_the_same_window_again_replaces_and_other_windows_stand_beside(store, write):
    day = {"start": "2026-09-04T00:00:00Z", "end": "2026-09-05T00:00:00Z"}
    next_day = allocation("web", "2", window=day, start=day["start"], end=day["end"])
    path = write("a.json", answer({"web": WEB}, currency="eur"))
    ingest_paths(store, [path, write("b.json", answer({"web": next_day}))])
    assert ingest_paths(store, [path]).files[0].status == "unchanged"
    ingest_paths(store, [write("c.json", answer({"web": allocation("web", "3")}))])
    assert ask(store, 'SELECT "BillingPeriodStart", "EffectiveCost" FROM charge_allocated ORDER BY 1') == [
        (datetime(2026, 9, 3, tzinfo=UTC), D(3)), (datetime(2026, 9, 4, tzinfo=UTC), D(2))]  # fmt: skip
    assert ask(store, 'SELECT count(*), count(DISTINCT "BillingCurrency") FROM charge_history') == [(3, 2)]


def summary(window: Any, *, total: bool, **beside: Any) -> str:
    """A summary of one step: of Kubecost with its total, of OpenCost without."""
    web = {"name": "web", "start": "2026-09-03T08:30:00Z", "end": "2026-09-03T13:50:00Z", "cpuCoreRequestAverage": 0.3,
           "cpuCost": 0.1, "gpuCost": 0, "networkCost": 0, "loadBalancerCost": 0.03, "pvCost": 0, "ramCost": 0.2,
           "sharedCost": 0.0004, "externalCost": 1e-25,
           **({"totalCost": 0.35} if total else {"efficiency": 0.5})}  # fmt: skip
    one = {"allocations": {"web": web, "__idle__": {**web, "name": "__idle__"}}, "window": window}
    return json.dumps({"code": 200, **beside, "data": {"step": 86400, "sets": [one], "window": None}})


def test_a_summary_is_read_with_its_window_or_refused(store, write):
    named = write("opencost.json", summary(WINDOW, total=False, cluster="prod-1", currency="EUR"))
    reports = ingest_paths(store, [named, write("kubecost.json", summary(WINDOW, total=True))]).files
    assert [(one.format, one.status, one.rows_stored) for one in reports] == [("opencost", "stored", 2)] * 2
    assert ask(store, 'SELECT "BillingAccountId", "ChargeDescription", "EffectiveCost", "BillingCurrency", '
                      '"BillingPeriodStart", "ResourceType" FROM charge_allocated ORDER BY 1, source_row') == [
        (*of, cost, *more, datetime(2026, 9, 3, tzinfo=UTC), kind)
        for account, cost, *more in (("opencost", D("0.35"), "USD"), ("prod-1", D("0.3304"), "EUR"))
        for *of, kind in ((account, "web", None), (account, "__idle__", "idle"))]  # fmt: skip
    before = fingerprint(store)
    one = ingest_paths(store, [write("none.json", summary(None, total=True))]).files[0]
    assert one.status == "refused" and "does not say of which window" in one.reason
    assert fingerprint(store) == before


def test_answers_that_name_no_cluster_never_replace_each_other_in_silence(store, write):
    first = write("prod.json", summary(WINDOW, total=True))
    second = write("stage.json", summary(WINDOW, total=True, note="other"))
    one, two = ingest_paths(store, [first, second]).files
    assert (one.status, two.status) == ("stored", "refused")
    assert "nor did" in two.reason and "prod.json, which counts for the same window" in two.reason
    write("prod.json", summary(WINDOW, total=True, note="asked again"))
    assert ingest_paths(store, [first]).files[0].status == "stored", "the same name is the same cluster"
    assert ingest_paths(store, [second], newest=True).files[0].status == "stored"
    write("stage.json", summary(WINDOW, total=True, cluster="stage"))
    # allocations beside those of one named cluster are of that one
    loose = answer({"web": WEB, "__unmounted__": allocation("__unmounted__", "7", properties={})})
    assert not ingest_paths(store, [second, write("loose.json", loose)]).refused
    assert ask(store, 'SELECT "BillingAccountId", count(*) FROM charge_allocated GROUP BY 1 ORDER BY 1') == [
        ("opencost", 2), ("prod-1", 2), ("stage", 2)]  # fmt: skip


def test_what_is_no_allocation_is_set_aside_or_refused(store, write):
    bad = answer({"web": WEB, "x": "7", "y": allocation("y", '"a lot"')})
    one = ingest_paths(store, [write("a.json", bad)]).files[0]
    assert (one.rows_read, one.rows_stored, one.rows_quarantined) == (3, 1, 2)
    before = fingerprint(store)
    for text in (answer(), answer({"web": WEB})[:-9], answer({"web": WEB}).replace('"data": [', '"data": 7, "x": [')):
        assert ingest_paths(store, [write("b.json", text)]).files[0].status == "refused"
    forced = ingest_paths(store, [write("c.json", answer())], format="opencost").files[0]
    assert forced.status == "refused" and "OpenCost" in forced.reason
    assert fingerprint(store) == before
