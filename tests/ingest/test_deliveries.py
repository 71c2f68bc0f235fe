"""Same content twice adds nothing; a newer delivery becomes current while the older one stays."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

from tests_ingest import ask, fingerprint, focus_text

from finops_kit.ingest import ingest_paths
from finops_kit.store import open_reader
from finops_kit.store.explain import explain_deliveries
from finops_kit.store.held import held_rows
from finops_kit.store.verify import verify

CURRENT = 'SELECT sum("BilledCost") FROM charge'
ALL = 'SELECT sum("BilledCost") FROM charge_history'


def test_twice_the_same_adds_nothing_under_any_name(store, write):
    first = ingest_paths(store, [write("a.csv", focus_text({}))])
    again = ingest_paths(store, [write("a.csv", focus_text({})), write("copy/b.csv", focus_text({}))])
    assert [one.status for one in again.files] == ["unchanged", "unchanged"]
    assert first.files[0].batch_id in again.files[0].reason and "UTC" in again.files[0].reason
    assert "a.csv" in again.files[1].reason
    assert again.store_version == first.store_version
    assert ask(store, ALL) == [(Decimal("1.5"),)]


def test_a_newer_delivery_is_current_and_the_older_stays(store, write):
    october = {"BillingPeriodStart": "2026-10-01", "BillingPeriodEnd": "2026-11-01", "BilledCost": "100"}
    ingest_paths(store, [write("a.csv", focus_text({"BilledCost": "1"}, {"BilledCost": "2"}, october))])
    ingest_paths(store, [write("b.csv", focus_text({"BilledCost": "7"}))])
    assert ask(store, CURRENT) == [(Decimal(107),)]
    assert ask(store, ALL) == [(Decimal(110),)]
    older = ingest_paths(store, [write("c.csv", focus_text({"BilledCost": "1"}, {"BilledCost": "2"}, october))]).files[
        0
    ]
    assert (older.status, older.counts) == ("unchanged", False) and "it does not count now" in older.reason
    assert ask(store, CURRENT) == [(Decimal(107),)]
    with open_reader(store) as reader:
        assert [one.rows for one in explain_deliveries(reader.connection)] == [1, 1]
    # a provider took the newer one back
    ingest_paths(store, [write("c.csv", focus_text({"BilledCost": "1"}, {"BilledCost": "2"}, october))], newest=True)
    assert ask(store, CURRENT) == [(Decimal(103),)]


def test_deliveries_of_other_accounts_do_not_touch_each_other(store, write):
    ingest_paths(store, [write("a.csv", focus_text({"BilledCost": "1"}))])
    ingest_paths(store, [write("b.csv", focus_text({"BilledCost": "2", "BillingAccountId": "1234567890"}))])
    assert ask(store, CURRENT) == [(Decimal(3),)]


def test_one_delivery_row_per_account_and_period(store, write):
    rows = [{"BilledCost": "1"}, {"BilledCost": "2"}, {"BilledCost": "4", "BillingAccountId": "B"},
            {"BilledCost": "8", "BillingPeriodStart": "2026-08-01", "BillingCurrency": "USD"}]  # fmt: skip
    ingest_paths(store, [write("a.csv", focus_text(*rows))])
    found = ask(store, "SELECT billing_account_id, strftime(period_start, '%Y-%m'), mode, rows, billed_cost "
                       "FROM delivery ORDER BY ALL")  # fmt: skip
    assert found == [
        ("001234567890", "2026-08", "replace", 1, '{"USD": "8"}'),
        ("001234567890", "2026-09", "replace", 2, '{"EUR": "3"}'), ("B", "2026-09", "replace", 1, '{"EUR": "4"}'),
    ]  # fmt: skip


def test_parts_of_one_report_add_up(store, write):
    parts = [write(f"cur/report-0000{n}.csv", focus_text({"BilledCost": str(n)})) for n in (1, 2, 3)]
    ingest_paths(store, [parts[2], parts[0], parts[1]])
    assert ask(store, CURRENT) == [(Decimal(6),)]
    assert ask(store, "SELECT mode FROM delivery ORDER BY batch_id") == [
        ("replace-part",),
        ("append-part",),
        ("append-whole",),
    ]


def test_a_report_whose_ingest_broke_off_is_completed(store, write):
    parts = [write(f"cur/report-0000{n}.csv", focus_text({"BilledCost": str(n)})) for n in (1, 2, 3)]
    ingest_paths(store, parts[:1])
    report = ingest_paths(store, parts)
    assert [one.status for one in report.files] == ["unchanged", "stored", "stored"]
    assert ask(store, CURRENT) == [(Decimal(6),)]


def test_a_report_that_comes_again_replaces_all_its_parts(store, write):
    parts = [write(f"cur/report-0000{n}.csv", focus_text({"BilledCost": str(n)})) for n in (1, 2)]
    ingest_paths(store, parts)
    write("cur/report-00002.csv", focus_text({"BilledCost": "20"}))
    ingest_paths(store, parts)
    assert ask(store, CURRENT) == [(Decimal(21),)]
    assert ask(store, ALL) == [(Decimal(24),)]


def test_as_of_an_earlier_version_is_untouched(store, write):
    from finops_kit.store import open_reader

    first = ingest_paths(store, [write("a.csv", focus_text({"BilledCost": "1"}))])
    ingest_paths(store, [write("b.csv", focus_text({"BilledCost": "9"}))])
    with open_reader(store, as_of=first.store_version) as reader:
        assert reader.connection.execute(CURRENT).fetchall() == [(Decimal(1),)]


def two_parts(write, folder, *amounts):
    return [write(f"{folder}/report-0000{n}.csv", focus_text({"BilledCost": a})) for n, a in enumerate(amounts, 1)]


def test_a_report_that_comes_part_by_part_is_never_half(store, write):
    first, second = two_parts(write, "old", "1", "2")
    ingest_paths(store, [first])
    ingest_paths(store, [second])
    assert ask(store, CURRENT) == [(Decimal(3),)]
    first, second = two_parts(write, "new", "10", "20")
    one = ingest_paths(store, [second]).files[0]
    assert one.status == "stored" and "counts once part 1 of its report has come" in one.reason
    assert ask(store, CURRENT) == [(Decimal(3),)]
    ingest_paths(store, [first])
    assert ask(store, CURRENT) == [(Decimal(30),)]
    assert ask(store, ALL) == [(Decimal(33),)]


def test_a_part_that_did_not_change_counts_with_the_delivery_that_waits_for_it(store, write):
    ingest_paths(store, two_parts(write, "cur", "1", "2"))
    changed, same = two_parts(write, "cur", "10", "2")
    ingest_paths(store, [changed])
    assert ask(store, CURRENT) == [(Decimal(3),)]
    assert ingest_paths(store, [same]).files[0].status == "stored"
    assert ask(store, CURRENT) == [(Decimal(12),)]


def test_a_delivery_that_waits_is_begun_anew_by_a_newer_first_part(store, write):
    ingest_paths(store, two_parts(write, "cur", "1", "2"))
    for amount in ("10", "100"):
        ingest_paths(store, two_parts(write, "cur", amount)[:1])
    ingest_paths(store, two_parts(write, "cur", "100", "200")[1:])
    assert ask(store, CURRENT) == [(Decimal(300),)]


def test_a_report_with_a_broken_part_waits_for_it(store, write):
    ingest_paths(store, two_parts(write, "cur", "1", "2"))
    first, second = two_parts(write, "cur", "10", "20")
    second.write_text("not,a,bill\n1,2,3\n")
    assert [one.status for one in ingest_paths(store, [first, second]).files] == ["stored", "refused"]
    assert ask(store, CURRENT) == [(Decimal(3),)]
    first, second = two_parts(write, "cur", "10", "20")
    ingest_paths(store, [first, second])
    assert ask(store, CURRENT) == [(Decimal(30),)]


def test_a_report_that_is_read_while_it_comes_shows_the_delivery_before_it(store, write):
    ingest_paths(store, two_parts(write, "cur", "1", "2"))
    seen = []
    ingest_paths(store, two_parts(write, "cur", "10", "20"), tell=lambda one: seen.append(ask(store, CURRENT)[0][0]))
    assert seen == [Decimal(3), Decimal(30)]


def test_parts_that_cover_other_periods_become_current_together(store, write):
    august = {"BillingPeriodStart": "2026-08-01", "BillingPeriodEnd": "2026-09-01"}

    def deliver(times):
        rows = [{"BilledCost": str(1 * times)}, {"BilledCost": str(2 * times), **august}]
        return [write("cur/report-00001.csv", focus_text(*rows)),
                write("cur/report-00002.csv", focus_text({"BilledCost": str(4 * times)}))]  # fmt: skip

    ingest_paths(store, deliver(1))
    assert ask(store, CURRENT) == [(Decimal(7),)]
    ingest_paths(store, deliver(10)[:1])
    # august has no row in the second part, and waits for the report all the same
    assert ask(store, CURRENT) == [(Decimal(7),)]
    ingest_paths(store, deliver(10)[1:])
    assert ask(store, CURRENT) == [(Decimal(70),)]


def test_a_final_bill_replaces_its_draft_though_invoice_and_payer_changed(store, write):
    draft = {"BilledCost": "10", "SubAccountId": "shop"}
    ingest_paths(store, [write("cur/2026-09.csv", focus_text(draft))])
    ingest_paths(store, [write("cur/2026-09.csv", focus_text({**draft, "BilledCost": "11", "InvoiceId": "I-1"}))])
    assert ask(store, CURRENT) == [(Decimal(11),)]
    final = {**draft, "BilledCost": "12", "InvoiceId": "I-1", "BillingAccountId": "another payer"}
    ingest_paths(store, [write("cur/2026-09.csv", focus_text(final))])
    assert ask(store, CURRENT) == [(Decimal(12),)]
    # a file of that name with the bill of other accounts stands beside it, and says so
    other = {"BilledCost": "5", "SubAccountId": "bank", "BillingAccountId": "third"}
    (said,) = ingest_paths(store, [write("cur/2026-09.csv", focus_text(other))]).files
    assert (
        "it no longer bills another payer in 2026-09, as it did before; what it said of that counts on" in said.reason
    )
    assert ask(store, CURRENT) == [(Decimal(17),)]
    assert ask(store, ALL) == [(Decimal(38),)]


def test_daily_deliveries_of_one_folder_come_in_the_order_of_their_days(store, write):
    for day, amount in (("2026-09-03", "3"), ("2026-09-01", "1"), ("2026-09-02", "2")):
        path = write(f"in/{day}/bill.csv", focus_text({"BilledCost": amount}))
    ingest_paths(store, [path.parent.parent])
    assert ask(store, CURRENT) == [(Decimal(3),)]


def use(until: int, **more: str) -> list[dict[str, str]]:
    """Use of the first days of September, one line and 1 EUR a day, and the month's fee."""
    fee = {"ChargePeriodStart": "2026-09-01T00:00:00Z", "ChargePeriodEnd": "2026-10-01T00:00:00Z", "BilledCost": "0"}
    return [fee, *({"ChargePeriodStart": f"2026-09-{day:02}T00:00:00Z", "BilledCost": "1", **more,
                    "ChargePeriodEnd": f"2026-09-{day + 1:02}T00:00:00Z"} for day in range(1, until))]  # fmt: skip


def test_a_draft_that_comes_after_the_final_bill_never_counts_unless_one_insists(store, write):
    ingest_paths(store, [write("final.csv", focus_text(*use(29, InvoiceId="I-1")))])
    draft = write("draft.csv", focus_text(*use(29), {"BilledCost": "5"}, {"BilledCost": "x"}))
    (late,) = ingest_paths(store, [draft]).files
    assert late.status == "stored" and "does not count: it brings a draft, which came after the final" in late.reason
    assert ask(store, CURRENT) == [(Decimal(28),)] and ask(store, ALL) == [(Decimal(61),)]
    with open_reader(store) as reader:
        (status,) = explain_deliveries(reader.connection)
        assert not held_rows(reader.connection), "rows of a bill that never counts wait for nothing"
    assert status.current[0].endswith("final.csv") and status.late[0].endswith("draft.csv") and not status.older
    assert "draft.csv does not count: it brings a draft, which came after the final bill." in status.todo
    assert ingest_paths(store, [draft]).files[0].status == "unchanged"
    assert ingest_paths(store, [draft], newest=True).files[0].status == "stored"
    assert ask(store, CURRENT) == [(Decimal(33),)]


def test_less_of_a_month_after_more_of_it_never_counts_file_by_file_or_as_a_report(store, write):
    def report(day: int) -> list:
        return [write(f"{day}/cur-0000{n}.csv", focus_text(*use(day, SubAccountId=str(n)))) for n in (1, 2)]

    ingest_paths(store, report(21))
    assert ask(store, CURRENT) == [(Decimal(40),)]
    came = ingest_paths(store, report(11)).files
    assert "use until 2026-09-11, which came after a bill of use until 2026-09-21" in came[1].reason
    assert ask(store, CURRENT) == [(Decimal(40),)]
    with open_reader(store) as reader:
        (status,) = explain_deliveries(reader.connection)
    assert (len(status.current), len(status.late), status.waiting, status.older) == (2, 2, [], [])
    ingest_paths(store, report(26))  # the next one counts, and the late one stays out
    assert ask(store, CURRENT) == [(Decimal(50),)]
    ingest_paths(store, [write("less.csv", focus_text(*use(24, InvoiceId="I-1")))])  # final, though it reaches less far
    assert ask(store, CURRENT) == [(Decimal(23),)]


def parts_of(write, folder: str, first: list, second: list) -> list:
    return [write(f"{folder}/cur-0000{n}.csv", focus_text(*rows)) for n, rows in enumerate((first, second), 1)]


def status_of(store):
    with open_reader(store) as reader:
        (status,) = explain_deliveries(reader.connection)
    return status


def test_a_draft_whose_parts_come_one_by_one_after_the_final_bill_never_counts(store, write):
    ingest_paths(store, [write("final.csv", focus_text(*use(29, InvoiceId="I-1")))])
    draft = parts_of(write, "draft", use(15), [*use(29), {"BilledCost": "5"}])
    for part in draft:
        assert "brings a draft, which came after the final bill" in ingest_paths(store, [part]).files[0].reason
        assert ask(store, CURRENT) == [(Decimal(28),)]
    assert ask(store, ALL) == [(Decimal(75),)]
    status = status_of(store)
    assert (len(status.current), len(status.late), status.waiting, status.older) == (1, 2, [], [])
    assert "cur-00001.csv and cur-00002.csv do not count: they bring a draft" in status.todo
    ingest_paths(store, draft, newest=True)
    assert ask(store, CURRENT) == [(Decimal(47),)]
    final = parts_of(write, "final", use(20, InvoiceId="I-1"), use(29, InvoiceId="I-1"))
    for part in (*final, *draft):  # against a report in parts it is known when it is whole, and judged then
        ingest_paths(store, [part])
    assert ask(store, CURRENT) == [(Decimal(47),)] and not status_of(store).waiting


def test_a_newer_report_counts_with_the_part_that_shows_that_it_is_newer(store, write):
    ingest_paths(store, [write("until-20.csv", focus_text(*use(20)))])
    early, later = parts_of(write, "until-29", use(11), [{**one, "BilledCost": "2"} for one in use(29)[11:]])
    assert "use until 2026-09-11" in ingest_paths(store, [early]).files[0].reason
    assert ask(store, CURRENT) == [(Decimal(19),)]
    ingest_paths(store, [later])
    assert ask(store, CURRENT) == [(Decimal(10 + 2 * 18),)]


def test_a_part_whose_name_says_that_there_are_others_waits_for_them(store, write):
    def part(name: str, amount: str):
        content = focus_text({"BilledCost": amount})
        return ingest_paths(store, [write(name, gzip.compress(content.encode(), mtime=0))]).files[0]

    ingest_paths(store, [write("month.csv", focus_text({"BilledCost": "1"}))])
    third = part("cur/cur-00003.csv.gz", "30")
    assert third.counts is False and third.reason == "counts once parts 1, 2 of its report have come"
    assert ask(store, CURRENT) == [(Decimal(1),)]
    status = status_of(store)
    assert "Part 1 and part 2 have not come or were refused; until then the delivery before it counts." in status.todo
    assert f"Should it be the whole bill: finops ingest --newest {third.path}." in status.todo
    part("cur/cur-00001.csv.gz", "10")
    assert part("cur/cur-00002.csv.gz", "20").counts and ask(store, CURRENT) == [(Decimal(60),)]
    # of how many it is nobody says, and so the first of a report counts at once; one that says it waits
    ingest_paths(store, [write("one.csv", focus_text({"BilledCost": "2"}))])
    assert part("new/cur-00001.csv.gz", "8").counts and ask(store, CURRENT) == [(Decimal(8),)]
    assert part("beam/part-00000-of-00002.csv.gz", "100").counts is False
    assert part("beam/part-00001-of-00002.csv.gz", "200").counts and ask(store, CURRENT) == [(Decimal(300),)]
    assert part("last/cur-00002.csv.gz", "5").counts is False
    assert ingest_paths(store, [third.path.replace("cur/cur-00003", "last/cur-00002")], newest=True).files[0].counts
    assert ask(store, CURRENT) == [(Decimal(5),)]


def test_shards_of_one_export_are_one_bill(store, write):
    shards = [write(f"gcp-{n:012}.csv", focus_text({"BilledCost": str(n + 1)})) for n in range(3)]
    assert all(one.counts for one in ingest_paths(store, shards).files) and ask(store, CURRENT) == [(Decimal(6),)]


def test_a_part_of_a_draft_never_adds_to_the_final_report_of_its_name(store, write):
    final = parts_of(write, "cur", use(11, InvoiceId="I-1"), use(21, InvoiceId="I-1")[11:])
    ingest_paths(store, final[:1])
    drafts = [write(f"cur/cur-0000{n}.csv", focus_text(*use(29), {"BilledCost": n})) for n in "12"]
    (late,) = ingest_paths(store, drafts[1:]).files
    assert late.counts is False and "does not count: it brings a draft, which came after the final bill" in late.reason
    assert ask(store, CURRENT) == [(Decimal(10),)] and "cur-00002.csv does not count" in status_of(store).todo
    final = parts_of(write, "cur", use(11, InvoiceId="I-1"), use(21, InvoiceId="I-1")[11:])
    (added,) = ingest_paths(store, final[1:]).files  # its use begins and ends where it wants
    assert added.counts and ask(store, CURRENT) == [(Decimal(20),)]
    (late,) = ingest_paths(store, [write("cur/cur-00001.csv", focus_text(*use(29), {"BilledCost": "1"}))]).files
    assert late.counts is False and ask(store, CURRENT) == [(Decimal(20),)]
    assert (len(status_of(store).current), len(status_of(store).late), status_of(store).waiting) == (2, 2, [])


def listing(write, folder: str, *names: str):
    return write(f"{folder}/cur-Manifest.json", json.dumps({"reportKeys": [f"bucket/cur/{name}" for name in names]}))


def test_a_part_that_was_refused_is_named_and_comes_alone_once_it_is_mended(store, write):
    for name, amount in (("a.csv", "1"), ("b.csv", "2"), ("c.csv", "4")):
        mended = focus_text({"BilledCost": "2"})
        path = write(f"cur/{name}", "not,a,bill\n" if name == "b.csv" else focus_text({"BilledCost": amount}))
    listing(write, "cur", "a.csv", "b.csv", "c.csv")
    assert len(ingest_paths(store, [path.parent]).refused) == 1
    assert ask(store, CURRENT) == [(None,)]
    status = status_of(store)
    assert [one.rsplit("/", 1)[1] for one in status.waiting] == ["a.csv", "c.csv"]
    assert "Part 2 (b.csv) has not come or was refused; until then nothing of it counts." in status.todo
    assert f"Next: finops ingest {path.parent}/b.csv" in status.todo and "wait since 20" in status.todo
    ingest_paths(store, [write("cur/b.csv", mended)])
    assert ask(store, CURRENT) == [(Decimal(7),)]
    assert {one.status for one in ingest_paths(store, [path.parent]).files} == {"unchanged"}
    assert not status_of(store).todo


def test_a_manifest_that_comes_after_its_parts_finds_them_stored_and_says_that_they_are_all(store, write):
    ingest_paths(store, [write(f"v1/cur-0000{n}.csv", focus_text({"BilledCost": str(n)})) for n in (1, 2, 3)])
    names = ["cur-00001.csv", "cur-00002.csv"]
    for name, amount in zip(names, ("10", "20"), strict=True):
        path = write(f"v2/{name}", focus_text({"BilledCost": amount}))
        ingest_paths(store, [path])
    assert ask(store, CURRENT) == [(Decimal(6),)], "the report before it had three parts"
    listing(write, "v2", *names)
    ingest_paths(store, [path.parent])
    assert ask(store, CURRENT) == [(Decimal(30),)]
    again = ingest_paths(store, [path.parent])
    assert [one.status for one in again.files] == ["unchanged"] * 2
    assert verify(store).ok, "parts that were stored again are no fault"
    # and the next one lists fewer: what it does not list counts no more
    listing(write, "v2", names[0])
    ingest_paths(store, [path.parent])
    assert ask(store, CURRENT) == [(Decimal(10),)]


def test_a_part_counts_anew_where_its_report_is_another_one(store, write):
    first = write("r/a.csv", focus_text({"BilledCost": "1"}))
    listing(write, "r", "a.csv")
    ingest_paths(store, [first.parent])
    write("r/a.csv", focus_text({"BilledCost": "2"}))
    ingest_paths(store, [first.parent])
    write("r/a.csv", focus_text({"BilledCost": "1"})), write("r/new.csv", focus_text({"BilledCost": "4"}))
    listing(write, "r", "a.csv", "new.csv")
    ingest_paths(store, [first.parent])
    assert ask(store, CURRENT) == [(Decimal(5),)]


def test_the_rest_of_a_report_that_was_overtaken_never_adds_to_what_overtook_it(store, write):
    first = ingest_paths(store, two_parts(write, "v1", "1", "2"))
    assert ask(store, CURRENT) == [(Decimal(3),)] and first.store_version
    begun = [write(f"v2/run-0000{n}.csv", focus_text({"BilledCost": a})) for n, a in ((1, "10"), (2, "20"))]
    ingest_paths(store, begun[:1])
    ingest_paths(store, [write("single.csv", focus_text({"BilledCost": "100"}))])
    ingest_paths(store, begun)
    assert ask(store, CURRENT) == [(Decimal(30),)]
    # two reports whose parts come in turn, as a watch finds them
    ingest_paths(store, two_parts(write, "v3", "1", "2"))
    x, y = two_parts(write, "x", "10", "20"), two_parts(write, "y", "100", "200")
    for seen in (x[:1], y[:1], x, y):
        ingest_paths(store, seen, together=False)
    assert ask(store, CURRENT) == [(Decimal(300),)]


def test_two_ingests_of_one_report_at_once_store_each_part_once(store, write):
    parts = two_parts(write, "cur", "1", "2")
    other = []

    def meanwhile(_):
        if not other:
            other.extend(ingest_paths(store, parts).files)

    first = ingest_paths(store, parts, tell=meanwhile)
    assert [one.status for one in (*first.files, *other)] == ["stored", "unchanged", "unchanged", "stored"]
    assert ask(store, CURRENT) == [(Decimal(3),)] == ask(store, ALL)


def test_a_report_that_another_ingest_overtook_says_so_and_counts_when_it_comes_again(store, write):
    parts = [*two_parts(write, "cur", "1", "2"), write("cur/report-00003.csv", focus_text({"BilledCost": "4"}))]
    bill = write("other.csv", focus_text({"BilledCost": "100"}))
    report = ingest_paths(store, parts, tell=lambda _: ingest_paths(store, [bill]))
    assert [one.status for one in report.files] == ["stored", "refused", "refused"]
    assert "Another ingest brought the bill of the same account" in report.files[1].reason
    assert ask(store, CURRENT) == [(Decimal(100),)]
    ingest_paths(store, parts)
    assert ask(store, CURRENT) == [(Decimal(7),)]


def test_a_final_report_in_parts_replaces_its_draft_though_its_payer_changed(store, write):
    def deliver(**more: str) -> None:
        ingest_paths(store, [write(f"cur/cur-0000{n}.csv", focus_text({"SubAccountId": f"s{n}", **more}))
                             for n in (1, 2)])  # fmt: skip

    deliver(BilledCost="10")
    deliver(BilledCost="11", BillingAccountId="another payer", InvoiceId="I-1")
    assert ask(store, CURRENT) == [(Decimal(22),)]


def test_what_a_file_delivers_counts_or_not_when_the_command_ends(store, write):
    bills = [write(f"{n}.csv", focus_text({"BilledCost": n})) for n in "123"]
    rates = [write(f"rates-{m}.csv", f"month,from_currency,to_currency,rate,source\n2026-0{m}-01,USD,EUR,0.9,bank\n")
             for m in "89"]  # fmt: skip
    told = []
    came = ingest_paths(store, [*bills[:2], *rates], tell=lambda one: told.append(one.counts)).files
    assert told == [True, True, None, None] and [one.counts for one in came] == [False, True, None, None]
    again = ingest_paths(store, [bills[1], *rates, bills[2]]).files  # the last one takes the place of the first
    assert [(one.status, one.as_dict()["counts"]) for one in again] == [
        ("unchanged", False), ("unchanged", None), ("unchanged", None), ("stored", True),
    ]  # fmt: skip
    assert "does not count now" in again[0].reason and "does not count" not in again[1].reason
    parts = ingest_paths(store, two_parts(write, "cur", "1", "2")).files
    assert [one.counts for one in parts] == [True, True]
    assert ingest_paths(store, two_parts(write, "cur", "10")).files[0].counts is False


def test_files_of_single_days_say_that_they_replace_each_other_and_add_up_where_one_says_so(store, write):
    days = [write(f"{day}.csv", focus_text(use(day + 1)[day], {"BilledCost": "0", "ChargeCategory": "Credit"}))
            for day in (4, 5, 6)]  # fmt: skip
    _, second, _ = ingest_paths(store, days).files
    assert "it has no use from 2026-09-04 to before 2026-09-05, which the bill before it had" in second.reason
    assert ask(store, CURRENT) == [(Decimal(1),)]
    added = ingest_paths(store, days, adding=True).files
    assert [one.status for one in added] == ["stored", "stored", "unchanged"]
    assert ask(store, CURRENT) == [(Decimal(3),)]
    assert {one.status for one in ingest_paths(store, days, adding=True).files} == {"unchanged"}
    ingest_paths(store, [write("month.csv", focus_text(*use(29)))])
    assert ask(store, CURRENT) == [(Decimal(28),)]


def one_day(write, name: str, day: int, amount: str, **more: str):
    line = {"ChargePeriodStart": f"2026-09-{day:02}T00:00:00Z", "ChargePeriodEnd": f"2026-09-{day + 1:02}T00:00:00Z"}
    return write(name, focus_text({**line, "BilledCost": amount, **more}))


def test_a_day_that_was_added_and_comes_again_takes_its_own_place(store, write):
    days = [one_day(write, f"{day}.csv", day, "1") for day in (4, 5, 6)]
    first = days[1].read_text()
    assert all(one.counts for one in ingest_paths(store, days, adding=True).files)
    again = one_day(write, "5.csv", 5, "20")
    (said,) = ingest_paths(store, [again], adding=True).files
    assert said.counts and said.reason == f"it takes the place of {again}, and the other files that were added stay"
    assert ask(store, CURRENT) == [(Decimal(22),)]
    with open_reader(store) as reader:
        (status,) = explain_deliveries(reader.connection)
    assert ([one.rsplit("/")[-1] for one in status.current], len(status.older)) == (["4.csv", "6.csv", "5.csv"], 1)
    assert "5.csv came again in the place of its own earlier delivery." in status.why and not status.todo
    # what was corrected does not come back by itself, whatever it is called; nor is anything added twice
    old = write("backup/5.csv", first)
    assert [one.status for one in ingest_paths(store, [*days, old], adding=True).files] == ["unchanged"] * 4
    (said,) = ingest_paths(store, [old], adding=True).files
    assert said.counts is False and said.reason.endswith("--adds --newest takes it all the same")
    # a plain ingest knows it as well, and one that lies in the folder of another day
    ingest_paths(store, [one_day(write, "4.csv", 4, "300")])
    ingest_paths(store, [one_day(write, "2026-09-09/6.csv", 6, "4000")], adding=True)
    ingest_paths(store, [one_day(write, "5.csv", 5, "21")], adding=True)
    assert ask(store, CURRENT) == [(Decimal(4321),)] and verify(store).ok
    ingest_paths(store, [old], adding=True, newest=True)
    assert ingest_paths(store, [old], adding=True, newest=True).files[0].status == "unchanged"
    assert ask(store, CURRENT) == [(Decimal(4301),)]
    ingest_paths(store, [write("month.csv", focus_text(*use(29)))])
    assert ask(store, CURRENT) == [(Decimal(28),)]


def test_what_cannot_be_known_to_be_the_same_day_again_is_refused_and_what_is_another_is_added(store, write):
    ingest_paths(store, [one_day(write, f"{day}.csv", day, "1") for day in (4, 5)], adding=True)
    other = one_day(write, "other account/5.csv", 5, "10", SubAccountId="other")
    today = one_day(write, "4.csv", 7, "100")  # a name that is used again for another day
    assert [one.reason for one in ingest_paths(store, [other, today], adding=True).files] == ["", ""]
    assert ask(store, CURRENT) == [(Decimal(112),)]
    before = fingerprint(store)
    renamed = one_day(write, "5-corrected.csv", 5, "2")
    window = write("4.csv", focus_text(*use(8)[4:]))  # days 4 to 7 under the name of day 7
    for path, reason in ((renamed, "1 of its 1 lines of use stand in"),
                         (window, "1 of its 4 lines of use stand in")):  # fmt: skip
        (said,) = ingest_paths(store, [path], adding=True).files
        assert said.status == "refused" and reason in said.reason and "finops ingest --adds --newest" in said.reason
    assert fingerprint(store) == before
    (said,) = ingest_paths(store, [renamed], adding=True, newest=True).files
    assert said.counts and ask(store, CURRENT) == [(Decimal(113),)]
    ingest_paths(store, [window], adding=True, newest=True)
    assert ask(store, CURRENT) == [(Decimal(4 + 10),)]
    moved = write("4.csv", focus_text(*use(10)[6:]))  # days 6 to 9: a window that moved along
    (said,) = ingest_paths(store, [moved], adding=True).files
    assert said.status == "refused" and "days that it lacks now (from 2026-09-04 to before 2026-09-06)" in said.reason


def test_a_corrected_day_takes_out_what_was_replayed_of_it_and_a_draft_of_it_is_late(store, write):
    day = {"ChargePeriodStart": "2026-09-04T00:00:00Z", "ChargePeriodEnd": "2026-09-05T00:00:00Z", "InvoiceId": "I-1"}
    bad = write("4.csv", focus_text({**day, "BilledCost": "1"}, {**day, "BilledCost": "x", "ChargePeriodEnd": "y"}))
    ingest_paths(store, [bad, one_day(write, "5.csv", 5, "10")], adding=True)
    (held,) = ask(store, "SELECT batch_id, source_row FROM quarantine")
    about = {"replays": {"batch_id": held[0], "rows": [held[1]]}}
    mended = write("mended.csv", focus_text({**day, "BilledCost": "100"}))
    ingest_paths(store, [mended], replaying=("4.csv (replay)", about))
    assert ask(store, CURRENT) == [(Decimal(111),)]
    ingest_paths(store, [write("4.csv", focus_text({**day, "BilledCost": "3"}))], adding=True)
    assert ask(store, CURRENT) == [(Decimal(13),)]
    (draft,) = ingest_paths(store, [one_day(write, "4.csv", 4, "7")], adding=True).files
    assert draft.counts is False and "does not count: it brings a draft" in draft.reason
    assert ask(store, CURRENT) == [(Decimal(13),)] and "4.csv does not count" in status_of(store).todo
    assert "finops ingest --adds --newest with all its files" in status_of(store).todo
    with open_reader(store) as reader:
        assert not held_rows(reader.connection), "its row came again with the corrected day"
