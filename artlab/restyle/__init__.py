"""Pictures in the colours (`palette`) and the texture (`texture`) of other pictures: in their own pixels, with no diffusion model.

Works on tensors (3, h, w) in [0, 1], see `colour`. `artlab transfer` offers both to people; `finetune` lets a base's pictures take on her hand.
"""
