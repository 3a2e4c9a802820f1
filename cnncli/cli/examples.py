"""Examples at the end of each command's help and man page; tests run them, one after another."""

from typing import NamedTuple


class Example(NamedTuple):
    """A command line that runs where ``cnncli samples`` has been run, and what it does.

    Attributes
    ----------
    line : str
        For a shell; short enough for a terminal of 60 columns.
    meaning : str
        One sentence.
    """

    line: str
    meaning: str


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "": (
        Example("cnncli samples", "Copy the sample images to the folder samples."),
        Example("cnncli convolve samples/coins.png -k sobel", "Find the edges of a photograph."),
        Example("cnncli predict samples/digits/7.png", "Classify a handwritten digit."),
        Example("cnncli help convolve", "Explain a command, with examples."),
    ),
    "convolve": (
        Example(
            "cnncli convolve samples/coins.png -k sobel",
            "Write the edges to a file beside the photograph, and print its name.",
        ),
        Example(
            "cnncli convolve samples/chelsea.png -k blur:2 -o b.png",
            "Blur with a Gaussian whose standard deviation is 2 pixels.",
        ),
        Example(
            'cnncli convolve b.png -k "0 -1 0; -1 5 -1; 0 -1 0"',
            "Sharpen with a matrix of your own.",
        ),
        Example(
            "cnncli convolve b.png -k difference:samples/chelsea.png",
            "Show where it differs from another picture.",
        ),
        Example(
            "cnncli convolve b.png -k crop:90% -k resize:50% -o s.png",
            "Cut off the edges, and make it half as large.",
        ),
        Example(
            "cnncli convolve samples/*.png -k median -o medians/",
            "Filter many images into a folder.",
        ),
        Example(
            "cnncli convolve b.png -k sobel -o term:blocks",
            "See the result in the terminal, in colours.",
        ),
        Example(
            "cnncli convolve b.png -k canny -o e.png --explain x.png",
            "Also draw how the filter works on this image.",
        ),
        Example(
            "cnncli convolve b.png -k sobel:x -o e.png --explain x.html",
            "Explore the kernel on a page: move it, change its numbers.",
        ),
    ),
    "compare": (
        Example(
            "cnncli compare samples/digits/[17].png",
            "Print MSE, PSNR, SSIM and the like of two pictures.",
        ),
        Example(
            "cnncli compare samples/digits/[17].png -o d.png",
            "Also write a picture of where they differ.",
        ),
        Example(
            "cnncli compare samples/digits samples/digits --min ssim=1",
            "Compare pictures of the same name; exit with 1 below.",
        ),
    ),
    "predict": (
        Example(
            "cnncli predict samples/digits/*.png", "Classify digits with the model that ships with cnncli."
        ),
        Example(
            "cnncli predict samples/digits/7.png --top 1 --json", "Print the most probable class as JSON."
        ),
        Example(
            "ls samples/digits/*.png | cnncli predict --files-from -", "Take the names of images from a pipe."
        ),
    ),
    "evaluate": (
        Example(
            "cnncli evaluate mnist --offline",
            "Evaluate the digit model on the test digits that ship with cnncli.",
        ),
        Example(
            "cnncli evaluate mnist --offline -o report",
            "Also write the confusion matrix and the misclassified images to a folder.",
        ),
        Example(
            "cnncli evaluate truth.json --predictions results.json",
            "Score the boxes or masks of any detector as COCO does.",
        ),
        Example(
            "cnncli evaluate samples/digits --attributions all",
            "Compare attribution methods by number, beside the centre and chance.",
        ),
    ),
    "featuremaps": (
        Example(
            "cnncli featuremaps samples/digits/7.png -o maps.png",
            "Draw the feature maps of each stage for a digit.",
        ),
        Example(
            "cnncli featuremaps samples/digits/*.png -o digits.html",
            "Write a page for a browser: the network, its maps and arithmetic, and a pad to draw digits on.",
        ),
        Example(
            "cnncli featuremaps samples/digits/7.png --view filters",
            "Draw the kernels that the network has learned.",
        ),
        Example(
            "cnncli featuremaps --view patches --data mnist",
            "Find the parts of digits that excite units most.",
        ),
        Example(
            "cnncli featuremaps -m digits --view maximize --layer head",
            "Make inputs that classes answer to.",
        ),
        Example(
            "cnncli featuremaps samples/digits/7.png --explain conv2",
            "Work one value of a convolution out in numbers.",
        ),
    ),
    "kernels": (
        Example("cnncli kernels", "List all names."),
        Example("cnncli kernels gaussian:sigma=2", "Show the weights, rank and plan of one kernel."),
        Example('cnncli kernels "1 2 1; 2 4 2; 1 2 1"', "Show the same for a matrix of your own."),
        Example('cnncli kernels "gaussian:3 - gaussian:1"', "Show the matrix of arithmetic with kernels."),
    ),
    "models": (
        Example("cnncli models", "List all networks by name."),
        Example("cnncli models resnet50", "Show the layers of one, block by block."),
        Example(
            'cnncli models "conv8 relu pool fc" --size 32 --color',
            "Show layers of your own, for colour images of 32x32.",
        ),
        Example("cnncli models imagenet", "Show a trained network, here the one for photographs."),
    ),
    "draw": (
        Example("cnncli draw lenet5 -o lenet5.png", "Draw feature maps as boxes."),
        Example(
            "cnncli draw googlenet --style flow",
            "Draw modules and their insides as SVG, and print the file's name.",
        ),
        Example(
            'cnncli draw "conv8 relu pool fc" --size 32 -o - >net.svg',
            "Draw layers of your own.",
        ),
        Example(
            "cnncli draw digits --image samples/digits/3.png --backprop",
            "Draw a 3 on its way through the digit network, and gradients on their way back.",
        ),
        Example(
            "cnncli draw digits -o digits.html",
            "Write a page for a browser: draw a digit in it, and see the whole network answer.",
        ),
    ),
    "search": (
        Example("cnncli search index samples -o gallery", "Embed all images of a folder."),
        Example(
            "cnncli search query samples/coins.png -g gallery",
            "Find the images that are nearest to another.",
        ),
        Example(
            "cnncli search query samples/*.png -g gallery -o sheet.png",
            "Draw what is found for each as a contact sheet.",
        ),
        Example("cnncli search query --duplicates -g gallery", "Find copies and near copies."),
        Example(
            "cnncli search evaluate photos",
            "Measure the search on a folder with one folder per class.",
        ),
    ),
    "explain": (
        Example("cnncli explain", "Take the tour: kernel, feature map, layer, network, training, gradients."),
        Example("cnncli explain --step gradients", "Show one step."),
        Example("cnncli explain -o tour.html", "Write the tour as a page for a browser."),
    ),
    "formats": (
        Example("cnncli formats", "Show which formats are read and written."),
        Example("cnncli formats --json", "Print them as JSON, one object per line."),
    ),
    "train": (
        Example(
            "cnncli train mnist --offline --epochs 1 -o runs/digits",
            "Train for one epoch on the 5,000 digits that ship with cnncli.",
        ),
        Example(
            "cnncli train --resume runs/digits --epochs 2",
            "Continue that run, up to two epochs in all.",
        ),
        Example(
            "cnncli train photos --epochs 1",
            "Train on a folder with one folder per class, such as photos/cat.",
        ),
        Example(
            'cnncli train photos -m "conv16 relu pool fc" --epochs 1', "Train a network of your own layers."
        ),
        Example(
            "cnncli train mnist --offline --look -o page.png",
            "Draw training samples as augmentation changes them.",
        ),
        Example(
            "cnncli train digit-scenes --task detect --look -o s.png",
            "Draw scenes with boxes; without --look a detector learns to find them.",
        ),
        Example(
            "cnncli train digit-motions --look -o clips.png",
            "Draw frames of clips; without --look a network learns what moves where.",
        ),
        Example(
            "cnncli train movie-reviews --epochs 1 -o runs/reviews",
            "Train TextCNN on the reviews that ship; reviews.tsv may be yours.",
        ),
        Example(
            'cnncli predict -m runs/reviews --text "A moving film."',
            "Ask that network about a text; or pipe texts in, one a line.",
        ),
    ),
    "weights": (
        Example(
            "cnncli weights w.safetensors -m resnet18",
            "Check whether weights of torchvision fit their network.",
        ),
        Example(
            "cnncli weights w.safetensors -m resnet18 -o n.safetensors",
            "Write them as a checkpoint, for -m of every command.",
        ),
        Example(
            "cnncli weights net.onnx --mean 0 --std 1 -o n.safetensors",
            "Make a checkpoint of a model of ONNX, with what it does not say.",
        ),
    ),
    "export": (
        Example(
            "cnncli export digits --verify",
            "Write digits.onnx, and compare ONNX Runtime with us first.",
        ),
        Example(
            "cnncli export imagenet --with-preprocessing",
            "Let the model take photographs as they are.",
        ),
    ),
    "samples": (
        Example("cnncli samples", "Copy the images to the folder samples."),
        Example("cnncli samples pictures", "Copy them to another folder."),
    ),
    "help": (
        Example("cnncli help", "List the commands."),
        Example("cnncli help train", "Explain one of them."),
    ),
}
