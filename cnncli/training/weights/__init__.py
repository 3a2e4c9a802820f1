"""Weights from elsewhere: files that PyTorch users have, made into checkpoints.

`load.load_weights` reads a ``.safetensors`` or a folder with its ``config.json``; every command that takes
such weights uses it, and has a `Checkpoint` from there on::

    from cnncli.training.weights.load import load_weights

    found = load_weights("resnet18.safetensors", "resnet18")
    found.checkpoint.network(), found.notes

`names` brings the names of arrays to ours, `compare` says what does not fit, `pixels` how pictures are
prepared for published weights, `config` what a ``config.json`` says, and `classes` reads names of classes.
"""
