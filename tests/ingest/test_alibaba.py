"""Alibaba Cloud's bills: amounts, kinds of charge, times of UTC+8, tags in both spellings."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from tests_ingest import ask

from finops_kit.ingest import ingest_paths

ROW = {
    "BillingCycle": "2026-09", "BillingDate": "2026-09-03", "AccountID": "0185", "AccountName": "house",
    "OwnerID": "0186", "SubscriptionType": "PayAsYouGo", "ProductCode": "ecs", "ProductName": "Elastic Compute Service",
    "ProductDetail": "ECS pay-as-you-go", "UsageStartTime": "2026-09-03 08:00:00",
    "UsageEndTime": "2026-09-03 09:00:00",
    "Item": "PayAsYouGoBill", "InstanceID": "i-1", "NickName": "web", "Tag": "key:team value:core; key:env value:a:b",
    "InstanceSpec": "ecs.g7.large", "Region": "Germany (Frankfurt)", "Zone": "eu-central-1a", "Usage": "1",
    "UsageUnit": "Hours", "BillingItemCode": "instance_type", "BillingItem": "Instance type",
    "PretaxGrossAmount": "0.12", "InvoiceDiscount": "0.02", "DeductedByCoupons": "0.01", "PretaxAmount": "0.09",
    "PaymentAmount": "0.09", "Currency": "USD",
}  # fmt: skip
LINES = [
    {},
    {"SubscriptionType": "Subscription", "Item": "SubscriptionOrder", "PretaxGrossAmount": "120",
     "InvoiceDiscount": "20", "DeductedByCoupons": "0", "PretaxAmount": "100", "UsageStartTime": "",
     "UsageEndTime": ""},
    {"Item": "Refund", "PretaxGrossAmount": "-12", "InvoiceDiscount": "-2", "PretaxAmount": "-10", "Usage": ""},
    {"Item": "Adjustment", "PretaxGrossAmount": "0", "InvoiceDiscount": "0", "PretaxAmount": "-1E-7", "Usage": ""},
]  # fmt: skip


def bill(*changes: dict[str, str], names=lambda name: name) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([names(name) for name in ROW])
    writer.writerows([{**ROW, **change}[name] for name in ROW] for change in changes)
    return out.getvalue()


def test_every_kind_of_line(store, write):
    found = ingest_paths(store, [write("a.csv", bill(*LINES))]).files[0]
    assert (found.format, found.status, found.control_totals) == ("alibaba-bill", "stored", {"USD": D("90.0899999")})
    assert ask(store, 'SELECT "ChargeCategory", "ChargeClass", "ChargeFrequency", "BilledCost", "EffectiveCost", '
                      '"ContractedCost", "ListCost" FROM charge ORDER BY source_row') == [
        ("Usage", None, "Usage-Based", D("0.09"), D("0.09"), D("0.1"), D("0.12")),
        ("Purchase", None, "One-Time", D(100), D(100), D(100), D(120)),
        ("Purchase", "Correction", "One-Time", D(-10), D(-10), D(-10), D(-12)),
        ("Adjustment", None, "One-Time", D("-1E-7"), D("-1E-7"), D(0), D(0))]  # fmt: skip


def test_a_line_is_stored_column_by_column(store, write):
    ingest_paths(store, [write("a.csv", bill({}, LINES[1]))])
    assert ask(store, 'SELECT "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd" '
                      "FROM charge ORDER BY source_row") == [
        (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 9, 3, 0, tzinfo=UTC),
         datetime(2026, 9, 3, 1, tzinfo=UTC)),
        (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 9, 3, tzinfo=UTC),
         datetime(2026, 9, 4, tzinfo=UTC))]  # fmt: skip
    assert ask(store, 'SELECT "Tags", "BillingAccountId", "SubAccountId", "RegionId", "RegionName", "ServiceCategory", '
                      '"ResourceId", "PricingQuantity", "PricingUnit", "x_Columns"[\'DeductedByCoupons\'], '
                      "source_system FROM charge LIMIT 1") == [
        ({"team": "core", "env": "a:b"}, "0185", "0186", "eu-central-1", "Germany (Frankfurt)", "Compute", "i-1", D(1),
         "Hours", "0.01", "alibaba")]  # fmt: skip


def test_the_headings_of_the_console_and_plain_tags(store, write):
    def spaced(name: str) -> str:
        return "".join(f" {sign}" if sign.isupper() and i and not name[i - 1].isupper() else sign
                       for i, sign in enumerate(name))  # fmt: skip

    plain = {"Tag": "team:core;team:other;cost:x", "BillingCycle": "202609", "BillingDate": "20260903"}
    text = bill(plain, {"Tag": ""}, {"PretaxAmount": ""}, names=spaced)
    found = ingest_paths(store, [write("a.csv", text)]).files[0]
    assert (found.rows_stored, found.rows_quarantined) == (2, 1), found.reason
    assert ask(store, 'SELECT "Tags", "BilledCost" FROM charge ORDER BY source_row') == [
        ({"team": "core", "cost": "x"}, D("0.09")), ({}, D("0.09"))]  # fmt: skip


def test_its_own_focus_export_comes_in_as_focus(store, write):
    from tests_ingest import focus_text

    row = {"ProviderName": "Alibaba Cloud", "ContractedCost": "", "ChargeDescription": "", "ConsumedQuantity": "",
           "x_InstanceSpec": "ecs.g7.large"}  # fmt: skip
    found = ingest_paths(store, [write("a.csv", focus_text(row))]).files[0]
    assert (found.format, found.status) == ("focus-1.0", "stored")


#: the subscription's files of the Chinese site before 2025, as aliyun-log-java-sdk and cloudexplorer-lite read them
OLD_CHINESE = (
    "账期,财务单元,账号ID,账号,Owner账号ID,产品Code,产品,产品明细Code,产品明细,消费类型,账单开始时间,账单结束时间,"
    "订单号/账单号,账单类型,实例ID,实例昵称,实例标签,地域,可用区,计费项,用量,用量单位,官网价,优惠金额,优惠券抵扣,"
    "应付金额,现金支付,币种"
)


def test_an_old_bill_in_chinese(store, write):
    row = ('2026-09,未分配,0185,house,0186,ecs,云服务器 ECS,ecs,云服务器ECS-按量付费,后付费,2026-09-03 08:00:00,'
           '2026-09-03 09:00:00,77,后付费账单,i-1,web,key:team value:core,德国（法兰克福）,eu-central-1a,实例规格,1,'
           '小时,0.12,0.02,0.01,0.09,0.09,CNY')  # fmt: skip
    bought = row.replace("后付费账单", "正常账单").replace("按量付费,后付费", "包年包月,预付费")
    given_back = row.replace("后付费账单", "退款").replace("0.01,0.09", "0.01,-0.04")
    found = ingest_paths(store, [write("a.csv", "\n".join((OLD_CHINESE, row, bought, given_back)))]).files[0]
    assert (found.format, found.control_totals) == ("alibaba-bill", {"CNY": D("0.14")}), found.reason
    assert ask(store, 'SELECT "ChargeCategory", "ChargeClass", "BilledCost", "ContractedCost", "ListCost", '
                      '"ResourceId", "RegionId", "SubAccountId", "Tags", "ChargePeriodStart" '
                      "FROM charge ORDER BY source_row") == [
        (*kind, D("0.1"), D("0.12"), "i-1", "eu-central-1", "0186", {"team": "core"}, datetime(2026, 9, 3, tzinfo=UTC))
        for kind in (("Usage", None, D("0.09")), ("Purchase", None, D("0.09")),
                     ("Purchase", "Correction", D("-0.04")))]  # fmt: skip


def test_a_bill_without_a_currency_is_refused_by_name(store, write):
    (one,) = ingest_paths(store, [write("a.csv", OLD_CHINESE.removesuffix(",币种") + "\n" + "x," * 26 + "x")]).files
    assert one.status == "refused" and "Currency or 币种" in one.reason and "Alibaba" in one.reason


@pytest.mark.parametrize("language", ["chinese", "english"])
def test_the_new_version_with_its_columns_in_groups(store, write, language):
    names = {
        "chinese": "身份信息/资源购买账号ID,身份信息/资源归属账号ID,账单信息/账单月份,账单信息/账单日期,"
        "账单信息/费用类型,产品信息/产品Code,产品信息/产品名称,资源信息/资源ID,资源信息/实例ID（出账粒度）,资源信息/地域Code,"
        "用量信息/抵扣前用量,用量信息/用量,用量信息/用量单位,费用信息/目录总价,优惠信息/优惠金额,"
        "应付信息/应付金额（含税）,定价信息/定价币种",
        "english": "IdentityDetails/ResourcePurchaseAccountId,IdentityDetails/ResourceOwnerAccountId,"
        "BillingDetails/BillingMonth,BillingDetails/BillingDate,BillingDetails/LineItemType,ProductDetails/ProductCode,"
        "ProductDetails/ProductName,ResourceDetails/ResourceId,ResourceDetails/InstanceId,ResourceDetails/RegionCode,"
        "UsageDetails/UsageBeforeDeduction,UsageDetails/Usage,UsageDetails/UsageUnit,FeeDetails/GrossAmount,"
        "DiscountDetails/DiscountAmount,PayableDetails/TaxExclusivePayableAmount,PricingDetails/Currency",
    }[language]
    kinds = {
        "chinese": ("云资源按量费用", "免费额度", "订阅预付费用", "订阅后付费用", "订阅退订费用", "调账费用",
                    "抹零费用"),
        "english": ("PayAsYouGoFee", "FreeQuota", "SubscriptionUpfrontFee", "SubscriptionPayAsYouGoFee",
                    "SubscriptionRefundFee", "AdjustmentFee", "RoundingAdjustment"),
    }[language]  # fmt: skip
    rows = [f"0185,0186,202609,20260903,{kind},oss,OSS,bucket-a,cn-x;standard,cn-hangzhou,5,3,GB,4,1,{cost},CNY"
            for cost, kind in enumerate(kinds, 1)]  # fmt: skip
    found = ingest_paths(store, [write("a.csv", "\n".join((names, *rows)))]).files[0]
    assert (found.format, found.control_totals) == ("alibaba-bill", {"CNY": D(28)}), found.reason
    assert ask(store, 'SELECT "ChargeCategory", "ChargeClass" FROM charge ORDER BY source_row') == [
        ("Usage", None), ("Usage", None), ("Purchase", None), ("Purchase", None), ("Purchase", "Correction"),
        ("Adjustment", None), ("Adjustment", None)]  # fmt: skip
    assert ask(store, 'SELECT "BillingAccountId", "SubAccountId", "ResourceId", "RegionId", "PricingQuantity", '
                      '"ConsumedQuantity", "ListCost", "ContractedCost", "BillingPeriodStart", "ChargePeriodEnd" '
                      "FROM charge LIMIT 1") == [
        ("0185", "0186", "bucket-a", "cn-hangzhou", D(3), D(5), D(4), D(3), datetime(2026, 9, 1, tzinfo=UTC),
         datetime(2026, 9, 4, tzinfo=UTC))]  # fmt: skip


def test_a_bill_as_partners_of_the_international_site_get_it(store, write):
    names = (
        "Billing Cycle,Consume Time,User ID,User Name,Linked User ID,Linked User Name,Charge Type,Billing Type,"
        "Product Code,Product Name,Instance ID,Instance Name,Region,Original Cost,SPN Deducted Price,Discount(%),"
        "Discount,Coupon Deduct,Pretax Cost (Before Round Down Discount),Currency"
    )
    fixed = "202609,2026-09-03,0185,partner,0186,house,PayAsYouGo,{},ecs,ECS,i-1,web,eu-central-1,{},USD"
    rows = (fixed.format("Consume", "10,3,20%,2,1,4"), fixed.format("Refund", "-5,0,20%,-1,0,-4"))
    found = ingest_paths(store, [write("a.csv", "\n".join((names, *rows)))]).files[0]
    assert (found.format, found.control_totals) == ("alibaba-bill", {"USD": D(0)}), found.reason
    assert ask(store, 'SELECT "ChargeCategory", "ChargeClass", "BilledCost", "ContractedCost", "ListCost", '
                      '"BillingAccountId", "SubAccountId", "SubAccountName", "ResourceName", "ChargePeriodStart" '
                      "FROM charge ORDER BY source_row") == [
        ("Usage", None, D(4), D(8), D(10), "0185", "0186", "house", "web", datetime(2026, 9, 3, tzinfo=UTC)),
        ("Purchase", "Correction", D(-4), D(-4), D(-5), "0185", "0186", "house", "web",
         datetime(2026, 9, 3, tzinfo=UTC))]  # fmt: skip


def test_items_of_its_api_come_in_with_their_month_and_whole_answers_say_how(store, write):
    items = [{key: value for key, value in ROW.items() if key != "BillingCycle"}]
    answer = json.dumps({"Data": {"BillingCycle": "2026-09", "Items": {"Item": items}}})
    (refused,) = ingest_paths(store, [write("page.json", answer)]).files
    assert refused.status == "refused" and "jq -c" in refused.reason and "BillingCycle" in refused.reason
    line = json.dumps({**items[0], "BillingCycle": "2026-09", "PretaxAmount": -0.0000001})
    found = ingest_paths(store, [write("bill.jsonl", f"{line}\n{json.dumps(ROW)}\n")]).files[0]
    assert (found.format, found.control_totals) == ("alibaba-bill", {"USD": D("0.0899999")}), found.reason
