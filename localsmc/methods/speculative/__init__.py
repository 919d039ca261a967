"""Decoding with a draft and a target model: lossless speculative decoding and cascades."""
