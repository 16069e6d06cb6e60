"""USAD as published for SMAP (KDD 2020, section 4.3): what --detector usad begins with; MSL has latent = 33."""

detector = "usad"
window = 5
latent = 55
batch_size = 7919  # of the authors' code; the paper names none
lr = 1e-3
lr_warmup_epochs = 0
lr_decay_milestones = [100000]
grad_clip = 1e9
meta_epochs = 250
sub_epochs = 1
