"""The data set that ``cnncli evaluate`` names, for its figures and for those of attributions."""

from cnncli.cli.options.evaluate import Settings
from cnncli.data.assemble import LoadOptions
from cnncli.data.image_facts import ImageOptions
from cnncli.data.layout import Layout
from cnncli.data.load import load_dataset
from cnncli.data.model import Dataset
from cnncli.data.prepare import InputSpec


def load_evaluated(
    settings: Settings,
    input_spec: InputSpec | None,
    *,
    threads: int,
    task: str | None = None,
    strict: bool = False,
) -> Dataset:
    """The data set as a network takes its images (None: at their usual size), nothing held out."""
    return load_dataset(
        settings.dataset,
        LoadOptions(
            image_options=ImageOptions(input_spec=input_spec),
            offline=settings.offline,
            threads=threads,
            for_training=False,
            layout=Layout(
                splits=settings.splits,
                label_column=settings.label_column,
                path_column=settings.path_column,
                text_column=settings.text_column,
            ),
            whole=True,
            task=task,
            strict=strict,
        ),
    )
