// What a plan is made of, free of TensorFlow: the model as it comes, the search's
// settings, the noise, the result. Sizes: B beliefs, J candidates each, N = B·J,
// H steps, I iterations, A action, S stochastic, D deterministic (0 in the SSM).

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_PLAN_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_PLAN_H_

#include <cstdint>

#include "ops/cem/cc/kernels/philox.h"

namespace lookahead {
namespace cem {

enum Activation : int32_t { kRelu, kElu, kSwish };

// y = x · weights + bias, weights [depth, width] row by row.
struct Layer {
  const float* weights;
  const float* bias;
  int64_t depth;
  int64_t width;
};

constexpr int64_t kMaxLayers = 16;

// A stack of layers with activations between them.
struct Layers {
  Layer layer[kMaxLayers];
  int64_t count;
};

// x = input layers of [s, a];  h' = GRU(x, h), or x itself in the SSM;
// [mean, stddev] = prior layers of h';  reward = reward layers of [h', s'].
// All but the last layers of prior and reward end in the activation.
struct Model {
  int64_t action_size, stochastic_size, deterministic_size;
  const float* action_weights;  // [A, width of the first input layer]
  Layers input, prior, reward;
  bool has_gru;
  Layer gru_input, gru_recurrent;  // gates z, r, c side by side
  Activation activation;
  bool sample;         // s' = mean + stddev · noise; else the mean
  bool prior_stddev;   // the prior's last layer gives 2 · S numbers, not S
  float model_stddev;  // added to each softplus
};

struct Settings {
  int64_t batch, candidates, elites, horizon, iterations;
  bool mean_absolute_deviation;
  bool drop_ties;  // elites no better than the worst of them do not count, unless all are so
  float momentum, min_stddev;
  const float* action_min;  // [A]
  const float* action_max;  // [A]
};

// Draws of one iteration: given, or to be drawn from their streams.
struct Noise {
  const float* actions;  // [N, H, A] or null
  const float* latents;  // [H, N, S] or null
  Stream action_stream, latent_stream;
};

// The Gaussian searched from, fitted in place.
struct Proposal {
  float* mean;    // [B, H, A]
  float* stddev;  // [B, H, A]
};

// out = clip(mean + stddev · noise) over `size` numbers; bounds repeat each A.
LOOKAHEAD_SHARED void Propose(const float* noise, const float* mean, const float* stddev,
                              const Settings& settings, int64_t size, int64_t action_size,
                              float* out) {
  for (int64_t i = 0, a = 0; i < size; ++i, a = a + 1 == action_size ? 0 : a + 1) {
    const float drawn = mean[i] + stddev[i] * noise[i];
    const float low = settings.action_min[a], high = settings.action_max[a];
    const float above = drawn < low ? low : drawn;
    out[i] = above > high ? high : above;
  }
}

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_PLAN_H_
