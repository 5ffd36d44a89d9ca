// As much of CUDA's runtime as the latent planner's kernels use, on the host: a
// block is one thread that walks every loop over blockDim alone, so the kernels'
// own source runs where no GPU is. What this cannot show: speed, the GPU's own
// rounding, tensor cores, and races between the threads of a block.

#ifndef LOOKAHEAD_TESTS_GPU_EMULATED_BLOCKS_CUDA_RUNTIME_H_
#define LOOKAHEAD_TESTS_GPU_EMULATED_BLOCKS_CUDA_RUNTIME_H_

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static

struct CUstream_st;
typedef CUstream_st* cudaStream_t;
typedef int cudaError_t;
enum { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDefault };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline dim3 blockIdx(0, 0), gridDim(1), blockDim(1), threadIdx(0, 0);

using std::isfinite;

namespace emulated {

constexpr int kSharedBytes = 232448;  // What a block of an H200 can have.

// A block begins with whatever the last one left, and the first with NaN.
inline float* SharedMemory() {
  static std::vector<float> memory(kSharedBytes / sizeof(float), NAN);
  return memory.data();
}

template <typename... P, size_t... I>
void Call(void (*kernel)(P...), void** arguments, std::index_sequence<I...>) {
  kernel(*static_cast<P*>(arguments[I])...);
}

}  // namespace emulated

inline void __syncthreads() {}
inline int atomicAdd(int* at, int value) {
  const int before = *at;
  *at += value;
  return before;
}

template <typename... P>
cudaError_t cudaLaunchKernel(void (*kernel)(P...), dim3 grid, dim3 /*block*/, void** arguments,
                             size_t shared, cudaStream_t /*stream*/) {
  if (shared > emulated::kSharedBytes) return cudaErrorInvalidValue;
  gridDim = grid;
  for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y) {
    for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
      emulated::Call(kernel, arguments, std::index_sequence_for<P...>());
    }
  }
  return cudaSuccess;
}

inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = emulated::kSharedBytes;
  return cudaSuccess;
}
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel, cudaFuncAttribute, int) {
  return cudaSuccess;
}
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "an error";
}
inline cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = malloc(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) {
  free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  memset(memory, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }

#endif  // LOOKAHEAD_TESTS_GPU_EMULATED_BLOCKS_CUDA_RUNTIME_H_
