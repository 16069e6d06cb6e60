"""TranAD as published for SMAP (VLDB 2022, section 4): what --detector tranad begins with; MSL has lr = 2e-3."""

detector = "tranad"
window = 10
hidden = 16
batch_size = 128
lr = 1e-3
lr_warmup_epochs = 0
lr_decay_milestones = [5, 10, 15, 20]  # every 5 epochs, should there be more than published
lr_decay_gamma = 0.9
weight_decay = 1e-5
grad_clip = 1e9
meta_epochs = 5
sub_epochs = 1
