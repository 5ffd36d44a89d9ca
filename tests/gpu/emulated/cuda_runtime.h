// As much of CUDA's runtime as the kernels use, on the host: each lane of a
// warp is a fiber, and the lanes meet at every shuffle, vote and barrier. So
// the kernels' own source runs where no GPU is, lane for lane.
//
// Between two meetings the lanes run one after the other, in turns upwards and
// downwards: a result that depends on their order shows. Lanes that meet at
// different places, or of which one ends while another waits, stop the program.
// What this cannot show: speed, the GPU's own rounding of exp and log, and
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

struct CUstream_st;
typedef CUstream_st* cudaStream_t;
typedef int cudaError_t;
enum { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline dim3 blockIdx(0), blockDim(1), threadIdx(0);

namespace emulated {

constexpr int kLanes = 32;
constexpr size_t kStackBytes = 1 << 17;

// What a lane is waiting for.
enum Meeting { kNone, kShuffle, kVote, kBarrier, kDone };

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
  jmp_buf scheduler;
  uint64_t shared[kLanes];  // what each brought to the last meeting
  int running;
  unsigned first_thread;
  const std::function<void()>* kernel;
};

inline Warp warp;

[[noreturn]] inline void Stop(const char* problem) {
  fprintf(stderr, "emulated warp: %s\n", problem);
  abort();
}

inline void SwitchToScheduler() { _longjmp(warp.scheduler, 1); }

inline void RunLane() {
  (*warp.kernel)();
  warp.lanes[warp.running].meeting = kDone;
  SwitchToScheduler();
}

inline void Meet(Meeting meeting, uint64_t value) {
  Lane& lane = warp.lanes[warp.running];
  lane.meeting = meeting;
  lane.brought = value;
  if (_setjmp(lane.resume) == 0) SwitchToScheduler();
}

inline void Resume(int index) {
  Lane& lane = warp.lanes[index];
  warp.running = index;
  threadIdx.x = warp.first_thread + index;
  lane.meeting = kNone;
  if (_setjmp(warp.scheduler) != 0) return;
  if (lane.started) _longjmp(lane.resume, 1);
  lane.started = true;
  setcontext(&lane.entry);
}

inline void StartWarp(unsigned first_thread, const std::function<void()>& kernel) {
  warp.first_thread = first_thread;
  warp.kernel = &kernel;
  for (Lane& lane : warp.lanes) {
    lane.stack.resize(kStackBytes);
    lane.started = false;
    getcontext(&lane.entry);
    lane.entry.uc_stack.ss_sp = lane.stack.data();
    lane.entry.uc_stack.ss_size = lane.stack.size();
    lane.entry.uc_link = nullptr;
    makecontext(&lane.entry, RunLane, 0);
  }
}

inline void RunWarp(unsigned first_thread, const std::function<void()>& kernel) {
  StartWarp(first_thread, kernel);
  for (bool upwards = true;; upwards = !upwards) {
    for (int i = 0; i < kLanes; ++i) Resume(upwards ? i : kLanes - 1 - i);
    const Meeting meeting = warp.lanes[0].meeting;
    for (int i = 0; i < kLanes; ++i) {
      if (warp.lanes[i].meeting != meeting) Stop("the lanes do not meet at the same place");
      warp.shared[i] = warp.lanes[i].brought;
    }
    if (meeting == kDone) return;
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
  memcpy(&value, &warp.shared[from % kLanes], sizeof(value));
  return value;
}

template <typename... P, size_t... I>
void Call(void (*kernel)(P...), void** arguments, std::index_sequence<I...>) {
  kernel(*static_cast<P*>(arguments[I])...);
}

}  // namespace emulated

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int distance) {
  return emulated::Shuffle(mask, value, emulated::warp.running ^ distance);
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return emulated::Shuffle(mask, value, lane);
}
inline int __any_sync(unsigned mask, int value) {
  if (mask != 0xffffffffu) emulated::Stop("a vote is not for all lanes");
  emulated::Meet(emulated::kVote, value != 0);
  for (uint64_t each : emulated::warp.shared) {
    if (each != 0) return 1;
  }
  return 0;
}
inline void __syncwarp() { emulated::Meet(emulated::kBarrier, 0); }

// Runs a kernel's blocks one after the other, and the warps of a block too:
// fit for kernels that do not synchronise a block.
template <typename... P>
cudaError_t cudaLaunchKernel(void (*kernel)(P...), dim3 grid, dim3 block, void** arguments,
                             size_t /*shared*/, cudaStream_t /*stream*/) {
  blockDim = block;
  const std::function<void()> call = [&] {
    emulated::Call(kernel, arguments, std::index_sequence_for<P...>());
  };
  for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
    for (unsigned thread = 0; thread < block.x; thread += emulated::kLanes) {
      emulated::RunWarp(thread, call);
    }
  }
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
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }

#endif  // LOOKAHEAD_TESTS_GPU_EMULATED_CUDA_RUNTIME_H_
