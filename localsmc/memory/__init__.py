"""What a model needs in memory, what the machine has, and how layers are placed on GPUs."""
