"""artlab is a studio for one artist's own voice: a portfolio becomes a style, and the style makes pictures.

Layers, lowest first; a module imports only from rows above its own, and `tests/test_layers.py` keeps it so:

    settings files energy           ground: nothing of ours, no torch
    checkpoints images decoder database provenance    whole-or-absent folders; pictures in and out, safely; SQLite; marks
    drawing portfolio bases style metrics recipe optimizers accounts    nouns: they never import each other
    sources rundir jobs judge       where works come from; what a run is and whether it may go on; the queue; what pictures of a checkpoint say
    trainer monitors shift          the optimizer steps; listeners to a running training; the worker that takes jobs
    finetune generate pretrain look intake verbs: one public function, one settings object, one result
    transfer easel film             a picture in another style; what pictures from pictures have in common
    blend between vary inpaint evaluate    styles mixed, ways between pictures, variations, parts painted anew; a style judged
    demo studio enlarge gallery     the whole way on one page; the pages in the browser; pictures by the hundred from a plan
    worker                          the table of verbs: the one door
    flags, cli                      terminal
    hand                            the process that does a worker's jobs
"""

__version__ = "0.1.0"
