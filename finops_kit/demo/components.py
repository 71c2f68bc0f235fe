"""What runs where: one entry per kind of resource, its size, its rhythm and its time of life."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finops_kit.demo.estate import AWS, AZURE, FRANKFURT, GCP, MUNICH


@dataclass(frozen=True)
class Component:
    """Resources of one kind that one service runs in one account.

    Attributes
    ----------
    amount : 0 for something that runs by the hour; else its cost a month in the bill's currency at the start
    rhythm : always, office, traffic, business, batch, storage, flat, k8s (see ``rhythm``)
    growth : percent a year
    starts, ends : "" from the first or to the last month, else migration, golive, decommissioned, half-way,
        or stagger (copies start one after the other over the period)
    tagged : yes, no, or the share of the period (percent) after which it is tagged
    planted : orphan or idle, where it is waste on purpose
    """

    provider: str
    account: str
    service_id: str
    sku: str
    name: str
    count: int = 1
    amount: float = 0.0
    rhythm: str = "always"
    growth: int = 0
    environment: str = "prod"
    starts: str = ""
    ends: str = ""
    tagged: str = "yes"
    tenants: bool = False
    committed: bool = False
    ramp: bool = False
    planted: str = ""
    size_gb: int = 0


def _c(provider: str, account: str, service_id: str) -> Callable[..., Component]:
    def make(sku: str, name: str, count: int = 1, amount: float = 0.0, rhythm: str = "", growth: int = 0,
             **more: object) -> Component:  # fmt: skip
        return Component(provider, account, service_id, sku, name, count, amount, rhythm or "always", growth, **more)  # type: ignore[arg-type]

    return make


def _aws() -> list[Component]:
    pay = _c(AWS, "nordbank-payments-prod", "payments")
    online = _c(AWS, "nordbank-online-prod", "online-banking")
    mobile = _c(AWS, "nordbank-mobile-prod", "mobile-banking")
    cards = _c(AWS, "nordbank-cards-prod", "cards")
    fraud = _c(AWS, "nordbank-fraud-prod", "fraud")
    eks = _c(AWS, "nordbank-eks-prod", "platform")
    test = {"environment": "test", "rhythm": "office"}
    nonprod = "nordbank-nonprod"
    sandbox = "nordbank-sandbox"
    return [
        pay("db.r6i.16xl", "payments-ledger", 3), pay("m6i.8xlarge", "payments-gateway", 4, committed=True),
        pay("msk", "payments-broker", 3), pay("nat", "payments-nat", 1, 3_600, "traffic", 12),
        pay("s3", "payments-journal", 1, 6_200, "storage", 24), pay("hsm", "payments-hsm", 2), pay("gp3",
            "payments-data", 2, 1, "always", size_gb=8_000),
        pay("kms", "payments-key", 1, 1_900, "traffic", 12), pay("kinesis", "payments-events", 1, 7_400, "business",
            10),
        pay("alb", "payments-api", 1, 2_800, "business", 12),
        online("db.r6i.4xl", "tenant-db", 14, tenants=True), online("cdn", "online-edge", 1, 21_000, "traffic", 11),
        online("alb", "online-lb", 1, 4_300, "traffic", 11), online("dynamodb", "sessions", 1, 11_500, "traffic", 11),
        online("cache", "online-cache", 2), online("waf", "online-waf", 1, 4_100, "traffic", 11),
        online("s3", "online-content", 1, 2_700, "storage", 16),
        mobile("apigw", "mobile-api", 1, 7_900, "traffic", 22), mobile("lambda", "mobile-backend", 1, 9_600,
            "traffic", 22),
        mobile("sns", "mobile-push", 1, 3_900, "traffic", 18), mobile("dynamodb", "mobile-profiles", 1, 7_700,
            "traffic", 22),
        mobile("lambda", "mobile-warmup", 1, 0.00004, "flat"),
        cards("r6i.16xlarge", "cards-authorisation", 2, committed=True), cards("db.r6i.16xl", "cards-ledger", 2),
        cards("dx", "cards-link", 2), cards("hsm", "cards-hsm", 1), cards("s3", "cards-clearing", 1, 3_300,
            "storage", 12),
        cards("nat", "cards-nat", 1, 2_100, "business", 6),
        cards("io2", "cards-data", 1, 1, "always", size_gb=6_000),
        fraud("sagemaker", "fraud-scoring", 3), fraud("kinesis", "fraud-stream", 1, 11_200, "business", 14),
        fraud("s3", "fraud-features", 1, 5_100, "storage", 30),
        eks("m6i.8xlarge", "eks-node", 8, rhythm="k8s", committed=True), eks("gp3", "eks-volumes", 1, 3_800,
            "storage", 12, size_gb=40_000),
        eks("cloudwatch", "eks-logs", 1, 17_500, "business", 14), eks("tgw", "transit", 1, 8_900, "business", 8),
        eks("transfer", "egress", 1, 13_000, "traffic", 10), eks("securityhub", "posture", 1, 4_400, "flat"),
        eks("codebuild", "ci-runners", 1, 6_900, "business", 9),
        _c(AWS, "nordbank-core-dr", "core-banking")("s3", "core-dr-copies", 1, 7_300, "storage", 10),
        _c(AWS, nonprod, "payments")("m6i.4xlarge", "payments-test", 1, **test),
        _c(AWS, nonprod, "online-banking")("m6i.4xlarge", "online-test", 1, **test),
        _c(AWS, nonprod, "fraud")("m6i.8xlarge", "fraud-lab", 1, **test),
        _c(AWS, nonprod, "payments")("db.r6i.8xl", "payments-test-db", 1, environment="test"),
        # waste, planted
        pay("io2", "payments-ledger-old", 1, 596, planted="orphan", size_gb=4000),
        fraud("gp3", "fraud-train-scratch", 1, 571.2, planted="orphan", size_gb=6000),
        _c(AWS, nonprod, "online-banking")("gp3", "online-loadtest-data", 1, 285.6, planted="orphan", size_gb=3000,
                                           environment="test"),
        cards("m6i.8xlarge", "cards-batch-old", 1, planted="idle"),
        fraud("r6i.16xlarge", "fraud-notebook", 1, planted="idle"),
        # nobody's
        _c(AWS, sandbox, "platform")("m6i.8xlarge", "poc-worker", 2, tagged="no", environment="sandbox"),
        _c(AWS, sandbox, "platform")("s3", "legacy-exports", 1, 27_500, "storage", 6, tagged="no",
            environment="sandbox"),
        _c(AWS, sandbox, "fraud")("sagemaker", "poc-model", 2, tagged="45", environment="sandbox"),
        _c(AWS, sandbox, "data-platform")("db.r6i.16xl", "lift-and-shift-db", 3, tagged="65", environment="sandbox"),
    ]  # fmt: skip


def _azure() -> list[Component]:
    lend = _c(AZURE, "sub-lending-prod", "lending")
    ident = _c(AZURE, "sub-identity-prod", "identity")
    arch = _c(AZURE, "sub-archive-prod", "archive")
    data = _c(AZURE, "sub-data-prod", "data-platform")
    net = _c(AZURE, "sub-connectivity", "platform")
    legacy = _c(AZURE, "sub-legacy", "platform")
    return [
        lend("E32ds", "lending-app", 6, starts="migration"), lend("sqlmi", "lending-db", 2, starts="migration"),
        lend("appgw", "lending-gateway", 1, 3_100, "business", ramp=True),
        lend("blob", "lending-documents", 1, 6_800, "storage", 10, ramp=True),
        lend("backup", "lending-backup", 1, 3_900, "storage", 10, ramp=True),
        ident("entra", "workforce-and-customer-id", 1, 29_000, "flat", 7), ident("D8s", "identity-dc", 3),
        ident("loganalytics", "identity-signins", 1, 16_400, "business", 9),
        ident("pdisk", "identity-data", 1, 1, "always", size_gb=4_096),
        ident("keyvault", "identity-vault", 1, 3_700, "business", 7),
        arch("blob", "archive-cool", 1, 23_500, "storage", 21), arch("backup", "archive-vault", 1, 6_100, "storage",
            18),
        data("databricks", "lakehouse-jobs", 1, 24_000, "batch", 18), data("synapse", "reporting-pool", 1),
        data("blob", "lakehouse", 1, 9_300, "storage", 28),
        _c(AZURE, "sub-tenants-prod", "online-banking")("sqldb", "tenant-sql", 10, 1_900, "business", 9, tenants=True),
        net("expressroute", "er-frankfurt", 1), net("expressroute", "er-munich", 1), net("firewall", "hub-firewall", 2),
        net("defender", "defender", 1, 5_600, "flat", 6), net("loganalytics", "platform-logs", 1, 13_800,
            "business", 12),
        _c(AZURE, "sub-archive-prod", "archive")("pdisk", "archive-import", 1, 917.5, planted="orphan", size_gb=8192),
        lend("pdisk", "lending-cutover-copy", 1, 458.8, planted="orphan", size_gb=4096, starts="migration"),
        ident("D16s", "identity-sync-old", 1, planted="idle"),
        legacy("D16s", "unknown-app", 2, tagged="no", environment="sandbox"),
        legacy("sqlmi", "unknown-db", 1, tagged="no", environment="sandbox"),
    ]  # fmt: skip


def _gcp() -> list[Component]:
    data = _c(GCP, "nordbank-data-prod", "data-platform")
    fraud = _c(GCP, "nordbank-fraud-ml", "fraud")
    mobile = _c(GCP, "nordbank-mobile-app", "mobile-banking")
    mkt = _c(GCP, "nordbank-markets-prod", "securities")
    play = _c(GCP, "nordbank-playground", "data-platform")
    return [
        data("bq", "analytics-queries", 1, 41_000, "batch", 18), data("bqstore", "warehouse", 1, 17_000, "storage", 25),
        data("dataflow", "event-pipelines", 1, 14_500, "business", 15), data("composer", "schedules", 1, 4_600, "flat"),
        data("gcs", "landing-zone", 1, 9_800, "storage", 26), data("pubsub", "event-bus", 1, 3_600, "business", 15),
        data("looker", "dashboards", 1), data("egress", "data-egress", 1, 4_200, "batch", 10),
        fraud("vertex", "fraud-training", 1, 16_500, "batch", 14), fraud("n2-32", "fraud-features", 3, committed=True),
        fraud("bq", "fraud-queries", 1, 8_400, "business", 14),
        mobile("run", "mobile-bff", 1, 7_900, "traffic", 22), mobile("fcm", "mobile-config", 1, 2_600, "traffic", 22),
        mkt("n2-32", "market-data", 3, committed=True), mkt("gcs", "tick-store", 1, 6_700, "storage", 20),
        mkt("egress", "market-feeds", 1, 3_900, "business", 5),
        play("n2-32", "notebook", 2, tagged="no", environment="sandbox"), play("bq", "ad-hoc", 1, 5_200, "business",
            4, tagged="30",
                                                                             environment="sandbox"),
    ]  # fmt: skip


def _centres() -> list[Component]:
    main = _c(FRANKFURT, "FRA mainframe", "core-banking")
    cards = _c(FRANKFURT, "FRA cards", "cards")
    lend = _c(FRANKFURT, "FRA lending", "lending")
    pay = _c(FRANKFURT, "FRA payments", "payments")
    shared = _c(FRANKFURT, "FRA shared infrastructure", "platform")
    dr = _c(MUNICH, "MUC disaster recovery", "core-banking")
    sec = _c(MUNICH, "MUC securities", "securities")
    arch = _c(MUNICH, "MUC archive", "archive")
    ident = _c(MUNICH, "MUC identity", "identity")
    base = _c(MUNICH, "MUC shared infrastructure", "platform")
    gone = {"ends": "decommissioned"}
    return [
        main("mainframe", "z16-core", 1, 96_000), main("host-db", "core-reporting", 1, 6_900),
        main("licence", "core-db2", 1, 21_000), main("array", "core-dasd", 1, 17_500),
        cards("mainframe", "z16-cards", 1, 27_000), cards("host", "cards-switch", 2, 2_700),
        lend("host", "lending-web", 2, 2_650, ends="half-way"), lend("host", "lending-app", 3, 3_450, **gone),
        lend("host-db", "lending-db", 1, 6_900, **gone), lend("licence", "lending-oracle", 1, 18_500, **gone),
        lend("array", "lending-san-share", 1, 11_800), lend("facility", "lending-space-share", 1, 7_400),
        pay("host", "payments-swift", 2, 2_700),
        shared("facility", "fra-facility", 1, 24_500), shared("network", "fra-core-network", 1, 12_600),
        shared("array", "fra-array", 2, 13_900), shared("tape", "fra-backup", 1, 8_700),
        shared("host", "fra-virtualisation", 2, 2_700), shared("host", "fra-retired-portal", 1, 2_700, planted="idle"),
        dr("mainframe", "z16-recovery", 1, 39_000), dr("array", "core-mirror", 1, 13_200),
        sec("host", "settlement", 3, 2_700), sec("licence", "settlement-oracle", 1, 15_900),
        sec("host-db", "settlement-db", 1, 6_900),
        arch("array", "archive-worm", 2, 13_900), ident("host", "directory", 1, 2_700),
        base("facility", "muc-facility", 1, 17_800), base("network", "muc-core-network", 1, 7_900),
        base("tape", "muc-backup", 1, 4_300), base("host", "muc-virtualisation", 1, 2_700),
        base("host", "muc-old-gateway", 1, 2_700, planted="idle"),
    ]  # fmt: skip


#: everything that the house runs, by provider
COMPONENTS: tuple[Component, ...] = (*_aws(), *_azure(), *_gcp(), *_centres())
