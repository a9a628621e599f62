"""What two or more sources use: line dedup, language, perplexity, classifier, MinHash, kernels."""
