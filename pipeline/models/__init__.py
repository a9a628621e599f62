"""Training, fetching and measuring of the models that stages use: language, perplexity, references."""
