"""What things cost: the price lists of the five providers, list prices with six decimals.

Prices are invented but near what is published for Frankfurt; negotiated discounts are in ``DISCOUNT``.
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_kit.demo.estate import AWS, AZURE, FRANKFURT, GCP, MUNICH

#: negotiated discount on list price, percent
DISCOUNT = {AWS: 6, AZURE: 8, GCP: 10, FRANKFURT: 0, MUNICH: 0}


@dataclass(frozen=True)
class Sku:
    """One article of a price list.

    ``unit`` is in FOCUS unit format; ``code`` is the AWS usage type or the meter; ``machine`` is (vCPU, GiB).
    """

    service: str
    category: str
    subcategory: str
    code: str
    unit: str
    price: str
    resource_type: str
    machine: tuple[int, int] = (0, 0)
    product_code: str = ""
    operation: str = ""
    family: str = ""


def _aws(service: str, kind: tuple[str, str], code: str, unit: str, price: str, type_: str, product: str,
         operation: str, family: str, machine: tuple[int, int] = (0, 0)) -> Sku:  # fmt: skip
    return Sku(service, kind[0], kind[1], f"EUC1-{code}", unit, price, type_, machine, product, operation, family)


_VM, _RDB, _OBJ, _BLK = ("Compute", "Virtual Machines"), ("Databases", "Relational Databases"), ("Storage",
    "Object Storage"), ("Storage", "Block Storage")  # fmt: skip
_EC2, _RDS = "Amazon Elastic Compute Cloud", "Amazon Relational Database Service"


def _ec2(size: str, price: str, machine: tuple[int, int]) -> Sku:
    return _aws(_EC2, _VM, f"BoxUsage:{size}", "Hrs", price, "Instance", "AmazonEC2", "RunInstances",
                "Compute Instance", machine)  # fmt: skip


def _rds(size: str, price: str, machine: tuple[int, int]) -> Sku:
    return _aws(_RDS, _RDB, f"InstanceUsage:{size}", "Hrs", price, "DB Instance", "AmazonRDS",
                "CreateDBInstance:0021", "Database Instance", machine)  # fmt: skip


def _vm(size: str, price: str, machine: tuple[int, int]) -> Sku:
    return Sku("Virtual Machines", *_VM, f"{size} - DE West Central", "Hours", price,
               "Microsoft.Compute/virtualMachines", machine)  # fmt: skip


def _host(model: str, price: str, machine: tuple[int, int]) -> Sku:
    return Sku("Dedicated Servers", *_VM, model, "Days", price, "Server", machine)


SKUS: dict[str, Sku] = {
    # -- AWS, US dollars ------------------------------------------------------------------------------------
    "m6i.4xlarge": _ec2("m6i.4xlarge", "0.920000", (16, 64)),
    "m6i.8xlarge": _ec2("m6i.8xlarge", "1.840000", (32, 128)),
    "r6i.16xlarge": _ec2("r6i.16xlarge", "4.864000", (64, 512)),
    "db.r6i.4xl": _rds("db.r6i.4xlarge", "2.780000", (16, 128)),
    "db.r6i.8xl": _rds("db.r6i.8xlarge", "5.560000", (32, 256)),
    "db.r6i.16xl": _rds("db.r6i.16xlarge", "11.120000", (64, 512)),
    "msk": _aws("Amazon Managed Streaming for Apache Kafka", ("Integration", "Messaging"), "Kafka.m5.4xlarge", "Hrs",
                "1.932000", "Broker", "AmazonMSK", "RunBroker", "Managed Streaming", (16, 64)),
    "nat": _aws(_EC2, ("Networking", "Network Routing"), "NatGateway-Bytes", "GB", "0.052000", "NAT Gateway",
                "AmazonEC2", "NatGateway", "NAT Gateway"),
    "s3": _aws("Amazon Simple Storage Service", _OBJ, "TimedStorage-ByteHrs", "GB-Mo", "0.024500", "Bucket", "AmazonS3",
               "StandardStorage", "Storage"),
    "hsm": _aws("AWS CloudHSM", ("Security", "Secret Management"), "CloudHSMv2Usage", "Hrs", "1.880000", "HSM",
                "CloudHSM", "RunHsm", "Dedicated-Host"),
    "kms": _aws("AWS Key Management Service", ("Security", "Secret Management"), "KMS-Requests", "Requests",
                "0.000003", "Key", "awskms", "Encrypt", "Encryption Key"),
    "cdn": _aws("Amazon CloudFront", ("Networking", "Content Delivery"), "DataTransfer-Out-Bytes", "GB", "0.085000",
                "Distribution", "AmazonCloudFront", "GET", "Data Transfer"),
    "alb": _aws("Elastic Load Balancing", ("Networking", "Application Networking"), "LCUUsage", "LCU-Hrs", "0.008000",
                "Load Balancer", "AWSELB", "LoadBalancing:Application", "Load Balancer-Application"),
    "dynamodb": _aws("Amazon DynamoDB", ("Databases", "NoSQL Databases"), "WriteRequestUnits", "WriteRequestUnits",
                     "0.000002", "Table", "AmazonDynamoDB", "PayPerRequestThroughput", "Amazon DynamoDB"),
    "cache": _aws("Amazon ElastiCache", ("Databases", "Caching"), "NodeUsage:cache.r6g.4xlarge", "Hrs", "1.970000",
                  "Cache Node", "AmazonElastiCache", "CreateCacheCluster:0002", "Cache Instance", (16, 105)),
    "waf": _aws("AWS WAF", ("Networking", "Network Security"), "AMR-Request", "Requests", "0.000001", "Web ACL",
                "awswaf", "", "Web Application Firewall"),
    "apigw": _aws("Amazon API Gateway", ("Integration", "API Management"), "ApiGatewayRequest", "Requests", "0.000004",
                  "API", "AmazonApiGateway", "ApiGatewayRequest", "API Calls"),
    "lambda": _aws("AWS Lambda", ("Compute", "Serverless Compute"), "Lambda-GB-Second", "Lambda-GB-Second", "0.000017",
                   "Function", "AWSLambda", "Invoke", "Serverless"),
    "sns": _aws("Amazon Simple Notification Service", ("Integration", "Messaging"), "DeliveryAttempts-APNS",
                "Notifications", "0.000001", "Topic", "AmazonSNS", "Publish", "Message Delivery"),
    "dx": _aws("AWS Direct Connect", ("Networking", "Network Connectivity"), "PortUsage:10G", "Hrs", "2.250000",
               "Connection", "AWSDirectConnect", "CreateConnection", "Direct Connect"),
    "sagemaker": _aws("Amazon SageMaker", ("AI and Machine Learning", "AI Platforms"), "Host:ml.g5.12xlarge", "Hrs",
                      "8.860000", "Endpoint", "AmazonSageMaker", "RunInstance", "ML Instance", (48, 192)),
    "kinesis": _aws("Amazon Kinesis", ("Analytics", "Streaming Analytics"), "Extended-ShardHour", "ShardHours",
                    "0.018000", "Stream", "AmazonKinesis", "shardHourStorage", "Kinesis Streams"),
    "cloudwatch": _aws("AmazonCloudWatch", ("Management and Governance", "Observability"), "DataProcessing-Bytes", "GB",
                       "0.630000", "Log Group", "AmazonCloudWatch", "PutLogEvents", "Data Payload"),
    "tgw": _aws("AWS Transit Gateway", ("Networking", "Network Routing"), "TransitGateway-Bytes", "GB", "0.020000",
                "Transit Gateway", "AmazonVPC", "TransitGatewayVPC", "Transit Gateway"),
    "transfer": _aws("AWS Data Transfer", ("Networking", "Network Connectivity"), "DataTransfer-Out-Bytes", "GB",
                     "0.090000", "Data Transfer", "AWSDataTransfer", "", "Data Transfer"),
    "securityhub": _aws("AWS Security Hub", ("Security", "Security Posture Management"), "PaidComplianceCheck",
                        "Checks", "0.001000", "Hub", "AWSSecurityHub", "", "Security Services"),
    "codebuild": _aws("AWS CodeBuild", ("Developer Tools", "Continuous Integration and Deployment"),
                      "Build-Min:Linux:g1.large", "minutes", "0.020000", "Project", "CodeBuild", "", "Compute"),
    "gp3": _aws(_EC2, _BLK, "EBS:VolumeUsage.gp3", "GB-Mo", "0.095200", "Volume", "AmazonEC2", "CreateVolume-Gp3",
                "Storage"),
    "io2": _aws(_EC2, _BLK, "EBS:VolumeUsage.io2", "GB-Mo", "0.149000", "Volume", "AmazonEC2", "CreateVolume-io2",
                "Storage"),
    # -- Microsoft Azure, euros -----------------------------------------------------------------------------
    "E32ds": _vm("E32ds v5", "2.650000", (32, 256)),
    "D16s": _vm("D16s v5", "0.874000", (16, 64)),
    "D8s": _vm("D8s v5", "0.437000", (8, 32)),
    "sqlmi": Sku("Azure SQL Managed Instance", *_RDB, "Business Critical 40 vCore", "Hours", "11.480000",
                 "Microsoft.Sql/managedInstances", (40, 204)),
    "sqldb": Sku("Azure SQL Database", *_RDB, "General Purpose vCore", "vCore-Hours", "0.224000",
                 "Microsoft.Sql/servers/databases"),
    "blob": Sku("Storage Accounts", *_OBJ, "Cool ZRS Data Stored", "GB-Months", "0.012500",
                "Microsoft.Storage/storageAccounts"),
    "pdisk": Sku("Managed Disks", *_BLK, "Premium SSD Managed Disks P50", "GB-Months", "0.112000",
                 "Microsoft.Compute/disks"),
    "appgw": Sku("Application Gateway", "Networking", "Application Networking", "WAF v2 Capacity Units", "Hours",
                 "0.013000", "Microsoft.Network/applicationGateways"),
    "databricks": Sku("Azure Databricks", "Analytics", "Data Processing", "Premium Jobs Compute DBU", "DBU Hours",
                      "0.276000", "Microsoft.Databricks/workspaces"),
    "synapse": Sku("Azure Synapse Analytics", "Databases", "Data Warehouses", "DW1000c", "Hours", "13.850000",
                   "Microsoft.Synapse/workspaces/sqlPools"),
    "loganalytics": Sku("Azure Monitor", "Management and Governance", "Observability", "Analytics Logs Data Ingestion",
                        "GB", "2.760000", "Microsoft.OperationalInsights/workspaces"),
    "entra": Sku("Microsoft Entra ID", "Identity", "Identity and Access Management", "P2 Monthly Active Users",
                 "Users", "0.014600", "Microsoft.AzureActiveDirectory/b2cDirectories"),
    "keyvault": Sku("Key Vault", "Security", "Secret Management", "HSM Key Operations", "10000 Operations", "0.133000",
                    "Microsoft.KeyVault/vaults"),
    "expressroute": Sku("ExpressRoute", "Networking", "Network Connectivity", "10 Gbps Premium Circuit", "Hours",
                        "9.640000", "Microsoft.Network/expressRouteCircuits"),
    "firewall": Sku("Azure Firewall", "Networking", "Network Security", "Premium Deployment", "Hours", "1.610000",
                    "Microsoft.Network/azureFirewalls"),
    "defender": Sku("Microsoft Defender for Cloud", "Security", "Threat Detection and Response", "Plan 2 Node",
                    "Node Hours", "0.018500", "Microsoft.Security/pricings"),
    "backup": Sku("Azure Backup", "Storage", "Backup Storage", "ZRS Data Stored", "GB-Months", "0.026500",
                  "Microsoft.RecoveryServices/vaults"),
    # -- Google Cloud, euros --------------------------------------------------------------------------------
    "n2-32": Sku("Compute Engine", *_VM, "N2 Instance n2-standard-32", "Hours", "1.796000", "Instance", (32, 128)),
    "bq": Sku("BigQuery", "Databases", "Data Warehouses", "Analysis", "TiB", "5.810000", "Reservation"),
    "bqstore": Sku("BigQuery", "Databases", "Data Warehouses", "Active Logical Storage", "GiB-Months", "0.019600",
                   "Dataset"),
    "dataflow": Sku("Dataflow", "Analytics", "Streaming Analytics", "vCPU Time Streaming", "vCPU-Hours", "0.070300",
                    "Job"),
    "composer": Sku("Cloud Composer", "Integration", "Workflow Orchestration", "Compute CPUs", "vCPU-Hours",
                    "0.061000", "Environment"),
    "vertex": Sku("Vertex AI", "AI and Machine Learning", "Machine Learning", "Training a2-highgpu-4g", "Hours",
                  "14.260000", "Training Job"),
    "run": Sku("Cloud Run", "Compute", "Serverless Compute", "CPU Allocation Time", "vCPU-Seconds", "0.000024",
               "Service"),
    "gcs": Sku("Cloud Storage", *_OBJ, "Standard Storage Frankfurt", "GiB-Months", "0.021300", "Bucket"),
    "pubsub": Sku("Cloud Pub/Sub", "Integration", "Messaging", "Message Delivery Basic", "TiB", "37.200000", "Topic"),
    "egress": Sku("Networking", "Networking", "Network Connectivity", "Internet Egress EMEA", "GiB", "0.074500",
                  "Network"),
    "looker": Sku("Looker", "Analytics", "Business Intelligence", "Enterprise Platform", "Hours", "9.950000",
                  "Looker Instance"),
    "fcm": Sku("Firebase", "Mobile", "Other (Mobile)", "App Distribution and Remote Config", "1000 Requests",
               "0.005600", "App"),
    # -- data centres, euros a day; the price is set by the month (see components) -----------------------------
    "host": _host("Dell R760 2x32C", "0", (128, 1024)),
    "host-db": _host("Dell R960 4x48C", "0", (384, 4096)),
    "mainframe": Sku("Mainframe Capacity", "Compute", "Other (Compute)", "z16 LPAR capacity", "Days", "0", "LPAR"),
    "licence": Sku("Software Licences", "Databases", "Other (Databases)", "Database licence and support", "Days", "0",
                   "Licence"),
    "array": Sku("Storage Platform", "Storage", "Storage Platforms", "All-flash array", "Days", "0", "Storage Array"),
    "tape": Sku("Backup Platform", "Storage", "Backup Storage", "Tape and backup", "Days", "0", "Backup System"),
    "network": Sku("Data Centre Network", "Networking", "Network Infrastructure", "Core and edge", "Days", "0",
                   "Network Equipment"),
    "facility": Sku("Data Centre Facility", "Other", "Other (Other)", "Space, power and cooling", "Days", "0",
                    "Facility"),
}  # fmt: skip


def micros(price: str) -> int:
    """A price as millionths.

    Example
    -------
    >>> micros("0.024500")
    24500
    """
    whole, _, fraction = price.partition(".")
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0")[:6])


def contracted(list_micros: int, provider: str) -> int:
    """The negotiated price of a list price, both in millionths, rounded half up; never rounded to zero."""
    return max(1, (list_micros * (100 - DISCOUNT[provider]) + 50) // 100) if list_micros else 0
