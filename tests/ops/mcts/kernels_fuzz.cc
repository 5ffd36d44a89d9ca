// The CPU kernels under a sanitizer, without TensorFlow: random searches,
// several trees on several threads, walks in flight, and trees of garbage.
// Memory is allocated to the byte, so that any access beyond it is seen.
//
//   kernels_fuzz SEED ROUNDS     prints what it ran; 1 where results differ
//
// tests/ops/mcts/sanitizers_test.py and ops/README.md say how to build it.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "ops/mcts/cc/kernels/crew.h"
#include "ops/mcts/cc/kernels/formulas.h"
#include "ops/mcts/cc/kernels/in_flight.h"
#include "ops/mcts/cc/kernels/numbers.h"
#include "ops/mcts/cc/kernels/search_cpu.h"

using namespace lookahead::mcts;  // NOLINT: a program of one file

namespace {

typedef std::mt19937 Random;

int64_t Below(Random* random, int64_t limit) { return (*random)() % limit; }

struct Grove {
  int64_t batch, num_nodes, num_actions;
  std::unique_ptr<float[]> nodes, edges, stats, through;

  Grove(int64_t batch, int64_t num_nodes, int64_t num_actions)
      : batch(batch),
        num_nodes(num_nodes),
        num_actions(num_actions),
        nodes(new float[NodeFloats()]()),
        edges(new float[EdgeFloats()]()),
        stats(new float[batch * kStatistics]()),
        through(new float[batch * num_nodes]()) {}

  int64_t NodeFloats() const { return batch * num_nodes * kNodeFields; }
  int64_t EdgeFloats() const { return batch * num_nodes * kEdgeRows * num_actions; }
  Tree At(int64_t b) const {
    const Forest forest = {nodes.get(), edges.get(), stats.get(), batch, num_nodes, num_actions};
    return forest.At(b);
  }
};

// What the model says: a pure function of the step, so that each run is the
// same. Some nodes are terminal, some actions illegal, some logits bad.
struct Model {
  uint32_t seed;
  int64_t num_actions;
  bool careless;

  Evaluation Say(int64_t b, int64_t step, std::vector<float>* logits) const {
    Random random(static_cast<uint32_t>(seed + 1000003 * b + step));
    std::normal_distribution<float> normal;
    const bool terminal = step > 0 && Below(&random, 8) == 0;
    for (float& x : *logits) {
      x = terminal || Below(&random, 5) == 0 ? -kInfinity : normal(random);
    }
    if (step == 0) logits->front() = 0.0f;
    if (careless && Below(&random, 4) == 0) logits->back() = kInfinity - kInfinity;
    const float discounts[] = {0.0f, 0.9f, -1.0f};
    const float value = careless && Below(&random, 16) == 0 ? kInfinity : normal(random);
    return {normal(random), discounts[Below(&random, 3)], value, logits->data()};
  }
};

Rule RandomRule(Random* random) {
  Rule rule = {};
  const RuleKind kinds[] = {kPuct, kGumbel, kStochastic};
  rule.kind = kinds[Below(random, 3)];
  rule.first_outcome = Below(random, 20);
  rule.qtransform = Below(random, 4);
  if (rule.kind == kGumbel) rule.qtransform = kCompletedByMixValue;
  rule.max_depth = Below(random, 2) == 0 ? 1 + Below(random, 5) : INT32_MAX;
  rule.rescale_values = rule.use_mixed_value = 1;
  rule.pb_c_init = 1.25f;
  rule.pb_c_base = 19652.0f;
  rule.min_value = -3.0f;
  rule.max_value = 3.0f;
  rule.fpu_reduction = Below(random, 2) == 0 ? 0.3f : -1.0f;
  rule.value_scale = 0.1f;
  rule.maxvisit_init = 50.0f;
  rule.epsilon = 1e-8f;
  return rule;
}

// Everything that a search of one tree reads beside the tree.
struct Job {
  Rule rule;
  Model model;
  std::vector<float> gumbel, considered;
  std::vector<float> rates;

  Job(Random* random, int64_t num_nodes, int64_t num_actions, bool careless)
      : rule(RandomRule(random)),
        model{static_cast<uint32_t>((*random)()), num_actions, careless},
        gumbel(num_actions, 0.5f),
        considered(num_actions + 1, 0.0f),
        rates(RatesOf(rule, num_nodes)) {
    for (size_t i = 0; i < considered.size(); ++i) considered[i] = i / 2;
  }
  RootNoise Noise() const {
    return {gumbel.data(), considered.data(), 1, static_cast<int64_t>(considered.size())};
  }
  Search AsSearch() const {
    return {rule, Noise(), {rates.data(), static_cast<int64_t>(rates.size())}};
  }
};

// One tree, by simulate, expand and backward, or by the fused step.
Fault RunTree(const Job& job, const Tree& tree, int64_t b, bool fused) {
  std::vector<float> logits(tree.num_actions), scratch(ScratchSize(tree.num_actions));
  const Evaluation root = job.model.Say(b, 0, &logits);
  Fault fault = PlantRoot(tree, root.prior_logits, root.value);
  int32_t parent, action, leaf;
  for (int64_t step = 1; fault == kNoFault && step < tree.num_nodes; ++step) {
    if (!fused || step == 1) {
      fault = Simulate(ReadOnly(tree), job.rule, job.Noise(), scratch.data(), &parent, &action);
      if (fault != kNoFault) break;
    }
    const Evaluation said = job.model.Say(b, step, &logits);
    fault = Expand(tree, parent, action, said, scratch.data(), &leaf);
    if (fault != kNoFault) break;
    fault = fused ? Advance(tree, leaf, job.AsSearch(), scratch.data(), &parent, &action)
                  : Backward(tree, leaf);
  }
  return fault;
}

// The same batch by one thread and, job after job, by a crew of four.
bool SameOnThreads(Random* random) {
  const int64_t batch = 8, num_nodes = 2 + Below(random, 60), num_actions = 1 + Below(random, 40);
  const Job job(random, num_nodes, num_actions, false);
  Grove alone(batch, num_nodes, num_actions), shared(batch, num_nodes, num_actions);
  for (int64_t b = 0; b < batch; ++b) RunTree(job, alone.At(b), b, true);
  Crew crew;
  std::vector<std::thread> helpers;
  for (int64_t t = 0; t < 3; ++t) {
    helpers.emplace_back([&crew] { crew.Help(std::chrono::milliseconds(1)); });
  }
  const Crew::Job grow = [&](int64_t b) { RunTree(job, shared.At(b), b, true); };
  for (int64_t parts : {batch, batch / 2, batch}) crew.Run(parts, grow);
  for (std::thread& helper : helpers) helper.join();
  const auto same = [](const auto& one, const auto& other, int64_t floats) {
    return std::memcmp(one.get(), other.get(), floats * sizeof(float)) == 0;
  };
  return same(alone.nodes, shared.nodes, alone.NodeFloats()) &&
         same(alone.edges, shared.edges, alone.EdgeFloats()) &&
         same(alone.stats, shared.stats, batch * kStatistics);
}

// Searches whose model may answer nonsense; they end in a fault or not.
void Searches(Random* random) {
  const int64_t num_nodes = 2 + Below(random, 60), num_actions = 1 + Below(random, 40);
  const Job job(random, num_nodes, num_actions, Below(random, 2) == 0);
  const Grove grove(1, num_nodes, num_actions);
  RunTree(job, grove.At(0), 0, Below(random, 2) == 0);
}

// Walks leave and come back in any order but each tree's own.
void WalksInFlight(Random* random) {
  const int64_t num_nodes = 2 + Below(random, 60), num_actions = 1 + Below(random, 40);
  Job job(random, num_nodes, num_actions, false);
  if (job.rule.kind == kStochastic) job.rule.kind = kPuct;
  const Grove grove(1, num_nodes, num_actions);
  const BusyTree busy = {grove.At(0), grove.through.get(), 1.0f};
  const std::vector<float> nothing(num_actions, -kInfinity);
  std::vector<float> logits(num_actions), scratch(ScratchSize(num_actions));
  const Evaluation root = job.model.Say(0, 0, &logits);
  if (PlantRoot(busy.tree, root.prior_logits, root.value) != kNoFault) return;
  std::vector<int32_t> asked, answered;
  std::vector<float> values;
  for (int64_t left = num_nodes - 1; left > 0 || !asked.empty() || !answered.empty();) {
    const int64_t what = Below(random, 3);
    int32_t parent, action, leaf;
    if (what == 0 && left > 0) {
      if (Depart(busy, job.rule, job.Noise(), nothing.data(), scratch.data(), &parent, &action,
                 &leaf) != kNoFault) {
        return;
      }
      asked.push_back(leaf);
      --left;
    } else if (what == 1 && !asked.empty()) {
      const Evaluation said = job.model.Say(0, left + 1, &logits);
      if (Answer(busy, asked.front(), said, scratch.data()) != kNoFault) return;
      answered.push_back(asked.front());
      values.push_back(said.value);
      asked.erase(asked.begin());
    } else if (what == 2 && !answered.empty()) {
      if (Return(busy, answered.back(), values.back()) != kNoFault) return;
      answered.pop_back();
      values.pop_back();
    }
  }
}

float Garbage(Random* random) {
  const float pool[] = {-1.0f, 0.0f,  1.0f,      2.0f,       3.0f, 0.5f,
                        1e9f,  -1e9f, kInfinity, -kInfinity, NAN,  FLT_MIN};
  if (Below(random, 4) != 0) return pool[Below(random, 12)];
  const uint32_t bits = (*random)() & (Below(random, 2) == 0 ? 0x3000fu : 0xffffffffu);
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

void GarbageTrees(Random* random) {
  const int64_t num_nodes = 1 + Below(random, 6), num_actions = 1 + Below(random, 20);
  const Job job(random, num_nodes, num_actions, true);
  const Grove grove(1, num_nodes, num_actions);
  const Tree tree = grove.At(0);
  for (int64_t i = 0; i < grove.NodeFloats(); ++i) tree.nodes[i] = Garbage(random);
  for (int64_t i = 0; i < grove.EdgeFloats(); ++i) tree.edges[i] = Garbage(random);
  for (int64_t i = 0; i < kStatistics; ++i) tree.stats[i] = Garbage(random);
  for (int64_t i = 0; i < num_nodes; ++i) grove.through[i] = Garbage(random);
  std::vector<float> logits(num_actions), scratch(ScratchSize(num_actions));
  const std::vector<float> nothing(num_actions, -kInfinity);
  const BusyTree busy = {tree, grove.through.get(), 1.0f};
  int32_t parent = 0, action = 0, leaf = 0;
  const Evaluation said = job.model.Say(0, 1, &logits);
  switch (Below(random, 7)) {
    case 0:
      Simulate(ReadOnly(tree), job.rule, job.Noise(), scratch.data(), &parent, &action);
      break;
    case 1:
      Expand(tree, Below(random, 8) - 1, Below(random, 22) - 1, said, scratch.data(), &leaf);
      break;
    case 2:
      Backward(tree, Below(random, 8) - 1);
      break;
    case 3:
      Advance(tree, Below(random, 8) - 1, job.AsSearch(), scratch.data(), &parent, &action);
      break;
    case 4:
      if (job.rule.kind == kStochastic) break;
      Depart(busy, job.rule, job.Noise(), nothing.data(), scratch.data(), &parent, &action, &leaf);
      break;
    case 5:
      Answer(busy, Below(random, 8) - 1, said, scratch.data());
      break;
    default:
      Return(busy, Below(random, 8) - 1, 0.5f);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned seed = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0;
  const int64_t rounds = argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 100;
  Random random(seed);
  for (int64_t i = 0; i < rounds; ++i) {
    Searches(&random);
    WalksInFlight(&random);
    for (int garbage = 0; garbage < 20; ++garbage) GarbageTrees(&random);
    if (i % 10 == 0 && !SameOnThreads(&random)) {
      std::printf("seed %u, round %ld: four threads grew other trees than one\n", seed, long{i});
      return 1;
    }
  }
  std::printf("seed %u: %ld rounds\n", seed, long{rounds});
  return 0;
}
