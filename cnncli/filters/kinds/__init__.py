"""The kinds of filter, one a file: what it is made of, how far it reaches, its plans and loops, its opacity.

A kind is a subclass of `cnncli.filters.model.Filter`, which says what the engine asks; a kind with one named
kernel holds that kernel's entry too. Rows of `cnncli.filters.named.MODULES` name the files.

===============  ================================  ===================  =====================================
kind             response                          reaches              plans
===============  ================================  ===================  =====================================
linear           sum of weights times pixels       kernel               direct, separable, box, fft
unsharp          the same, small changes left out  kernel               as linear, then a threshold
gradient         magnitude or direction of a pair  kernels              one pass
bank             strongest, its direction, norm    kernels              one pass, or a transform each
median           middle of the sorted window       size // 2            network, histogram, ranks
bilateral        mean of pixels alike              size // 2            exact, or a grid
canny            edges, traced by hysteresis       blur and 2 pixels    ridges, hysteresis, marks
zero_crossings   edges where a sum changes sign    kernel               as linear, then sign changes
kuwahara         mean of the least varying corner  size // 2            sums by doubling
levels           a curve, maybe of all values      the pixel, or all    a table of integers, or each
threshold        a step of that, or adaptive       the same             as levels
clahe            shares of pixels in tiles         all                  tables of tiles, then rows
pair             of two pixels of one place        pixel                by blocks, integers or floats
adaptive         comparison with a mean            kernel               as linear, then a comparison
morphology       extremes under an element         element, twice       runs, columns in blocks
resize           weighted sums over another grid   taps                 rows, then columns; nearest pixels
crop             a part                            the pixel            copy
turn             pixels elsewhere, or between      the pixel, or taps   copy; affine
===============  ================================  ===================  =====================================
"""
