"""Models without taste: means, biases, popularity, chance."""
