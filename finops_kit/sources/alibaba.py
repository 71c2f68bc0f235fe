"""Alibaba Cloud's bills: what their columns are called, in the old and the new version, in English and in Chinese.

Sources: Alibaba Cloud, "DescribeInstanceBill" (the names of the API and of English files), "Detailed file format" (the
subscription to storage), "Fields in upgraded bills" (the new version, whose columns stand in groups:
``BillingDetails/BillingMonth``); and headers of files as public programs read them: FIT2CLOUD's cloudexplorer-lite and
Alibaba's own aliyun-log-java-sdk (old, Chinese), importers of ``consumedetailbillv2`` files (new, both languages) and
of the files that partners of the international site get ("Original Cost", "Linked User ID" for the customer's account).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from finops_kit.errors import SourceRefused
from finops_kit.sources.layout import by_first_name

#: column -> its names, without case, blanks and punctuation, the preferred one first. The new version names two
#: amounts: the one before tax is what the old version's is.
NAMES: dict[str, tuple[str, ...]] = {
    "BillingCycle": ("billingcycle", "billingmonth", "账期", "账单月份"),
    "BillingDate": ("billingdate", "账单日期", "consumetime"),
    "PretaxAmount": (
        "pretaxamount", "taxexclusivepayableamount", "应付金额不含税", "应付金额", "应付金额含税", "payableamount",
        "pretaxcostbeforerounddowndiscount",
    ),
    "Currency": ("currency", "币种", "定价币种", "pricingcurrency"),
    "ProductCode": ("productcode", "产品code"),
    "SubscriptionType": ("subscriptiontype", "消费类型", "chargetype"),
    "Item": ("item", "lineitemtype", "费用类型", "账单类型", "billingtype"),
    "PretaxGrossAmount": ("pretaxgrossamount", "grossamount", "目录总价", "官网价", "原价", "originalcost"),
    "InvoiceDiscount": ("invoicediscount", "discountamount", "优惠金额", "discount"),
    "Usage": ("usage", "用量"),
    "UsageBeforeDeduction": ("usagebeforededuction", "抵扣前用量"),
    "UsageUnit": ("usageunit", "用量单位"),
    "UsageStartTime": ("usagestarttime", "servicestarttime", "账单开始时间", "服务开始时间"),
    "UsageEndTime": ("usageendtime", "serviceendtime", "账单结束时间", "服务结束时间"),
    "AccountID": ("accountid", "账号id", "resourcepurchaseaccountid", "资源购买账号id", "userid"),
    "AccountName": ("accountname", "账号", "resourcepurchaseaccount", "资源购买账号", "username"),
    "OwnerID": (
        "ownerid", "owneraccountid", "owner账号id", "resourceowneraccountid", "资源归属账号id", "linkeduserid",
    ),
    "OwnerAccountName": (
        "owneraccountname", "owner账号", "resourceowneraccountname", "resourceowneraccount", "资源归属账号",
        "linkedusername",
    ),
    "BillAccountID": ("billaccountid",),
    "BillAccountName": ("billaccountname",),
    "ResourceID": ("resourceid", "资源id"),
    "InstanceID": ("instanceid", "实例id", "实例id出账粒度"),
    "NickName": ("nickname", "实例昵称", "resourcename", "资源名称", "instancename"),
    "Tag": ("tag", "instancetag", "实例标签", "resourcetag", "资源标签"),
    "InstanceSpec": ("instancespec", "实例规格", "规格"),
    "Region": ("region", "地域"),
    "RegionCode": ("regioncode", "地域code"),
    "Zone": ("zone", "可用区"),
    "ProductName": ("productname", "产品", "产品名称"),
    "ProductDetail": ("productdetail", "产品明细", "commodityname", "商品名称"),
    "CommodityCode": ("commoditycode", "产品明细code", "商品code"),
    "BillingItem": ("billingitem", "billingitemname", "计费项", "计费项名称"),
    "BillingItemCode": ("billingitemcode", "计费项code"),
    "PipCode": ("pipcode",),
}  # fmt: skip
#: columns without which a file is no bill of Alibaba Cloud
NEEDS = ("BillingCycle", "PretaxAmount", "Currency", "ProductCode")
#: ... and one of these, which says what a line is
_MARKS = ("SubscriptionType", "Item")


def find_columns(header: Sequence[str]) -> dict[str, int]:
    """Which column of a header stands for which of :data:`NAMES`, with or without its group before a slash.

    Example
    -------
    >>> find_columns(["BillingDetails/BillingMonth", "账号ID", "应付信息/应付金额（含税）"])
    {'BillingCycle': 0, 'PretaxAmount': 2, 'AccountID': 1}
    """
    places: dict[str, int] = {}
    for whole in (True, False):
        for place, name in enumerate(header):
            if "%" in name:  # "Discount(%)" beside "Discount"
                continue
            text = name if whole else name.partition("/")[2]
            places.setdefault(re.sub(r"[\W_]", "", text).lower(), place)
    return by_first_name(NAMES, places)


def missing_columns(header: Sequence[str]) -> list[str] | None:
    """The needed columns that a header lacks, by all their names; None where it is no bill of Alibaba Cloud.

    Example
    -------
    >>> missing_columns(["账期", "产品Code", "消费类型", "应付金额"]), missing_columns(["BillingCycle", "Currency"])
    (['Currency or 币种'], None)
    """
    found = find_columns(header)
    if len([need for need in NEEDS if need in found]) < 3 or not any(mark in found for mark in _MARKS):
        return None
    return [shown_name(need) for need in NEEDS if need not in found]


def shown_name(need: str) -> str:
    """A needed column by its English and its Chinese name."""
    return f"{need} or {next(name for name in NAMES[need] if not name.isascii())}"


def is_answer(head: bytes) -> bool:
    """Whether a JSON text begins like an answer of the API, which says the month once for all its items.

    Example
    -------
    >>> is_answer(b'{"Data": {"BillingCycle": "2026-09", "Items": {"Item": [{"PretaxAmount": 1.5}]}}}')
    True
    """
    return all(f'"{name}"'.encode() in head for name in ("Data", "Items", "BillingCycle", "PretaxAmount"))


def refuse_answer(name: str) -> SourceRefused:
    """What to do with an answer: one file of all its pages, else each would replace the one before."""
    return SourceRefused(
        f"{name} is an answer of Alibaba Cloud's API, whose items do not say their month. Put the items of all pages "
        "of the month into one file: jq -c '.Data as $d | ($d.Items.Item? // $d.Items)[] | "
        "{BillingCycle: $d.BillingCycle, AccountID: $d.AccountID, AccountName: $d.AccountName} + .' "
        "PAGE*.json > bill.jsonl"
    )
