// The model as the GPU's kernels read it: every layer's weights in one block of
// memory, [depth, width] with both filled up with zeros to whole tiles of the
// tensor cores, so that a warp reads neighbouring columns at once.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_DEVICE_MODEL_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_DEVICE_MODEL_H_

#include <cstdint>

#include "ops/cem/cc/kernels/plan.h"

namespace lookahead {
namespace cem {

constexpr int64_t kTileDepth = 8, kTileWidth = 16;

struct DeviceLayer {
  const float* top;     // weights of the first rows, where they are apart
  const float* bottom;  // weights of the others
  const float* bias;
  float* packed;
  int64_t top_depth, depth, width, padded_width;
};

constexpr int64_t kMostDeviceLayers = 3 * kMaxLayers + 2;

struct DeviceModel {
  DeviceLayer layer[kMostDeviceLayers];
  int64_t num_input, num_prior, num_reward, num_layers;  // in this order, then the GRU's two
  int64_t action_size, stochastic_size, deterministic_size;
  int64_t widest;  // greatest padded width of a layer between GRUs
  Activation activation;
  bool has_gru, sample;
  float model_stddev;
};

LOOKAHEAD_SHARED int64_t FilledUp(int64_t size, int64_t tile) {
  return (size + tile - 1) / tile * tile;
}

// Lays the layers out in `memory`, or only counts where it is null; the floats.
class DeviceLayout {
 public:
  DeviceLayout(const Model& from, float* memory, DeviceModel* to) : memory_(memory), to_(to) {
    *to_ = {};
    to_->action_size = from.action_size;
    to_->stochastic_size = from.stochastic_size;
    to_->deterministic_size = from.deterministic_size;
    to_->activation = from.activation;
    to_->has_gru = from.has_gru;
    to_->sample = from.sample && from.prior_stddev;
    to_->model_stddev = from.model_stddev;
    to_->num_input = Stack(from.input);
    to_->num_prior = Stack(from.prior);
    to_->num_reward = Stack(from.reward);
    to_->widest = widest_;
    // [s, a] is one input, and the action's weights lie below the state's.
    DeviceLayer& first = to_->layer[0];
    first.top = from.input.layer[0].weights;
    first.bottom = from.action_weights;
    first.top_depth = from.stochastic_size;
    first.depth += from.action_size;
    if (from.has_gru) {
      Append(from.gru_input);
      Append(from.gru_recurrent);
    }
    Place();
  }

  int64_t floats() const { return used_; }

 private:
  int64_t Stack(const Layers& layers) {
    for (int64_t i = 0; i < layers.count; ++i) {
      const int64_t padded = Append(layers.layer[i]);
      if (padded > widest_) widest_ = padded;
    }
    return layers.count;
  }

  int64_t Append(const Layer& from) {
    DeviceLayer& layer = to_->layer[to_->num_layers++];
    layer.bottom = from.weights;
    layer.bias = from.bias;
    layer.depth = from.depth;
    layer.width = from.width;
    layer.padded_width = FilledUp(from.width, kTileWidth);
    return layer.padded_width;
  }

  void Place() {
    for (int64_t i = 0; i < to_->num_layers; ++i) {
      DeviceLayer& layer = to_->layer[i];
      layer.packed = memory_ == nullptr ? nullptr : memory_ + used_;
      used_ += FilledUp(layer.depth, kTileDepth) * layer.padded_width;
    }
  }

  float* memory_;
  DeviceModel* to_;
  int64_t used_ = 0, widest_ = 0;
};

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_DEVICE_MODEL_H_
