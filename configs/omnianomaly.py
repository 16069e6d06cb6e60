"""OmniAnomaly as published (KDD 2019, section 4.3): what --detector omnianomaly begins with, for SMAP as for MSL."""

detector = "omnianomaly"
window = 100
hidden = 500
latent = 3
planar_flows = 20
batch_size = 50
lr = 1e-3
lr_warmup_epochs = 0
lr_decay_milestones = [40, 80]  # halved every 40 epochs: never in 10
lr_decay_gamma = 0.5
weight_decay = 1e-4
grad_clip = 10.0
held_out = 0.3  # the authors' validation
meta_epochs = 10
sub_epochs = 1
