"""The command `veridical`: its subcommands, and what becomes of their errors.

A subcommand is one function in a file of its own; adding one is adding a line to `COMMANDS`. Its
module is imported only when it is called, so that `verify` starts without what it does not need.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import Final

from cyclopts import App, CycloptsError

from veridical import errors
from veridical.cli.console import print_error
from veridical.cli.exit_codes import ExitCode, exit_code_of

__all__ = ["COMMANDS", "main", "make_app"]

#: Packages of extras, each under the extra that brings it; a base install verifies and runs.
EXTRA: Final = {
    **dict.fromkeys(("matplotlib", "mpmath", "onnx", "onnxruntime"), "compile"),
    **dict.fromkeys(("alembic", "prometheus_client", "psycopg", "sqlalchemy", "uvloop"), "serve"),
    **dict.fromkeys(("dcap_qvl", "lxml", "sevsnpmeasure", "signxml"), "tee"),
    "httpx": "client",
}
#: Name of each subcommand, where its function is, and what the list of commands says of it.
COMMANDS: Final = {
    "compile": ("veridical.cli.compile:compile_", "Compile an ONNX model into a program."),
    "run": ("veridical.cli.run:run", "Run a program and issue a receipt."),
    "prove": ("veridical.cli.prove:prove", "Add a succinct proof to a receipt."),
    "register": ("veridical.cli.register:register", "Prove what hidden weights keep, once."),
    "verify": ("veridical.cli.verify:verify", "Accept a receipt, or say why not."),
    "explain": ("veridical.cli.explain:explain", "List every check of a receipt."),
    "key": ("veridical.cli.key:app", "Make a signing key, or show one."),
    "cache": ("veridical.cli.cache:app", "Show or clear what is kept between commands."),
    "serve": ("veridical.cli.serve:serve", "Serve programs; every answer carries a receipt."),
    "apikey": ("veridical.cli.serve:apikey", "Say who may call a gateway."),
    "proxy": ("veridical.cli.proxy:proxy", "Verified answers for a client without receipts."),
    "attach": ("veridical.cli.post:attach_", "Bind a published text to its receipt."),
    "check-post": ("veridical.cli.post:check_post_", "Is a text, unchanged, the model's output?"),
    "log": ("veridical.cli.log:app", "Keep a transparency log, and check one."),
    "tee": ("veridical.cli.tee:app", "Look at quotes of hardware, and verify them."),
    "demo": ("veridical.cli.demo:demo", "Watch the main job on two models: answer, forge, prove."),
    "doctor": ("veridical.cli.doctor:doctor", "Say what works here, and why something does not."),
}


def make_app() -> App:
    """Return the command line application."""
    app = App(
        name="veridical",
        help="Make an AI answer checkable: compile, run, issue a receipt, verify it.",
        help_epilogue=(
            "Exit codes: 0 accepted, 1 rejected, 2 usage, 3 undecided, 4 internal. "
            "Results are on stdout, everything else on stderr."
        ),
        version=_version,
        result_action="return_value",
        exit_on_error=False,
        print_error=True,
    )
    for order, (name, (target, summary)) in enumerate(COMMANDS.items()):
        app.command(target, name=name, help=summary, sort_key=order)
    return app


def _version() -> str:
    return metadata.version("veridical")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of the verdict."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> ExitCode:
    """Run one command and return its exit code; nothing but a signal leaves as an exception."""
    is_json = "--json" in arguments
    try:
        result = make_app()(list(arguments))
    except CycloptsError:  # cyclopts has printed it, with the usage
        return ExitCode.USAGE
    except errors.Error as error:
        print_error(error, is_json=is_json)
        return exit_code_of(error)
    except BrokenPipeError:  # the reader has seen enough; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.INTERNAL
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as defect:  # noqa: BLE001 - no defect, nor a panic of the extension, is a verdict
        if isinstance(defect, ModuleNotFoundError) and defect.name in EXTRA:
            message = f"this command needs the package {defect.name}, which is not installed"
            advice = f"Install the extra: veridical[{EXTRA[defect.name]}]."
            print_error(errors.InputError(message, advice=advice), is_json=is_json)
            return ExitCode.USAGE
        if os.environ.get("VERIDICAL_TRACEBACK"):
            traceback.print_exc()
        message = f"{type(defect).__name__}: {defect}"
        advice = "Set VERIDICAL_TRACEBACK=1 to see where; please report it."
        print_error(errors.InternalError(message, advice=advice), is_json=is_json)
        return ExitCode.INTERNAL
    return result if isinstance(result, ExitCode) else ExitCode.ACCEPTED
