"""What all commands share: `--config`, failures as one sentence and an exit code, never a traceback."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from gateway.config import Config, ServerConfig
    from gateway.yaml_source import Fault

REFUSED, BAD_FILE, INTERRUPTED = 1, 2, 130

Function = TypeVar("Function", bound=Callable[..., Any])


def program() -> str:
    """How people call this program: from a checkout by its script, unless it is on their PATH."""
    script = Path(__file__).parents[2] / "gw"
    if not script.is_file() or os.path.basename(sys.argv[0]) == "gateway":
        return "gateway"
    return "./gw" if Path.cwd() == script.parent else str(script)


class Refused(Exception):
    """The command can't do what it was asked; the text says why and what to do. Exit 1."""


class Root(click.Group):
    """The program: commands in the order given, and the one place where failures become words."""

    def __init__(self, *, commands: Sequence[click.Command], **rest: Any) -> None:
        super().__init__(commands={command.name or "": command for command in commands}, **rest)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        # https://no-color.org: set and not empty.
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except click.Abort as error:
            # A prompt turns Ctrl-C into this, and the end of its input too.
            if isinstance(error.__context__, KeyboardInterrupt):
                ctx.exit(INTERRUPTED)
            raise
        except (click.exceptions.Exit, click.ClickException, BrokenPipeError):
            raise
        except Exception as error:
            ctx.exit(self._say(error))

    def _say(self, error: Exception) -> int:
        from gateway.errors import BadBackup, BadFile, BadSecret, GatewayError, StoreDown, UpstreamFailed

        if isinstance(error, BadFile):
            show_faults(error.faults)
            hint_at_config(error.faults)
            return BAD_FILE
        if isinstance(error, Refused):
            fail(str(error))
            return REFUSED
        if os.environ.get("GATEWAY_DEBUG"):
            import traceback

            traceback.print_exc()
        if isinstance(error, (BadSecret, BadBackup)):
            fail(str(error))
            return BAD_FILE
        if isinstance(error, StoreDown):
            fail(f"the store can't be used: {error or 'no answer'}; `gateway doctor` looks for the cause")
        elif isinstance(error, UpstreamFailed):
            fail(f"the media server did not answer as it should: {error or type(error).__name__}; is it running?")
        elif isinstance(error, (GatewayError, OSError)):
            fail(str(error) or type(error).__name__)
        else:
            fail(f"something broke inside ({type(error).__name__}: {error}); GATEWAY_DEBUG=1 shows where")
        return REFUSED


def fail(what: str) -> None:
    click.echo(f"gateway: {safe(what)}", err=True)


def note(what: str) -> None:
    """Progress and remarks; not the result."""
    click.echo(safe(what), err=True)


def safe(text: str) -> str:
    """A text for a terminal: what could steer it is shown as an escape (guests choose their names)."""
    return "".join(letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def hint_at_config(faults: Iterable[Fault]) -> None:
    """For whoever starts: where a config.yaml comes from."""
    if any(fault.file.endswith("config.yaml") and fault.what.endswith("No such file or directory") for fault in faults):
        note("`gateway init` writes a config.yaml; --config names one that lies elsewhere")


def show_faults(faults: Sequence[Fault]) -> None:
    for fault in faults:
        click.echo(safe(str(fault)), err=True)


def shown_path(path: Path) -> str:
    """Relative where the file lies below the current folder, as an editor or a person would name it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def config_option(function: Function) -> Function:
    """`--config FILE`, given to the command as `config_path`."""
    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path("config.yaml"),
        envvar="GATEWAY_CONFIG",
        metavar="FILE",
        show_default="config.yaml",
        help="The configuration; GATEWAY_CONFIG in the environment names another default.",
    )(function)


def unused_config_option(function: Function) -> Function:
    """For commands that read no configuration and still take the option every command has."""
    return click.option("-c", "--config", expose_value=False, metavar="FILE", help="Not read by this command.")(
        function
    )


def json_option(function: Function) -> Function:
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")(function)


def the_server(config: Config, name: str | None) -> ServerConfig:
    """The server of this name; the only one where none is named. Exit 2 otherwise."""
    known = {server.name: server for server in config.servers}
    if name is None:
        if len(known) == 1:
            return config.servers[0]
        if not known:
            bad_usage(f"{config.file} has no servers")
        bad_usage(f"--server is needed: {', '.join(known)}")
    if name not in known:
        from gateway.yaml_source import did_you_mean

        bad_usage(f"no server {name} in {config.file}{did_you_mean(name, known)}")
    return known[name]


def bad_usage(what: str) -> NoReturn:
    raise click.UsageError(what, ctx=click.get_current_context(silent=True))


def actor() -> str:
    """Who does it, for the records: `cli:` and the user's name."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # no entry in the user database, as in some containers
        return f"cli:{os.getuid() if hasattr(os, 'getuid') else 'unknown'}"


def flush() -> None:
    sys.stdout.flush()
