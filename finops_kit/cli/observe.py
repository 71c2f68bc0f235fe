"""``finops observe``: ask a platform what exists now, and take it into the store."""

from __future__ import annotations

import click

from finops_kit.cli.common import Setting, finops_command

EPILOG = """\b
Examples:
  finops observe aws                                          the region and account of the AWS environment
  finops observe aws --region eu-central-1 --region us-east-1 --profile audit
  finops observe aws --all-regions                            every region that the account may use
  finops observe kubernetes                                   everything that the current context may list
  finops observe kubernetes --context prod --follow           and then what its watch says, until Ctrl-C

\b
Only reads: no call changes anything. Credentials come from the platform's own standard chain (docs/live.md).
`aws` needs the extra finops_kit[aws], `kubernetes` the extra finops_kit[kubernetes].

\b
Exit codes: 0 all was answered, 3 something was not (the rest is stored).
"""


@finops_command("observe", epilog=EPILOG)
@click.argument("platform", metavar="aws|kubernetes", type=click.Choice(["aws", "kubernetes"]))
@click.option("--region", "regions", metavar="NAME", multiple=True, help="aws: a region; may stand several times.")
@click.option("--all-regions", is_flag=True, help="aws: every region that the account may use.")
@click.option("--profile", metavar="NAME", help="aws: a profile of the AWS configuration.")
@click.option("--context", metavar="NAME", help="kubernetes: a context of the kubeconfig. Default: the current one.")
@click.option("--cluster", metavar="NAME", help="kubernetes: the cluster's name, where neither its nodes nor the "
              "kubeconfig say the right one.")  # fmt: skip
@click.option("--follow", is_flag=True, help="kubernetes: watch, and append in batches, until stopped.")
@click.option("--every", type=click.FloatRange(min=0.05), default=30.0, show_default=True, metavar="SECONDS",
              help="With --follow: the longest time that something waits for its batch.")  # fmt: skip
@click.option("--actor", metavar="NAME", help="Who does it, for the ledger. Default: the user who runs this.")
def command(
    setting: Setting, platform: str, regions: tuple[str, ...], all_regions: bool, profile: str | None,
    context: str | None, cluster: str | None, follow: bool, every: float, actor: str | None,
) -> int:  # fmt: skip
    """Ask a platform what exists now, and take it in as a complete look."""
    from finops_kit.errors import UsageError

    given = {"aws": (regions, all_regions, profile), "kubernetes": (context, cluster, follow)}
    if any(any(values) for name, values in given.items() if name != platform):
        raise UsageError(f"An option was given that `finops observe {platform}` does not have.")
    if platform == "kubernetes":
        return _kubernetes(setting, context, cluster, follow, every, actor)
    return _aws(setting, regions, all_regions, profile, actor)


def _aws(setting: Setting, regions: tuple[str, ...], all_regions: bool, profile: str | None, actor: str | None) -> int:
    from finops_kit.cli.ingest import conclude
    from finops_kit.cli.progress import Progress
    from finops_kit.ingest.live_aws import observe_aws_account

    with Progress("", setting) as tell:
        report = observe_aws_account(
            setting.workspace, regions, all_regions=all_regions, profile=profile, actor=actor, progress=tell
        )
    return conclude(setting, report)


def _kubernetes(
    setting: Setting, context: str | None, cluster: str | None, follow: bool, every: float, actor: str | None
) -> int:
    import contextlib

    from finops_kit.cli.common import until_signal
    from finops_kit.cli.ingest import teller
    from finops_kit.ingest.live_kubernetes import observe_cluster

    refused: list[str] = []
    tell = teller(setting, refused)
    with until_signal() if follow else contextlib.nullcontext() as stop:
        observe_cluster(
            setting.workspace, tell, context=context, cluster=cluster, follow=follow, stop=stop, batch_seconds=every,
            actor=actor,
        )  # fmt: skip
    return 3 if refused and not follow else 0
