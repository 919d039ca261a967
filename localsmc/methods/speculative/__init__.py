"""Two models writing together: lossless speculative decoding and cascades."""
