"""What is trained: a task gives data, a network and a loss."""
