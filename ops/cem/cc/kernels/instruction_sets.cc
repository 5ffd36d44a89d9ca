#include "ops/cem/cc/kernels/instruction_sets.h"

namespace lookahead {
namespace cem {

const Kernels* FindKernels(const std::string& name, bool bfloat16) {
  const bool any = name == "auto";
#if LOOKAHEAD_BFLOAT16
  const bool dot = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
  if (bfloat16 && dot && (any || name == kBfloat16Kernels.name)) return &kBfloat16Kernels;
#endif
  if (bfloat16) return nullptr;
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx512 && (any || name == kAvx512Kernels.name)) return &kAvx512Kernels;
  if (avx2 && (any || name == kAvx2Kernels.name)) return &kAvx2Kernels;
#endif
  return any || name == kBaselineKernels.name ? &kBaselineKernels : nullptr;
}

}  // namespace cem
}  // namespace lookahead
