"""Layer 3: datasets, downloads, augmentation, batches.

Legend: N images, H rows, W columns, C channels (1 gray, 3 RGB), K classes. Images are uint8 until they
are put into a batch, where they are float32 NHWC.

From a name, a folder or a file to batches::

    from cnncli.data.assemble import LoadOptions
    from cnncli.data.augment import parse_augment
    from cnncli.data.layout import Layout
    from cnncli.data.load import load_dataset
    from cnncli.data.loader import Loader
    from cnncli.data.model import statistics

    dataset = load_dataset("mnist", LoadOptions(val_split=0.1, seed=0, offline=True, threads=2))
    layout = Layout(label_column="breed")            # where the data are ambiguous
    dataset = load_dataset("photos.csv", LoadOptions(layout=layout))
    dataset.name, dataset.shape                      # "mnist", (28, 28, 1)
    dataset.targets.task, dataset.targets.classes    # "classification", ("0", … "9"): `class_labels`
    dataset.train, dataset.val, dataset.test         # splits; len(dataset.val) may be 0
    dataset.provenance                               # one line to print: what they are, from where
    dataset.notes, dataset.warnings, dataset.skipped # choices made, problems seen, files left out

    mean, std = statistics(dataset.train)            # float32 (C,), for values scaled to 0 to 1
    augment = parse_augment("auto", dataset=dataset.known, shape=dataset.shape)  # or "shift=2,rotate=10"
    loader = Loader(dataset.train, 128, mean=mean, std=std, augment=augment, seed=0, shuffle=True, threads=2)
    for batch in loader.epoch(0):                    # epoch(3, first=17) continues at batch 17 of epoch 3
        batch.x                                      # float32 (n, H, W, C), normalised; reused
        batch.targets                                # of the n images, as the data have them: `targets`
        batch.mixed, batch.share                     # mixup: the second targets, and the weight of the first
        batch.moves                                  # where augmentation took pixels from
        batch.indices                                # intp (n,): positions in the split

All image files are decoded once when a dataset is opened, even where they do not fit into memory; files that
cannot be decoded are listed in ``dataset.skipped`` and belong to no split.
The content of a batch depends only on the split, the batch size, the seed, the epoch and the batch's number,
never on the number of threads or on earlier random numbers. `split.name(i)` names an image in
reports; `split.read(indices, out)` gives the uint8 pixels that `prepare.prepared` made of an image;
`dataset.input_spec` says how, and the same function prepares any other image for the network.
"""
