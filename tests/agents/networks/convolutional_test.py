from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.networks.convolutional import ConvolutionalDecoder, ConvolutionalEncoder
from agents.networks.geometry import decoded_size, encoded_size

# Side of the image, encoder's kernels, decoder's kernels: the paper's, and the small run's.
SIZES = [(64, (4, 4, 4, 4), (5, 5, 6, 6)), (32, (4, 4, 4), (32,))]


@pytest.mark.parametrize(("size", "kernels", "_"), SIZES)
def test_an_encoder_flattens_its_last_map(size: int, kernels, _):
    encoder = ConvolutionalEncoder(range(2, 2 + len(kernels)), kernels)
    features = encoder(tf.zeros([3, size, size, 3]))
    assert encoded_size(size, kernels) == 2
    assert features.shape == (3, 2 * 2 * (1 + len(kernels)))


@pytest.mark.parametrize(("size", "_", "kernels"), SIZES)
def test_a_decoder_makes_images_of_the_size_its_kernels_say(size: int, _, kernels):
    decoder = ConvolutionalDecoder((8, 6), (4,) * (len(kernels) - 1) + (3,), kernels)
    assert decoded_size(kernels) == size
    assert decoder(tf.zeros([2, 5])).shape == (2, size, size, 3)


def test_images_of_a_batch_do_not_mix():
    rng = np.random.RandomState(0)
    encoder = ConvolutionalEncoder((4, 4, 4), (4, 4, 4))
    decoder = ConvolutionalDecoder((8,), (4, 4, 3), (5, 6, 6))
    images = tf.constant(rng.uniform(-0.5, 0.5, [3, 32, 32, 3]), tf.float32)
    together = decoder(encoder(images))
    alone = tf.concat([decoder(encoder(images[i : i + 1])) for i in range(3)], axis=0)
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kernels", "expected"),
    [(64, (4, 4, 4, 4), 2), (8, (4, 3), 1), (8, (4, 4), 0), (8, (), 8), (3, (4, 1), 0)],
)
def test_encoded_size_is_zero_where_a_kernel_does_not_fit(size: int, kernels, expected: int):
    assert encoded_size(size, kernels) == expected
