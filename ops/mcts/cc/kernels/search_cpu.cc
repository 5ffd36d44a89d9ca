#include "ops/mcts/cc/kernels/search_cpu.h"

#include "ops/mcts/cc/kernels/formulas.h"

namespace lookahead {
namespace mcts {
namespace {

CpuFunctions Fastest() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) return Avx2Functions();
#endif
  return PortableFunctions();
}

const CpuFunctions& Functions() {
  static const CpuFunctions functions = Fastest();
  return functions;
}

}  // namespace

std::vector<float> RatesOf(const Rule& rule, int64_t size) {
  std::vector<float> rates(size);
  for (int64_t n = 0; n < size; ++n) rates[n] = ExplorationRate(rule, static_cast<float>(n));
  return rates;
}

int64_t ScratchSize(int64_t num_actions) { return 2 * num_actions; }

Fault Simulate(const ConstTree& tree, const Rule& rule, const RootNoise& noise, float* scratch,
               int32_t* parent, int32_t* action) {
  return Functions().simulate(tree, {rule, noise, {}}, scratch, parent, action);
}

Fault Expand(const Tree& tree, int64_t parent, int64_t action, const Evaluation& said,
             float* scratch, int32_t* leaf) {
  return Functions().expand(tree, parent, action, said, scratch, leaf);
}

Fault Backward(const Tree& tree, int64_t leaf) { return BackUp(tree, leaf); }

Fault Advance(const Tree& tree, int64_t leaf, const Search& search, float* scratch, int32_t* parent,
              int32_t* action) {
  return Functions().advance(tree, leaf, search, scratch, parent, action);
}

Fault PlantRoot(const Tree& tree, const float* prior_logits, float value) {
  return Functions().plant(tree, prior_logits, value);
}

}  // namespace mcts
}  // namespace lookahead
