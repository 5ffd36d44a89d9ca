// Layers on a tile of lanes, for one instruction set.
//
//   a tile's rows, feature by feature          one product: F features of a tile
//            lane: 0 1 2 …  V · kWidth          acc[F][V] in registers
//   x   0    [ lanes' x_0         ]            for k: V loads of the rows,
//       1    [ lanes' x_1         ]                   F broadcasts of the panel,
//       …    [ …                  ]                   F · V multiply-adds
//
// The order of additions does not depend on the tile. A layer's inputs (depth ·
// lanes floats) stay in the first caches while the panels stream past.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_LAYERS_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_LAYERS_H_

#include "ops/cem/cc/kernels/elementwise.h"
#include "ops/cem/cc/kernels/packed.h"

namespace lookahead {
namespace cem {
namespace LOOKAHEAD_ISA {

constexpr int kFeatures = LOOKAHEAD_FEATURES;

LOOKAHEAD_ALWAYS Floats Activated(Floats v, Activation activation) {
  if (activation == kRelu) return AtLeast(v, 0.0f);
  if (activation == kElu) return Where(v < 0.0f, ExpMinusOne(AtMost(v, 0.0f)), v);
  return v * Sigmoid(v);
}

static inline void Activate(Activation activation, int64_t count, float* values) {
  switch (activation) {
    case kRelu:
      for (int64_t i = 0; i < count; i += kWidth) {
        Store(values + i, Activated(Load(values + i), kRelu));
      }
      break;
    case kElu:
      for (int64_t i = 0; i < count; i += kWidth) {
        Store(values + i, Activated(Load(values + i), kElu));
      }
      break;
    case kSwish:
      for (int64_t i = 0; i < count; i += kWidth) {
        Store(values + i, Activated(Load(values + i), kSwish));
      }
      break;
  }
}

template <int V>
struct Products {
  static constexpr int64_t kLanes = V * kWidth;

  // What a product reads of `count` rows: the rows themselves, or their pairs,
  // which are written to `out`; an odd last row is paired with zeros.
  static const float* Inputs(const float* rows, int64_t count, float* out) {
#if LOOKAHEAD_PAIRS
    for (int64_t k = 0; k < count; k += 2) {
      for (int64_t v = 0; v < kLanes; v += kWidth) {
        const float* even = rows + k * kLanes + v;
        const Floats odd = k + 1 < count ? Load(even + kLanes) : Splat(0.0f);
        Store(out + k / 2 * kLanes + v, Paired(Load(even), odd));
      }
    }
    return out;
#else
    static_cast<void>(count);
    static_cast<void>(out);
    return rows;
#endif
  }

  // Rows of F features each: out = panel's bias + in · panel.
  LOOKAHEAD_ALWAYS void Product(const float* __restrict in, int64_t words,
                                const float* __restrict panel, const float* bias,
                                float* __restrict out) {
    Floats acc[kFeatures][V];
#pragma GCC unroll 8
    for (int f = 0; f < kFeatures; ++f) {
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) acc[f][v] = Splat(bias[f]);
    }
#pragma GCC unroll 4
    for (int64_t k = 0; k < words; ++k) {
      Floats x[V];
      __builtin_prefetch(panel + (words + k) * kFeatures);  // The next panel.
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) x[v] = Load(in + k * kLanes + v * kWidth);
#pragma GCC unroll 8
      for (int f = 0; f < kFeatures; ++f) {
        const Floats w = Splat(panel[k * kFeatures + f]);
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) acc[f][v] = Accumulated(acc[f][v], x[v], w);
      }
    }
#pragma GCC unroll 8
    for (int f = 0; f < kFeatures; ++f) {
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) Store(out + f * kLanes + v * kWidth, acc[f][v]);
    }
  }

  static __attribute__((noinline)) void Panel(const float* in, const PackedLayer& layer, int64_t n,
                                              float* out) {
    Product(in, layer.words, layer.panels + n * layer.words, layer.bias + n, out);
  }

  // A whole layer; its last panel may write up to F − 1 rows beyond its width.
  static void Linear(const PackedLayer& layer, const float* in, float* out) {
    for (int64_t n = 0; n < layer.width; n += kFeatures) Panel(in, layer, n, out + n * kLanes);
  }

  // The same with activation, as inputs of the next product. Each panel is finished
  // while it is in the first cache; where inputs are pairs, in `panel`'s F rows.
  static void Hidden(const PackedLayer& layer, Activation activation, const float* in, float* panel,
                     float* out) {
    for (int64_t n = 0; n < layer.width; n += kFeatures) {
      float* rows = LOOKAHEAD_PAIRS ? panel : out + n * kLanes;
      Panel(in, layer, n, rows);
      Activate(activation, kFeatures * kLanes, rows);
      if (LOOKAHEAD_PAIRS) Inputs(rows, kFeatures, out + n / 2 * kLanes);
    }
  }

  // Layers with activations between them; behind the last one too if `closed`, and
  // then its outputs are a product's inputs, not rows. They end in one of `work`'s
  // two places, of the widest layer's rows and F more; `in` may be the other.
  static const float* Stack(const PackedLayers& layers, Activation activation, const float* in,
                            bool closed, float* panel, float* const work[2]) {
    for (int64_t i = 0; i < layers.count; ++i) {
      const PackedLayer& layer = layers.layer[i];
      float* out = in == work[0] ? work[1] : work[0];
      if (closed || i + 1 < layers.count) {
        Hidden(layer, activation, in, panel, out);
      } else {
        Linear(layer, in, out);
      }
      in = out;
    }
    return in;
  }
};

}  // namespace LOOKAHEAD_ISA
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_LAYERS_H_
