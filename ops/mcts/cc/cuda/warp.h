// What the lanes of a warp do together. Every lane must call each function, and
// each gives every lane the same result.

#ifndef LOOKAHEAD_OPS_MCTS_CC_CUDA_WARP_H_
#define LOOKAHEAD_OPS_MCTS_CC_CUDA_WARP_H_

#include <cuda_runtime.h>

#include "ops/mcts/cc/kernels/numbers.h"

namespace lookahead {
namespace mcts {

constexpr int kWarpLanes = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ inline int LaneIndex() { return threadIdx.x % kWarpLanes; }

__device__ inline float WarpSum(float x) {
  for (int d = kWarpLanes / 2; d > 0; d /= 2) x += __shfl_xor_sync(kAllLanes, x, d);
  return x;
}
__device__ inline float WarpLeast(float x) {
  for (int d = kWarpLanes / 2; d > 0; d /= 2) x = Min(x, __shfl_xor_sync(kAllLanes, x, d));
  return x;
}
__device__ inline float WarpGreatest(float x) {
  for (int d = kWarpLanes / 2; d > 0; d /= 2) x = Max(x, __shfl_xor_sync(kAllLanes, x, d));
  return x;
}

// Lane 0's value, also where a broken tree made the lanes disagree.
__device__ inline int FromFirstLane(int x) { return __shfl_sync(kAllLanes, x, 0); }

__device__ inline bool AnyLane(bool x) { return __any_sync(kAllLanes, x) != 0; }

// The least slot of those that the lanes found, -1 for none.
__device__ inline int FirstSlot(int slot) {
  unsigned least = static_cast<unsigned>(slot);  // -1 becomes the greatest
  for (int d = kWarpLanes / 2; d > 0; d /= 2) {
    least = Min(least, __shfl_xor_sync(kAllLanes, least, d));
  }
  return static_cast<int>(least);
}

// The greatest score and where it stands; of equal scores the lowest action's.
struct LaneBest {
  float score = -kInfinity;
  float action = kInfinity;
  int slot = -1;

  __device__ void Offer(float candidate, float its_action, int its_slot) {
    const bool better = candidate > score || (candidate == score && its_action < action);
    if (!better || !(candidate > -kInfinity)) return;
    score = candidate;
    action = its_action;
    slot = its_slot;
  }
  // Of all lanes; -1 where no score was above -inf.
  __device__ int Slot() {
    for (int d = kWarpLanes / 2; d > 0; d /= 2) {
      const float other_score = __shfl_xor_sync(kAllLanes, score, d);
      const float other_action = __shfl_xor_sync(kAllLanes, action, d);
      const int other_slot = __shfl_xor_sync(kAllLanes, slot, d);
      Offer(other_score, other_action, other_slot);
    }
    return FromFirstLane(slot);
  }
};

// Copies a row, as wide as its place in memory allows.
template <typename Word>
__device__ inline void CopyWords(char* to, const char* from, int64_t bytes) {
  const int64_t count = bytes / sizeof(Word);
  for (int64_t i = LaneIndex(); i < count; i += kWarpLanes) {
    reinterpret_cast<Word*>(to)[i] = reinterpret_cast<const Word*>(from)[i];
  }
}

struct alignas(16) SixteenBytes {
  int32_t words[4];
};

__device__ inline void CopyRow(char* to, const char* from, int64_t bytes) {
  const uintptr_t place =
      reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from) | bytes;
  if (place % sizeof(SixteenBytes) == 0) {
    CopyWords<SixteenBytes>(to, from, bytes);
  } else if (place % sizeof(int32_t) == 0) {
    CopyWords<int32_t>(to, from, bytes);
  } else {
    CopyWords<char>(to, from, bytes);
  }
}

// Makes a row zeros, a word at a time where its place in memory allows.
__device__ inline void ClearRow(char* row, int64_t bytes) {
  const bool words = (reinterpret_cast<uintptr_t>(row) | bytes) % sizeof(int32_t) == 0;
  const int64_t count = words ? bytes / sizeof(int32_t) : bytes;
  for (int64_t i = LaneIndex(); i < count; i += kWarpLanes) {
    if (words) {
      reinterpret_cast<int32_t*>(row)[i] = 0;
    } else {
      row[i] = 0;
    }
  }
}

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_CUDA_WARP_H_
