"""Where data sets come from: readers, the synthetic sample and downloads; the data lie in folders beside them."""
