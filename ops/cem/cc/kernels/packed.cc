#include "ops/cem/cc/kernels/packed.h"

#include <algorithm>
#include <cstring>

namespace lookahead {
namespace cem {
namespace {

int64_t WholePanels(int64_t width, int64_t features) {
  return (width + features - 1) / features * features;
}

// Rounds to the nearest bfloat16, a tie to the even one; a NaN stays one.
uint16_t ToBfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  if (x != x) return bits >> 16 | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// Hands out memory, or only counts it where there is none; what has no weights
// gets its place and nothing is written there.
class Packer {
 public:
  Packer(float* memory, const PanelLayout& layout) : memory_(memory), layout_(layout) {}

  int64_t used() const { return used_; }

  // Columns `first` … `first + width` of a layer; `top` has the weights of its
  // first rows (count_top of them) where they are apart from the others below.
  PackedLayer Columns(const Layer& bottom, const float* top, int64_t count_top, int64_t first,
                      int64_t width) {
    const int64_t whole = WholePanels(width, layout_.features);
    const int64_t depth = count_top + bottom.depth, words = layout_.pairs ? (depth + 1) / 2 : depth;
    float* bias = Take(whole);
    float* panels = Take(whole * words);
    if (memory_ != nullptr && bottom.weights != nullptr) {
      std::fill_n(panels, whole * words, 0.0f);
      for (int64_t n = 0; n < whole; ++n) bias[n] = n < width ? bottom.bias[first + n] : 0.0f;
      for (int64_t k = 0; k < depth; ++k) {
        const float* row = k < count_top ? top + k * bottom.width
                                         : bottom.weights + (k - count_top) * bottom.width;
        PackRow(row + first, width, k, words, panels);
      }
    }
    return {panels, bias, depth, width, words};
  }

  PackedLayer Whole(const Layer& layer) { return Columns(layer, nullptr, 0, 0, layer.width); }

 private:
  float* Take(int64_t count) {
    float* taken = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (count + 15) / 16 * 16;  // Keeps cache lines whole.
    return taken;
  }

  // Row k of the weights to its place in all panels.
  void PackRow(const float* row, int64_t width, int64_t k, int64_t words, float* panels) const {
    const int64_t features = layout_.features, word = (layout_.pairs ? k / 2 : k) * features;
    for (int64_t n = 0; n < width; n += features, panels += features * words) {
      const int64_t count = std::min(features, width - n);
      if (layout_.pairs) {
        PackHalves(row + n, count, k % 2, panels + word);
      } else {
        std::copy_n(row + n, count, panels + word);
      }
    }
  }

  // The lower or the upper halves of words.
  static void PackHalves(const float* row, int64_t count, int64_t upper, float* words) {
    for (int64_t n = 0; n < count; ++n) {
      const uint16_t half = ToBfloat16(row[n]);
      std::memcpy(reinterpret_cast<char*>(words + n) + upper * sizeof(half), &half, sizeof(half));
    }
  }

  float* memory_;
  PanelLayout layout_;
  int64_t used_ = 0;
};

void PackStack(const Layers& layers, Packer* packer, PackedModel* packed, PackedLayers* out) {
  out->count = layers.count;
  for (int64_t i = 0; i < layers.count; ++i) {
    out->layer[i] = packer->Whole(layers.layer[i]);
    packed->widest = std::max(packed->widest, layers.layer[i].width);
  }
}

// Returns the floats used; packs only where `memory` is not null.
int64_t PackInto(const Model& model, const PanelLayout& layout, float* memory,
                 PackedModel* packed) {
  Packer packer(memory, layout);
  *packed = {};
  packed->action_size = model.action_size;
  packed->stochastic_size = model.stochastic_size;
  packed->deterministic_size = model.deterministic_size;
  packed->has_gru = model.has_gru;
  packed->activation = model.activation;
  packed->sample = model.sample && model.prior_stddev;
  packed->model_stddev = model.model_stddev;
  // The action's weights lie below the stochastic state's: [s, a] is one input.
  Layer action = model.input.layer[0];
  action.weights = model.action_weights;
  action.depth = model.action_size;
  Layers input = model.input;
  PackStack(input, &packer, packed, &packed->input);
  const Layer& first = model.input.layer[0];
  packed->input.layer[0] = packer.Columns(action, first.weights, first.depth, 0, first.width);
  // Nobody reads the deviations of latents that are means.
  Layers prior = model.prior;
  PackStack(prior, &packer, packed, &packed->prior);
  if (!packed->sample) packed->prior.layer[prior.count - 1].width = model.stochastic_size;
  PackStack(model.reward, &packer, packed, &packed->reward);
  const int64_t d = model.deterministic_size;
  for (int64_t gate = 0; model.has_gru && gate < kGates; ++gate) {
    packed->gru_input[gate] = packer.Columns(model.gru_input, nullptr, 0, gate * d, d);
    packed->gru_recurrent[gate] = packer.Columns(model.gru_recurrent, nullptr, 0, gate * d, d);
  }
  return packer.used();
}

}  // namespace

int64_t PackedFloats(const Model& model, const PanelLayout& layout) {
  PackedModel counted;
  return PackInto(model, layout, nullptr, &counted);
}

void Pack(const Model& model, const PanelLayout& layout, float* memory, PackedModel* packed) {
  PackInto(model, layout, memory, packed);
}

int64_t PackLayers(const Layers& layers, const PanelLayout& layout, float* memory,
                   PackedLayers* packed) {
  Packer packer(memory, layout);
  packed->count = layers.count;
  for (int64_t i = 0; i < layers.count; ++i) packed->layer[i] = packer.Whole(layers.layer[i]);
  return packer.used();
}

}  // namespace cem
}  // namespace lookahead
