"""artlab is a studio for one artist's own voice: a portfolio becomes a style, and the style makes pictures.

Layers, lowest first; a module imports only from rows above its own, and `tests/test_layers.py` keeps it so:

    settings files energy           ground: nothing of ours, no torch
    checkpoints images decoder      whole-or-absent folders; pictures in and out, safely
    drawing portfolio bases style metrics recipe optimizers    nouns: they never import each other
    sources rundir                  where works come from; what a run is and whether it may go on
    trainer monitors                the optimizer steps; listeners to a running training
    finetune generate pretrain look intake verbs: one public function, one settings object, one result
    demo                            the whole way on one page
    worker                          the table of verbs: the one door
    flags, cli                      terminal
"""

__version__ = "0.1.0"
