"""Algorithms that compute a convolution and its gradients; `layers.convolution` chooses by sizes."""
