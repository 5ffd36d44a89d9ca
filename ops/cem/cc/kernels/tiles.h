// How work on rows is cut into tiles for the device's threads, and their scratch.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_TILES_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_TILES_H_

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>

#include "ops/cem/cc/kernels/packed.h"

namespace lookahead {
namespace cem {

// The device's threads: calls `range(begin, end)` until 0 … total is covered.
struct Threads {
  int64_t count;
  std::function<void(int64_t total, int64_t cycles_each,
                     const std::function<void(int64_t, int64_t)>& range)>
      parallel_for;
};

// A whole number of cache lines.
inline int64_t Aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

inline int64_t Parts(int64_t total, int64_t size) { return (total + size - 1) / size; }

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Scratch = std::unique_ptr<float, Free>;

inline Scratch MakeScratch(int64_t floats) {
  return Scratch(static_cast<float*>(std::aligned_alloc(64, Aligned(floats) * sizeof(float))));
}

// Tiles of at most three vectors that keep the threads busy for the shortest time:
// as many rounds as are cheapest, and the vectors spread evenly over all of their
// tiles.
int64_t CountTiles(const Kernels& kernels, int64_t vectors, int64_t threads);

// Calls `work(tile, scratch)` for each of `tiles`, which cost `cycles_each`; a
// thread takes the next tile when it is free, and keeps its scratch.
void ForEachTile(const Threads& threads, int64_t tiles, int64_t cycles_each, int64_t scratch_floats,
                 const std::function<void(int64_t tile, float* scratch)>& work);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_TILES_H_
