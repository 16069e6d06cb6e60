"""The reference recipe on NASA's SMAP telemetry. It is what default.py holds; here it stays when that is edited."""

dataset = "smap"
class_names = ["all"]
input_size = (512, 512)
smap_used_dims = [0, 1, 2]
extractor = "wide_resnet50_2"
pool_type = "avg"
parallel_blocks = [2, 5, 8]
batch_size = 8
lr = 1e-4
meta_epochs = 25
sub_epochs = 4
