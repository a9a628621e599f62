"""The runtime of fastText's supervised models: file, dictionary, hidden layer, output layer."""
