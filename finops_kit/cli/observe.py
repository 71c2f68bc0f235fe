"""``finops observe``: ask a platform what exists now, and take it into the store."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, finops_command, print_json

EPILOG = """\b
Examples:
  finops observe aws                                          the region and account of the AWS environment
  finops observe aws --region eu-central-1 --region us-east-1 --profile audit

\b
Only reads: no call changes anything. Credentials come from the platform's own standard chain (docs/live.md).
`aws` needs the extra finops_kit[aws].

\b
Exit codes: 0 all was answered, 3 something was not (the rest is stored).
"""


@finops_command("observe", epilog=EPILOG)
@click.argument("platform", metavar="aws", type=click.Choice(["aws"]))
@click.option("--region", "regions", metavar="NAME", multiple=True, help="aws: a region; may stand several times.")
@click.option("--profile", metavar="NAME", help="aws: a profile of the AWS configuration.")
@click.option("--actor", metavar="NAME", help="Who does it, for the ledger. Default: the user who runs this.")
def command(setting: Setting, platform: str, regions: tuple[str, ...], profile: str | None, actor: str | None) -> int:
    """Ask a platform what exists now, and take it in as a complete look."""
    return _aws(setting, regions, profile, actor)


def _aws(setting: Setting, regions: tuple[str, ...], profile: str | None, actor: str | None) -> int:
    from finops_kit.cli.ingest import show, tell_refusals
    from finops_kit.cli.progress import Progress
    from finops_kit.ingest.live_aws import observe_aws_account

    with Progress("", setting) as tell:
        report = observe_aws_account(setting.workspace, regions, profile=profile, actor=actor, progress=tell)
    if setting.json:
        print_json(report.as_dict())
    else:
        show(report)
    tell_refusals(report)
    return 3 if report.refused else 0
