// Plans with tiles of 16 lanes and panels of 8 columns, as AVX-512 has them, in
// portable code, and compares them bit for bit with the baseline's.

#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#define LOOKAHEAD_ISA wide
#define LOOKAHEAD_NAME "wide"
#define LOOKAHEAD_WIDTH 16
#define LOOKAHEAD_FEATURES 8
#define LOOKAHEAD_FUSED 0
#define LOOKAHEAD_PAIRS 0
#define LOOKAHEAD_COST {0.0, 1.0, 2.0, 3.0}
#include "ops/cem/cc/kernels/instruction_sets.h"
#include "ops/cem/cc/kernels/planner.h"
#include "ops/cem/cc/kernels/rollout.h"

namespace lookahead {
namespace cem {
namespace {

class Problem {
 public:
  Problem(int64_t batch, int64_t candidates, bool gru, Activation activation) : settings_{} {
    settings_.batch = batch;
    settings_.candidates = candidates;
    settings_.elites = candidates / 4;
    settings_.horizon = 3;
    settings_.iterations = 2;
    settings_.action_min = low_;
    settings_.action_max = high_;
    model_ = {};
    model_.action_size = 2;
    model_.stochastic_size = 5;
    model_.deterministic_size = gru ? 13 : 0;
    model_.action_weights = Draw(2 * 11);
    Append(&model_.input, {5, 11, 9});
    model_.has_gru = gru;
    if (gru) {
      model_.gru_input = {Draw(9 * 39), Draw(39), 9, 39};
      model_.gru_recurrent = {Draw(13 * 39), Draw(39), 13, 39};
    }
    Append(&model_.prior, {gru ? 13 : 9, 7, 10});
    Append(&model_.reward, {model_.deterministic_size + 5, 6, 1});
    model_.activation = activation;
    model_.sample = model_.prior_stddev = true;
    model_.model_stddev = 0.1f;
    belief_ = {Draw(batch * 13), Draw(batch * 5)};
  }

  // mean, stddev and returns in a row.
  std::vector<float> Plan(const Kernels& kernels) const {
    const int64_t size = settings_.batch * settings_.horizon * model_.action_size;
    std::vector<float> out(2 * size + settings_.batch * settings_.elites);
    for (int64_t i = 0; i < size; ++i) out[size + i] = 1.0f;
    std::vector<float> memory(PlanFloats(kernels, model_, settings_));
    const Threads threads = {
        1, [](int64_t total, int64_t, const std::function<void(int64_t, int64_t)>& range) {
          range(0, total);
        }};
    cem::Plan(kernels, model_, settings_, belief_, {nullptr, nullptr, {{1, 2}}}, threads,
              {out.data(), out.data() + size}, out.data() + 2 * size, memory.data());
    return out;
  }

 private:
  const float* Draw(int64_t count) {
    kept_.emplace_back(count);
    for (float& x : kept_.back()) x = normal_(random_);
    return kept_.back().data();
  }

  void Append(Layers* layers, const std::vector<int64_t>& sizes) {
    layers->count = sizes.size() - 1;
    for (int64_t i = 0; i < layers->count; ++i) {
      const int64_t depth = sizes[i], width = sizes[i + 1];
      layers->layer[i] = {Draw(depth * width), Draw(width), depth, width};
    }
  }

  const float low_[2] = {-1, -0.5}, high_[2] = {1, 0.5};
  std::mt19937 random_;
  std::normal_distribution<float> normal_{0.0f, 0.4f};
  std::vector<std::vector<float>> kept_;
  Settings settings_;
  Model model_;
  Belief belief_;
};

int Compare() {
  int compared = 0, different = 0;
  for (int64_t candidates : {4, 37}) {
    for (bool gru : {true, false}) {
      for (Activation activation : {kRelu, kElu, kSwish}) {
        const Problem problem(2, candidates, gru, activation);
        const std::vector<float> wide = problem.Plan(wide::kKernels);
        const std::vector<float> narrow = problem.Plan(kBaselineKernels);
        ++compared;
        different += std::memcmp(wide.data(), narrow.data(), wide.size() * sizeof(float)) != 0;
      }
    }
  }
  std::printf("plans compared: %d, different: %d\n", compared, different);
  return different;
}

}  // namespace
}  // namespace cem
}  // namespace lookahead

int main() { return lookahead::cem::Compare(); }
