"""The commands by name. Each is imported when it is called: start-up is most of what a small capture costs."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from os.path import basename, exists, splitext
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from analyzer import __version__
from analyzer.cli.exits import code_of
from analyzer.cli.messages import complain
from analyzer.errors import InterferenceError

COMMANDS = {  # command -> module with a function of that name, in the order of the help
    "analyze": "analyze",
    "live": "live",
    "flows": "flows",
    "inspect": "inspect",
    "extract": "extract",
    "compare": "compare",
    "pair": "pair",
    "guide": "guide",
    "rules": "catalogue",
    "services": "catalogue",
    "doctor": "doctor",
}
DEFAULT = "analyze"
_PLAIN: dict[str, Any] = {  # no rich behind help and errors: it costs more than the rest of typer
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
_EPILOG = """\
Captures without a command are analysed: -o FILE writes a report (.html, .md, .json, .csv, .parquet), --json prints for
machines, --target NAME asks about one service, --lang LANG answers in another language, --fail-on STATE,... exits with 1;
`interference analyze -h` lists all. `interference COMMAND -h` says more about a command."""
_HELP = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """Finds commands by name; whatever else comes first is taken for a capture to analyse."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        single = typer.Typer(**_PLAIN)
        function = getattr(import_module(f"analyzer.cli.{COMMANDS[cmd_name]}"), cmd_name)
        single.command(cmd_name, context_settings=_HELP)(function)
        return typer.main.get_command(single)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ours = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        if args and args[0] not in COMMANDS and args[0] not in ours:
            self._refuse_word(ctx, args[0])
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InterferenceError as error:
            complain(str(error))
            raise typer.Exit(code_of(error)) from None

    @staticmethod
    def _refuse_word(ctx: Any, word: str) -> None:
        """A bare word that names nothing; what looks like a path is a capture, and its absence is said as such."""
        if word.startswith("-") or exists(word):
            return
        meant = get_close_matches(word, COMMANDS, n=1, cutoff=0.7)
        if meant or (not splitext(word)[1] and basename(word) == word):
            hint = f"; did you mean {meant[0]!r}?" if meant else ""
            ctx.fail(f"there is no command and no file {word!r}{hint}")


app = typer.Typer(cls=Commands, subcommand_metavar="CAPTURE... | COMMAND ...", **_PLAIN | {"add_completion": True})


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"interference-analyzer {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, context_settings=_HELP, epilog=_EPILOG)
def interference(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Is somebody interfering with this traffic, how, and from where? Ask a packet capture."""
    if ctx.invoked_subcommand is None:
        from analyzer.cli.welcome import welcome

        welcome()
