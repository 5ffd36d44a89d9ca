#include "ops/cem/cc/kernels/planner.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lookahead {
namespace cem {
namespace {

// Where the parts of the workspace begin.
struct Workspace {
  int64_t packed, recurrent, actions, returns;

  Workspace(const Kernels& kernels, const Model& model, const Settings& settings) {
    const int64_t candidates = settings.batch * settings.candidates;
    packed = Aligned(PackedFloats(model, kernels.layout));
    recurrent = Aligned(settings.batch * kGates * model.deterministic_size);
    actions = Aligned(candidates * settings.horizon * model.action_size);
    returns = Aligned(candidates);
  }

  int64_t Total() const { return packed + recurrent + actions + returns + 16; }
};

// What all candidates of a belief share: the recurrent products of its state.
void ShareRecurrent(const Kernels& kernels, const PackedModel& model, int64_t batch,
                    const float* deterministic, float* recurrent) {
  const int64_t d = model.deterministic_size;
  const Scratch scratch = MakeScratch((2 * d + kernels.layout.features) * kernels.width);
  for (int64_t b = 0; b < batch; b += kernels.width) {
    kernels.recurrent(model, deterministic + b * d, std::min(kernels.width, batch - b),
                      recurrent + b * kGates * d, scratch.get());
  }
}

Noise NoiseOf(const PlanNoise& noise, const Model& model, const Settings& settings,
              int64_t iteration) {
  const int64_t rows = settings.batch * settings.candidates * settings.horizon;
  Seed actions, latents;
  IterationSeeds(noise.seed, iteration, &actions, &latents);
  Noise own = {noise.actions, noise.latents, StreamOf(actions), StreamOf(latents)};
  if (own.actions != nullptr) own.actions += iteration * rows * model.action_size;
  if (own.latents != nullptr) own.latents += iteration * rows * model.stochastic_size;
  return own;
}

// The indices of a row's `count` best returns, best first, and how many of the
// row's are finite.
int64_t Elites(const float* returns, int64_t candidates, int64_t count,
               std::vector<int32_t>* indices) {
  indices->clear();
  for (int64_t j = 0; j < candidates; ++j) {
    if (std::isfinite(returns[j])) indices->push_back(j);
  }
  const int64_t finite = indices->size();
  if (finite < count) return finite;
  const auto better = [returns](int32_t a, int32_t b) {
    return returns[a] > returns[b] || (returns[a] == returns[b] && a < b);
  };
  std::partial_sort(indices->begin(), indices->begin() + count, indices->end(), better);
  indices->resize(count);
  return finite;
}

// Leaves of a row's elites, best first, those better than the last; all if none is.
void DropTies(const float* returns, std::vector<int32_t>* elites) {
  const float least = returns[elites->back()];
  const auto better = [&](int32_t j) { return returns[j] > least; };
  const auto end = std::partition_point(elites->begin(), elites->end(), better);
  if (end != elites->begin()) elites->erase(end, elites->end());
}

// One number of the plan: its mean and spread over the elites.
void RefitOne(const Settings& settings, const std::vector<int32_t>& elites, const float* actions,
              int64_t stride, float* mean, float* stddev) {
  const double count = elites.size();
  double sum = 0.0, spread = 0.0;
  for (int32_t j : elites) sum += actions[j * stride];
  const double middle = sum / count;
  for (int32_t j : elites) {
    const double apart = actions[j * stride] - middle;
    spread += settings.mean_absolute_deviation ? std::abs(apart) : apart * apart;
  }
  // A single elite has no spread; K - 1 would divide by zero.
  const float fitted = settings.mean_absolute_deviation ? spread / std::max(count - 1.0, 1.0)
                                                        : std::sqrt(spread / count);
  const float keep = settings.momentum, take = 1.0f - keep;
  *mean = keep * *mean + take * static_cast<float>(middle);
  *stddev = std::max(keep * *stddev + take * fitted, settings.min_stddev);
}

// Rolls out all candidates, tile by tile.
void Judge(const Kernels& kernels, const Rollout& rollout, int64_t weights,
           const Threads& threads) {
  const Settings& settings = *rollout.settings;
  const int64_t vectors = Parts(settings.batch * settings.candidates, kernels.width);
  const int64_t tiles = CountTiles(kernels, vectors, threads.count);
  const int64_t floats = kernels.scratch(*rollout.model, settings, Parts(vectors, tiles));
  const auto work = [&](int64_t tile, float* scratch) {
    const int64_t begin = tile * vectors / tiles, end = (tile + 1) * vectors / tiles;
    kernels.rollout(rollout, end - begin, begin * kernels.width, scratch);
  };
  ForEachTile(threads, tiles, settings.horizon * weights * vectors / (2 * tiles), floats, work);
}

}  // namespace

int64_t Refit(const Settings& settings, int64_t action_size, const float* actions,
              const float* returns, const Proposal& proposal, float* elite_returns) {
  const int64_t size = settings.horizon * action_size;
  std::vector<int32_t> elites;
  elites.reserve(settings.candidates);
  for (int64_t b = 0; b < settings.batch; ++b) {
    const float* row = returns + b * settings.candidates;
    if (Elites(row, settings.candidates, settings.elites, &elites) < settings.elites) return b;
    for (int64_t k = 0; k < settings.elites; ++k) {
      elite_returns[b * settings.elites + k] = row[elites[k]];
    }
    if (settings.drop_ties) DropTies(row, &elites);
    for (int64_t i = 0; i < size; ++i) {
      RefitOne(settings, elites, actions + b * settings.candidates * size + i, size,
               proposal.mean + b * size + i, proposal.stddev + b * size + i);
    }
  }
  return -1;
}

int64_t PlanFloats(const Kernels& kernels, const Model& model, const Settings& settings) {
  return Workspace(kernels, model, settings).Total();
}

Shortage Plan(const Kernels& kernels, const Model& model, const Settings& settings,
              const Belief& belief, const PlanNoise& noise, const Threads& threads,
              const Proposal& proposal, float* returns, float* memory) {
  const Workspace places(kernels, model, settings);
  memory += (64 - reinterpret_cast<uintptr_t>(memory) % 64) % 64 / sizeof(float);
  float* recurrent = memory + places.packed;
  PackedModel packed;
  Pack(model, kernels.layout, memory, &packed);
  if (model.has_gru) {
    ShareRecurrent(kernels, packed, settings.batch, belief.deterministic, recurrent);
  }
  Rollout rollout = {};
  rollout.model = &packed;
  rollout.settings = &settings;
  rollout.deterministic = belief.deterministic;
  rollout.stochastic = belief.stochastic;
  rollout.recurrent = recurrent;
  rollout.mean = proposal.mean;
  rollout.stddev = proposal.stddev;
  rollout.actions = recurrent + places.recurrent;
  rollout.returns = rollout.actions + places.actions;
  for (int64_t i = 0; i < settings.iterations; ++i) {
    rollout.noise = NoiseOf(noise, model, settings, i);
    Judge(kernels, rollout, places.packed, threads);
    const int64_t row =
        Refit(settings, model.action_size, rollout.actions, rollout.returns, proposal, returns);
    if (row >= 0) return {row, i};
  }
  return {-1, -1};
}

}  // namespace cem
}  // namespace lookahead
