"""FOCUS service categories of AWS product codes, declared once.

Source: FOCUS 1.2, columns ServiceCategory and ServiceSubcategory (allowed values), and AWS' own FOCUS exports,
which put a product under the category of its main purpose. A product that is not listed is ``Other``.
"""

from __future__ import annotations

#: product code in lower case -> (ServiceCategory, ServiceSubcategory)
SERVICES: dict[str, tuple[str, str]] = {
    "amazonec2": ("Compute", "Virtual Machines"),
    "amazonlightsail": ("Compute", "Virtual Machines"),
    "awslambda": ("Compute", "Serverless Compute"),
    "amazonecs": ("Compute", "Containers"),
    "amazoneks": ("Compute", "Containers"),
    "amazonecr": ("Compute", "Containers"),
    "awsbatch": ("Compute", "Other (Compute)"),
    "computesavingsplans": ("Compute", "Other (Compute)"),
    "amazons3": ("Storage", "Object Storage"),
    "amazons3glacierdeeparchive": ("Storage", "Object Storage"),
    "amazonglacier": ("Storage", "Object Storage"),
    "amazonefs": ("Storage", "File Storage"),
    "amazonfsx": ("Storage", "File Storage"),
    "awsbackup": ("Storage", "Backup Storage"),
    "awsstoragegateway": ("Storage", "Storage Platforms"),
    "amazonrds": ("Databases", "Relational Databases"),
    "amazondynamodb": ("Databases", "NoSQL Databases"),
    "amazondocdb": ("Databases", "NoSQL Databases"),
    "amazonelasticache": ("Databases", "Caching"),
    "amazonmemorydb": ("Databases", "Caching"),
    "amazonredshift": ("Databases", "Data Warehouses"),
    "amazonneptune": ("Databases", "Other (Databases)"),
    "amazoncloudfront": ("Networking", "Content Delivery"),
    "amazonroute53": ("Networking", "Network Routing"),
    "amazonvpc": ("Networking", "Network Infrastructure"),
    "awselb": ("Networking", "Application Networking"),
    "awsdatatransfer": ("Networking", "Other (Networking)"),
    "awsdirectconnect": ("Networking", "Network Connectivity"),
    "awsglobalaccelerator": ("Networking", "Application Networking"),
    "awsnetworkfirewall": ("Networking", "Network Security"),
    "amazonapigateway": ("Integration", "API Management"),
    "awsqueueservice": ("Integration", "Messaging"),
    "amazonsns": ("Integration", "Messaging"),
    "amazonmq": ("Integration", "Messaging"),
    "awsevents": ("Integration", "Messaging"),
    "amazonmsk": ("Integration", "Messaging"),
    "amazonstates": ("Integration", "Workflow Orchestration"),
    "amazoncloudwatch": ("Management and Governance", "Observability"),
    "awsxray": ("Management and Governance", "Observability"),
    "awscloudtrail": ("Management and Governance", "Compliance"),
    "awsconfig": ("Management and Governance", "Compliance"),
    "awscostexplorer": ("Management and Governance", "Cost Management"),
    "awssystemsmanager": ("Management and Governance", "Other (Management and Governance)"),
    "awssupportbusiness": ("Management and Governance", "Support"),
    "awssupportenterprise": ("Management and Governance", "Support"),
    "awsdevelopersupport": ("Management and Governance", "Support"),
    "ocbpremiumsupport": ("Management and Governance", "Support"),
    "awskms": ("Security", "Secret Management"),
    "awssecretsmanager": ("Security", "Secret Management"),
    "awswaf": ("Security", "Other (Security)"),
    "awsshield": ("Security", "Threat Detection and Response"),
    "amazonguardduty": ("Security", "Threat Detection and Response"),
    "awssecurityhub": ("Security", "Security Posture Management"),
    "amazoninspectorv2": ("Security", "Security Posture Management"),
    "awscertificatemanager": ("Security", "Other (Security)"),
    "amazoncognito": ("Identity", "Identity and Access Management"),
    "awsglue": ("Analytics", "Data Processing"),
    "elasticmapreduce": ("Analytics", "Data Processing"),
    "amazonathena": ("Analytics", "Analytics Platforms"),
    "amazonkinesis": ("Analytics", "Streaming Analytics"),
    "amazonkinesisfirehose": ("Analytics", "Streaming Analytics"),
    "amazones": ("Analytics", "Search"),
    "amazonquicksight": ("Analytics", "Business Intelligence"),
    "amazonsagemaker": ("AI and Machine Learning", "Machine Learning"),
    "amazonbedrock": ("AI and Machine Learning", "Generative AI"),
    "codebuild": ("Developer Tools", "Continuous Integration and Deployment"),
    "awscodepipeline": ("Developer Tools", "Continuous Integration and Deployment"),
    "awscodeartifact": ("Developer Tools", "Other (Developer Tools)"),
    "awsmigrationhubrefactorspaces": ("Migration", "Other (Migration)"),
    "awsdatabasemigrationsvc": ("Migration", "Data Migration"),
    "awsiot": ("Internet of Things", "IoT Platforms"),
    "amazonses": ("Business Applications", "Productivity and Collaboration"),
    "amazonworkspaces": ("Business Applications", "Productivity and Collaboration"),
}

#: EC2 bills disks, balancers and gateways under its own name, and FOCUS allows one category per service:
#: product family in lower case -> (ServiceName, ServiceCategory, ServiceSubcategory)
EC2_FAMILIES: dict[str, tuple[str, str, str]] = {
    "storage": ("Amazon Elastic Block Store", "Storage", "Block Storage"),
    "storage snapshot": ("Amazon Elastic Block Store", "Storage", "Block Storage"),
    "provisioned iops": ("Amazon Elastic Block Store", "Storage", "Block Storage"),
    "provisioned throughput": ("Amazon Elastic Block Store", "Storage", "Block Storage"),
    "system operation": ("Amazon Elastic Block Store", "Storage", "Block Storage"),
    "load balancer": ("Elastic Load Balancing", "Networking", "Application Networking"),
    "load balancer-application": ("Elastic Load Balancing", "Networking", "Application Networking"),
    "load balancer-network": ("Elastic Load Balancing", "Networking", "Application Networking"),
    "nat gateway": ("Amazon Virtual Private Cloud", "Networking", "Network Infrastructure"),
    "ip address": ("Amazon Virtual Private Cloud", "Networking", "Network Infrastructure"),
    "data transfer": ("AWS Data Transfer", "Networking", "Other (Networking)"),
}

OTHER = ("Other", "Other (Other)")


def _of_family(code: str, family: str, place: int) -> str:
    families = " ".join(f"WHEN '{name}' THEN '{known[place]}'" for name, known in EC2_FAMILIES.items())
    return f"CASE WHEN lower({code}) = 'amazonec2' THEN CASE lower({family}) {families} END END"


def category_sql(code: str, family: str, place: int) -> str:
    """ServiceCategory (place 0) or ServiceSubcategory (place 1) as SQL over product code and product family."""
    services = " ".join(f"WHEN '{name}' THEN '{pair[place]}'" for name, pair in SERVICES.items())
    return f"coalesce({_of_family(code, family, place + 1)}, CASE lower({code}) {services} ELSE '{OTHER[place]}' END)"


def name_sql(code: str, family: str, own_name: str) -> str:
    """ServiceName as SQL: the product's own name, apart from what EC2 bills for other services."""
    return f"coalesce({_of_family(code, family, 0)}, {own_name})"
