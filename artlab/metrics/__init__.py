"""What a picture looks like to a network, and figures about sets of pictures. Features in, numbers out.

    errors                             what a figure or a network refuses
    effnet  mini_clip                  the embedded networks
    extractors                         networks by name, features cached by content
    nulls                              what chance alone gives, z-scores
    fidelity  agreement  copying       pure functions of feature arrays

Every figure carries its extractor's name: only the Inception network's distance is FID, only CLIP's agreement is CLIP score.
"""

from artlab.metrics.effnet import EXTRACTOR, TAPS, features, nearest, network, style_features, taps

__all__ = ["EXTRACTOR", "TAPS", "features", "nearest", "network", "style_features", "taps"]
