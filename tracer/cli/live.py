"""`tracer ps`, `top`, `metrics`: what programs are doing while they are being recorded."""

import json
import time

import click

from tracer.errors import TracerError
from tracer.units import duration

JSON_HELP = "Write JSON."


def _start(unix_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_ns // 1_000_000_000))


@click.command()
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def ps(*, as_json: bool) -> None:
    """List the programs that are being recorded."""
    from tracer.live import client

    rows = []
    for address in client.addresses():
        try:
            rows.append(client.ask(address, "recording"))
        except client.NotLiveError:
            continue  # it has ended
        except TracerError as error:
            click.echo(f"tracer: {address.pid}: {error}", err=True)
    if as_json:
        click.echo(json.dumps({"schema": 1, "recordings": rows}, indent=2))
        return
    if not rows:
        click.echo("tracer: nothing is being recorded.", err=True)
        return
    click.echo(f"{'PID':>8}  {'SINCE':<19}  {'FOR':>8}  {'MODE':<6}  PROGRAM")
    for row in rows:
        click.echo(
            f"{row['pid']:>8}  {_start(row['start_unix_ns'])}  "
            f"{duration(row['duration_ns']):>8}  {row['mode']:<6}  {row['argv']}"
        )


@click.command()
@click.argument("target", metavar="[PID|ADDRESS]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of Prometheus text.")
def metrics(target: str | None, *, as_json: bool) -> None:
    """Print the counters of a recorded program for Prometheus.

    ADDRESS is the path of its socket. Without either, there must be one recording only.
    """
    from tracer.live import client, prometheus

    address = client.address_of(target) if target else client.only_address()
    counters = client.ask(address, "metrics")
    click.echo(
        json.dumps(counters, indent=2) if as_json else prometheus.text(counters), nl=as_json
    )


COMMANDS = (ps, metrics)
