from toyadmos_datasets.load import load_prepared as load_dataset
