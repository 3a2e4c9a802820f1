"""What the views of ``cnncli featuremaps`` are asked to draw, as the command line says it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import BASELINES
from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.options.featuremaps import Settings
from cnncli.cli.progress import progress_bar
from cnncli.cli.trained import Trained
from cnncli.views.featuremaps.model import Pictures, Request
from cnncli.views.featuremaps.table import VIEWS


def request_of(settings: Settings, trained: Trained, views: Sequence[str], *, threads: int) -> Request:
    """The request that all views get, but for their layers.

    Raises
    ------
    UsageError
        Where something is asked of a view that is not drawn.
    CnncliError
        Where ``--data`` has no images.
    """
    values.within("--seed", settings.seed, 0)
    values.choice("--baseline", settings.baseline, BASELINES)
    for word, given in (("--target", settings.target), ("--region", settings.region)):
        if given and not {*METHODS, "sanity"} & set(views):
            raise UsageError(
                f"{word} is given without a view of attributions; expected one of {', '.join(METHODS)}, "
                "sanity",
                "Add --view gradcam, for example.",
            )
    if settings.baseline != "mean" and not {"integrated", "occlusion", "sanity"} & set(views):
        raise UsageError(
            "--baseline is given without --view integrated or occlusion; expected one of them",
            "Leave --baseline out.",
        )
    _check_views(settings, views)
    return Request(
        named=bool(settings.layer),
        every=settings.all,
        units=tuple(word for each in settings.unit or () for word in _words(each, trained)),
        targets=tuple(settings.target or ()),
        region=_region(settings.region),
        baseline=settings.baseline,
        pictures=_pictures(settings, trained, views, threads=threads),
        seed=settings.seed,
        progress=partial(shown_progress, quiet=settings.quiet),
    )


def _check_views(settings: Settings, views: Sequence[str]) -> None:
    """Options that say something of some views only need one of them."""
    of_layers = [view for view in VIEWS if view not in METHODS or view == "gradcam"]
    for option, given, drawn in (
        ("--unit", bool(settings.unit), ["patches", "maximize"]),
        ("--seed", values.within("--seed", settings.seed, 0) != 0, ["maximize", "smoothgrad", "sanity"]),
        ("--all", settings.all, of_layers),
    ):
        if given and not set(drawn) & set(views):
            raise UsageError(
                f"{option} is given without a view that it changes; expected one of {', '.join(drawn)}",
                f"Leave {option} out, or add --view {drawn[0]}.",
            )


def _region(text: str | None) -> tuple[float, float, float, float] | None:
    """x, y, width and height."""
    found = values.numbers("--region", text)
    if found is None:
        return None
    if len(found) != 4 or min(found[2:]) <= 0:
        raise UsageError(
            f"--region is {text!r}; expected x, y, width and height, in pixels of the image",
            "Write, for example: --region 10,20,64,48",
        )
    x, y, width, height = found
    return x, y, width, height


def _words(text: str, trained: Trained) -> list[str]:
    """Units between commas; the name of a class may have some of its own."""
    return [text] if text in trained.task.outputs else text.split(",")


def _pictures(settings: Settings, trained: Trained, views: Sequence[str], *, threads: int) -> Pictures | None:
    """The images of ``--data``."""
    if settings.data is None:
        return None
    if "patches" not in views:
        raise UsageError("--data is given without --view patches; expected both", "Add --view patches.")
    from cnncli.cli.featuremaps_data import pictures_of

    return pictures_of(settings.data, trained, offline=settings.offline, threads=threads)


def shown_progress(count: int, unit: str, *, quiet: bool) -> Any:
    """A bar for so many items, as views ask for it."""
    return progress_bar(count, unit=unit, quiet=quiet)
