// The model as the GPU's kernels read it. A word holds one float or two
// bfloat16 of neighbouring depths. A layer's weights lie in the order in which
// the tensor cores' fragments take them: 16 columns by 8 words are 32 lanes'
// four words, two fragments are a step, and a warp reads a layer's 16 columns as
// one stream.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_DEVICE_MODEL_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_DEVICE_MODEL_H_

#include <cstdint>

#include "ops/cem/cc/kernels/plan.h"

namespace lookahead {
namespace cem {

constexpr int32_t kTileWidth = 16, kStepWords = 16, kFragments = 2, kFragmentWords = 128;

LOOKAHEAD_SHARED int32_t FilledUp(int64_t size, int32_t tile) {
  return static_cast<int32_t>((size + tile - 1) / tile * tile);
}

struct DeviceLayer {
  const float* top;     // weights of the first depths
  const float* bottom;  // weights of the depths from bottom_at on
  const float* bias;
  uint32_t* packed;  // [tiles, steps, fragments, gates, lane, 4]
  int32_t top_depth, bottom_at, bottom_depth;
  int32_t width;  // of a gate; its source has gates · width columns
  int32_t gates;  // 3 in the GRU's two layers, else 1
  int32_t tiles, steps;
};

LOOKAHEAD_SHARED int64_t WordsOf(const DeviceLayer& layer) {
  return static_cast<int64_t>(layer.tiles) * layer.steps * kFragments * layer.gates *
         kFragmentWords;
}

constexpr int32_t kMostDeviceLayers = 3 * kMaxLayers + 2;

struct DeviceModel {
  DeviceLayer layer[kMostDeviceLayers];
  int32_t num_input, num_prior, num_reward, num_layers;  // in this order, then the GRU's two
  int32_t action_size, stochastic_size, deterministic_size;
  int32_t action_rows, stochastic_rows, deterministic_rows;  // filled up to whole steps
  int32_t widest_hidden, widest_open;  // of what layers with and without activation give
  Activation activation;
  bool has_gru, sample;
  float model_stddev;
};

// Lays the layers out in `memory`, or only counts where it is null; the words.
class DeviceLayout {
 public:
  DeviceLayout(const Model& from, int32_t depths_in_a_word, uint32_t* memory, DeviceModel* to)
      : step_depth_(kStepWords * depths_in_a_word), memory_(memory), to_(to) {
    *to_ = {};
    to_->action_size = static_cast<int32_t>(from.action_size);
    to_->stochastic_size = static_cast<int32_t>(from.stochastic_size);
    to_->deterministic_size = static_cast<int32_t>(from.deterministic_size);
    to_->action_rows = FilledUp(from.action_size, step_depth_);
    to_->stochastic_rows = FilledUp(from.stochastic_size, step_depth_);
    to_->deterministic_rows = FilledUp(from.deterministic_size, step_depth_);
    to_->activation = from.activation;
    to_->has_gru = from.has_gru;
    to_->sample = from.sample && from.prior_stddev;
    to_->model_stddev = from.model_stddev;
    to_->num_input = Stack(from.input, true);
    to_->num_prior = Stack(from.prior, false);
    to_->num_reward = Stack(from.reward, false);
    JoinActions(from);
    JoinStates(&to_->layer[to_->num_input + to_->num_prior]);
    if (from.has_gru) {
      Append(from.gru_input, 3);
      Append(from.gru_recurrent, 3);
    }
    Place();
  }

  int64_t words() const { return used_; }

 private:
  int32_t Stack(const Layers& layers, bool closed) {
    for (int64_t i = 0; i < layers.count; ++i) {
      const int32_t width = Append(layers.layer[i], 1);
      int32_t* widest = closed || i + 1 < layers.count ? &to_->widest_hidden : &to_->widest_open;
      if (width > *widest) *widest = width;
    }
    return static_cast<int32_t>(layers.count);
  }

  int32_t Append(const Layer& from, int32_t gates) {
    DeviceLayer& layer = to_->layer[to_->num_layers++];
    layer.top = from.weights;
    layer.bias = from.bias;
    layer.top_depth = static_cast<int32_t>(from.depth);
    layer.bottom_at = FilledUp(from.depth, step_depth_);
    layer.width = static_cast<int32_t>(from.width / gates);
    layer.gates = gates;
    return FilledUp(layer.width, step_depth_);
  }

  // [s, a] is one input; the actions' weights are apart.
  void JoinActions(const Model& from) {
    DeviceLayer& first = to_->layer[0];
    first.bottom = from.action_weights;
    first.bottom_depth = to_->action_size;
  }

  // [h, s] is one input, and h ends with a step of its own.
  void JoinStates(DeviceLayer* first) {
    const int32_t d = to_->deterministic_size;
    first->bottom = first->top + static_cast<int64_t>(d) * first->width;
    first->top_depth = d;
    first->bottom_at = to_->deterministic_rows;
    first->bottom_depth = to_->stochastic_size;
  }

  void Place() {
    for (int32_t i = 0; i < to_->num_layers; ++i) {
      DeviceLayer& layer = to_->layer[i];
      layer.tiles = FilledUp(layer.width, kTileWidth) / kTileWidth;
      layer.steps = FilledUp(layer.bottom_at + layer.bottom_depth, step_depth_) / step_depth_;
      layer.packed = memory_ == nullptr ? nullptr : memory_ + used_;
      used_ += WordsOf(layer);
    }
  }

  int32_t step_depth_;
  uint32_t* memory_;
  DeviceModel* to_;
  int64_t used_ = 0;
};

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_DEVICE_MODEL_H_
