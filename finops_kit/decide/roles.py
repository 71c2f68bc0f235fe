"""Roles with negative scope: what each perspective owns, and explicitly what it does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """One perspective's seat at the table.

    Attributes
    ----------
    owns, does_not_own : decisions, each a short sentence
    """

    name: str
    title: str
    audience: str
    question: str
    owns: tuple[str, ...]
    does_not_own: tuple[str, ...]


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role(
            "engineering",
            "Engineering: what to fix, and what it saves",
            "Engineering and platform teams, the mechanics",
            "Which resources cost money for nothing, what changed, and where is capacity idle?",
            (
                "Rightsizing, scaling limits and the removal of what nobody uses",
                "Tags on everything a team deploys",
                "The technical cause of an anomaly",
            ),
            (
                "The budget and whether a commitment is bought: finance",
                "What a product is worth: product",
                "Prices and contracts: procurement",
            ),
        ),
        Role(
            "product",
            "Product: what one unit costs, and who causes it",
            "Product and business owners, the race strategists",
            "What does a request, an order, a customer or a tenant cost, and does it pay?",
            (
                "Which spend is worth its value",
                "Unit cost targets and the margin of a product",
                "The reading of the allocation to tenants and features",
            ),
            (
                "How a resource is built or sized: engineering",
                "The allocation rules and the close of a month: finance",
                "The discount with a provider: procurement",
            ),
        ),
        Role(
            "finance",
            "Finance: where the month lands, and why",
            "Finance and controlling, the pit wall",
            "Are we within budget, where will next month land, and does the bill reconcile?",
            (
                "Budgets, forecasts and their accuracy",
                "Whether commitments are bought, and their utilisation",
                "Reconciliation, depreciation and the close of the month",
            ),
            (
                "Which resource is stopped or resized: engineering",
                "Which product is worth its cost: product",
                "The negotiation of contracts: procurement",
            ),
        ),
        Role(
            "procurement",
            "Procurement: what we buy, at which price, until when",
            "Procurement and vendor management",
            "Which contracts need a decision, what do we pay against list price, and where do prices move?",
            (
                "Contracts, notice dates and negotiated prices",
                "Vendor concentration and overlap",
                "The annual cost of each contract in the register",
            ),
            (
                "How much is used: engineering and product",
                "The budget that pays for it: finance",
                "Which architecture is chosen: engineering",
            ),
        ),
        Role(
            "leadership",
            "Leadership: what we spend, what we get, what needs a decision",
            "Executive board, the team principal",
            "Are we in control of what technology costs, and does it pay?",
            (
                "The target and the funding of the practice",
                "Priorities between cost, risk and speed",
                "The cadence: that the reviews take place",
            ),
            (
                "Single resources and their owners: engineering",
                "The figures themselves: they come from the store, not from a role",
                "Bookings and accruals: finance",
            ),
        ),
        Role(
            "practitioner",
            "FinOps practitioner: is the whole in order",
            "FinOps practitioners, the crew chief",
            "Can the figures be trusted, is every cost owned, and what is open?",
            (
                "The cadence and the agenda of the reviews",
                "Data quality, allocation readiness and the tag standard",
                "That a recommendation reaches somebody who decides",
            ),
            (
                "The decision on a recommendation: the owner of the resource",
                "The budget: finance",
                "The change itself: engineering; nothing is executed from here",
            ),
        ),
    )
}
