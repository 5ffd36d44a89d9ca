// What the launchers share: a device's limits, launches, and the packing of a layer.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_LAUNCH_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_LAUNCH_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "ops/cem/cc/cuda/device_model.h"
#include "ops/cem/cc/cuda/tensor_cores.h"

namespace lookahead {
namespace cem {

#ifdef LOOKAHEAD_EMULATED
constexpr int kTileThreads = 64, kThreads = 64;
#else
constexpr int kTileThreads = 512, kThreads = 256;
#endif

// A block's shared memory, as large as its launch asked for.
__device__ inline uint32_t* SharedWords() {
#ifdef LOOKAHEAD_EMULATED
  return emulated::SharedMemory();
#else
  extern __shared__ uint4 memory[];
  return reinterpret_cast<uint32_t*>(memory);
#endif
}

// What a device offers a block, and how many run at once.
struct Limits {
  int shared_bytes, processors;
};

inline int ReadLimits(Limits* limits) {
  int device;
  int error = cudaGetDevice(&device);
  if (error != cudaSuccess) return error;
  error = cudaDeviceGetAttribute(&limits->shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin,
                                 device);
  if (error != cudaSuccess) return error;
  return cudaDeviceGetAttribute(&limits->processors, cudaDevAttrMultiProcessorCount, device);
}

template <typename Argument>
int Launch(CUstream_st* stream, dim3 grid, void (*kernel)(Argument), Argument argument) {
  void* pointers[] = {&argument};
  return cudaLaunchKernel(kernel, grid, dim3(kThreads), pointers, 0, stream);
}

// Blocks of a tile each, with their shared memory.
template <typename Argument>
int LaunchTiles(CUstream_st* stream, dim3 grid, int64_t bytes, void (*kernel)(Argument),
                Argument argument) {
  const int error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(bytes));
  if (error != cudaSuccess) return error;
  void* pointers[] = {&argument};
  return cudaLaunchKernel(kernel, grid, dim3(kTileThreads), pointers, static_cast<size_t>(bytes),
                          stream);
}

// The weight of a depth and a gate's column, or 0 beyond the layer.
__device__ inline float WeightOf(const DeviceLayer& layer, int32_t depth, int32_t column,
                                 int32_t gate) {
  if (column >= layer.width) return 0.0f;
  const int64_t at = gate * layer.width + column, row = layer.gates * layer.width;
  if (depth < layer.top_depth) return layer.top[depth * row + at];
  const int32_t below = depth - layer.bottom_at;
  return below >= 0 && below < layer.bottom_depth ? layer.bottom[below * row + at] : 0.0f;
}

// A layer's weights in the order of fragments, by the blocks of one row of the grid.
template <typename Word>
__device__ void PackLayer(const DeviceLayer& layer) {
  const int64_t total = WordsOf(layer);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total;
       i += stride) {
    const int32_t word = i % 4, lane = i / 4 % 32;
    const int32_t fragment = static_cast<int32_t>(i / kFragmentWords);
    const int32_t gate = fragment % layer.gates, eight = fragment / layer.gates;
    const int32_t eights = layer.steps * kFragments;
    const int32_t column = eight / eights * kTileWidth + lane / 4 * 2 + word % 2;
    const int32_t depth = (eight % eights * 8 + lane % 4 + word / 2 * 4) * Word::kDepths;
    const float low = WeightOf(layer, depth, column, gate);
    const float high = Word::kDepths == 2 ? WeightOf(layer, depth + 1, column, gate) : 0.0f;
    layer.packed[i] = Word::Of(low, high);
  }
}

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_LAUNCH_H_
