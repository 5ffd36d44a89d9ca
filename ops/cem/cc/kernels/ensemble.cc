#include "ops/cem/cc/kernels/ensemble.h"

#include <algorithm>

namespace lookahead {
namespace cem {
namespace {

// The layers' sizes, without weights.
Layers LayersOf(const std::vector<int64_t>& sizes) {
  Layers layers = {};
  layers.count = static_cast<int64_t>(sizes.size()) - 1;
  for (int64_t i = 0; i < layers.count; ++i) {
    layers.layer[i] = {nullptr, nullptr, sizes[i], sizes[i + 1]};
  }
  return layers;
}

int64_t Weights(const std::vector<int64_t>& sizes) {
  int64_t sum = 0;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) sum += sizes[i] * sizes[i + 1];
  return sum;
}

}  // namespace

int64_t PackedMemberFloats(const PanelLayout& layout, const std::vector<int64_t>& sizes) {
  PackedLayers unused;
  return PackLayers(LayersOf(sizes), layout, nullptr, &unused);
}

void PackEnsemble(const PanelLayout& layout, const std::vector<int64_t>& sizes, int64_t members,
                  const std::vector<const float*>& weights, const std::vector<const float*>& biases,
                  const Threads& threads, float* packed) {
  const int64_t floats = PackedMemberFloats(layout, sizes);
  const auto pack = [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e) {
      Layers layers = LayersOf(sizes);
      for (int64_t i = 0; i < layers.count; ++i) {
        Layer& layer = layers.layer[i];
        layer.weights = weights[i] + e * layer.depth * layer.width;
        layer.bias = biases[i] + e * layer.width;
      }
      PackedLayers unused;
      PackLayers(layers, layout, packed + e * floats, &unused);
    }
  };
  threads.parallel_for(members, 2 * Weights(sizes), pack);
}

void EvaluateEnsemble(const Kernels& kernels, const std::vector<int64_t>& sizes,
                      Activation activation, const float* packed, int64_t members, int64_t rows,
                      const float* inputs, const Threads& threads, float* outputs) {
  if (members == 0 || rows == 0) return;
  std::vector<PackedLayers> networks(members);
  const int64_t floats = PackedMemberFloats(kernels.layout, sizes);
  for (int64_t e = 0; e < members; ++e) {
    // Layers without weights are only found again, not written.
    PackLayers(LayersOf(sizes), kernels.layout, const_cast<float*>(packed) + e * floats,
               &networks[e]);
  }
  const int64_t vectors = Parts(rows, kernels.width);
  const int64_t tiles = CountTiles(kernels, vectors, Parts(threads.count, members));
  const auto work = [&](int64_t tile, float* scratch) {
    const int64_t e = tile / tiles, t = tile % tiles;
    const int64_t begin = t * vectors / tiles, end = (t + 1) * vectors / tiles;
    const int64_t first = e * rows + begin * kernels.width;
    const int64_t count = std::min(end * kernels.width, rows) - begin * kernels.width;
    kernels.network(networks[e], activation, inputs + first * sizes.front(), count, end - begin,
                    outputs + first * sizes.back(), scratch);
  };
  const int64_t most = Parts(vectors, tiles);
  ForEachTile(threads, members * tiles, Weights(sizes) * most / 2,
              kernels.network_scratch(networks[0], most), work);
}

}  // namespace cem
}  // namespace lookahead
