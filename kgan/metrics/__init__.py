"""Figures that say how good samples are, each a function of arrays; with its protocol, or it means nothing.

- features: from images to activations, by the network of your choice
- distances: Fréchet and kernel distance between activations
- precision_recall: how many samples look real, and how many real ones could be samples
- modes: which modes, classes or regions are left out
- codes: likelihood bounds, sharpness and what codes know, for autoencoders
- neighbours: the nearest training examples, to show that nothing was memorised
- protocol: all of these at once, each printed with how it was measured
"""
