// What tests call without TensorFlow, by ctypes.

#include <cstdint>

#include "ops/cem/cc/kernels/instruction_sets.h"

// Applies a function of elementwise.h to a whole number of vectors; 1 if the
// processor has the instruction set, else 0.
extern "C" int32_t lookahead_cem_elementwise(const char* instruction_set, int32_t function,
                                             const float* in, int64_t count, float* out) {
  const lookahead::cem::Kernels* kernels = lookahead::cem::FindKernels(instruction_set);
  if (kernels == nullptr) return 0;
  kernels->elementwise(static_cast<lookahead::cem::Elementwise>(function), in, count, out);
  return 1;
}
