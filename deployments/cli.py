"""The command line: which commands there are.

Each command imports what it needs when it runs: `--help` must not wait for Prefect.
"""

from __future__ import annotations

import sys

from cyclopts import App
from rich.console import Console
from rich.markup import escape

from reread.analytics.errors import RereadError
from reread.deployments import commands_measuring, commands_nights, commands_questions

app = App(
    name="reread",
    help="Rereads mammography archives: fetch from a PACS, measure, write back as DICOM, keep every number for SQL.\n\n"
    "Research and quality software, not a medical device.",
    help_format="markdown",
)
config = App(name="config", help="Look at the settings.")
app.command(config)

app.command(commands_measuring.demo)
app.command(commands_measuring.measure)
app.command(commands_measuring.simulate)
app.command("reread.deployments.case_pages:case", name="case", help="Write the page of one case as HTML.")
app.command("reread.deployments.evaluations:evaluate", name="evaluate", help="Compare results with a known truth.")
app.command("reread.deployments.checking_command:check", name="check", help="Check DICOM results against the standard.")
app.command(
    "reread.deployments.rendering_command:render",
    name="render",
    help="Draw images and DICOM results of any maker as PNG, without a viewer.",
)

app.command(commands_nights.listen)
app.command(commands_nights.poll)
app.command(commands_nights.import_, name="import")
app.command(commands_nights.night)
app.command(
    "reread.deployments.requeue_command:requeue", name="requeue", help="Put back what failed, to be tried again."
)

app.command(commands_questions.sql)
app.command(commands_questions.status)
app.command(commands_questions.verify)
app.command(commands_questions.conformance)
app.command(commands_questions.doctor)
config.command(commands_questions.check_settings, name="check")
config.command(commands_questions.example_settings, name="example")


def main() -> None:
    """Entry point: errors of ours are one clear line and exit code 2."""
    try:
        sys.exit(app(exit_on_error=True, result_action="return_value") or 0)
    except (RereadError, OSError) as error:
        # the text may quote a query or a path with brackets, which are no markup
        Console(stderr=True).print(f"[red]reread:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
