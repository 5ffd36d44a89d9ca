// A tile of rows through a stack of layers, for one instruction set.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_NETWORK_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_NETWORK_H_

#include "ops/cem/cc/kernels/layers.h"

namespace lookahead {
namespace cem {
namespace LOOKAHEAD_ISA {

// Rows of a tile that its widest layer takes, inputs included.
static int64_t WorkRows(const PackedLayers& layers) {
  int64_t widest = layers.layer[0].depth;
  for (int64_t i = 0; i < layers.count; ++i) {
    if (layers.layer[i].width > widest) widest = layers.layer[i].width;
  }
  return widest + kFeatures;
}

static int64_t NetworkScratch(const PackedLayers& layers, int64_t vectors) {
  return (3 * WorkRows(layers) + kFeatures) * vectors * kWidth;
}

template <int V>
static void NetworkTile(const PackedLayers& layers, Activation activation, const float* inputs,
                        int64_t rows, float* outputs, float* scratch) {
  constexpr int64_t kLanes = V * kWidth;
  const int64_t place = WorkRows(layers) * kLanes;
  const int64_t in = layers.layer[0].depth, out = layers.layer[layers.count - 1].width;
  float* const work[2] = {scratch, scratch + place};
  float* lanes = scratch + 2 * place;
  for (int64_t i = 0; i < in; ++i) {
    for (int64_t n = 0; n < kLanes; ++n) lanes[i * kLanes + n] = n < rows ? inputs[n * in + i] : 0;
  }
  const float* first = Products<V>::Inputs(lanes, in, work[0]);
  const float* last =
      Products<V>::Stack(layers, activation, first, false, scratch + 3 * place, work);
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t i = 0; i < out; ++i) outputs[n * out + i] = last[i * kLanes + n];
  }
}

static void Network(const PackedLayers& layers, Activation activation, const float* inputs,
                    int64_t rows, int64_t vectors, float* outputs, float* scratch) {
  if (vectors == 1) NetworkTile<1>(layers, activation, inputs, rows, outputs, scratch);
  if (vectors == 2) NetworkTile<2>(layers, activation, inputs, rows, outputs, scratch);
  if (vectors == 3) NetworkTile<3>(layers, activation, inputs, rows, outputs, scratch);
}

}  // namespace LOOKAHEAD_ISA
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_NETWORK_H_
