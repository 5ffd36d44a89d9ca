#include "ops/cem/cc/kernels/packed.h"

#include <algorithm>

namespace lookahead {
namespace cem {
namespace {

int64_t WholePanels(int64_t width, int64_t features) {
  return (width + features - 1) / features * features;
}

// Hands out memory, or only counts it where there is none.
class Packer {
 public:
  Packer(float* memory, int64_t features) : memory_(memory), features_(features) {}

  int64_t used() const { return used_; }

  // Columns `first` … `first + width` of a layer; `top` has the weights of its
  // first rows (count_top of them) where they are apart from the others below.
  PackedLayer Columns(const Layer& bottom, const float* top, int64_t count_top, int64_t first,
                      int64_t width) {
    const int64_t whole = WholePanels(width, features_), depth = count_top + bottom.depth;
    float* bias = Take(whole);
    float* panels = Take(whole * depth);
    if (memory_ != nullptr) {
      for (int64_t n = 0; n < whole; ++n) bias[n] = n < width ? bottom.bias[first + n] : 0.0f;
      for (int64_t k = 0; k < depth; ++k) {
        const float* row = k < count_top ? top + k * bottom.width
                                         : bottom.weights + (k - count_top) * bottom.width;
        PackRow(row + first, width, panels + k * features_, depth * features_);
      }
    }
    return {panels, bias, depth, width};
  }

  PackedLayer Whole(const Layer& layer) { return Columns(layer, nullptr, 0, 0, layer.width); }

 private:
  float* Take(int64_t count) {
    float* taken = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (count + 15) / 16 * 16;  // Keeps cache lines whole.
    return taken;
  }

  void PackRow(const float* row, int64_t width, float* first_panel, int64_t stride) const {
    for (int64_t n = 0; n < width; n += features_, first_panel += stride) {
      for (int64_t f = 0; f < features_; ++f) {
        first_panel[f] = n + f < width ? row[n + f] : 0.0f;
      }
    }
  }

  float* memory_;
  int64_t features_;
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
int64_t PackInto(const Model& model, int64_t features, float* memory, PackedModel* packed) {
  Packer packer(memory, features);
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

int64_t PackedFloats(const Model& model, int64_t features) {
  PackedModel counted;
  return PackInto(model, features, nullptr, &counted);
}

void Pack(const Model& model, int64_t features, float* memory, PackedModel* packed) {
  PackInto(model, features, memory, packed);
}

}  // namespace cem
}  // namespace lookahead
