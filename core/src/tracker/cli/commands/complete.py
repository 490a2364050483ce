"""`tracker complete`: finalize a window."""

from typing import Any

import click

from tracker.cli.command import WritingCommand
from tracker.cli.options import Number, window_option
from tracker.session import Session, session

OUTCOMES = ("pass", "partial", "fail")


class Complete(WritingCommand):
    """The command with the number of features of each installed provider, as `features_NAME`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        window, *others = super().get_params(ctx)
        limit, features = Number(int, max=1_000_000), []
        for name, source in ctx.ensure_object(Session).registry.providers.items():
            about = f"Features that {source.title} finished."
            names = [f"--{name}-features", f"features_{name.replace('-', '_')}"]
            features.append(click.Option(names, type=limit, metavar="N", help=about))
        return [window, *features, *others]


@click.command(
    "complete", cls=Complete, epilog="tracker complete --window W0-01 --{provider}-features 2 --outcome pass"
)
@window_option(required=True)
@click.option("--quality", type=Number(float, full=1), metavar="Q", help="How good it is, 0 to 1; 1 is as planned.")
@click.option("--outcome", metavar="WORD", help="pass, partial or fail.")
@click.option("--methodology", metavar="M", help="How the work was done.")
@click.option("--commit-start", metavar="SHA", help="The commit before the work; a name is stored as its id.")
@click.option("--commit-end", metavar="SHA", help="The commit after it.")
@click.option("--feature-id", "feature_ids", multiple=True, metavar="ID ...", help="The features that were built.")
@click.option("--spec-id", metavar="S", help="The specification that you worked from.")
@click.option("--spec-version", metavar="V", help="The version of the specification.")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
@click.option("--clear", multiple=True, metavar="FIELD", help="Empty a field of the earlier row, such as quality.")
@click.option("--reopen", is_flag=True, help="Take the finalize row back, to correct captures or features.")
@click.option("--force", is_flag=True, help="Accept a quality above 1 or an outcome of your own.")
def command(window: str, clear: tuple[str, ...], reopen: bool, force: bool, **given: Any) -> None:
    """Finalize a window: its features, quality and outcome. Running it again keeps what you do not name."""
    from tracker.windows import finalize

    counts = {name: given.pop(f"features_{name.replace('-', '_')}") for name in session().registry.providers}
    named = {name: count for name, count in counts.items() if count is not None}
    if reopen:
        if named or clear or any(value not in (None, ()) for value in given.values()):
            raise click.UsageError("--reopen takes the finalize row back and sets nothing. Leave the other fields out.")
        finalize.reopen(session(), window)
        return
    if (quality := given["quality"] or 0) > 1 and not force:
        why = f"Invalid quality {quality:g}. Expected a number from 0 to 1, or --force."
        raise click.BadParameter(why, param_hint="--quality")
    if (outcome := given["outcome"]) not in (None, *OUTCOMES) and not force:
        why = f"Invalid outcome {outcome!r}. Expected {', '.join(OUTCOMES)}, or --force."
        raise click.BadParameter(why, param_hint="--outcome")
    finalize.finalize(session(), window, named, given, clear)
