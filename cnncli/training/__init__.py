"""Layer 5: the training loop, checkpoints, resume, logs.

A checkpoint, for those who use trained networks::

    from cnncli.training.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(Path("best.safetensors"))
    checkpoint.task                        # .name, .outputs: "classification", ("0", … "9"); `tasks`
    checkpoint.preprocessing               # .mean, .std, .size (H, W), .channels, .digits
    checkpoint.architecture                # .name, .layers, .input_shape, .classes
    checkpoint.training                    # dict: dataset, epoch, options, …
    network = checkpoint.network()         # nn.Network with its weights

`tensors` reads and writes safetensors files; `loop.Trainer` trains; `state` keeps all that a resumed run
needs; `schedules` gives learning rates; `options.TrainOptions` is what a run was asked for.
"""
