// As much of CUDA's runtime as the kernels use, on the host: each thread of a
// block is a fiber; the lanes of a warp meet at every shuffle and vote, the warps
// of a block at every barrier. So the kernels' own source runs where no GPU is,
// lane for lane.
//
// Between two meetings the lanes run one after the other, in turns upwards and
// downwards, and so do the warps: a result that depends on their order shows.
// Lanes that meet at different places, or of which one ends while another waits,
// stop the program. What this cannot show: speed, the GPU's own rounding, and
// races within the memory model that no order of whole lanes brings about.

#ifndef LOOKAHEAD_TESTS_GPU_EMULATED_CUDA_RUNTIME_H_
#define LOOKAHEAD_TESTS_GPU_EMULATED_CUDA_RUNTIME_H_

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <functional>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __launch_bounds__(...)

struct CUstream_st;
typedef CUstream_st* cudaStream_t;
typedef int cudaError_t;
enum { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDefault };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin, cudaDevAttrMultiProcessorCount };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct uint2 {
  uint32_t x, y;
};
struct uint4 {
  uint32_t x, y, z, w;
};

inline dim3 blockIdx(0, 0, 0), gridDim(1), blockDim(1), threadIdx(0, 0, 0);

using std::isfinite;

namespace emulated {

constexpr int kLanes = 32;
constexpr size_t kStackBytes = 1 << 17;
constexpr int kSharedBytes = 232448;  // What a block of an H200 can have.

// As many as the environment says, so that both sides of a choice by their number run.
inline int Processors() {
  const char* said = getenv("LOOKAHEAD_EMULATED_PROCESSORS");
  return said == nullptr ? 4 : atoi(said);
}

// What a lane is waiting for; the last two are a whole block's.
enum Meeting { kNone, kShuffle, kVote, kWarpBarrier, kBlockBarrier, kDone };

struct Lane {
  ucontext_t entry;
  jmp_buf resume;
  bool started;
  Meeting meeting;
  uint64_t brought;
  std::vector<char> stack;
};

struct Warp {
  Lane lanes[kLanes];
  uint64_t shared[kLanes];  // what each brought to the last meeting
  unsigned first_thread;
  bool upwards;
};

inline std::vector<Warp> block;
inline Warp* warp;  // the one that runs
inline int running;
inline jmp_buf scheduler;
inline const std::function<void()>* kernel_call;

[[noreturn]] inline void Stop(const char* problem) {
  fprintf(stderr, "emulated block: %s\n", problem);
  abort();
}

inline void SwitchToScheduler() { _longjmp(scheduler, 1); }

inline void RunLane() {
  (*kernel_call)();
  warp->lanes[running].meeting = kDone;
  SwitchToScheduler();
}

inline void Meet(Meeting meeting, uint64_t value) {
  Lane& lane = warp->lanes[running];
  lane.meeting = meeting;
  lane.brought = value;
  if (_setjmp(lane.resume) == 0) SwitchToScheduler();
}

inline void Resume(int index) {
  Lane& lane = warp->lanes[index];
  running = index;
  threadIdx.x = warp->first_thread + index;
  lane.meeting = kNone;
  if (_setjmp(scheduler) != 0) return;
  if (lane.started) _longjmp(lane.resume, 1);
  lane.started = true;
  setcontext(&lane.entry);
}

inline void StartWarp(unsigned first_thread) {
  warp->first_thread = first_thread;
  warp->upwards = true;
  for (Lane& lane : warp->lanes) {
    lane.stack.resize(kStackBytes);
    lane.started = false;
    getcontext(&lane.entry);
    lane.entry.uc_stack.ss_sp = lane.stack.data();
    lane.entry.uc_stack.ss_size = lane.stack.size();
    lane.entry.uc_link = nullptr;
    makecontext(&lane.entry, RunLane, 0);
  }
}

// Runs a warp until its lanes are done or wait for the block; says which.
inline Meeting RunWarp() {
  for (;; warp->upwards = !warp->upwards) {
    for (int i = 0; i < kLanes; ++i) Resume(warp->upwards ? i : kLanes - 1 - i);
    const Meeting meeting = warp->lanes[0].meeting;
    for (int i = 0; i < kLanes; ++i) {
      if (warp->lanes[i].meeting != meeting) Stop("the lanes do not meet at the same place");
      warp->shared[i] = warp->lanes[i].brought;
    }
    if (meeting == kDone || meeting == kBlockBarrier) return meeting;
  }
}

inline void RunBlock(unsigned threads) {
  const int warps = static_cast<int>((threads + kLanes - 1) / kLanes);
  if (static_cast<int>(block.size()) < warps) block.resize(warps);
  for (int i = 0; i < warps; ++i) {
    warp = &block[i];
    StartWarp(i * kLanes);
  }
  std::vector<bool> done(warps, false);
  int left = warps;
  for (bool upwards = true; left > 0; upwards = !upwards) {
    for (int i = 0; i < warps; ++i) {
      const int index = upwards ? i : warps - 1 - i;
      if (done[index]) continue;  // A warp that has ended holds up no barrier.
      warp = &block[index];
      done[index] = RunWarp() == kDone;
      left -= done[index];
    }
  }
}

template <typename T>
uint64_t ToBits(T value) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves up to eight bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(value));
  return bits;
}

template <typename T>
T Shuffle(unsigned mask, T value, int from) {
  if (mask != 0xffffffffu) Stop("a shuffle is not for all lanes");
  Meet(kShuffle, ToBits(value));
  memcpy(&value, &warp->shared[from % kLanes], sizeof(value));
  return value;
}

// A block begins with whatever the last one left, and the first with ones: NaN.
inline uint32_t* SharedMemory() {
  alignas(16) static uint32_t memory[kSharedBytes / sizeof(uint32_t)];
  static const void* filled = memset(memory, 0xff, sizeof(memory));
  return filled == nullptr ? nullptr : memory;
}

template <typename... P, size_t... I>
void Call(void (*kernel)(P...), void** arguments, std::index_sequence<I...>) {
  kernel(*static_cast<P*>(arguments[I])...);
}

}  // namespace emulated

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int distance) {
  return emulated::Shuffle(mask, value, emulated::running ^ distance);
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return emulated::Shuffle(mask, value, lane);
}
inline int __any_sync(unsigned mask, int value) {
  if (mask != 0xffffffffu) emulated::Stop("a vote is not for all lanes");
  emulated::Meet(emulated::kVote, value != 0);
  for (uint64_t each : emulated::warp->shared) {
    if (each != 0) return 1;
  }
  return 0;
}
inline void __syncwarp() { emulated::Meet(emulated::kWarpBarrier, 0); }
inline void __syncthreads() { emulated::Meet(emulated::kBlockBarrier, 0); }
template <typename T>
T __ldcg(const T* at) {
  return *at;
}
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float sinpif(float x) { return static_cast<float>(sin(M_PI * x)); }
inline float cospif(float x) { return static_cast<float>(cos(M_PI * x)); }
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }

// Runs a kernel's blocks one after the other.
template <typename... P>
cudaError_t cudaLaunchKernel(void (*kernel)(P...), dim3 grid, dim3 threads, void** arguments,
                             size_t shared, cudaStream_t /*stream*/) {
  if (shared > emulated::kSharedBytes) return cudaErrorInvalidValue;
  gridDim = grid;
  blockDim = threads;
  const std::function<void()> call = [&] {
    emulated::Call(kernel, arguments, std::index_sequence_for<P...>());
  };
  emulated::kernel_call = &call;
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z) {
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y) {
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) emulated::RunBlock(threads.x);
    }
  }
  emulated::kernel_call = nullptr;
  return cudaSuccess;
}

inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value =
      attribute == cudaDevAttrMultiProcessorCount ? emulated::Processors() : emulated::kSharedBytes;
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

#endif  // LOOKAHEAD_TESTS_GPU_EMULATED_CUDA_RUNTIME_H_
