"""Sizes of the maps that unpadded convolutions of stride 2 make; needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence


def encoded_size(image_size: int, kernels: Sequence[int]) -> int:
    """Side of the last feature map of strided convolutions; 0 means that a kernel does not fit."""
    for kernel in kernels:
        image_size = (image_size - kernel) // 2 + 1 if image_size >= kernel else 0
    return image_size


def decoded_size(kernels: Sequence[int]) -> int:
    """Side of the image that strided transposed convolutions make from 1×1."""
    size = 1
    for kernel in kernels:
        size = (size - 1) * 2 + kernel
    return size
