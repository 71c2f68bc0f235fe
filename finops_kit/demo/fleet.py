"""The resources of one provider and how much of each is used on every day of a month: arrays, no loop over lines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from finops_kit.demo.components import COMPONENTS, Component
from finops_kit.demo.estate import ACCOUNT, AWS, AZURE, FRANKFURT, GCP, MUNICH, Tenant
from finops_kit.demo.months import Calendar, day_number, to_date
from finops_kit.demo.prices import SKUS, contracted, micros

#: services whose traffic the promotion drives, and by how much (percent of normal on its three days)
SURGE_SERVICES, SURGE_PERCENT = ("online-banking", "mobile-banking"), (290, 340, 260)
#: percent of normal, Monday to Sunday
_WEEK = {
    "traffic": (101, 100, 99, 101, 108, 97, 94),
    "business": (112, 114, 113, 112, 109, 72, 68),
    "batch": (104, 101, 100, 101, 103, 96, 95),
}
_NOISE = {"traffic": 600, "business": 500, "batch": 800, "flat": 250, "storage": 30}  # of 10,000, each way
_SHAPES = ("always", "traffic", "business", "batch", "office")
_SEASON = (98, 96, 100, 101, 100, 99, 97, 95, 100, 102, 108, 111)  # percent, January to December


@dataclass(frozen=True)
class Anomaly:
    """A cost spike planted on one resource and day, in percent of the normal quantity."""

    name: str
    component: str
    month: int
    day: int
    percent: int
    story: str


def planted_anomalies(time: Calendar) -> tuple[Anomaly, ...]:
    """The three planted anomalies of an estate."""
    return (
        Anomaly("payments-nat", "payments-nat", time.back(2), 14, 7600,
                "A routing change sent replication traffic through the NAT gateway for a day."),
        Anomaly("analytics-queries", "analytics-queries", time.back(4), 20, 1150,
                "A query without a partition filter ran every ten minutes for a day."),
        Anomaly("identity-signins", "identity-signins", time.back(1), 5, 1300,
                "Debug logging was left on after a release."),
    )  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """One resource: what it is, its ids, and the days of its life (day numbers, end exclusive)."""

    component: Component
    number: int
    key: str
    resource_id: str
    name: str
    tenant: str
    born: int
    dies: int
    tagged_from: int
    slot: int = -1

    def seen(self, day: int) -> bool:
        """Whether it exists on a day."""
        return self.born <= day < self.dies


def digest(*parts: object) -> str:
    """A stable hexadecimal id."""
    return hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()


class Fleet:
    """The resources of one provider as arrays."""

    def __init__(self, provider: str, time: Calendar, seed: int, scale: float, tenants: tuple[Tenant, ...]) -> None:
        self.provider, self.time, self.seed, self.scale = provider, time, seed, scale
        self.tenants = tenants
        self.resources: list[Resource] = []
        for component in COMPONENTS:
            if component.provider == provider:
                self.resources += self._expand(component)
        #: anomaly -> the quantity of its day as it would have been; known once its month was made
        self.normal: dict[str, int] = {}
        self.anomalies = [
            a for a in planted_anomalies(time) if any(r.component.name == a.component for r in self.resources)
        ]

    def _expand(self, part: Component) -> list[Resource]:
        made = []
        if part.rhythm == "k8s":
            base, extra = node_counts(self.scale)
            copies = base + extra
        else:
            copies = max(1, round(part.count * self.scale)) if not part.planted else part.count
        time, first, last = self.time, self.time.start(0), self.time.start(self.time.months - 1) + 31
        for n in range(copies):
            key = f"{self.seed}/{part.provider}/{part.account}/{part.name}/{n}"
            tenant = self.tenants[(n if part.provider == AWS else -1 - n) % len(self.tenants)]
            tenant_id = tenant.tenant_id if part.tenants else ""
            name = f"{part.name}-{tenant_id}" if part.tenants else part.name
            name += f"-{n + 1:02d}" if copies > 1 and (self.scale > 1 or not part.tenants) else ""
            born, dies = first, last
            if part.starts == "migration":
                span = max(1, time.golive - time.migration_starts)
                born = time.start(min(time.golive, time.migration_starts + span * n // copies))
            if part.ends == "decommissioned":
                dies = time.start(time.decommissioned)
            elif part.ends == "half-way":
                dies = time.start((time.migration_starts + time.golive + 1) // 2)
            tagged_from = first
            if part.tagged == "no":
                tagged_from = last
            elif part.tagged != "yes":
                tagged_from = time.start(min(time.months - 1, round(int(part.tagged) * time.months / 100)))
            slot = n if part.rhythm == "k8s" else -1
            made.append(Resource(part, n, key, resource_id(part, key, name), name, tenant_id, born, dies, tagged_from,
                                 slot))  # fmt: skip
        return made

    def id_in(self, resource: Resource, month: str) -> str:
        """The id that a resource is billed and seen under: autoscaled node slots get a new machine every month."""
        fixed = resource.slot < node_counts(self.scale)[0]
        return resource.resource_id if fixed else f"i-0{digest(resource.key, month)[:16]}"

    # -- per resource arrays ------------------------------------------------------------------------------
    @cached_property
    def list_price(self) -> np.ndarray:
        """List price, millionths; zero in a data centre, whose prices depend on the month."""
        return np.array([micros(SKUS[r.component.sku].price) for r in self.resources], dtype=np.int64)

    @cached_property
    def unit_price(self) -> np.ndarray:
        """Negotiated price, millionths."""
        return np.array([contracted(int(p), self.provider) for p in self.list_price], dtype=np.int64)

    @cached_property
    def _base(self) -> np.ndarray:
        """Quantity a day at the start, ten-thousandths."""
        base = np.full(len(self.resources), 240_000, dtype=np.int64)
        for n, resource in enumerate(self.resources):
            part = resource.component
            if part.amount and self.list_price[n]:
                size = self._size(resource)
                base[n] = max(1, round(part.amount * size * 12 / 365.25 * 1e10) // int(self.unit_price[n]))
            if part.size_gb:
                base[n] = part.size_gb * 10_000 * 12 * 4 // 1461
            if not self.list_price[n]:
                base[n] = 10_000
        return base

    def _size(self, resource: Resource) -> float:
        if not resource.component.tenants:
            return 1.0
        return next(t.weight for t in self.tenants if t.tenant_id == resource.tenant) / 40

    @cached_property
    def keys(self) -> np.ndarray:
        """One 64-bit number per resource that its daily variation is drawn from."""
        return np.array([int(digest(r.key)[:16], 16) for r in self.resources], dtype=np.uint64)

    def monthly_price(self, index: int) -> np.ndarray:
        """A data centre's price of one day in a month, millionths: the monthly amount over the days of the month."""
        days = self.time.days(index)
        return np.array([round(r.component.amount * 1e6) // days for r in self.resources], dtype=np.int64)

    @cached_property
    def _traits(self) -> dict[str, np.ndarray]:
        """What decides a resource's rhythm, as arrays: row of the shape table, noise, growth, flags, life."""
        parts = [r.component for r in self.resources]
        return {
            "shape": np.array([_SHAPES.index(p.rhythm) if p.rhythm in _SHAPES else 0 for p in parts]),
            "noise": np.array([_NOISE.get(p.rhythm, 0) for p in parts], dtype=np.int64),
            "growth": np.array([p.growth for p in parts]),
            "surge": np.array([p.rhythm == "traffic" and p.service_id in SURGE_SERVICES for p in parts]),
            "ramp": np.array([p.ramp for p in parts]),
            "slot": np.array([r.slot for r in self.resources]),
            "born": np.array([r.born for r in self.resources]),
            "dies": np.array([r.dies for r in self.resources]),
        }

    def quantities(self, index: int) -> np.ndarray:
        """Quantity per resource and day of a month, ten-thousandths of the pricing unit; 0 where it does not run."""
        time, traits = self.time, self._traits
        numbers = np.arange(time.start(index), time.start(index) + time.days(index))
        growth = np.array([growth_factor(g, index) for g in range(int(traits["growth"].max()) + 1)], dtype=np.int64)
        result = self._base[:, None] * growth[traits["growth"]][:, None] // 10_000
        result = result * self._shapes(numbers)[traits["shape"]] // 10_000
        result = result * (10_000 + self._noise(numbers) * traits["noise"][:, None] // 1_000) // 10_000
        surge = {day_number(d): p for d, p in zip(time.surge_days, SURGE_PERCENT, strict=True)}
        if traits["surge"].any():
            factor = np.array([surge.get(int(d), 100) for d in numbers], dtype=np.int64)
            result[traits["surge"]] = result[traits["surge"]] * factor // 100
        if traits["ramp"].any():
            result[traits["ramp"]] = result[traits["ramp"]] * moved_share(time, index) // 1_000
        nodes = traits["slot"] >= 0
        if nodes.any():
            result[nodes] = node_hours(time, index, self.scale)[traits["slot"][nodes]] * 10_000
        result[(numbers < traits["born"][:, None]) | (numbers >= traits["dies"][:, None])] = 0
        for anomaly in self.anomalies:
            if anomaly.month == index:
                row = result[self.named(anomaly.component)]
                self.normal[anomaly.name] = int(row[anomaly.day - 1])
                row[anomaly.day - 1] = row[anomaly.day - 1] * anomaly.percent // 100
        return result

    def named(self, name: str) -> int:
        """The index of the first resource of a component."""
        return next(n for n, r in enumerate(self.resources) if r.component.name == name)

    @staticmethod
    def _shapes(numbers: np.ndarray) -> np.ndarray:
        """Ten-thousandths of normal, per shape and day."""
        table = np.full((len(_SHAPES), len(numbers)), 10_000, dtype=np.int64)
        for place, number in enumerate(numbers):
            day = to_date(int(number))
            is_last = to_date(int(number) + 2).month != day.month
            for row, name in enumerate(_SHAPES):
                if name == "office":
                    table[row, place] = 5_000 if day.weekday() < 5 else 0
                elif name in _WEEK:
                    percent = _WEEK[name][day.weekday()] * _SEASON[day.month - 1]
                    if name == "batch":
                        percent = percent * (165 if is_last else 140 if day.day == 1 else 96) // 100
                    elif name == "business" and is_last:
                        percent = percent * 118 // 100
                    table[row, place] = percent
        return table

    def _noise(self, numbers: np.ndarray) -> np.ndarray:
        """Per resource and day, -1,000 to 1,000, triangular; the same in every delivery."""
        mixed = mix(self.keys[:, None] ^ (numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))[None, :])
        low, high = mixed & np.uint64(0xFFFF), (mixed >> np.uint64(16)) & np.uint64(0xFFFF)
        return ((low.astype(np.int64) + high.astype(np.int64)) * 1_000 // 65_535) - 1_000

    def late_by(self, numbers: np.ndarray) -> np.ndarray:
        """Per resource and day, how many days later than usual its line is delivered (mostly 0, else 2 to 4)."""
        mixed = mix(self.keys[:, None] ^ (numbers.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F))[None, :])
        late = (mixed % np.uint64(1000)) < np.uint64(35)
        return np.where(late, 2 + ((mixed >> np.uint64(20)) % np.uint64(3)).astype(np.int64), 0)


def mix(values: np.ndarray) -> np.ndarray:
    """Spread 64-bit keys evenly (splitmix64)."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def growth_factor(percent: int, index: int) -> int:
    """Growth since the first month in ten-thousandths, compounded by the month.

    Example
    -------
    >>> growth_factor(12, 12), growth_factor(0, 5)
    (11200, 10000)
    """
    return round((1 + percent / 100) ** (index / 12) * 10_000)


def moved_share(time: Calendar, index: int) -> int:
    """Share of the migrating service's volume that the cloud carries, thousandths."""
    if index >= time.golive:
        return 1000
    if index < time.migration_starts:
        return 0
    return 1000 * (index - time.migration_starts + 1) // (time.golive - time.migration_starts + 1)


def node_counts(scale: float) -> tuple[int, int]:
    """Kubernetes nodes: always on, and the most that autoscaling may add; grows with the square root of the estate."""
    factor = max(1.0, scale) ** 0.5
    return round(8 * factor), round(12 * factor)


def nodes_wanted(time: Calendar, day: int, hour: int, scale: float) -> int:
    """Nodes of the cluster in an hour: base, office hours, month end, promotion."""
    base, extra = node_counts(scale)
    date = to_date(day)
    more = 25 if date.weekday() < 5 and 7 <= hour < 19 else 0
    if date in time.surge_days and 8 <= hour < 23:
        more = 100 if 17 <= hour < 21 else 70
    return base + extra * more // 100


def node_hours(time: Calendar, index: int, scale: float) -> np.ndarray:
    """Hours per node slot and day of a month."""
    base, extra = node_counts(scale)
    start, days = time.start(index), time.days(index)
    wanted = np.array([[nodes_wanted(time, start + d, h, scale) for h in range(24)] for d in range(days)])
    return (wanted[None, :, :] > np.arange(base + extra)[:, None, None]).sum(axis=2).astype(np.int64)


_PATHS = {AZURE: "/subscriptions/{account}/resourceGroups/rg-{service}/providers/{type}/{name}",
          GCP: "//{api}.googleapis.com/projects/{account}/{name}"}  # fmt: skip
_ARN = {"s3": "arn:aws:s3:::nordbank-{name}", "cdn": "arn:aws:cloudfront::{account}:distribution/E{hex}",
        "lambda": "arn:aws:lambda:eu-central-1:{account}:function:{name}",
        "dynamodb": "arn:aws:dynamodb:eu-central-1:{account}:table/{name}"}  # fmt: skip


def resource_id(part: Component, key: str, name: str) -> str:
    """The id that the provider gives a resource, in the provider's own style."""
    account = ACCOUNT[part.account].account_id
    code = digest(key)
    sku = SKUS[part.sku]
    if part.provider == AWS:
        if sku.resource_type == "Instance":
            return f"i-0{code[:16]}"
        if sku.resource_type == "Volume":
            return f"vol-0{code[:16]}"
        if sku.resource_type == "NAT Gateway":
            return f"arn:aws:ec2:eu-central-1:{account}:natgateway/nat-0{code[:16]}"
        pattern = _ARN.get(part.sku, "arn:aws:{kind}:eu-central-1:{account}:{name}")
        kind = sku.product_code.removeprefix("Amazon").removeprefix("AWS").lower()
        return pattern.format(account=account, name=name, hex=code[:12].upper(), kind=kind)
    if part.provider == AZURE:
        return _PATHS[AZURE].format(account=account, service=part.service_id, type=sku.resource_type, name=name)
    if part.provider == GCP:
        api = sku.service.lower().replace("cloud ", "").replace(" engine", "").replace(" ", "")
        return _PATHS[GCP].format(api=api, account=account, name=name)
    place = {FRANKFURT: "fra", MUNICH: "muc"}[part.provider]
    prefix = "srv" if sku.machine[0] else sku.resource_type.split()[0].lower()[:4]
    return f"{prefix}-{place}-{code[:4]}-{name}"
