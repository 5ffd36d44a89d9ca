// Networks of one shape, each on rows of its own, free of TensorFlow. E members, N
// rows each, layer i from sizes[i] to sizes[i + 1].

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_ENSEMBLE_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_ENSEMBLE_H_

#include <cstdint>
#include <vector>

#include "ops/cem/cc/kernels/packed.h"
#include "ops/cem/cc/kernels/tiles.h"

namespace lookahead {
namespace cem {

// Floats that a packed member takes.
int64_t PackedMemberFloats(const PanelLayout& layout, const std::vector<int64_t>& sizes);

// Packs weights[i] [E, sizes[i], sizes[i + 1]] and biases[i] [E, sizes[i + 1]].
void PackEnsemble(const PanelLayout& layout, const std::vector<int64_t>& sizes, int64_t members,
                  const std::vector<const float*>& weights, const std::vector<const float*>& biases,
                  const Threads& threads, float* packed);

// outputs [E, N, out] of inputs [E, N, in]. A row's numbers depend on nothing else.
// Complexity: E · N times a member's weights.
void EvaluateEnsemble(const Kernels& kernels, const std::vector<int64_t>& sizes,
                      Activation activation, const float* packed, int64_t members, int64_t rows,
                      const float* inputs, const Threads& threads, float* outputs);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_ENSEMBLE_H_
