"""artlab is a studio for one artist's own voice: a portfolio becomes a style, and the style makes pictures.

Layers, lowest first; a module imports only from rows above its own, and `tests/test_layers.py` keeps it so:

    settings files energy           ground: nothing of ours, no torch
    images                          pictures in and out, safely
    drawing portfolio bases style metrics checkpoints    nouns: they never import each other
    monitors                        listeners to a running training
    finetune generate pretrain      verbs: one public function of the module's name, one settings object, one result
    demo                            the whole way on one page
    worker                          the table of verbs: the one door
    cli                             terminal
"""

__version__ = "0.1.0"
