"""``cnncli search``: images that look like others."""

from importlib import import_module

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.options import command
from cnncli.cli.options.search import Settings
from cnncli.core.threads import thread_count
from cnncli.errors import CnncliError
from cnncli.images.decoding_limits import set_max_pixels

#: Each action and the options that only some actions have.
ACTIONS = {
    "index": ("output", "model", "scheduler", "scheduler_file"),
    "query": ("gallery", "output", "model", "top", "within", "duplicates", "approximate"),
    "evaluate": ("model",),
}


def run(settings: Settings) -> int:
    """Run the command and return its exit code: 1 where an image could not be read.

    Raises
    ------
    UsageError
        There is no such action, or an option is given that it does not have.
    """
    action = values.choice("ACTION", settings.action, (*ACTIONS,))
    for option in command("search").options:
        special = any(option.name in names for names in ACTIONS.values())
        given = getattr(settings, option.name) != option.unset
        if special and given and option.name not in ACTIONS[action]:
            having = " and ".join(each for each, names in ACTIONS.items() if option.name in names)
            raise UsageError(
                f"{option.words[0]} is given for {action}; expected it for {having}",
                "Leave it out. See: cnncli search --help",
            )
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    try:
        cores = thread_count(settings.threads)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    code: int = import_module(f"cnncli.cli.search_{action}").run(settings, threads=cores)
    return code
