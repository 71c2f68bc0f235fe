"""Who there is: services, teams, tenants and accounts of the invented house "Nordbank IT Services GmbH"."""

from __future__ import annotations

import math
from dataclasses import dataclass

HOUSE = "Nordbank IT Services GmbH"


@dataclass(frozen=True)
class Service:
    """A service of the catalogue, with who answers and pays for it, and its business volume at the start."""

    service_id: str
    name: str
    product: str
    team: str
    cost_center: str
    business_unit: str
    criticality: str
    #: monthly requests (millions), monthly revenue (EUR), customers at the start, growth a year in percent
    requests_m: float
    revenue: int
    customers: int
    growth: int
    #: factor of the plan on the cost that came: above 1 the budget is held
    plan: float = 1.03


SERVICES: tuple[Service, ...] = (
    Service("payments", "Instant Payments", "Payments Hub", "payments-engineering", "004711",
            "Transaction Banking", "critical", 62.0, 310_000, 1_840_000, 14, 1.02),
    Service("core-banking", "Core Banking", "Core Ledger", "core-systems", "004020",
            "Retail Banking", "critical", 118.0, 520_000, 2_310_000, 3, 1.05),
    Service("online-banking", "Online Banking", "Digital Banking", "digital-channels", "005130",
            "Retail Banking", "critical", 94.0, 405_000, 1_420_000, 11, 0.98),
    Service("mobile-banking", "Mobile Banking", "Digital Banking", "digital-channels", "005131",
            "Retail Banking", "important", 141.0, 186_000, 1_180_000, 22, 1.00),
    Service("cards", "Card Processing", "Cards", "payments-engineering", "004725",
            "Transaction Banking", "critical", 37.0, 228_000, 960_000, 6, 1.04),
    Service("lending", "Lending Platform", "Lending", "lending", "006200",
            "Corporate Banking", "important", 5.4, 214_000, 84_000, 8, 0.93),
    Service("securities", "Securities Settlement", "Markets", "markets", "006810",
            "Capital Markets", "critical", 3.9, 176_000, 46_000, 5, 1.03),
    Service("data-platform", "Data Platform", "Analytics", "data-analytics", "007300",
            "Group Functions", "important", 2.1, 92_000, 410, 18, 0.97),
    Service("fraud", "Fraud Detection", "Risk Services", "data-analytics", "007350",
            "Transaction Banking", "critical", 58.0, 121_000, 1_840_000, 15, 1.02),
    Service("identity", "Identity and Access", "Security Services", "security", "003310",
            "Group Functions", "critical", 71.0, 58_000, 2_450_000, 7, 1.01),
    Service("archive", "Document Archive", "Content Services", "core-systems", "004055",
            "Group Functions", "normal", 1.3, 66_000, 38, 9, 1.04),
    Service("platform", "Platform and Observability", "Shared Platform", "platform-engineering", "003900",
            "Group Functions", "critical", 0.0, 0, 0, 0, 1.02),
)  # fmt: skip
SERVICE = {service.service_id: service for service in SERVICES}

#: the eight teams: id, display name
TEAMS: tuple[tuple[str, str], ...] = (
    ("payments-engineering", "Payments Engineering"), ("core-systems", "Core Systems"),
    ("digital-channels", "Digital Channels"), ("lending", "Lending"), ("markets", "Markets Technology"),
    ("data-analytics", "Data and Analytics"), ("security", "Security"),
    ("platform-engineering", "Platform Engineering"),
)  # fmt: skip

#: the service that moves to another team during the period, and where to
MOVING_SERVICE, MOVES_TO = "fraud", "security"
#: the service that leaves the data centre for the cloud, and the ones planned after it
MIGRATING_SERVICE = "lending"
PLANNED_MIGRATIONS = (("securities", "Google Cloud"), ("archive", "Microsoft Azure"))

_KINDS = ("Sparbank", "Volksbank", "Genobank", "Landbank", "Stadtbank")
_TOWNS = ("Flensburg", "Husum", "Kiel", "Luebeck", "Stade", "Bremerhaven", "Emden", "Oldenburg", "Celle", "Goslar",
          "Hameln", "Detmold", "Soest", "Siegen", "Marburg", "Fulda", "Gotha", "Meissen", "Bautzen", "Zwickau",
          "Hof", "Coburg", "Bamberg", "Ansbach", "Landshut", "Passau", "Rosenheim", "Kempten", "Lindau", "Konstanz",
          "Tuttlingen", "Aalen", "Worms", "Speyer", "Trier", "Bitburg", "Aachen", "Kleve", "Bocholt",
          "Rheine")  # fmt: skip


@dataclass(frozen=True)
class Tenant:
    """A bank that uses the house's services: id, display name, segment and share of the house's volume."""

    tenant_id: str
    name: str
    segment: str
    weight: int


def make_tenants(scale: float) -> tuple[Tenant, ...]:
    """The tenants: 40, and more in a larger estate (with the square root of its size).

    Example
    -------
    >>> tenants = make_tenants(1.0)
    >>> len(tenants), tenants[0].tenant_id, tenants[0].segment
    (40, 'sparbank-flensburg', 'large')
    """
    count = max(40, round(40 * math.sqrt(scale)))
    made = []
    for n in range(count):
        town, again = _TOWNS[n % len(_TOWNS)], n // len(_TOWNS)
        kind = _KINDS[(n + again) % len(_KINDS)] + ("" if again < len(_KINDS) else f"-{again // len(_KINDS) + 1}")
        segment = "large" if n % 8 == 0 else "medium" if n % 3 == 0 else "small"
        weight = {"large": 90, "medium": 40, "small": 14}[segment] + (n * 7) % 11
        made.append(Tenant(f"{kind}-{town}".lower(), f"{kind} {town}", segment, weight))
    return tuple(made)


@dataclass(frozen=True)
class Account:
    """An account, subscription, project or cost pool; ``service_id`` is empty where the CMDB does not know it."""

    provider: str
    account_id: str
    name: str
    service_id: str = ""
    environment: str = "prod"


AWS, AZURE, GCP, FRANKFURT, MUNICH = "AWS", "Microsoft Azure", "Google Cloud", "DC Frankfurt", "DC Munich"
PROVIDERS = (AWS, AZURE, GCP, FRANKFURT, MUNICH)
CURRENCY = {AWS: "USD", AZURE: "EUR", GCP: "EUR", FRANKFURT: "EUR", MUNICH: "EUR"}

AWS_PAYER = "001200450078"
BILLING_ACCOUNT = {
    AWS: AWS_PAYER,
    AZURE: "/providers/Microsoft.Billing/billingAccounts/08123457",
    GCP: "01A2B3-4C5D6E-7F8A9B",
    FRANKFURT: "0007100-FRA",
    MUNICH: "0007200-MUC",
}

ACCOUNTS: tuple[Account, ...] = (
    Account(AWS, AWS_PAYER, "nordbank-management", "platform"),
    Account(AWS, "002210034511", "nordbank-payments-prod", "payments"),
    Account(AWS, "002210034512", "nordbank-online-prod", "online-banking"),
    Account(AWS, "002210034513", "nordbank-mobile-prod", "mobile-banking"),
    Account(AWS, "002210034514", "nordbank-cards-prod", "cards"),
    Account(AWS, "002210034515", "nordbank-fraud-prod", "fraud"),
    Account(AWS, "002210034516", "nordbank-core-dr", "core-banking"),
    Account(AWS, "002210034520", "nordbank-eks-prod", "platform"),
    Account(AWS, "002210034601", "nordbank-nonprod", "", "test"),
    Account(AWS, "009914400023", "nordbank-sandbox", "", "sandbox"),
    Account(AZURE, "3f0a6c1e-0b51-4c0e-9a31-0d5c51f0a001", "sub-lending-prod", "lending"),
    Account(AZURE, "3f0a6c1e-0b51-4c0e-9a31-0d5c51f0a002", "sub-identity-prod", "identity"),
    Account(AZURE, "3f0a6c1e-0b51-4c0e-9a31-0d5c51f0a003", "sub-archive-prod", "archive"),
    Account(AZURE, "3f0a6c1e-0b51-4c0e-9a31-0d5c51f0a004", "sub-data-prod", "data-platform"),
    Account(AZURE, "3f0a6c1e-0b51-4c0e-9a31-0d5c51f0a005", "sub-tenants-prod", "online-banking"),
    Account(AZURE, "3f0a6c1e-0b51-4c0e-9a31-0d5c51f0a006", "sub-connectivity", "platform"),
    Account(AZURE, "3f0a6c1e-0b51-4c0e-9a31-0d5c51f0a090", "sub-legacy", "", "sandbox"),
    Account(GCP, "nordbank-data-prod", "nordbank-data-prod", "data-platform"),
    Account(GCP, "nordbank-fraud-ml", "nordbank-fraud-ml", "fraud"),
    Account(GCP, "nordbank-mobile-app", "nordbank-mobile-app", "mobile-banking"),
    Account(GCP, "nordbank-markets-prod", "nordbank-markets-prod", "securities"),
    Account(GCP, "nordbank-playground", "nordbank-playground", "", "sandbox"),
    Account(FRANKFURT, "000410", "FRA mainframe", "core-banking"),
    Account(FRANKFURT, "000420", "FRA cards", "cards"),
    Account(FRANKFURT, "000430", "FRA lending", "lending"),
    Account(FRANKFURT, "000440", "FRA payments", "payments"),
    Account(FRANKFURT, "000490", "FRA shared infrastructure", "platform"),
    Account(MUNICH, "000510", "MUC disaster recovery", "core-banking"),
    Account(MUNICH, "000520", "MUC securities", "securities"),
    Account(MUNICH, "000530", "MUC archive", "archive"),
    Account(MUNICH, "000540", "MUC identity", "identity"),
    Account(MUNICH, "000590", "MUC shared infrastructure", "platform"),
)
ACCOUNT = {account.name: account for account in ACCOUNTS}

#: provider -> (region id, region name)
REGION = {
    AWS: ("eu-central-1", "Europe (Frankfurt)"),
    AZURE: ("germanywestcentral", "Germany West Central"),
    GCP: ("europe-west3", "Frankfurt"),
    FRANKFURT: ("dc-fra", "Frankfurt am Main"),
    MUNICH: ("dc-muc", "Munich"),
}


def team_of(service_id: str, moved: bool) -> str:
    """The team that answers for a service, before or after the move of the one that moves.

    Example
    -------
    >>> team_of("fraud", False), team_of("fraud", True)
    ('data-analytics', 'security')
    """
    return MOVES_TO if moved and service_id == MOVING_SERVICE else SERVICE[service_id].team


def tags_of(service_id: str, environment: str, moved: bool, tenant: str = "") -> dict[str, str]:
    """The governed tags of a resource: service_id, team, environment, cost_center, business_unit, tenant where known.

    Example
    -------
    >>> tags_of("payments", "prod", False)["cost_center"]
    '004711'
    """
    service = SERVICE[service_id]
    tags = {
        "business_unit": service.business_unit,
        "cost_center": service.cost_center,
        "environment": environment,
        "service_id": service_id,
        "team": team_of(service_id, moved),
    }
    if tenant:
        tags["tenant"] = tenant
    return tags
