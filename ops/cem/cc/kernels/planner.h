// A whole plan on the CPU, free of TensorFlow: packs the model, and in each
// iteration rolls the candidates out, picks the elites and refits.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_PLANNER_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_PLANNER_H_

#include <cstdint>

#include "ops/cem/cc/kernels/packed.h"
#include "ops/cem/cc/kernels/tiles.h"

namespace lookahead {
namespace cem {

struct Belief {
  const float* deterministic;  // [B, D]
  const float* stochastic;     // [B, S]
};

struct PlanNoise {
  const float* actions;  // [I, N, H, A], or null: drawn from the seed
  const float* latents;  // [I, H, N, S], or null: drawn from the seed
  Seed seed;
};

// Where a row had fewer finite returns than elites; `belief` is -1 if nowhere.
struct Shortage {
  int64_t belief, iteration;
};

// Searches from the proposal, which ends as the last fit; `returns` [B, K] are
// the last elites', best first. Takes workspace from `memory`, of
// PlanFloats(...) floats. Complexity: I · N · H times the model's weights.
Shortage Plan(const Kernels& kernels, const Model& model, const Settings& settings,
              const Belief& belief, const PlanNoise& noise, const Threads& threads,
              const Proposal& proposal, float* returns, float* memory);

int64_t PlanFloats(const Kernels& kernels, const Model& model, const Settings& settings);

// Picks each row's best of returns [B, J] and refits the proposal to their
// actions [B, J, H, A]; ties go to the lower index. Returns the first row with
// too few finite returns, or -1.
int64_t Refit(const Settings& settings, int64_t action_size, const float* actions,
              const float* returns, const Proposal& proposal, float* elite_returns);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_PLANNER_H_
