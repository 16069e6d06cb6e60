"""MVTec AD: one model per class, all classes in turn (--class-names bottle for one)."""

dataset = "mvtec"
input_size = (512, 512)
extractor = "wide_resnet50_2"
num_workers = 2
pro_eval = True
held_out = 0.0  # all pictures train, as published; for a threshold to judge new ones by: 0.2
