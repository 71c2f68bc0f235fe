"""FOCUS service categories of Azure meter categories, and the names of Azure's regions, declared once.

Sources: FOCUS 1.2, columns ServiceCategory and ServiceSubcategory (allowed values); Microsoft's list of Azure regions.
A meter category that is not listed is ``Other``.
"""

from __future__ import annotations

#: meter category in lower case -> (ServiceCategory, ServiceSubcategory)
CATEGORIES: dict[str, tuple[str, str]] = {
    "virtual machines": ("Compute", "Virtual Machines"),
    "virtual machines licenses": ("Compute", "Virtual Machines"),
    "virtual machine licenses": ("Compute", "Virtual Machines"),
    "cloud services": ("Compute", "Virtual Machines"),
    "virtual machine scale sets": ("Compute", "Virtual Machines"),
    "functions": ("Compute", "Serverless Compute"),
    "azure kubernetes service": ("Compute", "Containers"),
    "container instances": ("Compute", "Containers"),
    "container registry": ("Compute", "Containers"),
    "azure container apps": ("Compute", "Containers"),
    "azure app service": ("Web", "Application Platforms"),
    "storage": ("Storage", "Storage Platforms"),
    "backup": ("Storage", "Backup Storage"),
    "azure netapp files": ("Storage", "File Storage"),
    "sql database": ("Databases", "Relational Databases"),
    "sql managed instance": ("Databases", "Relational Databases"),
    "azure database for postgresql": ("Databases", "Relational Databases"),
    "azure database for mysql": ("Databases", "Relational Databases"),
    "azure cosmos db": ("Databases", "NoSQL Databases"),
    "redis cache": ("Databases", "Caching"),
    "azure synapse analytics": ("Databases", "Data Warehouses"),
    "bandwidth": ("Networking", "Other (Networking)"),
    "virtual network": ("Networking", "Network Infrastructure"),
    "load balancer": ("Networking", "Application Networking"),
    "application gateway": ("Networking", "Application Networking"),
    "azure front door service": ("Networking", "Content Delivery"),
    "content delivery network": ("Networking", "Content Delivery"),
    "azure dns": ("Networking", "Network Routing"),
    "vpn gateway": ("Networking", "Network Connectivity"),
    "expressroute": ("Networking", "Network Connectivity"),
    "nat gateway": ("Networking", "Network Infrastructure"),
    "azure firewall": ("Networking", "Network Security"),
    "azure ddos protection": ("Networking", "Network Security"),
    "log analytics": ("Management and Governance", "Observability"),
    "azure monitor": ("Management and Governance", "Observability"),
    "application insights": ("Management and Governance", "Observability"),
    "automation": ("Management and Governance", "Other (Management and Governance)"),
    "azure site recovery": ("Management and Governance", "Other (Management and Governance)"),
    "key vault": ("Security", "Secret Management"),
    "advanced threat protection": ("Security", "Threat Detection and Response"),
    "microsoft defender for cloud": ("Security", "Security Posture Management"),
    "security center": ("Security", "Security Posture Management"),
    "sentinel": ("Security", "Threat Detection and Response"),
    "azure active directory": ("Identity", "Identity and Access Management"),
    "microsoft entra": ("Identity", "Identity and Access Management"),
    "event hubs": ("Analytics", "Streaming Analytics"),
    "stream analytics": ("Analytics", "Streaming Analytics"),
    "azure data factory": ("Analytics", "Data Processing"),
    "azure data factory v2": ("Analytics", "Data Processing"),
    "azure databricks": ("Analytics", "Analytics Platforms"),
    "hdinsight": ("Analytics", "Data Processing"),
    "power bi embedded": ("Analytics", "Business Intelligence"),
    "azure cognitive search": ("Analytics", "Search"),
    "azure machine learning": ("AI and Machine Learning", "Machine Learning"),
    "cognitive services": ("AI and Machine Learning", "AI Platforms"),
    "azure openai": ("AI and Machine Learning", "Generative AI"),
    "service bus": ("Integration", "Messaging"),
    "event grid": ("Integration", "Messaging"),
    "api management": ("Integration", "API Management"),
    "logic apps": ("Integration", "Workflow Orchestration"),
    "iot hub": ("Internet of Things", "IoT Platforms"),
    "azure devops": ("Developer Tools", "Continuous Integration and Deployment"),
}
OTHER = ("Other", "Other (Other)")

#: Azure's name of a region -> its display name
REGIONS: dict[str, str] = {
    "".join(name.lower().split()): name
    for name in (
        "East US", "East US 2", "Central US", "North Central US", "South Central US", "West Central US", "West US",
        "West US 2", "West US 3", "Canada Central", "Canada East", "Brazil South", "North Europe", "West Europe",
        "UK South", "UK West", "France Central", "France South", "Germany West Central", "Germany North",
        "Switzerland North", "Switzerland West", "Norway East", "Norway West", "Sweden Central", "Poland Central",
        "Italy North", "Spain Central", "Austria East", "Australia East", "Australia Southeast", "Australia Central",
        "East Asia", "Southeast Asia", "Japan East", "Japan West", "Korea Central", "Korea South", "Central India",
        "South India", "West India", "UAE North", "UAE Central", "South Africa North", "South Africa West",
        "Qatar Central", "Israel Central", "Mexico Central", "New Zealand North", "Malaysia West", "Indonesia Central",
    )
}  # fmt: skip


def _turned(name: str) -> str:
    """The older spelling with the country first: ``US East 2`` for ``East US 2``."""
    words = name.split()
    number = words[-1:] if words[-1].isdigit() else []
    body = words[: len(words) - len(number)]
    return "".join([body[-1], *body[:-1], *number]).lower()


def region_sql(location: str, shown: bool) -> str:
    """RegionId or, where ``shown``, RegionName as SQL over a location in any of Azure's spellings."""
    bare = f"replace(lower(trim({location})), ' ', '')"
    known = {**{_turned(name): identity for identity, name in REGIONS.items()}, **{key: key for key in REGIONS}}
    cases = " ".join(
        f"WHEN '{key}' THEN '{REGIONS[identity] if shown else identity}'" for key, identity in known.items()
    )
    return f"CASE {bare} {cases} ELSE nullif({f'trim({location})' if shown else bare}, '') END"


def category_sql(category: str, place: int) -> str:
    """ServiceCategory (place 0) or ServiceSubcategory (place 1) as SQL over the meter category."""
    cases = " ".join(f"WHEN '{name}' THEN '{pair[place]}'" for name, pair in CATEGORIES.items())
    return f"CASE lower({category}) {cases} ELSE '{OTHER[place]}' END"
